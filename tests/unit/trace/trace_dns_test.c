#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workerd/meas/trace/dns.h"

/* DNS messages byte by byte. */

static struct addr
addr(const char *text)
{
	struct addr a = { 0 };

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

/* id 0x1234, RD, one question: PTR IN 9.2.0.192.in-addr.arpa */
static const uint8_t query4[] = "\x12\x34\x01\x00\0\1\0\0\0\0\0\0"
				"\1"
				"9\1"
				"2\1"
				"0\3"
				"192\7in-addr\4arpa\0\0\x0c\0\1";
#define QUERY4_LEN (sizeof(query4) - 1)

static void
a_query_is_rfc_1035_bytes(void **state)
{
	struct addr a = addr("192.0.2.9");
	uint8_t buf[DNS_QUERY_MAX];

	assert_int_equal(dns_ptr_query(buf, sizeof(buf), 0x1234, &a), QUERY4_LEN);
	assert_memory_equal(buf, query4, QUERY4_LEN);
	assert_int_equal(dns_ptr_query(buf, QUERY4_LEN - 1, 0x1234, &a), 0);
	a = addr("2001:db8::1");
	assert_int_equal(dns_ptr_query(buf, sizeof(buf), 1, &a), 12 + 64 + 10 + 4);
	assert_memory_equal(buf + 12,
	    "\1"
	    "1\1"
	    "0",
	    4);
	assert_memory_equal(buf + 12 + 56,
	    "\1"
	    "1\1"
	    "0\1"
	    "0\1"
	    "2\3ip6\4arpa",
	    17);
	a.family = ADDR_NONE;
	assert_int_equal(dns_ptr_query(buf, sizeof(buf), 1, &a), 0);
	(void)state;
}

static int
answer(const uint8_t *tail, size_t tail_len, uint16_t count, uint16_t flags, char name[DNS_NAME_MAX])
{
	struct addr a = addr("192.0.2.9");
	size_t len = QUERY4_LEN + tail_len;
	uint8_t *msg = malloc(len); /* of exactly that size: sanitizers see a step too far */
	int rc;

	assert_non_null(msg);
	memcpy(msg, query4, QUERY4_LEN);
	memcpy(msg + QUERY4_LEN, tail, tail_len);
	msg[2] = (uint8_t)(flags >> 8);
	msg[3] = (uint8_t)flags;
	msg[7] = (uint8_t)count;
	rc = dns_ptr_answer(msg, len, 0x1234, &a, name);
	free(msg);
	return rc;
}

#define ANSWER(tail, count, flags, name) answer((const uint8_t *)(tail), sizeof(tail) - 1, count, flags, name)
#define PTR_HEAD "\xc0\x0c\0\x0c\0\1\0\0\0\x3c"

static void
a_name_is_read_with_and_without_compression(void **state)
{
	char name[DNS_NAME_MAX];

	assert_int_equal(ANSWER(PTR_HEAD "\0\x0c\2r9\7example\0", 1, 0x8180, name), 0);
	assert_string_equal(name, "r9.example");
	/* ends with the question's "arpa" */
	assert_int_equal(ANSWER(PTR_HEAD "\0\5\2r9\xc0\x1e", 1, 0x8180, name), 0);
	assert_string_equal(name, "r9.arpa");
	(void)state;
}

/* RFC 2317: the zone of a small block is delegated by CNAMEs. */
static void
a_cname_may_come_first(void **state)
{
	char name[DNS_NAME_MAX];

	assert_int_equal(ANSWER("\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1x\xc0\x0c"
				"\xc0\x34\0\x0c\0\1\0\0\0\x3c\0\4\2r9\0",
			     2, 0x8180, name),
	    0);
	assert_string_equal(name, "r9");
	(void)state;
}

static void
no_name_is_no_name(void **state)
{
	char name[DNS_NAME_MAX];

	assert_int_equal(ANSWER("", 0, 0x8183, name), -ENOENT);
	assert_int_equal(ANSWER("", 0, 0x8180, name), -ENOENT);
	assert_int_equal(ANSWER("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4", 1, 0x8180, name), -ENOENT);
	(void)state;
}

static void
answers_to_other_questions_are_refused(void **state)
{
	struct addr other = addr("192.0.2.8");
	uint8_t msg[QUERY4_LEN];
	char name[DNS_NAME_MAX];

	memcpy(msg, query4, sizeof(msg));
	assert_int_equal(dns_ptr_answer(msg, sizeof(msg), 0x1234, &other, name), -ESRCH); /* a query */
	msg[2] = 0x81;
	assert_int_equal(dns_ptr_answer(msg, sizeof(msg), 0x1234, &other, name), -ESRCH);
	assert_int_equal(dns_ptr_answer(msg, sizeof(msg), 0x1235, &other, name), -ESRCH);
	(void)state;
}

static void
broken_messages_are_refused(void **state)
{
	char name[DNS_NAME_MAX];

	assert_int_equal(ANSWER(PTR_HEAD "\0\x0c\2r9\7exam", 1, 0x8180, name), -EBADMSG);
	assert_int_equal(ANSWER(PTR_HEAD "\0\2\xc0\xff", 1, 0x8180, name), -EBADMSG); /* forward */
	assert_int_equal(ANSWER(PTR_HEAD "\0\2\xc0\x34", 1, 0x8180, name), -EBADMSG); /* to itself */
	assert_int_equal(ANSWER(PTR_HEAD "\0\2\x80\x01", 1, 0x8180, name), -EBADMSG); /* RFC 6891: reserved */
	assert_int_equal(ANSWER(PTR_HEAD "\0\1\0", 1, 0x8180, name), -EBADMSG);       /* the root */
	assert_int_equal(ANSWER(PTR_HEAD, 1, 0x8180, name), -EBADMSG);
	assert_int_equal(ANSWER("\xc0\x0c\0\1\0\1\0\0\0\x3c\xff\xff\1", 1, 0x8180, name), -EBADMSG);
	assert_int_equal(ANSWER("", 0, 0x9180, name), -EBADMSG); /* another opcode */
	(void)state;
}

static void
a_message_cut_anywhere_is_no_answer(void **state)
{
	static const uint8_t tail[] = PTR_HEAD "\0\x0c\2r9\7example\0";
	char name[DNS_NAME_MAX];

	for (size_t cut = 1; cut < sizeof(tail); cut++)
		assert_int_equal(answer(tail, sizeof(tail) - 1 - cut, 1, 0x8180, name), -EBADMSG);
	(void)state;
}

static void
unprintable_bytes_never_leave(void **state)
{
	char name[DNS_NAME_MAX];

	assert_int_equal(ANSWER(PTR_HEAD "\0\x0a\7"
					 "a\033\"\n\\.b"
					 "\0",
			     1, 0x8180, name),
	    0);
	assert_string_equal(name, "a?????b");
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_is_rfc_1035_bytes),
		cmocka_unit_test(a_name_is_read_with_and_without_compression),
		cmocka_unit_test(a_cname_may_come_first),
		cmocka_unit_test(no_name_is_no_name),
		cmocka_unit_test(answers_to_other_questions_are_refused),
		cmocka_unit_test(broken_messages_are_refused),
		cmocka_unit_test(a_message_cut_anywhere_is_no_answer),
		cmocka_unit_test(unprintable_bytes_never_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

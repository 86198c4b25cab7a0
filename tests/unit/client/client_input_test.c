#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/input.h"
#include "client/methods.h"
#include "client/prefix.h"
#include "client/target.h"

/* A file with these bytes; the name lives until the next call. */
static const char *
file_with(const void *bytes, size_t len)
{
	static char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/vantage-input-test.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	(void)close(fd);
	return path;
}

static void
open_bytes(struct input *in, const void *bytes, size_t len)
{
	const char *path = file_with(bytes, len);
	struct errbuf err;

	assert_int_equal(input_open(in, path, &err), 0);
	(void)unlink(path);
}

static enum input_status
next(struct input *in, char **ret)
{
	enum input_status status;
	size_t len;

	while ((status = input_next(in, ret, &len)) == INPUT_WAIT)
		assert_int_equal(input_fill(in), 0);
	return status;
}

static void
lines_come_one_by_one_and_the_last_needs_no_newline(void **state)
{
	struct input in;
	char *line;

	(void)state;
	open_bytes(&in, "a\n\nb\r\nc", 7);
	assert_int_equal(next(&in, &line), INPUT_LINE);
	assert_string_equal(line, "a");
	assert_int_equal(next(&in, &line), INPUT_LINE);
	assert_string_equal(line, "");
	assert_int_equal(next(&in, &line), INPUT_LINE);
	assert_string_equal(line, "b\r");
	assert_int_equal(next(&in, &line), INPUT_LINE);
	assert_string_equal(line, "c");
	assert_int_equal(in.line_no, 4);
	assert_int_equal(in.consumed, 7);
	assert_int_equal(next(&in, &line), INPUT_END);
	assert_int_equal(next(&in, &line), INPUT_END);
	input_close(&in);
}

static void
a_line_too_long_is_passed_over_and_counted(void **state)
{
	size_t sizes[] = { INPUT_LINE_MAX + 1, INPUT_BUF_BYTES, 3 * INPUT_BUF_BYTES + 5 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char *bytes = malloc(sizes[i] + 6), *line;
		struct input in;

		memset(bytes, 'x', sizes[i]);
		memcpy(bytes + sizes[i], "\nnext\n", 6);
		open_bytes(&in, bytes, sizes[i] + 6);
		assert_int_equal(next(&in, &line), INPUT_TOO_LONG);
		assert_int_equal(in.line_no, 1);
		assert_int_equal(next(&in, &line), INPUT_LINE);
		assert_string_equal(line, "next");
		assert_int_equal(in.line_no, 2);
		assert_int_equal(in.consumed, sizes[i] + 6);
		assert_int_equal(next(&in, &line), INPUT_END);
		input_close(&in);
		free(bytes);
	}
}

static void
the_longest_line_is_whole_wherever_the_chunk_ends(void **state)
{
	char *bytes = malloc(40 * (INPUT_LINE_MAX + 1)), *line;
	struct input in;

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		memset(bytes + i * (INPUT_LINE_MAX + 1), 'a' + (int)(i % 26), INPUT_LINE_MAX);
		bytes[i * (INPUT_LINE_MAX + 1) + INPUT_LINE_MAX] = '\n';
	}
	open_bytes(&in, bytes, 40 * (INPUT_LINE_MAX + 1));
	for (size_t i = 0; i < 40; i++) {
		assert_int_equal(next(&in, &line), INPUT_LINE);
		assert_int_equal(strlen(line), INPUT_LINE_MAX);
		assert_int_equal(line[INPUT_LINE_MAX - 1], 'a' + (int)(i % 26));
	}
	assert_int_equal(next(&in, &line), INPUT_END);
	input_close(&in);
	free(bytes);
}

static void
a_nul_byte_spoils_its_line_only(void **state)
{
	struct input in;
	char *line;

	(void)state;
	open_bytes(&in, "a\0b\nc\n", 6);
	assert_int_equal(next(&in, &line), INPUT_NUL);
	assert_int_equal(next(&in, &line), INPUT_LINE);
	assert_string_equal(line, "c");
	input_close(&in);
}

static void
a_directory_or_nothing_is_refused(void **state)
{
	struct errbuf err;
	struct input in;

	(void)state;
	assert_int_equal(input_open(&in, "/tmp", &err), -EISDIR);
	input_close(&in);
	assert_int_equal(input_open(&in, "/nonexistent", &err), -ENOENT);
	input_close(&in);
}

struct row {
	enum target_form form;
	const char *line;
	int rc;
	const char *command;
};

static const struct row rows[] = {
	{ TARGET_ADDRESS, "192.0.2.1", 1, "trace 192.0.2.1\n" },
	{ TARGET_ADDRESS, "  2001:db8::1\t# me", 1, "trace 2001:db8::1\n" },
	{ TARGET_ADDRESS, "192.0.2.1\r", 1, "trace 192.0.2.1\n" },
	{ TARGET_ADDRESS, "192.0.2.1#x", 1, "trace 192.0.2.1\n" },
	{ TARGET_ADDRESS, "192.0.2.1\tx", 1, "trace 192.0.2.1\n" },
	{ TARGET_ADDRESS, "", 0, "" },
	{ TARGET_ADDRESS, "   \t\r", 0, "" },
	{ TARGET_ADDRESS, "# comment", 0, "" },
	{ TARGET_ADDRESS, "192.0.2.256", -EINVAL, "" },
	{ TARGET_ADDRESS, "example.org", -EINVAL, "" },
	{ TARGET_ADDRESS, "192.0.2.1\x01", -EINVAL, "" },
	{ TARGET_COMMAND, "ping -c 1 192.0.2.1", 1, "ping -c 1 192.0.2.1\n" },
	{ TARGET_COMMAND, "\tping\t-c 1 192.0.2.1  # note", 1, "ping -c 1 192.0.2.1\n" },
	{ TARGET_COMMAND, "ping 192.0.2.1\r", 1, "ping 192.0.2.1\n" },
	{ TARGET_COMMAND, "#", 0, "" },
	{ TARGET_COMMAND, "ping \x7f", -EINVAL, "" },
	{ TARGET_COMMAND, "ping \xc3\xa9", -EINVAL, "" },
	{ TARGET_OPERAND, "ping -c 1 192.0.2.1 ", 1, "ping -c 1 192.0.2.1\n" },
	{ TARGET_OPERAND, "a#b", 1, "a#b\n" },
	{ TARGET_OPERAND, "ping\n192.0.2.1", -EINVAL, "" },
	{ TARGET_TSPS, "192.0.2.1", 1, "ping 192.0.2.1\n" },
	{ TARGET_TSPS, "192.0.2.1 192.0.2.2", 1, "ping -T tsprespec=192.0.2.2 192.0.2.1\n" },
	{ TARGET_TSPS, "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5\r", 1,
	    "ping -T tsprespec=192.0.2.2,192.0.2.3,192.0.2.4,192.0.2.5 192.0.2.1\n" },
	{ TARGET_TSPS, "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 192.0.2.6", -EINVAL, "" },
	{ TARGET_TSPS, "192.0.2.1  192.0.2.2", -EINVAL, "" },
	{ TARGET_TSPS, "192.0.2.1 ::1", -EINVAL, "" },
	{ TARGET_TSPS, " 192.0.2.1", -EINVAL, "" },
	{ TARGET_TSPS, "# x", 0, "" },
	{ TARGET_TSPS, "", 0, "" },
};

static void
a_line_becomes_its_command(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct errbuf err = { "" };
		char line[256];
		struct addr dst;
		struct buf out;
		int rc;

		buf_init(&out, 0);
		(void)snprintf(line, sizeof(line), "%s", rows[i].line);
		rc = target_command(rows[i].form, "trace", line, strlen(line), &out, &dst, &err);
		if (rc != rows[i].rc || (rc > 0 && (out.len != strlen(rows[i].command) ||
						       memcmp(out.p, rows[i].command, out.len) != 0)))
			fail_msg("'%s' gave %d '%.*s' %s", rows[i].line, rc, (int)out.len, out.p, err.text);
		if (rc < 0)
			assert_string_not_equal(err.text, "");
		buf_fini(&out);
	}
}

static void
the_destination_of_a_command_is_found(void **state)
{
	char line[] = "ping -S 192.0.2.9 198.51.100.1";
	struct addr dst, want;
	struct errbuf err;
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(target_command(TARGET_COMMAND, "", line, strlen(line), &out, &dst, &err), 1);
	(void)addr_parse("198.51.100.1", &want);
	assert_true(addr_equal(&dst, &want));
	buf_fini(&out);
}

static bool
has(const struct prefix_set *set, const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return prefix_set_has(set, &a);
}

static void
prefixes_cover_what_they_say_and_no_more(void **state)
{
	struct prefix_set set = { 0 };

	(void)state;
	assert_false(has(&set, "192.0.2.1"));
	assert_int_equal(prefix_set_add(&set, "192.0.2.77/25"), 0);
	assert_int_equal(prefix_set_add(&set, "192.0.2.0/26"), 0);
	assert_int_equal(prefix_set_add(&set, "198.51.100.7"), 0);
	assert_int_equal(prefix_set_add(&set, "2001:db8::/65"), 0);
	assert_int_equal(prefix_set_add(&set, "2001:db9::/32"), 0);
	prefix_set_seal(&set);
	assert_true(has(&set, "192.0.2.0"));
	assert_true(has(&set, "192.0.2.127"));
	assert_false(has(&set, "192.0.2.128"));
	assert_false(has(&set, "192.0.1.255"));
	assert_true(has(&set, "198.51.100.7"));
	assert_false(has(&set, "198.51.100.8"));
	assert_true(has(&set, "2001:db8::7fff:ffff:ffff:ffff"));
	assert_false(has(&set, "2001:db8:0:0:8000::"));
	assert_true(has(&set, "2001:db9:ffff::"));
	assert_false(has(&set, "2001:dba::"));
	prefix_set_fini(&set);
}

static void
everything_is_one_prefix_of_its_own_family(void **state)
{
	struct prefix_set set = { 0 };

	(void)state;
	assert_int_equal(prefix_set_add(&set, "::/0"), 0);
	prefix_set_seal(&set);
	assert_true(has(&set, "::1"));
	assert_false(has(&set, "192.0.2.1"));
	assert_int_equal(prefix_set_add(&set, "0.0.0.0/0"), 0);
	prefix_set_seal(&set);
	assert_true(has(&set, "255.255.255.255"));
	prefix_set_fini(&set);
}

static void
what_is_no_prefix_is_refused(void **state)
{
	static const char *const bad[] = { "", "/8", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1",
		"192.0.2/24", "::/129", "x", "192.0.2.0/24x", "192.0.2.0/24/24" };
	struct prefix_set set = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(prefix_set_add(&set, bad[i]), -EINVAL);
	prefix_set_fini(&set);
}

/* Random prefixes against a search through all of them. */
static void
look_up_agrees_with_a_plain_search(void **state)
{
	enum { N = 500 };
	struct prefix_set set = { 0 };
	uint32_t base[N], bits[N];

	(void)state;
	srandom(7);
	for (int i = 0; i < N; i++) {
		char text[32];

		base[i] = (uint32_t)random() & 0xffff;
		bits[i] = 20 + (uint32_t)random() % 13;
		(void)snprintf(text, sizeof(text), "10.0.%u.%u/%u", base[i] >> 8, base[i] & 255, bits[i]);
		assert_int_equal(prefix_set_add(&set, text), 0);
	}
	prefix_set_seal(&set);
	for (uint32_t a = 0; a < 0x10000; a++) {
		struct addr addr = { ADDR_IP4, { 10, 0, (uint8_t)(a >> 8), (uint8_t)a } };
		bool want = false;

		for (int i = 0; i < N && !want; i++)
			want = (base[i] >> (32 - bits[i])) == (a >> (32 - bits[i]));
		assert_int_equal(prefix_set_has(&set, &addr), want);
	}
	prefix_set_fini(&set);
}

static void
a_prefix_file_is_taken_whole_or_not_at_all(void **state)
{
	static const char good[] = "# list\n192.0.2.0/24 # x\r\n\n\t2001:db8::/32\n",
			  bad[] = "10.0.0.0/8\nx\n", nul[] = "10.0.0.0/8\n\0\n";
	struct prefix_set set = { 0 };
	struct errbuf err;
	const char *path = file_with(good, sizeof(good) - 1);

	(void)state;
	assert_int_equal(prefix_set_load(&set, path, &err), 0);
	(void)unlink(path);
	prefix_set_seal(&set);
	assert_true(has(&set, "192.0.2.9"));
	assert_true(has(&set, "2001:db8::9"));
	path = file_with(bad, sizeof(bad) - 1);
	assert_int_equal(prefix_set_load(&set, path, &err), -EINVAL);
	assert_non_null(strstr(err.text, ":2: no address prefix"));
	(void)unlink(path);
	path = file_with(nul, sizeof(nul) - 1);
	assert_int_equal(prefix_set_load(&set, path, &err), -EINVAL);
	(void)unlink(path);
	assert_int_equal(prefix_set_load(&set, "/nonexistent", &err), -ENOENT);
	prefix_set_fini(&set);
}

static void
a_disabled_method_is_not_allowed(void **state)
{
	static const char good[] = "# x\ntrace.enable = 0\nping.enable=1\n", bad[] = "\ntrace.enable = 2\n";
	struct methods m = { 0 };
	struct errbuf err;
	const char *path = file_with(good, sizeof(good) - 1);

	(void)state;
	assert_true(methods_allow(&m, "trace x", 7));
	assert_int_equal(methods_load(&m, path, &err), 0);
	(void)unlink(path);
	assert_false(methods_allow(&m, "trace x", 7));
	assert_false(methods_allow(&m, "trace", 5));
	assert_false(methods_allow(&m, "TRACE x", 7));
	assert_true(methods_allow(&m, "tracelb x", 9));
	assert_true(methods_allow(&m, "ping x", 6));
	path = file_with(bad, sizeof(bad) - 1);
	assert_int_equal(methods_load(&m, path, &err), -EINVAL);
	assert_non_null(strstr(err.text, ":2: "));
	(void)unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_one_by_one_and_the_last_needs_no_newline),
		cmocka_unit_test(a_line_too_long_is_passed_over_and_counted),
		cmocka_unit_test(the_longest_line_is_whole_wherever_the_chunk_ends),
		cmocka_unit_test(a_nul_byte_spoils_its_line_only),
		cmocka_unit_test(a_directory_or_nothing_is_refused),
		cmocka_unit_test(a_line_becomes_its_command),
		cmocka_unit_test(the_destination_of_a_command_is_found),
		cmocka_unit_test(prefixes_cover_what_they_say_and_no_more),
		cmocka_unit_test(everything_is_one_prefix_of_its_own_family),
		cmocka_unit_test(what_is_no_prefix_is_refused),
		cmocka_unit_test(look_up_agrees_with_a_plain_search),
		cmocka_unit_test(a_prefix_file_is_taken_whole_or_not_at_all),
		cmocka_unit_test(a_disabled_method_is_not_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

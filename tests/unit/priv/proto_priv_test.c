#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/priv/pp.h"

static void
every_request_comes_back_as_it_was(void **state)
{
	(void)state;
	for (uint32_t id = 1; id < PP_MSG_MAX; id++) {
		const struct pp_layout *layout = &pp_msgs[id].request;
		union pp_body body = { 0 }, back = { 0 };
		uint8_t wire[PP_WIRE_MAX];
		uint32_t got = 0;
		int len;

		for (uint32_t i = 0; i < layout->fields; i++)
			memcpy((uint8_t *)&body + layout->field[i].offset, &layout->field[i].max, 4);
		len = pp_request_encode(id, &body, wire);
		assert_int_equal(len, 4 * (1 + layout->fields));
		assert_int_equal(pp_request_decode(wire, (size_t)len, &got, &back), 0);
		assert_int_equal(got, id);
		assert_memory_equal(&body, &back, sizeof(body));
	}
}

static void
every_other_length_is_refused(void **state)
{
	(void)state;
	for (uint32_t id = 1; id < PP_MSG_MAX; id++) {
		union pp_body body = { 0 }, back;
		uint8_t wire[2 * PP_WIRE_MAX] = { 0 };
		uint32_t got;
		int len;

		for (uint32_t i = 0; i < pp_msgs[id].request.fields; i++)
			memcpy((uint8_t *)&body + pp_msgs[id].request.field[i].offset,
			    &pp_msgs[id].request.field[i].min, 4);
		len = pp_request_encode(id, &body, wire);
		assert_true(len > 0);
		for (size_t other = 0; other < sizeof(wire); other++) {
			if (other != (size_t)len)
				assert_int_equal(pp_request_decode(wire, other, &got, &back), -EPROTO);
		}
	}
}

static void
a_value_one_outside_the_range_is_refused(void **state)
{
	(void)state;
	for (uint32_t id = 1; id < PP_MSG_MAX; id++) {
		const struct pp_layout *layout = &pp_msgs[id].request;

		for (uint32_t i = 0; i < layout->fields; i++) {
			const struct pp_field *f = &layout->field[i];
			const uint32_t outside[] = { f->min - 1, f->max + 1 };

			for (uint32_t o = 0; o < 2; o++) {
				union pp_body body = { 0 }, back;
				uint8_t wire[PP_WIRE_MAX];
				uint32_t got;
				int len;

				if (outside[o] >= f->min && outside[o] <= f->max)
					continue; /* it wrapped: there is no such value */
				for (uint32_t j = 0; j < layout->fields; j++)
					memcpy((uint8_t *)&body + layout->field[j].offset,
					    &layout->field[j].min, 4);
				len = pp_request_encode(id, &body, wire);
				assert_true(len > 0);
				for (uint32_t b = 0; b < 4; b++)
					wire[4 + 4 * i + b] = (uint8_t)(outside[o] >> (24 - 8 * b));
				assert_int_equal(pp_request_decode(wire, (size_t)len, &got, &back), -EPROTO);
				memcpy((uint8_t *)&body + f->offset, &outside[o], 4);
				assert_int_equal(pp_request_encode(id, &body, wire), -EINVAL);
			}
		}
	}
}

static void
unknown_requests_are_refused(void **state)
{
	static const uint32_t ids[] = { 0, PP_MSG_MAX, 255, 0x80000001u, 0xffffffffu };
	union pp_body body = { 0 };
	uint8_t wire[PP_WIRE_MAX];
	uint32_t got;

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		for (uint32_t b = 0; b < 4; b++)
			wire[b] = (uint8_t)(ids[i] >> (24 - 8 * b));
		assert_int_equal(pp_request_decode(wire, 4, &got, &body), -EPROTO);
		assert_int_equal(pp_request_encode(ids[i], &body, wire), -EINVAL);
	}
}

/* HELLO, version 1: two words in network order. */
static void
the_wire_is_what_it_says(void **state)
{
	static const uint8_t golden[] = { 0, 0, 0, 1, 0, 0, 0, 1 };
	static const uint8_t refusal[] = { 0, 0, 0, 8, 0, 0, 0, EADDRINUSE };
	const union pp_body body = { .hello = { 1 } };
	uint8_t wire[PP_WIRE_MAX];

	(void)state;
	assert_int_equal(pp_request_encode(PP_HELLO, &body, wire), 8);
	assert_memory_equal(wire, golden, 8);
	assert_int_equal(pp_answer_encode(PP_RESERVE_PORT, EADDRINUSE, &body, wire), 8);
	assert_memory_equal(wire, refusal, 8);
}

static void
answers_come_back_and_refusals_carry_nothing(void **state)
{
	union pp_body body = { .hello_answer = { .flags = 3, .max_pps = 1000, .listeners = 2 } }, back;
	uint8_t wire[PP_WIRE_MAX];
	int error = -1, len;

	(void)state;
	len = pp_answer_encode(PP_HELLO, 0, &body, wire);
	assert_int_equal(pp_answer_decode(PP_HELLO, wire, (size_t)len, &error, &back), 0);
	assert_int_equal(error, 0);
	assert_int_equal(back.hello_answer.max_pps, 1000);
	assert_int_equal(pp_answer_decode(PP_ECHO, wire, (size_t)len, &error, &back), -EPROTO);
	assert_int_equal(pp_answer_decode(PP_HELLO, wire, (size_t)len - 1, &error, &back), -EPROTO);
	len = pp_answer_encode(PP_HELLO, EPERM, &body, wire);
	assert_int_equal(pp_answer_decode(PP_HELLO, wire, (size_t)len, &error, &back), 0);
	assert_int_equal(error, EPERM);
	wire[len - 1] = 1; /* a refusal that says more */
	assert_int_equal(pp_answer_decode(PP_HELLO, wire, (size_t)len, &error, &back), -EPROTO);
	assert_int_equal(pp_answer_encode(PP_HELLO, -1, &body, wire), -EINVAL);
	assert_int_equal(pp_answer_encode(PP_HELLO, 5000, &body, wire), -EINVAL);
}

static int
open_count(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Sends a record with count copies of a descriptor. */
static void
send_with(int sock, const void *bytes, size_t len, int fd, int count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;

	memset(&control, 0, sizeof(control));
	mh.msg_control = control.bytes;
	mh.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
	cm = CMSG_FIRSTHDR(&mh);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	for (int i = 0; i < count; i++)
		memcpy(CMSG_DATA(cm) + (size_t)i * sizeof(int), &fd, sizeof(fd));
	assert_int_equal(sendmsg(sock, &mh, 0), (ssize_t)len);
}

static void
too_many_descriptors_are_refused_and_closed(void **state)
{
	uint8_t buf[8];
	size_t len;
	int pair[2], fd, before;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	before = open_count();
	for (int count = 1; count <= 64; count++) {
		int rc;

		send_with(pair[0], "abcd", 4, pair[0], count);
		rc = pp_recv(pair[1], buf, sizeof(buf), &len, &fd);
		if (count > 1) {
			assert_int_equal(rc, -EPROTO);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_true(fd >= 0);
		assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		(void)close(fd);
	}
	assert_int_equal(open_count(), before);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void
records_that_are_too_long_are_refused(void **state)
{
	uint8_t buf[8], long_record[9] = { 0 };
	size_t len;
	int pair[2], fd;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(pp_send(pair[0], long_record, 9, -1, 0), 0);
	assert_int_equal(pp_recv(pair[1], buf, sizeof(buf), &len, &fd), -EPROTO);
	assert_int_equal(pp_send(pair[0], long_record, 8, pair[0], 0), 0);
	assert_int_equal(pp_recv(pair[1], buf, sizeof(buf), &len, &fd), 0);
	assert_int_equal(len, 8);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)close(pair[0]);
	assert_int_equal(pp_recv(pair[1], buf, sizeof(buf), &len, &fd), 0);
	assert_int_equal(len, 0); /* the end */
	assert_int_equal(pp_send(pair[1], buf, 4, -1, 0), -EPIPE);
	(void)close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_comes_back_as_it_was),
		cmocka_unit_test(every_other_length_is_refused),
		cmocka_unit_test(a_value_one_outside_the_range_is_refused),
		cmocka_unit_test(unknown_requests_are_refused),
		cmocka_unit_test(the_wire_is_what_it_says),
		cmocka_unit_test(answers_come_back_and_refusals_carry_nothing),
		cmocka_unit_test(too_many_descriptors_are_refused_and_closed),
		cmocka_unit_test(records_that_are_too_long_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

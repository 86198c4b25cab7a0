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

#include "privd/privd.h"

/* privd's request loop with ops that only count. */
static int
mock_op(struct privd *privd, struct call *call)
{
	(void)privd;
	call->fd = 0;
	call->lent = true;
	return 0;
}

static int
mock_refusal(struct privd *privd, struct call *call)
{
	(void)privd;
	call->fd = 0;
	call->lent = true;
	return -EADDRINUSE;
}

static const struct op mocks[PP_MSG_MAX] = {
	[PP_OPEN_RAW] = { mock_op, 2 },
	[PP_OPEN_RING] = { mock_refusal, 0 },
	[PP_ECHO] = { mock_op, 0 },
};

struct room {
	struct session session;
	int peer;
};

static void
room_open(struct room *r)
{
	int pair[2];

	memset(r, 0, sizeof(*r));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	r->session.sock = pair[0];
	r->peer = pair[1];
}

static void
room_close(struct room *r)
{
	(void)close(r->session.sock);
	(void)close(r->peer);
}

static int
ask(struct room *r, uint32_t id, int *ret_error, int *ret_fd)
{
	const union pp_body body = { .open_raw = { 1 } };
	uint8_t wire[PP_WIRE_MAX];
	union pp_body answer;
	size_t got;
	int len = pp_request_encode(id, &body, wire), rc;

	assert_true(len > 0);
	assert_int_equal(pp_send(r->peer, wire, (size_t)len, -1, 0), 0);
	rc = serve_one(&r->session, mocks, NULL, NULL);
	if (rc != 0)
		return rc;
	assert_int_equal(pp_recv(r->peer, wire, sizeof(wire), &got, ret_fd), 0);
	return pp_answer_decode(id, wire, got, ret_error, &answer);
}

static void
an_answer_carries_its_descriptor(void **state)
{
	struct room r;
	int error, fd;

	(void)state;
	room_open(&r);
	assert_int_equal(ask(&r, PP_OPEN_RAW, &error, &fd), 0);
	assert_int_equal(error, 0);
	assert_true(fd > 0);
	(void)close(fd);
	assert_true(fcntl(0, F_GETFD) >= 0); /* lent, not given */
	room_close(&r);
}

static void
a_refusal_carries_no_descriptor(void **state)
{
	struct room r;
	int error, fd;

	(void)state;
	room_open(&r);
	assert_int_equal(ask(&r, PP_OPEN_RING, &error, &fd), 0);
	assert_int_equal(error, EADDRINUSE);
	assert_int_equal(fd, -1);
	room_close(&r);
}

static void
the_quota_is_kept(void **state)
{
	struct room r;
	int error, fd;

	(void)state;
	room_open(&r);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(ask(&r, PP_OPEN_RAW, &error, &fd), 0);
		assert_int_equal(error, i < 2 ? 0 : EDQUOT);
		assert_int_equal(fd >= 0, i < 2);
		if (fd >= 0)
			(void)close(fd);
	}
	room_close(&r);
}

static void
a_descriptor_that_nobody_asked_for_ends_it(void **state)
{
	const uint8_t echo[] = { 0, 0, 0, PP_ECHO, 0, 0, 0, 1 };
	struct errbuf err = { "" };
	struct room r;

	(void)state;
	room_open(&r);
	assert_int_equal(pp_send(r.peer, echo, sizeof(echo), 0, 0), 0);
	assert_int_equal(serve_one(&r.session, mocks, NULL, &err), -EPROTO);
	assert_non_null(strstr(err.text, "nobody asked"));
	room_close(&r);
}

static void
an_empty_record_with_a_descriptor_is_no_clean_end(void **state)
{
	struct room r;

	(void)state;
	room_open(&r);
	assert_int_equal(pp_send(r.peer, (const uint8_t *)"", 0, 0, 0), 0);
	assert_int_equal(serve_one(&r.session, mocks, NULL, NULL), -EPROTO);
	room_close(&r);
}

static void
the_peers_end_is_told_apart(void **state)
{
	struct room r;

	(void)state;
	room_open(&r);
	(void)shutdown(r.peer, SHUT_RDWR);
	assert_int_equal(serve_one(&r.session, mocks, NULL, NULL), -EPIPE);
	room_close(&r);
}

static void
a_peer_that_reads_nothing_is_not_waited_for(void **state)
{
	const uint8_t echo[] = { 0, 0, 0, PP_ECHO, 0, 0, 0, 1 };
	struct room r;
	int rc = 0, served = 0;

	(void)state;
	room_open(&r);
	for (; rc == 0 && served < 10000; served++) {
		assert_int_equal(pp_send(r.peer, echo, sizeof(echo), -1, 0), 0);
		rc = serve_one(&r.session, mocks, NULL, NULL);
	}
	assert_int_equal(rc, -EPROTO);
	room_close(&r);
}

static void
every_message_has_an_op_and_every_op_a_message(void **state)
{
	(void)state;
	for (uint32_t id = 0; id < PP_MSG_MAX; id++)
		assert_int_equal(privd_ops[id].run != NULL, pp_msgs[id].name != NULL);
	assert_true(PP_MSG_MAX - 1 <= 14);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_carries_its_descriptor),
		cmocka_unit_test(a_refusal_carries_no_descriptor),
		cmocka_unit_test(the_quota_is_kept),
		cmocka_unit_test(a_descriptor_that_nobody_asked_for_ends_it),
		cmocka_unit_test(an_empty_record_with_a_descriptor_is_no_clean_end),
		cmocka_unit_test(the_peers_end_is_told_apart),
		cmocka_unit_test(a_peer_that_reads_nothing_is_not_waited_for),
		cmocka_unit_test(every_message_has_an_op_and_every_op_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

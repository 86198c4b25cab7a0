#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/ctl/room.h"

/* The end by a client's word (control.md 2.4), over real connections. */

static void
say(struct room *r, int fd, const char *text)
{
	room_say(fd, text);
	room_spin(r);
}

static bool
ended(struct room *r, int fd)
{
	bool end;

	(void)room_take(r, fd, &end);
	return end;
}

static uint32_t
blocks(const char *text)
{
	uint32_t n = 0;

	for (const char *p = text; (p = strstr(p, "DATA ")) != NULL; p++)
		n++;
	return n;
}

static int
open_as_operator(void **state)
{
	if (geteuid() != 0)
		return room_open(state);
	if (room_open(state) != 0)
		return -1;
	room_listen(*state, CTL_FORM_PLAIN);
	return 0;
}

static void
words_are_checked(void **state)
{
	struct room *r = *state;
	bool end;
	int fd;

	if (geteuid() != 0)
		skip();
	fd = room_dial(r);
	say(r, fd, "shutdown\n");
	assert_string_equal(room_take(r, fd, &end), "ERR usage: [cancel | done | flush | now]\n");
	say(r, fd, "shutdown soon\n");
	assert_string_equal(room_take(r, fd, &end), "ERR unhandled command 'soon'\n");
	assert_int_equal(r->stops, 0);
	(void)close(fd);
}

static void
idle_service_ends(struct room *r, const char *word)
{
	bool end;
	int fd;

	if (geteuid() != 0)
		skip();
	fd = room_dial(r);
	say(r, fd, word);
	assert_string_equal(room_take(r, fd, &end), "OK\n");
	assert_true(end);
	assert_int_equal(r->stops, 1);
	(void)close(fd);
}

static void
done_ends_an_idle_service_at_once(void **state)
{
	idle_service_ends(*state, "shutdown done\n");
}

static void
flush_ends_an_idle_service_at_once(void **state)
{
	idle_service_ends(*state, "shutdown flush\n");
}

static void
done_waits_for_attached_clients(void **state)
{
	struct room *r = *state;
	int client, op;
	bool end;

	if (geteuid() != 0)
		skip();
	client = room_dial(r);
	op = room_dial(r);
	say(r, client, "attach\nwait 192.0.2.1\n");
	say(r, op, "shutdown done\n");
	assert_string_equal(room_take(r, op, &end), "OK\n");
	assert_false(end);
	(void)room_take(r, client, &end);
	say(r, client, "halt 1\ndone\n");
	assert_int_equal(blocks(room_take(r, client, &end)), 2); /* the result, the cycle's stop */
	assert_true(end);
	assert_true(ended(r, op));
	assert_int_equal(r->stops, 1);
	(void)close(client);
	(void)close(op);
}

static void
flush_drops_the_queue_and_finishes_what_runs(void **state)
{
	struct room *r = *state;
	int client, op;
	bool end;

	if (geteuid() != 0)
		skip();
	client = room_dial(r);
	op = room_dial(r);
	/* The second waits for the first, the third for a place in the window. */
	say(r, client, "attach window 1\nwait 192.0.2.1\nwait 192.0.2.2\nwait 192.0.2.3\n");
	(void)room_take(r, client, &end);
	say(r, op, "shutdown flush\n");
	assert_int_equal(r->stops, 0);
	assert_int_equal(engine_running(r->net.engine), 1);
	say(r, op, "attach\n");
	assert_non_null(strstr(room_take(r, op, &end), "ERR not accepted"));
	mock_net_run(&r->net, 3601 * NSEC_PER_SEC);
	room_spin(r);
	assert_int_equal(blocks(room_take(r, client, &end)), 2);
	assert_true(end);
	assert_int_equal(r->stops, 1);
	(void)close(client);
	(void)close(op);
}

static void
now_discards_but_says_ok(void **state)
{
	struct room *r = *state;
	int client, op;
	bool end;

	if (geteuid() != 0)
		skip();
	client = room_dial(r);
	op = room_dial(r);
	say(r, client, "attach\nwait 192.0.2.1\n");
	(void)room_take(r, client, &end);
	say(r, op, "shutdown now\n");
	assert_string_equal(room_take(r, op, &end), "OK\n");
	assert_true(end);
	assert_string_equal(room_take(r, client, &end), "");
	assert_true(end);
	assert_int_equal(r->stops, 1);
	(void)close(client);
	(void)close(op);
}

static void
cancel_takes_it_back(void **state)
{
	struct room *r = *state;
	int client, op;
	bool end;

	if (geteuid() != 0)
		skip();
	client = room_dial(r);
	op = room_dial(r);
	say(r, client, "attach\n");
	say(r, op, "shutdown done\nshutdown cancel\n");
	assert_string_equal(room_take(r, op, &end), "OK\nOK\n");
	say(r, client, "done\n");
	(void)room_take(r, client, &end);
	assert_true(end);
	assert_int_equal(r->stops, 0);
	assert_false(ended(r, op));
	(void)close(client);
	(void)close(op);
}

static void
a_client_that_never_reads_delays_the_end_by_little(void **state)
{
	struct room *r = *state;
	int client, op;
	int small = 1;

	if (geteuid() != 0)
		skip();
	client = room_dial(r);
	op = room_dial(r);
	(void)setsockopt(client, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	say(r, client, "attach format json\n");
	for (int i = 0; i < 200; i++) {
		char many[2048];

		mock_lines(many, sizeof(many), "now 192.0.2.1\n");
		if (send(client, many, strlen(many), MSG_DONTWAIT | MSG_NOSIGNAL) <= 0)
			break;
		room_spin(r);
	}
	say(r, op, "shutdown flush\n");
	for (int i = 0; i < 3000 && r->stops == 0; i++) {
		room_spin(r);
		(void)usleep(1000);
	}
	assert_int_equal(r->stops, 1);
	(void)close(client);
	(void)close(op);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_as_operator, room_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(words_are_checked),
		T(done_ends_an_idle_service_at_once),
		T(flush_ends_an_idle_service_at_once),
		T(done_waits_for_attached_clients),
		T(flush_drops_the_queue_and_finishes_what_runs),
		T(now_discards_but_says_ok),
		T(cancel_takes_it_back),
		T(a_client_that_never_reads_delays_the_end_by_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

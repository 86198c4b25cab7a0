#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/limits.h"
#include "common/log.h"
#include "tests/unit/ctl/room.h"
#include "workerd/ctl/ctl_priv.h"

/*
 * Clients that mean no good, or are broken: what each may hold is bounded, and
 * others have their turn. tests/netns/test_hostile.py does the same to the real
 * pair.
 */

#define NOBODY 65534

/* Of another user than ours; only root can be somebody else. */
static int
connect_as(struct room *r, uid_t uid)
{
	int fd;

	assert_int_equal(seteuid(uid), 0);
	fd = room_dial(r);
	assert_int_equal(seteuid(0), 0);
	return fd;
}

static bool
listen_for_users(struct room *r)
{
	if (getuid() != 0)
		return false;
	room_listen(r, CTL_FORM_PLAIN);
	return chmod(r->path, 0666) == 0;
}

/* A new client that asks until so much waits for it, and reads nothing. */
static int
connect_silent(struct room *r, uid_t uid, size_t unsent)
{
	int fd = uid == getuid() ? room_pair(r) : connect_as(r, uid);
	const struct session *s;

	room_spin(r);
	for (s = &r->ctl->conns->session; session_unsent(s) < unsent; room_spin(r))
		room_say(fd, "describe\n");
	return fd;
}

/* The line as often as the socket takes it without being read. */
static void
stuff(int fd, const char *line)
{
	while (send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)strlen(line))
		;
}

/* The loop for so long, by the clock on the wall. */
static void
spin_ms(struct room *r, uint32_t ms)
{
	for (uint32_t i = 0; i < ms / 10; i++) {
		room_spin(r);
		(void)usleep(10000);
	}
}

/* ---- turns ---- */

#define FLOODERS 64

static void
a_flood_of_one_user_does_not_hold_up_another(void **state)
{
	struct room *r = *state;
	int flood[FLOODERS], polite;
	uint32_t served = 0;

	if (!listen_for_users(r))
		skip();
	for (int i = 0; i < FLOODERS; i++)
		flood[i] = connect_as(r, NOBODY);
	polite = connect_as(r, NOBODY - 1);
	room_spin(r);
	for (int i = 0; i < FLOODERS; i++)
		stuff(flood[i], "describe\n");
	room_say(polite, "get pid\n");
	/* What is read comes with one run, and goes out with the next. */
	(void)uv_run(&r->loop, UV_RUN_NOWAIT);
	(void)uv_run(&r->loop, UV_RUN_NOWAIT);
	(void)uv_run(&r->loop, UV_RUN_NOWAIT);
	assert_string_equal(room_take(r, polite, NULL), "OK pid 4711\n");
	/* Each of them has more to do than a turn allows. */
	for (int i = 0; i < FLOODERS; i++)
		served += recv(flood[i], r->answer, sizeof(r->answer), 0) > 0;
	assert_in_range(served, 1, FLOODERS / 2);
	/* In time all have theirs. */
	for (int i = 0; i < 20; i++)
		room_spin(r);
	for (int i = 0; i < FLOODERS; i++) {
		assert_true(recv(flood[i], r->answer, sizeof(r->answer), 0) > 0);
		(void)close(flood[i]);
	}
	(void)close(polite);
}

/* What came while it waited for its turn is read, also when it had to send more
 * than the mark first, and all of that left at once. */
static void
who_sends_much_in_its_turn_is_still_read(void **state)
{
	static const int room = 4 * CTL_OUT_MARK;
	struct room *r = *state;
	int fd = room_pair(r);
	struct conn *c = r->ctl->conns;

	if (setsockopt(c->fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) != 0)
		skip();
	room_spin(r);
	room_say(fd, "get pid\n");
	r->ctl->spent = CTL_TURNS_NS;
	(void)uv_run(&r->loop, UV_RUN_NOWAIT);
	assert_true(c->readable);
	while (session_unsent(&c->session) <= CTL_OUT_MARK)
		session_reply(&c->session, "OK %0400d", 0);
	room_spin(r);
	assert_int_equal(session_unsent(&c->session), 0);
	assert_non_null(strstr(room_take(r, fd, NULL), "OK pid 4711\n"));
	(void)close(fd);
}

/* ---- connections ---- */

static void
the_last_connections_are_for_operators(void **state)
{
	struct room *r = *state;
	int fds[8];
	bool end;

	if (!listen_for_users(r))
		skip();
	r->ctl->env.conns_max = 6 + CTL_CONNS_KEPT;
	for (int i = 0; i < 8; i++) {
		fds[i] = connect_as(r, i < 7 ? (uid_t)(NOBODY - i) : 0);
		room_spin(r);
	}
	assert_string_equal(room_take(r, fds[6], &end), "ERR too many connections\n");
	assert_true(end);
	room_say(fds[5], "get pid\n");
	room_say(fds[7], "get pid\n");
	room_spin(r);
	assert_string_equal(room_take(r, fds[5], NULL), "OK pid 4711\n");
	assert_string_equal(room_take(r, fds[7], NULL), "OK pid 4711\n");
	for (int i = 0; i < 8; i++)
		(void)close(fds[i]);
}

/* Whoever comes and goes says nothing with "done": each is cut. */
static void
cut_connections_do_not_fill_the_log(void **state)
{
	struct room *r = *state;
	int log = memfd_create("log", MFD_CLOEXEC);
	char text[16384];
	uint32_t lines = 0;
	ssize_t n;

	assert_true(log >= 0);
	log_to(log);
	for (int i = 0; i < 100; i++) {
		int fd = room_pair(r);

		room_say(fd, "attach\n");
		room_spin(r);
		(void)close(fd);
		room_spin(r);
	}
	log_to(STDERR_FILENO);
	assert_int_equal(r->clients_done, 100);
	n = pread(log, text, sizeof(text), 0);
	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	/* Ten, or as many again and how many there were when a second began meanwhile. */
	assert_in_range(lines, 10, 42);
	(void)close(log);
}

/* ---- output that nobody takes ---- */

static void
who_leaves_and_reads_nothing_is_cut(void **state)
{
	struct room *r = *state;
	int half = connect_silent(r, getuid(), 1), leaving = connect_silent(r, getuid(), 1),
	    staying = connect_silent(r, getuid(), 1);

	r->ctl->drain_ms = 100;
	assert_int_equal(shutdown(half, SHUT_WR), 0);
	room_say(leaving, "exit\n");
	room_spin(r);
	assert_int_equal(r->clients_done, 0);
	spin_ms(r, 400);
	assert_int_equal(r->clients_done, 2);
	/* Who may still ask for something is left alone. */
	(void)room_take(r, staying, NULL);
	room_say(staying, "exit\n");
	while (r->clients_done < 3) {
		room_spin(r);
		(void)room_take(r, staying, NULL);
	}
	(void)close(half);
	(void)close(leaving);
	(void)close(staying);
}

static void
who_leaves_and_reads_slowly_gets_everything(void **state)
{
	struct room *r = *state;
	int slow = room_pair(r), fast = room_pair(r);
	size_t got = 0, all = 0;
	bool end = false;
	ssize_t n;

	r->ctl->drain_ms = 200;
	for (int i = 0; i < 25; i++) {
		room_say(slow, "describe\n");
		room_say(fast, "describe\n");
	}
	room_say(slow, "exit\n");
	room_say(fast, "exit\n");
	while (!end) {
		room_spin(r);
		all += strlen(room_take(r, fast, &end));
	}
	/* A little at a time, for longer than the patience with who takes none. */
	for (n = 1; n != 0; (void)usleep(1000)) {
		n = recv(slow, r->answer, all / 400, 0);
		got += n > 0 ? (size_t)n : 0;
		room_spin(r);
	}
	assert_int_equal(got, all);
	(void)close(slow);
	(void)close(fast);
}

static void
results_are_kept_longer(void **state)
{
	struct room *r = *state;
	char lines[14 * 1000 + 1];
	int fd = room_pair(r);

	r->ctl->drain_ms = 20;
	r->ctl->drain_attached_ms = 300;
	mock_lines(lines, sizeof(lines), "now 192.0.2.1\n");
	room_say(fd, "attach\n");
	for (int i = 0; i < 3; i++) {
		room_say(fd, lines);
		room_spin(r);
	}
	room_say(fd, "done\n");
	spin_ms(r, 150);
	assert_int_equal(r->clients_done, 0);
	spin_ms(r, 500);
	assert_int_equal(r->clients_done, 1);
	(void)close(fd);
}

/* Each far below its mark, all of them above what there is for all. */
static void
many_small_outputs_have_a_bound_too(void **state)
{
	struct room *r = *state;
	int fds[16], reader = room_pair(r);

	r->ctl->env.out_total = 2 * 1024 * 1024;
	for (int i = 0; i < 16; i++) {
		fds[i] = connect_silent(r, getuid(), 200 * 1024);
		assert_true(r->ctl->out_held <= r->ctl->env.out_total);
	}
	assert_in_range(r->clients_done, 1, 15);
	room_say(reader, "get pid\n");
	room_spin(r);
	assert_string_equal(room_take(r, reader, NULL), "OK pid 4711\n");
	for (int i = 0; i < 16; i++)
		(void)close(fds[i]);
	(void)close(reader);
}

static void
who_fills_the_room_for_output_gives_it_up(void **state)
{
	struct room *r = *state;
	int greedy[8], modest;
	const char *a;
	size_t have;
	bool end;

	if (!listen_for_users(r))
		skip();
	r->ctl->env.out_total = 1024 * 1024;
	for (int i = 0; i < 8; i++)
		greedy[i] = connect_silent(r, NOBODY, 120 * 1024);
	modest = connect_silent(r, NOBODY - 1, 400 * 1024);
	assert_true(r->ctl->out_held <= r->ctl->env.out_total);
	for (a = room_take(r, modest, &end), have = 0; *a != '\0'; a = room_take(r, modest, &end)) {
		have += strlen(a);
		room_spin(r);
	}
	assert_false(end);
	assert_true(have > 400 * 1024);
	for (int i = 0; i < 8; i++)
		(void)close(greedy[i]);
	(void)close(modest);
}

/* ---- what is accepted ---- */

static void
a_user_has_so_many_measurements(void **state)
{
	struct room *r = *state;
	int a = room_pair(r), b = room_pair(r);

	r->ctl->env.tasks_uid_max = 3;
	room_say(a, "attach\nwait 192.0.2.1\nwait 192.0.2.2\n");
	room_say(b, "attach\n");
	room_spin(r);
	(void)room_take(r, b, NULL);
	room_say(b, "wait 192.0.2.3\nwait 192.0.2.4\n");
	room_spin(r);
	assert_non_null(strstr(room_take(r, b, NULL),
	    "ERR command not accepted: this user: 3 measurements, 0 left; again when one of them ends\n"));
	room_say(a, "halt 1\n");
	room_spin(r);
	room_say(b, "wait 192.0.2.4\n");
	room_spin(r);
	assert_non_null(strstr(room_take(r, b, NULL), "OK id-2\n"));
	assert_int_equal(mock_alive, 3);
	(void)close(a);
	(void)close(b);
}

static void
many_connections_share_the_room_for_commands(void **state)
{
	struct room *r = *state;
	char lines[15 * 1000 + 1];
	int fd = room_pair(r);
	struct peer *p = r->ctl->conns->session.peer;

	mock_lines(lines, sizeof(lines), "wait 192.0.2.1\n");
	/* As if it had so many more. */
	p->sessions += 1000;
	room_say(fd, "attach window 1\n");
	room_say(fd, lines);
	room_spin(r);
	assert_in_range(mock_alive, CTL_QUEUE_UID_MAX / 1001, CTL_QUEUE_UID_MAX / 1001 + 1);
	p->sessions += 1000000;
	(void)close(fd);
	fd = room_pair(r);
	room_say(fd, "attach window 1\n");
	room_say(fd, lines);
	room_spin(r);
	assert_in_range(mock_alive, CTL_QUEUE_MIN, CTL_QUEUE_MIN + 1);
	p->sessions -= 1001000;
	(void)close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, room_open, room_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_flood_of_one_user_does_not_hold_up_another),
		T(who_sends_much_in_its_turn_is_still_read),
		T(the_last_connections_are_for_operators),
		T(cut_connections_do_not_fill_the_log),
		T(who_leaves_and_reads_nothing_is_cut),
		T(who_leaves_and_reads_slowly_gets_everything),
		T(results_are_kept_longer),
		T(many_small_outputs_have_a_bound_too),
		T(who_fills_the_room_for_output_gives_it_up),
		T(a_user_has_so_many_measurements),
		T(many_connections_share_the_room_for_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

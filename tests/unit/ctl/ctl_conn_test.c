#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/limits.h"
#include "tests/unit/ctl/room.h"
#include "workerd/ctl/ctl_priv.h"

static uint32_t
count(const char *text, const char *what)
{
	uint32_t n = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p += strlen(what))
		n++;
	return n;
}

/* So many lines as fast as they are taken; answers are not read. */
static void
send_lines(struct room *r, int fd, const char *line, uint32_t n)
{
	size_t len = strlen(line);

	for (uint32_t i = 0; i < n;) {
		if (send(fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len)
			i++;
		else
			room_spin(r);
	}
	room_spin(r);
}

static void
a_client_talks_and_leaves(void **state)
{
	struct room *r = *state;
	int fd = room_pair(r);
	bool end;

	assert_string_equal(room_hear(r, fd, &end), "");
	room_say(fd, "get pid\nget ");
	assert_string_equal(room_hear(r, fd, &end), "OK pid 4711\n");
	assert_false(end);
	room_say(fd, "version\nexit\n");
	assert_string_equal(room_hear(r, fd, &end), "OK version 20260420\n");
	assert_true(end);
	assert_int_equal(r->clients_done, 1);
	(void)close(fd);
}

static void
the_peer_of_a_unix_socket_is_known(void **state)
{
	struct room *r = *state;
	int fd = room_pair(r);

	room_say(fd, "set pps 777\n");
	assert_string_equal(room_hear(r, fd, NULL), getuid() == 0 ? "OK pps 777\n" : "ERR not permitted: set pps is for operators\n");
	(void)close(fd);
}

static void
results_come_and_then_the_end(void **state)
{
	struct room *r = *state;
	int fd = room_pair(r);
	const char *a;
	bool end;

	room_say(fd, "attach data id\n");
	a = room_hear(r, fd, &end);
	assert_memory_equal(a, "OK\nMORE\nDATA ", 13);
	assert_int_equal(count(a, "DATA "), 2);
	room_say(fd, "now 192.0.2.1\nnow 192.0.2.2\ndone\n");
	a = room_hear(r, fd, &end);
	assert_true(end);
	assert_memory_equal(a, "OK id-1\nOK id-2\nOK\n", 19);
	assert_int_equal(count(a, " id-1\n"), 2);
	assert_int_equal(count(a, "DATA "), 3);
	assert_int_equal(r->clients_done, 1);
	assert_true(r->net.wakes > 0);
	(void)close(fd);
}

static void
a_disconnect_in_the_middle_drops_all_tasks(void **state)
{
	struct room *r = *state;
	char lines[15 * 1000 + 1];
	int fd = room_pair(r), other = room_pair(r);

	mock_lines(lines, sizeof(lines), "wait 192.0.2.1\n");
	room_say(other, "attach\nwait 192.0.2.7\n");
	room_say(fd, "attach window 500\n");
	room_say(fd, lines);
	room_spin(r);
	assert_int_equal(engine_running(r->net.engine), 501);
	assert_int_equal(mock_alive, 1001);
	room_say(fd, "wait 192.0.2.1\nwai");
	(void)close(fd);
	room_spin(r);
	assert_int_equal(mock_alive, 1);
	assert_int_equal(r->clients_done, 1);
	room_say(other, "halt 1\n");
	assert_int_equal(count(room_hear(r, other, NULL), "OK halted 1\n"), 1);
	(void)close(other);
}

static void
a_disconnect_while_output_waits_is_noticed(void **state)
{
	struct room *r = *state;
	char lines[14 * 1000 + 1];
	int fd = room_pair(r);

	mock_lines(lines, sizeof(lines), "now 192.0.2.1\n");
	room_say(fd, "attach\n");
	for (int i = 0; i < 100; i++) {
		(void)send(fd, lines, strlen(lines), MSG_NOSIGNAL | MSG_DONTWAIT);
		room_spin(r);
	}
	assert_int_equal(r->clients_done, 0);
	(void)close(fd);
	room_spin(r);
	assert_int_equal(r->clients_done, 1);
	assert_int_equal(mock_alive, 0);
}

static void
a_slow_reader_gets_everything(void **state)
{
	struct room *r = *state;
	char lines[14 * 1000 + 1];
	int fd = room_pair(r);
	uint32_t sent = 0, got = 0;
	size_t off = 0;
	bool end = false;

	mock_lines(lines, sizeof(lines), "now 192.0.2.1\n");
	room_say(fd, "attach\n");
	/* Two thousand times as much as the socket holds, never read... */
	for (int i = 0; i < 200; i++) {
		ssize_t n = send(fd, lines + off, strlen(lines) - off, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			off = (off + (size_t)n) % strlen(lines);
		sent += n > 0 ? (uint32_t)n : 0;
		room_spin(r);
	}
	/* ... so it stops taking commands, and goes on when it is read. */
	assert_true(sent < 200 * strlen(lines));
	while (off != 0) {
		ssize_t n = send(fd, lines + off, strlen(lines) - off, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			off = (off + (size_t)n) % strlen(lines);
		sent += n > 0 ? (uint32_t)n : 0;
		got += count(room_hear(r, fd, &end), "\nDATA ");
		assert_false(end);
	}
	while (send(fd, "done\n", 5, MSG_NOSIGNAL) != 5)
		got += count(room_hear(r, fd, &end), "\nDATA ");
	while (!end)
		got += count(room_hear(r, fd, &end), "\nDATA ");
	/* Two at the beginning and one at the end are not results. */
	assert_in_range(got, sent / 14 + 3 - 5, sent / 14 + 3);
	(void)close(fd);
}

static void
half_closed_without_done_is_gone(void **state)
{
	struct room *r = *state;
	int fd = room_pair(r);
	bool end;

	room_say(fd, "attach\nwait 192.0.2.1\n");
	room_spin(r);
	assert_int_equal(mock_alive, 1);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	(void)room_hear(r, fd, &end);
	assert_true(end);
	assert_int_equal(mock_alive, 0);
	(void)close(fd);
}

static void
half_closed_after_done_gets_its_results(void **state)
{
	struct room *r = *state;
	int fd = room_pair(r);
	const char *a;
	bool end;

	room_say(fd, "attach data id\nnow 192.0.2.1\nwait 192.0.2.2\ndone\n");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	(void)room_hear(r, fd, &end);
	assert_false(end);
	mock_net_run(&r->net, 3601 * NSEC_PER_SEC);
	a = room_hear(r, fd, &end);
	assert_true(end);
	assert_int_equal(count(a, "DATA "), 2);
	(void)close(fd);
}

static void
a_client_that_dies_after_done_is_noticed(void **state)
{
	struct room *r = *state;
	int fd = room_pair(r);

	room_say(fd, "attach\nwait 192.0.2.2\ndone\n");
	(void)room_hear(r, fd, NULL);
	assert_int_equal(mock_alive, 1);
	(void)close(fd);
	room_spin(r);
	assert_int_equal(mock_alive, 0);
	assert_int_equal(r->clients_done, 1);
}

static void
what_was_said_before_closing_is_done(void **state)
{
	struct room *r = *state;
	int fd = room_pair(r);

	if (getuid() != 0)
		skip();
	room_say(fd, "set pps 321\n");
	(void)close(fd);
	room_spin(r);
	assert_int_equal(r->clients_done, 1);
	assert_int_equal(engine_config_get(r->net.engine)->pps, 321);
}

static void
a_half_closed_question_is_answered(void **state)
{
	struct room *r = *state;
	int fd = room_pair(r);
	bool end;

	room_say(fd, "get pid\n");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_string_equal(room_hear(r, fd, &end), "OK pid 4711\n");
	assert_true(end);
	(void)close(fd);
}

static void
garbage_is_answered_and_cut(void **state)
{
	struct room *r = *state;
	char junk[60000];
	int fd = room_pair(r);
	bool end;

	memset(junk, 0xa5, sizeof(junk));
	(void)send(fd, junk, sizeof(junk), MSG_NOSIGNAL | MSG_DONTWAIT);
	assert_string_equal(room_hear(r, fd, &end), "ERR line longer than 8191 bytes\n");
	assert_true(end);
	(void)close(fd);
}

static void
a_flood_of_short_lines_is_taken_in_parts(void **state)
{
	struct room *r = *state;
	char flood[16384];
	int fd = room_pair(r);
	uint32_t errors = 0, answers = 0;
	const char *a;
	bool end = false;

	for (size_t i = 0; i < sizeof(flood); i += 2)
		memcpy(flood + i, "x\n", 2);
	assert_int_equal(send(fd, flood, sizeof(flood), MSG_NOSIGNAL), sizeof(flood));
	(void)uv_run(&r->loop, UV_RUN_NOWAIT);
	(void)uv_run(&r->loop, UV_RUN_NOWAIT);
	assert_in_range(recv(fd, r->answer, sizeof(r->answer), 0), 27, 2 * CTL_READ_LINES * 27);
	room_say(fd, "get pid\nexit\n");
	while (!end) {
		a = room_hear(r, fd, &end);
		answers += count(a, "OK pid 4711\n");
		errors += count(a, "ERR unhandled command 'x'");
	}
	assert_int_equal(answers, 1);
	assert_true(errors >= sizeof(flood) / 2 - 2 * CTL_READ_LINES - 10);
	(void)close(fd);
}

/* ---- listeners ---- */

static void
a_listener_has_a_data_form_and_the_client_may_override_it(void **state)
{
	struct room *r = *state;
	int a, b;

	room_listen(r, CTL_FORM_ID);
	a = room_dial(r);
	b = room_dial(r);
	room_say(a, "attach\nnow 192.0.2.1\n");
	room_say(b, "attach data plain\nnow 192.0.2.1\n");
	assert_int_equal(count(room_hear(r, a, NULL), " id-1\n"), 2);
	assert_int_equal(count(room_hear(r, b, NULL), " id-1\n"), 1);
	assert_int_equal(r->clients_done, 0);
	(void)close(a);
	(void)close(b);
}

static void
the_name_control_id_has_the_id_form(void **state)
{
	struct room *r = *state;
	char path[64];
	int a;

	(void)snprintf(path, sizeof(path), "/tmp/vantage-ctl-%d", (int)getpid());
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "/tmp/vantage-ctl-%d/" CTL_ID_NAME, (int)getpid());
	room_listen_at(r, path, CTL_FORM_PLAIN);
	a = room_dial(r);
	room_say(a, "attach\nnow 192.0.2.1\n");
	assert_int_equal(count(room_hear(r, a, NULL), " id-1\n"), 2);
	(void)close(a);
	assert_int_equal(unlink(path), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
}

static void
connections_are_named_by_path_and_count(void **state)
{
	struct room *r = *state;
	char want[128];
	int a, b;

	room_listen(r, CTL_FORM_PLAIN);
	a = room_dial(r);
	b = room_dial(r);
	room_say(a, "attach format json\n");
	room_say(b, "attach format json\n");
	(void)snprintf(want, sizeof(want), "\"list_name\":\"%s:0\"", r->path);
	assert_non_null(strstr(room_hear(r, a, NULL), want));
	(void)snprintf(want, sizeof(want), "\"list_name\":\"%s:1\"", r->path);
	assert_non_null(strstr(room_hear(r, b, NULL), want));
	(void)close(a);
	(void)close(b);
}

static void
too_many_connections_are_told_so(void **state)
{
	struct room *r = *state;
	struct rlimit lim = { 3 * CTL_CONNS_MAX, 3 * CTL_CONNS_MAX };
	int *fds = calloc(CTL_CONNS_MAX + 1, sizeof(int));
	bool end;

	assert_non_null(fds);
	if (setrlimit(RLIMIT_NOFILE, &lim) != 0) {
		free(fds);
		skip();
	}
	r->ctl->env.conns_uid_max = CTL_CONNS_MAX;
	r->ctl->env.conns_max += getuid() == 0 ? 0 : CTL_CONNS_KEPT;
	room_listen(r, CTL_FORM_PLAIN);
	for (int i = 0; i <= CTL_CONNS_MAX; i++) {
		fds[i] = room_dial(r);
		if (i % 100 == 0)
			room_spin(r);
	}
	for (int i = 0; i < 20; i++)
		room_spin(r);
	assert_string_equal(room_hear(r, fds[CTL_CONNS_MAX], &end), "ERR too many connections\n");
	assert_true(end);
	room_say(fds[CTL_CONNS_MAX - 1], "get pid\n");
	assert_string_equal(room_hear(r, fds[CTL_CONNS_MAX - 1], &end), "OK pid 4711\n");
	(void)close(fds[0]);
	(void)close(fds[CTL_CONNS_MAX]);
	room_spin(r);
	fds[0] = room_dial(r);
	room_say(fds[0], "get pid\n");
	assert_string_equal(room_hear(r, fds[0], &end), "OK pid 4711\n");
	for (int i = 0; i < CTL_CONNS_MAX; i++)
		(void)close(fds[i]);
	free(fds);
}

static void
one_user_cannot_take_all_connections(void **state)
{
	struct room *r = *state;
	int fds[4];
	bool end;

	r->ctl->env.conns_uid_max = 2;
	room_listen(r, CTL_FORM_PLAIN);
	assert_int_equal(chmod(r->path, 0666), 0);
	if (getuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	for (int i = 0; i < 3; i++)
		fds[i] = room_dial(r);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_string_equal(room_hear(r, fds[2], &end), "ERR too many connections of this user\n");
	assert_true(end);
	room_say(fds[1], "get pid\n");
	assert_string_equal(room_hear(r, fds[1], &end), "OK pid 4711\n");
	for (int i = 0; i < 3; i++)
		(void)close(fds[i]);
	if (getuid() != 0)
		return;
	fds[3] = room_dial(r);
	room_say(fds[3], "get pid\n");
	assert_string_equal(room_hear(r, fds[3], &end), "OK pid 4711\n");
	(void)close(fds[3]);
}

/* Four that do not read, each far below its own bound. */
static void
output_of_all_connections_has_a_bound(void **state)
{
	struct room *r = *state;
	int fds[4], reader = room_pair(r);

	r->ctl->env.out_total = 2 * 1024 * 1024;
	for (int i = 0; i < 4; i++) {
		fds[i] = room_pair(r);
		room_say(fds[i], "attach\n");
		send_lines(r, fds[i], "wait 192.0.2.1\n", 8000);
	}
	assert_int_equal(engine_running(r->net.engine), 32000);
	assert_int_equal(r->clients_done, 0);
	mock_net_run(&r->net, 3601 * NSEC_PER_SEC);
	for (int i = 0; i < 50; i++)
		room_spin(r);
	assert_in_range(r->clients_done, 1, 3);
	assert_true(r->ctl->out_held <= r->ctl->env.out_total);
	room_say(reader, "get pid\n");
	assert_string_equal(room_hear(r, reader, NULL), "OK pid 4711\n");
	for (int i = 0; i < 4; i++)
		(void)close(fds[i]);
	(void)close(reader);
}

static void
a_thousand_attached_clients_cost_little(void **state)
{
	struct room *r = *state;
	size_t before, each;
	int fds[1000];

	if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 4096, 4096 }) != 0)
		skip();
	before = mallinfo2().uordblks;
	for (int i = 0; i < 1000; i++) {
		fds[i] = room_pair(r);
		room_say(fds[i], "attach\nnow 192.0.2.1\n");
		(void)room_hear(r, fds[i], NULL);
	}
	each = (mallinfo2().uordblks - before) / 1000;
	assert_true(each < CTL_OUT_KEEP + 4096);
	for (int i = 0; i < 1000; i++)
		(void)close(fds[i]);
	room_spin(r);
	assert_int_equal(r->clients_done, 1000);
}

static void
running_out_of_descriptors_is_survived(void **state)
{
	struct room *r = *state;
	struct rlimit old, lim;
	int a, b, probe;

	room_listen(r, CTL_FORM_PLAIN);
	a = room_dial(r);
	b = room_dial(r);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	probe = dup(a);
	lim = (struct rlimit){ (rlim_t)probe, old.rlim_max };
	(void)close(probe);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
	room_spin(r);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	room_say(a, "get pid\n");
	room_say(b, "get pid\n");
	(void)usleep(150000);
	assert_string_equal(room_hear(r, a, NULL), "OK pid 4711\n");
	assert_string_equal(room_hear(r, b, NULL), "OK pid 4711\n");
	(void)close(a);
	(void)close(b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, room_open, room_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_client_talks_and_leaves),
		T(the_peer_of_a_unix_socket_is_known),
		T(results_come_and_then_the_end),
		T(a_disconnect_in_the_middle_drops_all_tasks),
		T(a_disconnect_while_output_waits_is_noticed),
		T(a_slow_reader_gets_everything),
		T(half_closed_without_done_is_gone),
		T(half_closed_after_done_gets_its_results),
		T(a_client_that_dies_after_done_is_noticed),
		T(what_was_said_before_closing_is_done),
		T(a_half_closed_question_is_answered),
		T(garbage_is_answered_and_cut),
		T(a_flood_of_short_lines_is_taken_in_parts),
		T(a_listener_has_a_data_form_and_the_client_may_override_it),
		T(the_name_control_id_has_the_id_form),
		T(connections_are_named_by_path_and_count),
		T(too_many_connections_are_told_so),
		T(one_user_cannot_take_all_connections),
		T(output_of_all_connections_has_a_bound),
		T(a_thousand_attached_clients_cost_little),
		T(running_out_of_descriptors_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

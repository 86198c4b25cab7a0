#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/line.h"
#include "tests/unit/ctl/talk.h"
#include "workerd/ctl/attach.h"

#define ATTACHED "OK\nMORE\n[list]\n[cycle-start]\n"

static void
attach_says_ok_more_list_and_cycle(void **state)
{
	struct talk *t = *state;

	assert_string_equal(talk_say(t, "attach\n"), ATTACHED);
}

static void
json_has_a_cycle_and_no_list(void **state)
{
	struct talk *t = *state;

	talk_expect(t, "attach format json data id", "OK\nMORE\n[json cycle-start 0]");
	talk_expect(t, "now 192.0.2.1\ndone", "OK id-1\nOK\n[json ping 1]\n[json cycle-stop 0]");
}

static void
attach_errors_leave_it_interactive(void **state)
{
	struct talk *t = *state;

	talk_expect(t, "attach priority", "ERR command attach param 'priority' failed");
	talk_expect(t, "attach name n format", "ERR command attach param 'format' failed");
	talk_expect(t, "attach name \"a b", "ERR could not params_get");
	talk_expect(t, "attach frob 1", "ERR command attach param 'frob' failed");
	talk_expect(t, "attach priority 0", "ERR invalid priority");
	talk_expect(t, "attach priority 100001", "ERR invalid priority");
	talk_expect(t, "attach list_id -1", "ERR invalid list_id");
	talk_expect(t, "attach cycle_id x", "ERR invalid cycle_id");
	talk_expect(t, "attach format text", "ERR format must be warts or json");
	talk_expect(t, "attach data both", "ERR data must be id or plain");
	talk_expect(t, "attach pps 0", "ERR invalid pps");
	talk_expect(t, "attach window x", "ERR invalid window");
	talk_expect(t, "get pid", "OK pid 4711");
	assert_string_equal(talk_say(t, "attach priority 100000 name \"a b\" descr \"\" list_id 3 cycle_id 4 "
					"monitor m pps 5 window 6\n"),
	    ATTACHED);
}

static void
ids_rise_and_rejected_commands_use_none(void **state)
{
	struct talk *t = *state;

	(void)talk_say(t, "attach data id\n");
	talk_expect(t, "now 192.0.2.1", "OK id-1\nMORE\n[ping 1]");
	talk_expect(t, "now", "ERR command not accepted: could not determine command type");
	talk_expect(t, "now ", "ERR command not accepted: expected address to now");
	talk_expect(t, "now x", "ERR command not accepted: invalid destination address");
	talk_expect(t, " now 192.0.2.1", "ERR command not accepted: could not determine command type");
	talk_expect(t, "halt", "ERR command not accepted: could not determine command type");
	talk_expect(t, "get pid", "ERR command not accepted: could not determine command type");
	talk_expect(t, "NOW 192.0.2.1", "OK id-2\nMORE\n[ping 2]");
}

static void
many_lines_at_once_get_one_more(void **state)
{
	struct talk *t = *state;

	(void)talk_say(t, "attach\n");
	talk_expect(t, "now 192.0.2.1\nnow 192.0.2.2\nnow 192.0.2.3",
	    "OK id-1\nOK id-2\nOK id-3\n[ping 0]\n[ping 0]\nMORE\n[ping 0]");
}

static void
halt_gives_ok_and_then_the_partial_result(void **state)
{
	struct talk *t = *state;

	(void)talk_say(t, "attach data id\n");
	talk_expect(t, "wait 192.0.2.1", "OK id-1\nMORE");
	talk_expect(t, "halt 1", "OK halted 1\n[ping 1]");
	talk_expect(t, "halt 1", "ERR no task id-1");
	talk_expect(t, "HALT 0", "ERR halt number invalid");
	talk_expect(t, "halt 99999999999", "ERR halt number invalid");
	talk_expect(t, "halt x", "ERR usage: halt [id]");
	talk_expect(t, "halt ", "ERR usage: halt [id]");
}

static void
a_queued_task_can_be_halted(void **state)
{
	struct talk *t = *state;

	(void)talk_say(t, "attach data id window 1\n");
	talk_expect(t, "wait 192.0.2.1\nwait 192.0.2.2\nwait 192.0.2.3", "OK id-1\nOK id-2\nOK id-3");
	talk_expect(t, "halt 2", "OK halted 2\n[ping 2]");
	talk_expect(t, "halt 1", "OK halted 1\n[ping 1]\nMORE");
	talk_expect(t, "halt 3", "OK halted 3\n[ping 3]");
}

static void
a_task_that_waits_for_another_can_be_halted(void **state)
{
	struct talk *t = *state;

	(void)talk_say(t, "attach data id\n");
	talk_expect(t, "hold 192.0.2.1\nhold 192.0.2.1\nhold 192.0.2.1", "OK id-1\nOK id-2\nOK id-3\nMORE");
	assert_int_equal(engine_running(t->net.engine), 1);
	talk_expect(t, "halt 2", "OK halted 2\n[ping 2]");
	talk_expect(t, "halt 1", "OK halted 1\n[ping 1]");
	assert_int_equal(engine_running(t->net.engine), 1);
	talk_expect(t, "halt 3", "OK halted 3\n[ping 3]");
}

static void
progress_is_marked_and_the_result_follows(void **state)
{
	struct talk *t = *state;

	(void)talk_say(t, "attach data id\n");
	talk_expect(t, "step 2 192.0.2.1", "OK id-1\nMORE\n[ping 1 inprog]\n[ping 1 inprog]\n[ping 1]");
}

static void
done_brings_the_rest_and_the_end(void **state)
{
	struct talk *t = *state;

	(void)talk_say(t, "attach\n");
	talk_expect(
	    t, "wait 192.0.2.1\nnow 192.0.2.2\nDone\nnow 192.0.2.3", "OK id-1\nOK id-2\nOK\n[ping 0]");
	assert_false(t->s.closing);
	assert_string_equal(talk_wait(t, 3601 * NSEC_PER_SEC), "[ping 0]\n[cycle-stop]\n");
	assert_true(t->s.closing);
}

static void
done_needs_its_four_letters(void **state)
{
	struct talk *t = *state;

	(void)talk_say(t, "attach\n");
	talk_expect(t, "done ", "ERR command not accepted: could not determine command type");
	talk_expect(t, "done\r", "OK\n[cycle-stop]");
}

static void
a_session_has_its_own_window_and_pace(void **state)
{
	struct talk *t = *state;

	(void)talk_say(t, "attach window 2\n");
	(void)talk_say(t, "wait 192.0.2.1\nwait 192.0.2.2\nwait 192.0.2.3\n");
	assert_int_equal(engine_running(t->net.engine), 2);
}

static void
a_session_without_a_window_has_a_bound_still(void **state)
{
	struct talk *t = *state;

	t->env.running_max = 2;
	(void)talk_say(t, "attach\n");
	(void)talk_say(t, "wait 192.0.2.1\nwait 192.0.2.2\nwait 192.0.2.3\n");
	assert_int_equal(engine_running(t->net.engine), 2);
}

/* ---- hostile ---- */

static void
an_invalid_character_ends_an_interactive_session(void **state)
{
	struct talk *t = *state;
	static const char line[] = "get p\0id\n";

	talk_send(t, line, sizeof(line) - 1, 100);
	talk_expect(t, "get pid", "ERR invalid character in line");
	assert_true(t->s.closing);
}

static void
an_invalid_character_ends_an_attached_one_as_done_does(void **state)
{
	struct talk *t = *state;

	(void)talk_say(t, "attach\n");
	(void)talk_say(t, "wait 192.0.2.1\n");
	talk_expect(t, "now\t192.0.2.1\nnow 192.0.2.1", "ERR invalid character in line");
	assert_false(t->s.closing);
	assert_string_equal(talk_wait(t, 3601 * NSEC_PER_SEC), "[ping 0]\n[cycle-stop]\n");
}

static void
an_endless_line_ends_the_session(void **state)
{
	struct talk *t = *state;
	char *line = malloc(100000);

	assert_non_null(line);
	memset(line, 'a', 100000);
	talk_send(t, line, 100000, 1000);
	free(line);
	assert_string_equal(talk_say(t, ""), "ERR line longer than 8191 bytes\n");
	assert_true(t->s.closing);
}

static void
lines_may_come_byte_by_byte(void **state)
{
	struct talk *t = *state;
	static const char text[] = "attach data id\r\nnow 192.0.2.1\r\nhalt 1\ndone\n";

	talk_send(t, text, sizeof(text) - 1, 1);
	assert_string_equal(
	    talk_say(t, ""), ATTACHED "OK id-1\nOK halted 1\nMORE\n[ping 1]\nOK\n[cycle-stop]\n");
}

/* The task ends although its session does not read. */
static void
talk_halt(struct talk *t, uint32_t id)
{
	char line[32];

	(void)snprintf(line, sizeof(line), "halt %u", id);
	attach_line(t->s.attach, line, strlen(line));
	mock_net_run(&t->net, NSEC_PER_MSEC);
}

static void
a_full_queue_stops_reading_until_half_has_gone(void **state)
{
	struct talk *t = *state;
	static const char line[] = "wait 192.0.2.1\n";
	char bytes[sizeof(line)];
	uint32_t n;

	(void)talk_say(t, "attach window 2047\n");
	for (n = 0; session_reads(&t->s); n++) {
		memcpy(bytes, line, sizeof(line));
		assert_int_equal(session_input(&t->s, bytes, sizeof(line) - 1), sizeof(line) - 1);
	}
	assert_int_equal(n, CTL_QUEUE_MAX);
	memcpy(bytes, line, sizeof(line));
	assert_int_equal(session_input(&t->s, bytes, sizeof(line) - 1), 0);
	(void)talk_wait(t, 100 * NSEC_PER_MSEC);
	for (int i = 0; i < 100; i++)
		(void)talk_wait(t, NSEC_PER_MSEC);
	assert_int_equal(engine_running(t->net.engine), 2047);
	assert_false(session_reads(&t->s));
	assert_string_equal(talk_say(t, ""), "");
	t->attended = 0;
	talk_halt(t, 1);
	assert_true(session_reads(&t->s));
	assert_true(t->attended > 0);
	assert_int_equal(mock_alive, CTL_QUEUE_MAX - 1);
}

static void
a_client_that_does_not_read_gets_no_new_tasks(void **state)
{
	struct talk *t = *state;
	uint32_t i, made;

	(void)talk_say(t, "attach\n");
	t->reading = false;
	for (i = 0; i < 100000 && session_reads(&t->s); i++)
		(void)talk_say(t, "now 192.0.2.1\n");
	assert_true(i < 100000);
	made = (uint32_t)session_unsent(&t->s);
	assert_in_range(made, CTL_OUT_MARK, CTL_OUT_MARK + 2000);
	assert_false(t->s.cut);
	t->reading = true;
	(void)talk_wait(t, NSEC_PER_MSEC);
	assert_true(session_reads(&t->s));
	assert_int_equal(session_unsent(&t->s), 0);
	(void)talk_say(t, "now 192.0.2.1\n");
	assert_int_equal(mock_alive, 0);
}

static void
tasks_go_on_after_a_slow_reader_has_caught_up(void **state)
{
	struct talk *t = *state;
	char lines[14 * 100 + 1];
	uint32_t n = 0;

	mock_lines(lines, sizeof(lines), "now 192.0.2.1\n");
	(void)talk_say(t, "attach\n");
	t->reading = false;
	while (session_reads(&t->s)) {
		talk_send(t, lines, strlen(lines), 1500);
		n++;
		if (n % 10 == 0)
			mock_net_run(&t->net, NSEC_PER_MSEC);
	}
	talk_send(t, "done\n", 5, 5);
	t->reading = true;
	(void)talk_wait(t, NSEC_PER_MSEC);
	talk_send(t, "done\n", 5, 5);
	for (int i = 0; i < 100 && !t->s.closing; i++)
		(void)talk_wait(t, NSEC_PER_MSEC);
	assert_true(t->s.closing);
	assert_int_equal(mock_alive, 0);
}

static void
a_client_far_behind_is_cut(void **state)
{
	struct talk *t = *state;
	char line[64];
	uint32_t i;

	engine_configure(t->net.engine, &(struct engine_config){ .pps = 1000000 });
	(void)talk_say(t, "attach\n");
	t->reading = false;
	/* Running tasks end although nobody reads. */
	for (i = 1; i <= 400000 && !t->s.cut; i++) {
		(void)snprintf(line, sizeof(line), "wait 192.0.2.1\n");
		talk_send(t, line, strlen(line), 64);
		if (i % 1000 == 0) {
			mock_net_run(&t->net, NSEC_PER_MSEC);
			t->reading = true;
			(void)talk_wait(t, NSEC_PER_MSEC);
			t->reading = false;
		}
	}
	(void)talk_wait(t, 3601 * NSEC_PER_SEC);
	assert_true(t->s.cut);
	assert_true(t->s.out.len <= CTL_OUT_MAX);
}

static void
a_client_that_goes_takes_its_tasks_along(void **state)
{
	struct talk *t = *state;

	(void)talk_say(t, "attach window 2\n");
	(void)talk_say(t, "wait 192.0.2.1\nwait 192.0.2.2\nwait 192.0.2.3\nnow 192.0.2.3\n");
	session_eof(&t->s);
	assert_true(t->s.cut);
	assert_false(session_drop(&t->s, 2));
	assert_true(session_drop(&t->s, 2));
	assert_int_equal(mock_alive, 0);
	assert_int_equal(engine_running(t->net.engine), 0);
}

static void
a_client_may_stop_sending_after_done(void **state)
{
	struct talk *t = *state;

	(void)talk_say(t, "attach\n");
	(void)talk_say(t, "wait 192.0.2.1\ndone\n");
	session_eof(&t->s);
	assert_false(t->s.cut);
	assert_string_equal(talk_wait(t, 3601 * NSEC_PER_SEC), "[ping 0]\n[cycle-stop]\n");
}

static void
long_words_do_not_make_long_replies(void **state)
{
	struct talk *t = *state;
	char line[4000];

	memset(line, 'a', sizeof(line));
	memcpy(line + sizeof(line) - 2, "\n", 2);
	assert_in_range(strlen(talk_say(t, line)), 400, 512);
}

/* The blocks are a warts file: Debian's reader must agree. */
static void
the_blocks_make_a_file_that_others_read(void **state)
{
	struct talk *t = *state;
	char path[] = "/tmp/vantage-ctl-XXXXXX", cmd[128], line[256];
	int fd = mkstemp(path), lists = 0, pings = 0, rc;
	FILE *p;

	assert_true(fd >= 0);
	(void)talk_say(t, "attach name n list_id 8 cycle_id 9\n");
	(void)talk_say(t, "now 192.0.2.1\nnow 2001:db8::1\ndone\n");
	assert_int_equal(write(fd, t->warts.p, t->warts.len), t->warts.len);
	(void)snprintf(cmd, sizeof(cmd), "sc_wartsdump %s 2>&1", path);
	p = popen(cmd, "r");
	assert_non_null(p);
	while (fgets(line, sizeof(line), p) != NULL) {
		lists += strstr(line, "list") != NULL && strchr(line, '8') != NULL;
		pings += strncmp(line, "ping ", 5) == 0;
	}
	rc = pclose(p) >> 8;
	(void)close(fd);
	(void)unlink(path);
	if (rc == 127)
		skip();
	assert_int_equal(rc, 0);
	assert_int_equal(pings, 2);
	assert_true(lists > 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, talk_setup, talk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(attach_says_ok_more_list_and_cycle),
		T(json_has_a_cycle_and_no_list),
		T(attach_errors_leave_it_interactive),
		T(ids_rise_and_rejected_commands_use_none),
		T(many_lines_at_once_get_one_more),
		T(halt_gives_ok_and_then_the_partial_result),
		T(a_queued_task_can_be_halted),
		T(a_task_that_waits_for_another_can_be_halted),
		T(progress_is_marked_and_the_result_follows),
		T(done_brings_the_rest_and_the_end),
		T(done_needs_its_four_letters),
		T(a_session_has_its_own_window_and_pace),
		T(a_session_without_a_window_has_a_bound_still),
		T(an_invalid_character_ends_an_interactive_session),
		T(an_invalid_character_ends_an_attached_one_as_done_does),
		T(an_endless_line_ends_the_session),
		T(lines_may_come_byte_by_byte),
		T(a_full_queue_stops_reading_until_half_has_gone),
		T(a_client_that_does_not_read_gets_no_new_tasks),
		T(tasks_go_on_after_a_slow_reader_has_caught_up),
		T(a_client_far_behind_is_cut),
		T(a_client_that_goes_takes_its_tasks_along),
		T(a_client_may_stop_sending_after_done),
		T(long_words_do_not_make_long_replies),
		T(the_blocks_make_a_file_that_others_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ctl/talk.h"
#include "workerd/ctl/cmd.h"

/* The interactive state: replies word for word (control.md section 2). */

static void
nothing_is_said_before_it_is_asked(void **state)
{
	struct talk *t = *state;

	assert_string_equal(talk_say(t, ""), "");
	assert_string_equal(talk_say(t, "\n\r\n\n"), "");
	talk_expect(t, "get version", "OK version 20260420");
}

static void
settings_are_shown(void **state)
{
	struct talk *t = *state;

	talk_expect(t, "get pid", "OK pid 4711");
	talk_expect(t, "GET Pps\r", "OK pps 100000");
	talk_expect(t, "get window", "OK window 0/0");
	talk_expect(t, "get monitorname", "OK null monitorname");
	talk_expect(t, "get nameserver", "OK null nameserver");
	talk_expect(t, "get command", "OK command now");
	talk_expect(t, "get holdtime", "OK holdtime 0");
	talk_expect(t, "get sport", "OK sport 40000");
}

static void
unknown_words_get_the_exact_error(void **state)
{
	struct talk *t = *state;

	session_identify(&t->s, 0, NULL, 0);
	talk_expect(t, "frob", "ERR unhandled command 'frob'");
	talk_expect(t, " get pid", "ERR unhandled command ''");
	talk_expect(t, "get frob", "ERR unhandled get command 'frob'");
	talk_expect(t, "get pid x", "ERR unhandled get command 'pid x'");
	talk_expect(t, "set frob 1", "ERR unhandled set command 'frob'");
	talk_expect(t, "get",
	    "ERR usage: get [command | holdtime | monitorname | nameserver | pid | pps | sport | version | "
	    "window]");
	talk_expect(t, "set", "ERR usage: set [command | monitorname | pps | window]");
}

static void
operators_change_settings(void **state)
{
	struct talk *t = *state;

	session_identify(&t->s, 990, NULL, 0);
	talk_expect(t, "set pps 50", "OK pps 50");
	talk_expect(t, "get pps", "OK pps 50");
	talk_expect(t, "set pps", "ERR set pps requires argument");
	talk_expect(t, "set pps x", "ERR set pps argument is not an integer");
	talk_expect(t, "set pps 0", "ERR pps: 0 out of range (1, 1000000)");
	talk_expect(t, "set window 65536", "ERR window: 65536 out of range (0, 65535)");
	talk_expect(t, "set window 7", "OK window 7");
	talk_expect(t, "get window", "OK window 0/7");
	talk_expect(t, "set holdtime 61", "ERR holdtime: 61 out of range (0, 60)");
	talk_expect(t, "set monitorname \"a b\"", "OK");
	talk_expect(t, "get monitorname", "OK monitorname \"a b\"");
	talk_expect(t, "set monitorname", "OK");
	talk_expect(t, "get monitorname", "OK null monitorname");
	talk_expect(t, "set nameserver 192.0.2.53", "OK");
	talk_expect(t, "get nameserver", "OK nameserver 192.0.2.53");
	talk_expect(t, "set nameserver x", "ERR could not set nameserver");
	talk_expect(t, "set command", "ERR could not set command");
}

static void
others_change_nothing(void **state)
{
	struct talk *t = *state;

	talk_expect(t, "set pps 50", "ERR not permitted: set pps is for operators");
	session_identify(&t->s, PEER_UNKNOWN, NULL, 0);
	t->env.cfg.uid = PEER_UNKNOWN;
	talk_expect(t, "set pps 50", "ERR not permitted: set pps is for operators");
	talk_expect(t, "get pps", "OK pps 100000");
}

static void
texts_of_set_are_bounded(void **state)
{
	struct talk *t = *state;
	char line[CTL_MONITOR_MAX + 32];

	session_identify(&t->s, 0, NULL, 0);
	(void)snprintf(line, sizeof(line), "set monitorname %0*d\n", CTL_MONITOR_MAX - 1, 0);
	assert_string_equal(talk_say(t, line), "OK\n");
	(void)snprintf(line, sizeof(line), "set monitorname %0*d\n", CTL_MONITOR_MAX, 0);
	assert_string_equal(talk_say(t, line), "ERR could not set monitorname\n");
}

static void
exit_closes_without_a_word(void **state)
{
	struct talk *t = *state;

	assert_string_equal(talk_say(t, "exit\nget pid\n"), "");
	assert_true(t->s.closing);
}

static void
help_helps(void **state)
{
	struct talk *t = *state;
	const char *h = talk_say(t, "help\n");

	assert_non_null(strstr(h, "INFO attach"));
	assert_non_null(strstr(h, "INFO wait"));
	assert_string_equal(h + strlen(h) - 3, "OK\n");
	h = talk_say(t, "help get\n");
	assert_memory_equal(h, "INFO get command|", 17);
	h = talk_say(t, "help wait\n");
	assert_memory_equal(h, "INFO wait [OPTION]... TARGET\n", 29);
	talk_expect(t, "help frob", "ERR unhandled command 'frob'");
}

static void
stop_sets_are_cleared_by_name(void **state)
{
	struct talk *t = *state;

	talk_expect(t, "lss-clear", "ERR usage: lss-clear [lss-name]");
	talk_expect(t, "lss-clear set", "ERR not permitted: lss-clear is for operators");
	session_identify(&t->s, 0, NULL, 0);
	talk_expect(t, "lss-clear set", "OK lss-clear set");
	talk_expect(t, "lss-clear other", "ERR lss-clear other failed");
}

static void
describe_gives_each_command_as_json(void **state)
{
	struct talk *t = *state;
	const char *h;
	size_t lines = 0;

	talk_expect(t, "describe exit",
	    "INFO {\"command\":\"exit\",\"kind\":\"control\",\"usage\":\"\",\"help\":\"close this "
	    "connection\"}\nOK");
	talk_expect(
	    t, "describe wait", "INFO {\"command\":\"wait\",\"kind\":\"measurement\",\"options\":[]}\nOK");
	talk_expect(t, "describe frob", "ERR unhandled command 'frob'");
	h = talk_say(t, "describe\n");
	for (const char *p = h; (p = strstr(p, "INFO {\"command\":")) != NULL; p++)
		lines++;
	assert_int_equal(lines, cmd_count + 4);
	/* Texts are written as they are. */
	for (size_t i = 0; i < cmd_count; i++)
		assert_null(strpbrk(cmds[i].usage, "\"\\"));
	for (size_t i = 0; i < cmd_count; i++)
		assert_null(strpbrk(cmds[i].help, "\"\\"));
}

static void
the_command_table_is_sorted(void **state)
{
	(void)state;
	for (size_t i = 1; i < cmd_count; i++)
		assert_true(strcmp(cmds[i - 1].name, cmds[i].name) < 0);
	for (size_t i = 0; i < cmd_count; i++)
		assert_ptr_equal(cmd_find(cmds[i].name), &cmds[i]);
}

#define T(f) cmocka_unit_test_setup_teardown(f, talk_setup, talk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_is_said_before_it_is_asked),
		T(settings_are_shown),
		T(unknown_words_get_the_exact_error),
		T(operators_change_settings),
		T(others_change_nothing),
		T(texts_of_set_are_bounded),
		T(exit_closes_without_a_word),
		T(help_helps),
		T(stop_sets_are_cleared_by_name),
		T(describe_gives_each_command_as_json),
		T(the_command_table_is_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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
	assert_string_equal(talk_say(t, "get version\n"), "OK version 20260420\n");
}

static void
settings_are_shown(void **state)
{
	struct talk *t = *state;

	assert_string_equal(talk_say(t, "get pid\n"), "OK pid 4711\n");
	assert_string_equal(talk_say(t, "GET Pps\r\n"), "OK pps 100000\n");
	assert_string_equal(talk_say(t, "get window\n"), "OK window 0/0\n");
	assert_string_equal(talk_say(t, "get monitorname\n"), "OK null monitorname\n");
	assert_string_equal(talk_say(t, "get nameserver\n"), "OK null nameserver\n");
	assert_string_equal(talk_say(t, "get command\n"), "OK command now\n");
	assert_string_equal(talk_say(t, "get holdtime\n"), "OK holdtime 0\n");
	assert_string_equal(talk_say(t, "get sport\n"), "OK sport 40000\n");
}

static void
unknown_words_get_the_exact_error(void **state)
{
	struct talk *t = *state;

	session_identify(&t->s, 0, NULL, 0);
	assert_string_equal(talk_say(t, "frob\n"), "ERR unhandled command 'frob'\n");
	assert_string_equal(talk_say(t, " get pid\n"), "ERR unhandled command ''\n");
	assert_string_equal(talk_say(t, "get frob\n"), "ERR unhandled get command 'frob'\n");
	assert_string_equal(talk_say(t, "get pid x\n"), "ERR unhandled get command 'pid x'\n");
	assert_string_equal(talk_say(t, "set frob 1\n"), "ERR unhandled set command 'frob'\n");
	assert_string_equal(talk_say(t, "get\n"),
	    "ERR usage: get [command | holdtime | monitorname | nameserver | pid | pps | sport | version | window]\n");
	assert_string_equal(talk_say(t, "set\n"), "ERR usage: set [command | monitorname | pps | window]\n");
}

static void
operators_change_settings(void **state)
{
	struct talk *t = *state;

	session_identify(&t->s, 990, NULL, 0);
	assert_string_equal(talk_say(t, "set pps 50\n"), "OK pps 50\n");
	assert_string_equal(talk_say(t, "get pps\n"), "OK pps 50\n");
	assert_string_equal(talk_say(t, "set pps\n"), "ERR set pps requires argument\n");
	assert_string_equal(talk_say(t, "set pps x\n"), "ERR set pps argument is not an integer\n");
	assert_string_equal(talk_say(t, "set pps 0\n"), "ERR pps: 0 out of range (1, 1000000)\n");
	assert_string_equal(talk_say(t, "set window 65536\n"), "ERR window: 65536 out of range (0, 65535)\n");
	assert_string_equal(talk_say(t, "set window 7\n"), "OK window 7\n");
	assert_string_equal(talk_say(t, "get window\n"), "OK window 0/7\n");
	assert_string_equal(talk_say(t, "set holdtime 61\n"), "ERR holdtime: 61 out of range (0, 60)\n");
	assert_string_equal(talk_say(t, "set monitorname \"a b\"\n"), "OK\n");
	assert_string_equal(talk_say(t, "get monitorname\n"), "OK monitorname \"a b\"\n");
	assert_string_equal(talk_say(t, "set monitorname\n"), "OK\n");
	assert_string_equal(talk_say(t, "get monitorname\n"), "OK null monitorname\n");
	assert_string_equal(talk_say(t, "set nameserver 192.0.2.53\n"), "OK\n");
	assert_string_equal(talk_say(t, "get nameserver\n"), "OK nameserver 192.0.2.53\n");
	assert_string_equal(talk_say(t, "set nameserver x\n"), "ERR could not set nameserver\n");
	assert_string_equal(talk_say(t, "set command\n"), "ERR could not set command\n");
}

static void
others_change_nothing(void **state)
{
	struct talk *t = *state;

	assert_string_equal(talk_say(t, "set pps 50\n"), "ERR not permitted: set pps is for operators\n");
	session_identify(&t->s, PEER_UNKNOWN, NULL, 0);
	t->env.cfg.uid = PEER_UNKNOWN;
	assert_string_equal(talk_say(t, "set pps 50\n"), "ERR not permitted: set pps is for operators\n");
	assert_string_equal(talk_say(t, "get pps\n"), "OK pps 100000\n");
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
	assert_string_equal(talk_say(t, "help frob\n"), "ERR unhandled command 'frob'\n");
}

static void
stop_sets_are_cleared_by_name(void **state)
{
	struct talk *t = *state;

	assert_string_equal(talk_say(t, "lss-clear\n"), "ERR usage: lss-clear [lss-name]\n");
	assert_string_equal(talk_say(t, "lss-clear set\n"), "ERR not permitted: lss-clear is for operators\n");
	session_identify(&t->s, 0, NULL, 0);
	assert_string_equal(talk_say(t, "lss-clear set\n"), "OK lss-clear set\n");
	assert_string_equal(talk_say(t, "lss-clear other\n"), "ERR lss-clear other failed\n");
}

static void
describe_gives_each_command_as_json(void **state)
{
	struct talk *t = *state;
	const char *h;
	size_t lines = 0;

	assert_string_equal(talk_say(t, "describe exit\n"),
	    "INFO {\"command\":\"exit\",\"kind\":\"control\",\"usage\":\"\",\"help\":\"close this connection\"}\nOK\n");
	assert_string_equal(talk_say(t, "describe wait\n"),
	    "INFO {\"command\":\"wait\",\"kind\":\"measurement\",\"options\":[]}\nOK\n");
	assert_string_equal(talk_say(t, "describe frob\n"), "ERR unhandled command 'frob'\n");
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

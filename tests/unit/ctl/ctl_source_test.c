#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/conf.h"
#include "proto/record/ping.h"
#include "proto/record/warts_rd.h"
#include "tests/unit/ctl/lists.h"
#include "workerd/ctl/managed.h"
#include "workerd/ctl/reconf.h"
#include "workerd/ctl/sources.h"
#include "workerd/slice/slice.h"

/* Managed sources (control.md section 3), word for word, and what their files
 * hold in the end. */

static void
a_list_is_measured_once_and_goes(void **state)
{
	struct talk *t = lists_operator(state);

	lists_put(t, "l", 1, 5);
	talk_expect(t, "source add name s command \"wait\" file l outfile out priority 3 list_id 7",
	    "OK source added");
	talk_expect(t, "source list",
	    "INFO name 's' list_id 7 cycle_id 1 priority 3 outfile 'out' type 'file' file 'l' cycles 1 "
	    "autoreload off\nOK");
	talk_expect(t, "outfile list", "INFO 'out' file 'out.warts' refcnt 2\nOK");
	talk_expect(t, "outfile close out", "ERR could not drop outfile: refcnt 2");
	(void)talk_wait(t, 3601 * NSEC_PER_SEC);
	talk_expect(t, "source list", "OK");
	talk_expect(t, "source list s", "ERR no source 's'");
	assert_string_equal(lists_content(t, "out.warts"), " list:s start:1 ping*5 stop");
	talk_expect(t, "outfile close out", "OK");
}

static void
wrong_words_get_the_exact_error(void **state)
{
	struct talk *t = lists_operator(state);

	lists_put(t, "l", 1, 5);
	talk_expect(t, "source", "ERR usage: source [add | cycle | delete | list | update]");
	talk_expect(t, "source frob", "ERR unhandled command 'frob'");
	talk_expect(t, "source add name \"s", "ERR source add params_get failed");
	talk_expect(t, "source add nam s", "ERR source add param 'nam' failed");
	talk_expect(t, "source add", "ERR required parameter 'name' missing");
	talk_expect(t, "source add name s", "ERR required parameter 'file' missing");
	talk_expect(t, "source add name s file l outfile x", "ERR unknown outfile 'x'");
	talk_expect(t, "source add name s file l list_id x", "ERR list_id <number gte 0>");
	talk_expect(t, "source add name s file l cycle_id -1", "ERR cycle_id <number gte 0>");
	talk_expect(t, "source add name s file l priority x", "ERR priority <number gte 0>");
	talk_expect(t, "source add name s file l cycles x", "ERR cycle <number gte 0>");
	talk_expect(t, "source add name s file l autoreload 1", "ERR autoreload <on|off>");
	talk_expect(t, "source add name s file none", "ERR could not alloc source");
	talk_expect(t, "source add name s file ../l", "ERR could not alloc source");
	talk_expect(t, "source add name s file l command frob", "ERR could not alloc source");
	talk_expect(t, "source add name s\"x file l outfile out", "OK source added");
	talk_expect(t, "source list x", "ERR no source 'x'");
	talk_expect(t, "source update", "ERR missing name parameter");
	talk_expect(t, "source update x", "ERR no such source 'x'");
	talk_expect(t, "source cycle", "ERR missing required parameter for source cycle");
	talk_expect(t, "source cycle a b", "ERR source cycle params_get failed");
	talk_expect(t, "source cycle x", "ERR no source 'x'");
	talk_expect(t, "source delete", "ERR missing required parameter for source delete");
	talk_expect(t, "source delete a b", "ERR source delete params_get failed");
	talk_expect(t, "source delete x", "ERR unknown source 'x'");
	talk_expect(t, "observe", "ERR usage: observe [sources]");
	talk_expect(t, "observe it", "ERR usage: observe [sources]");
	session_identify(&t->s, 1000, NULL, 0);
	talk_expect(t, "source add name s file l", "ERR not permitted: source add is for operators");
	talk_expect(t, "source list", "OK");
}

static void
a_source_is_updated_while_it_waits(void **state)
{
	struct talk *t = lists_operator(state);

	lists_put(t, "l", 1, 5);
	talk_expect(t, "source add name \"my list\" descr \"a b\" command now file l outfile out priority 0",
	    "OK source added");
	talk_expect(t, "source add name \"my list\" file l", "ERR source 'my list' already exists");
	assert_string_equal(lists_content(t, "out.warts"), "");
	talk_expect(t, "source update \"my list\" frob 1", "ERR source update param 'frob' failed");
	talk_expect(t, "source update \"my list\" cycles x", "ERR cycles <number gte 0>");
	talk_expect(t, "source update \"my list\" priority x", "ERR priority <number gte 0>");
	talk_expect(t, "source update \"my list\" cycles 2 autoreload on", "OK");
	talk_expect(t, "source list \"my list\"", "ERR no source '\"my list\"'");
	talk_expect(t, "source list my list",
	    "INFO name 'my list' descr 'a b' list_id 0 cycle_id 1 priority 0 outfile 'out' type 'file' file "
	    "'l' cycles 2 autoreload on\nOK");
	talk_expect(t, "source cycle \"my list\"", "ERR could not cycle source 'my list'");
	talk_expect(t, "source update \"my list\" priority 2", "OK");
	(void)lists_run(t, 10);
	assert_string_equal(
	    lists_content(t, "out.warts"), " list:my list start:1 ping*5 stop start:2 ping*5 stop");
}

/* Without the times. */
static const char *
events(const char *heard)
{
	static char text[4096];
	size_t n = 0;

	for (const char *p = heard; (p = strstr(p, "EVENT ")) != NULL;) {
		p += 6 + strspn(p + 6, "0123456789");
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s;", (int)strcspn(p, "\n"), p);
	}
	text[n] = '\0';
	return text;
}

static void
observers_are_told(void **state)
{
	struct talk *t = lists_operator(state);

	lists_put(t, "l", 1, 3);
	talk_expect(t, "observe sources", "OK");
	(void)talk_say(t, "source add name s command now file l outfile out\n");
	assert_string_equal(events((const char *)t->heard.p),
	    " source add name 's' list_id 0 cycle_id 1 priority 1 outfile 'out' type 'file' file 'l' cycles "
	    "1 autoreload "
	    "off; source cycle 's' id 1; source finish 's';");
	buf_reset(&t->heard);
	(void)talk_say(t, "source add name d command wait file l outfile out\n");
	(void)talk_say(t, "source update d cycles 3 priority 2\n");
	talk_expect(t, "source delete d", "OK source 'd' deleted");
	talk_expect(t, "source delete d", "ERR unknown source 'd'");
	(void)talk_wait(t, 3601 * NSEC_PER_SEC);
	assert_non_null(strstr(events((const char *)t->heard.p),
	    "; source cycle 'd' id 1; source update 'd' cycles 3 priority 2; source delete 'd';"));
	assert_string_equal(
	    lists_content(t, "out.warts"), " list:s start:1 ping*3 stop list:d start:1 ping*3 stop");
}

/* Of a session that is in no struct talk. */
static void
unattended(struct session *s)
{
	(void)s;
}

static void
attached_clients_are_sources(void **state)
{
	struct talk *t = lists_operator(state);
	struct session other;
	const char *p;

	session_init(&other, &t->env, "/run/test.sock:1");
	other.attend = unattended;
	session_identify(&other, 1000, NULL, 0);
	(void)talk_say(t, "observe sources\n");
	assert_int_equal(
	    session_input(&other, (char[]){ "attach name adhoc priority 5\nwait 192.0.2.1\n" }, 44), 44);
	assert_string_equal(events((const char *)(talk_wait(t, 0), t->heard.p)),
	    " source add name 'adhoc' list_id 0 cycle_id 1 priority 5 outfile '/run/test.sock:1' type "
	    "'control'; source "
	    "cycle 'adhoc' id 1;");
	talk_expect(t, "source list",
	    "INFO name 'adhoc' list_id 0 cycle_id 1 priority 5 "
	    "outfile '/run/test.sock:1' type 'control'\nOK");
	talk_expect(
	    t, "source update adhoc cycles 1", "ERR can't specify autoreload/cycles on control source");
	assert_non_null(strstr(talk_say(t, "source update adhoc priority 6\n"), "OK\n"));
	talk_expect(t, "source delete adhoc", "ERR could not delete source 'adhoc'");
	/* The cycle ends with the task that runs. */
	talk_expect(t, "source cycle adhoc", "OK");
	talk_expect(t, "source cycle adhoc", "ERR could not cycle source 'adhoc'");
	assert_int_equal(session_input(&other, (char[]){ "now 192.0.2.2\nhalt 1\ndone\n" }, 26), 26);
	p = talk_wait(t, NSEC_PER_MSEC);
	assert_non_null(strstr(p, "source cycle 'adhoc' id 2\n"));
	while (!session_drop(&other, 10))
		;
	session_fini(&other);
	assert_non_null(strstr(talk_wait(t, 0), "source finish 'adhoc'\n"));
}

/* What it hears is a file that readers take. */
static void
a_clients_stream_holds_all_its_cycles(void **state)
{
	struct talk *t = lists_operator(state);
	struct warts_memory mem;
	struct warts_reader *r;
	struct warts_item item;
	struct session other;
	struct errbuf err = { "" };
	uint32_t ids[8] = { 0 }, n = 0;
	int rc;

	session_init(&other, &t->env, "/run/test.sock:1");
	other.attend = unattended;
	session_identify(&other, 0, NULL, 0);
	(void)talk_say(t, "attach name adhoc cycle_id 7\nnow 192.0.2.1\n");
	assert_int_equal(session_input(&other, (char[]){ "source cycle adhoc\n" }, 19), 19);
	(void)talk_say(t, "now 192.0.2.2\ndone\n");
	session_fini(&other);
	mem = (struct warts_memory){ t->warts.p, t->warts.len };
	r = warts_reader_new(warts_memory_read, &mem);
	while ((rc = warts_reader_next(r, &item, &err)) > 0) {
		if (item.kind == WARTS_ITEM_RECORD)
			ids[n++] = item.cycle->id;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(n, 2);
	assert_int_equal(ids[0], 7);
	assert_int_equal(ids[1], 8);
	warts_reader_free(r);
}

static void
odd_lists_are_read_as_they_are_meant(void **state)
{
	static const char list[] =
	    "# comment\n\n  10.0.0.1 # one\r\n10.0.0.2\tx\nnot-an-address\n10.0.0.3 \x01\n"
	    "10.0.0.4\x01\n10.0.0.5";
	struct talk *t = lists_operator(state);
	char *big = malloc(3000000);

	assert_non_null(big);
	talk_put(t, "l", list, sizeof(list) - 1);
	(void)talk_say(t, "source add name s command now file l outfile out\n");
	(void)lists_run(t, 3);
	assert_string_equal(lists_content(t, "out.warts"), " list:s start:1 ping*4 stop");
	/* A line of three megabytes, and NULs. */
	memset(big, 'x', 3000000);
	big[2999989] = '\n';
	memcpy(big + 2999990, "10.0.0.1\0\n", 10);
	talk_put(t, "l", big, 3000000);
	(void)talk_say(t, "source add name u command now file l outfile out cycles 2\n");
	(void)lists_run(t, 20);
	assert_string_equal(
	    lists_content(t, "out.warts"), " list:s start:1 ping*4 stop list:u start:1 stop start:2 stop");
	free(big);
}

static void
an_empty_list_for_ever_does_not_spin(void **state)
{
	struct talk *t = lists_operator(state);
	struct managed *m;

	talk_put(t, "l", "", 0);
	(void)talk_say(t, "source add name s command now file l outfile out cycles 0\n");
	m = sources_find(&t->env, "s");
	for (int i = 0; i < 1000; i++) {
		(void)talk_wait(t, 0);
		sources_tick(&t->env, m->next_cycle - 1);
	}
	assert_int_equal(m->cycle.id, 2);
	assert_false(m->in_cycle);
	sources_tick(&t->env, m->next_cycle);
	(void)talk_wait(t, 0);
	assert_int_equal(m->cycle.id, 3);
	assert_string_equal(lists_content(t, "out.warts"), " list:s start:1 stop start:2 stop start:3");
}

static void
autoreload_sees_a_new_file(void **state)
{
	struct talk *t = lists_operator(state);
	char from[64];

	lists_put(t, "l", 1, 2);
	lists_put(t, "new", 1, 7);
	(void)talk_say(t, "source add name s command now file l outfile out cycles 2 autoreload on\n");
	(void)talk_say(t, "source add name r command now file l outfile out cycles 2\n");
	(void)snprintf(from, sizeof(from), "%s/new", t->tmp);
	assert_int_equal(rename(from, talk_path(t, "l")), 0);
	(void)lists_run(t, 3);
	/* The last cycle of s has the new file; r has the old one twice. */
	assert_int_equal(lists_count_pings(t, "out.warts"), 2 + 7 + 2 + 2);
}

static void
a_swap_in_a_cycle_loses_nothing(void **state)
{
	struct talk *t = lists_operator(state);

	lists_put(t, "l", 1, 12);
	(void)talk_say(t, "outfile open name b file b.warts mode truncate\n");
	(void)talk_say(t, "source add name s command wait file l outfile out priority 0\n");
	sources_find(&t->env, "s")->source.window = 4;
	(void)talk_say(t, "source update s priority 1\n");
	for (int i = 0; i < 3; i++) {
		talk_expect(t, "halt s", "OK halted 4 of 's'");
		(void)lists_run(t, 2);
		talk_expect(t, "outfile swap out b", "OK");
	}
	/* What was swapped in later only names the cycle; its end is where the
	 * source's file is then. */
	assert_string_equal(lists_content(t, "out.warts"), " list:s start:1 ping*8 stop");
	assert_string_equal(lists_content(t, "b.warts"), " list:s def:1 ping*4");
}

static void
sources_are_bounded(void **state)
{
	struct talk *t = lists_operator(state);
	char line[120];

	lists_put(t, "l", 1, 2);
	for (int i = 0; i <= SOURCES_MAX; i++) {
		(void)snprintf(
		    line, sizeof(line), "source add name s%d command wait file l outfile out\n", i);
		assert_string_equal(
		    talk_say(t, line), i < SOURCES_MAX ? "OK source added\n" : "ERR could not add source\n");
	}
}

static void
a_stuck_first_line_bounds_what_is_ahead(void **state)
{
	struct talk *t = lists_operator(state);
	struct managed *m;

	lists_put(t, "l", 1, SOURCE_SPAN_MAX + 1000);
	(void)talk_say(t, "source add name s command wait file l outfile out\n");
	m = sources_find(&t->env, "s");
	(void)lists_run(t, 60);
	assert_int_equal(m->tasks.count, SOURCE_SPAN_MAX);
	engine_halt(m->source.engine, idtab_get(&m->tasks, 5));
	(void)lists_run(t, 2);
	assert_int_equal(m->tasks.count, SOURCE_SPAN_MAX - 1);
	engine_halt(m->source.engine, idtab_get(&m->tasks, 0));
	(void)lists_run(t, 2);
	assert_int_equal(m->tasks.count, SOURCE_SPAN_MAX - 1);
}

#define GROUP 4242

static void
on_slices(struct session_env *env)
{
	struct talk *t = (struct talk *)((char *)env - offsetof(struct talk, env));

	session_identify(&t->s, 1000, (const gid_t[]){ GROUP }, 1);
}

/* Who added it is an operator by a group alone, and may be gone. */
static void
a_source_is_the_operators_after_a_reload_too(void **state)
{
	struct talk *t = lists_operator(state);
	struct conf conf;
	struct errbuf err;
	struct managed *m;

	conf_init(&conf);
	(void)snprintf(conf.operators, sizeof(conf.operators), "%d", GROUP);
	t->env.on_slices = on_slices;
	assert_int_equal(reconf_apply(&t->env, &conf, &err), 0);
	lists_put(t, "l", 1, 10);
	(void)talk_say(t, "source add name s command wait file l outfile out\n");
	m = sources_find(&t->env, "s");
	assert_non_null(m);
	for (int i = 0; i < 2; i++) {
		assert_ptr_equal(m->source.share, engine_share(t->net.engine));
		assert_ptr_equal(m->entry.slice, slices_of_operators(t->env.slices));
		assert_int_equal(reconf_apply(&t->env, &conf, &err), 0);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, talk_setup, talk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_list_is_measured_once_and_goes),
		T(wrong_words_get_the_exact_error),
		T(a_source_is_updated_while_it_waits),
		T(observers_are_told),
		T(attached_clients_are_sources),
		T(a_clients_stream_holds_all_its_cycles),
		T(odd_lists_are_read_as_they_are_meant),
		T(an_empty_list_for_ever_does_not_spin),
		T(autoreload_sees_a_new_file),
		T(a_swap_in_a_cycle_loses_nothing),
		T(sources_are_bounded),
		T(a_stuck_first_line_bounds_what_is_ahead),
		T(a_source_is_the_operators_after_a_reload_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

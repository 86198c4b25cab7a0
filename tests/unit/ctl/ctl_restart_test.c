#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ctl/lists.h"
#include "workerd/ctl/managed.h"
#include "workerd/ctl/sources.h"

/* Managed sources over the end of a service, whatever ended it. */

static void
a_restart_goes_on_where_it_was(void **state)
{
	struct talk *t = lists_operator(state);
	struct managed *m;
	char *line;

	lists_put(t, "l", 1, 2000);
	(void)talk_say(
	    t, "source add name s descr \"d e\" command \"wait\" file l outfile out cycles 2 cycle_id 9\n");
	for (int i = 0; i < 3; i++) {
		m = sources_find(&t->env, "s");
		assert_non_null(m);
		m->source.window = 100;
		source_wake(&m->source);
		(void)lists_run(t, 2);
		/* Some end, out of order; the others are as if they had not begun. */
		for (uint32_t k = 0; k < 50; k++) {
			struct task *task = idtab_get(&m->tasks, (uint32_t)m->place.first + 2 * k + 1);

			if (task != NULL)
				engine_halt(m->source.engine, task);
		}
		talk_restart(t);
		sources_restore(&t->env);
		talk_expect(t, "outfile list", "INFO 'out' file 'out.warts' refcnt 2\nOK");
		line = strdup(talk_say(t, "source list\n"));
		assert_non_null(line);
		assert_non_null(
		    strstr(line, "name 's' descr 'd e' list_id 0 cycle_id 9 priority 1 outfile 'out'"));
		free(line);
	}
	(void)lists_run(t, 40);
	(void)talk_wait(t, 3601 * NSEC_PER_SEC);
	(void)lists_run(t, 40);
	assert_string_equal(lists_content(t, "out.warts"), " list:s start:9 ping*2000 stop start:10");
	(void)talk_wait(t, 3601 * NSEC_PER_SEC);
	(void)lists_run(t, 5);
	assert_int_equal(lists_count_pings(t, "out.warts"), 4000);
	/* When it has gone it stays gone. */
	talk_restart(t);
	sources_restore(&t->env);
	talk_expect(t, "source list", "OK");
}

/* A source that names no file, or got that file by a swap, goes on with the
 * default output of the next start, whatever that is. */
static void
the_default_output_is_that_of_the_next_start(void **state)
{
	static const struct {
		const char *given;
		const char *alias;
	} starts[] = { { "new,warts,a", "outfile 'a'" }, { "json,b", "outfile 'b'" },
		{ NULL, "outfile 'default.warts'" }, { "json,c", "outfile 'c'" },
		{ NULL, "outfile 'default.warts'" } };
	struct talk *t = lists_operator(state);
	struct errbuf err = { "" };

	lists_put(t, "l", 1, 20);
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		if (i > 0)
			talk_restart(t);
		if (starts[i].given != NULL)
			assert_int_equal(outfiles_give(&t->env.files, open("/dev/null", O_WRONLY | O_CLOEXEC),
					     starts[i].given, &err),
			    0);
		sources_restore(&t->env);
		if (i == 0) {
			(void)talk_say(t, "source add name s command \"wait\" file l\n");
			(void)talk_say(t, "source add name u command \"wait\" file l outfile out\n");
			talk_expect(t, "outfile swap a out", "OK");
		}
		(void)lists_run(t, 2);
		if (strstr(talk_say(t, "source list\n"), starts[i].alias) == NULL)
			fail_msg("start %zu: %s", i, talk_say(t, "source list\n"));
		assert_non_null(
		    strstr(talk_say(t, "source list u\n"), i == 0 ? "outfile 'out'" : starts[i].alias));
	}
}

/* ---- torn commits ---- */

static size_t
copy_file(struct talk *t, const char *name, uint8_t *to, size_t cap)
{
	FILE *f = fopen(talk_path(t, name), "r");
	size_t n;

	if (f == NULL)
		return 0;
	n = fread(to, 1, cap, f);
	assert_int_equal(fclose(f), 0);
	return n;
}

static void
whatever_is_cut_from_a_commit_nothing_is_lost_or_repeated(void **state)
{
	static uint8_t state0[65536], state1[65536], out[65536];
	size_t n0, n1, n, before;
	struct talk *t = lists_operator(state);

	lists_put(t, "l", 1, 20);
	(void)talk_say(t, "source add name s command \"wait\" file l outfile out\n");
	sources_find(&t->env, "s")->source.window = 4;
	(void)lists_run(t, 1);
	before = talk_size(t, "out.warts");
	(void)talk_say(t, "halt s\n");
	(void)lists_run(t, 2);
	n0 = copy_file(t, ".state-0", state0, sizeof(state0));
	n1 = copy_file(t, ".state-1", state1, sizeof(state1));
	n = copy_file(t, "out.warts", out, sizeof(out));
	assert_true(n > before);
	for (size_t cut = before; cut <= n; cut += 3) {
		talk_restart(t);
		/* The files as a kill would have left them in the middle of a write. */
		talk_put(t, ".state-0", state0, n0);
		talk_put(t, ".state-1", state1, n1);
		talk_put(t, "out.warts", out, cut);
		sources_restore(&t->env);
		(void)lists_run(t, 2);
		(void)talk_wait(t, 3601 * NSEC_PER_SEC);
		(void)lists_run(t, 2);
		assert_string_equal(lists_content(t, "out.warts"), " list:s start:1 ping*20 stop");
	}
}

static void
a_damaged_state_file_stops_nothing(void **state)
{
	static const char *const texts[] = { "", "x", "\n", "vantage-state 9 5 0\nx",
		"vantage-state a b c\n" };
	static uint8_t bytes[65536];
	struct talk *t = lists_operator(state);
	size_t n;

	lists_put(t, "l", 1, 20);
	(void)talk_say(t, "source add name s command \"wait\" file l outfile out\n");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		talk_restart(t);
		talk_put(t, ".state-0", texts[i], strlen(texts[i]));
		talk_put(t, ".state-1", texts[i], strlen(texts[i]));
		sources_restore(&t->env);
		talk_expect(t, "source list", "OK");
	}
	/* One of the two is enough. */
	(void)talk_say(t, "outfile open name out file out.warts mode append\n");
	(void)talk_say(t, "source add name s command \"wait\" file l outfile out priority 0\n");
	sources_find(&t->env, "s")->source.window = 4;
	(void)talk_say(t, "source update s priority 1\n");
	(void)lists_run(t, 2);
	for (int i = 0; i < 2; i++) {
		(void)talk_say(t, "halt s\n");
		(void)lists_run(t, 2);
	}
	talk_restart(t);
	n = copy_file(t, ".state-0", bytes, sizeof(bytes));
	bytes[n / 2] ^= 1;
	talk_put(t, ".state-0", bytes, n);
	sources_restore(&t->env);
	assert_non_null(sources_find(&t->env, "s"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, talk_setup, talk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_restart_goes_on_where_it_was),
		T(whatever_is_cut_from_a_commit_nothing_is_lost_or_repeated),
		T(a_damaged_state_file_stops_nothing),
		T(the_default_output_is_that_of_the_next_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/record/ping.h"
#include "proto/record/warts_rd.h"
#include "tests/unit/ctl/talk.h"
#include "workerd/ctl/sources.h"

/* Output files (control.md section 4), word for word, and what they must never
 * touch. */

#define USAGE "ERR usage: outfile open name <alias> file <path> mode <truncate|append>\n"

static struct talk *
operator(void **state)
{
	struct talk *t = *state;

	session_identify(&t->s, 0, NULL, 0);
	return t;
}

static void
opens_lists_and_closes(void **state)
{
	struct talk *t = operator(state);

	assert_string_equal(talk_say(t, "outfile list\n"), "OK\n");
	assert_string_equal(talk_say(t, "outfile open name a file a.warts mode truncate\n"), "OK\n");
	assert_string_equal(talk_say(t, "OUTFILE Open mode append file b.warts name b\n"), "OK\n");
	assert_string_equal(talk_say(t, "outfile list\n"),
	    "INFO 'b' file 'b.warts' refcnt 1\nINFO 'a' file 'a.warts' refcnt 1\nOK\n");
	assert_string_equal(talk_say(t, "outfile swap a b\n"), "OK\n");
	assert_string_equal(talk_say(t, "outfile list\n"),
	    "INFO 'b' file 'a.warts' refcnt 1\nINFO 'a' file 'b.warts' refcnt 1\nOK\n");
	assert_string_equal(talk_say(t, "outfile close a\n"), "OK\n");
	assert_string_equal(talk_say(t, "outfile list\n"), "INFO 'b' file 'a.warts' refcnt 1\nOK\n");
}

static void
wrong_words_get_the_exact_error(void **state)
{
	struct talk *t = operator(state);

	assert_string_equal(talk_say(t, "outfile\n"), "ERR usage: outfile [close | list | open | swap]\n");
	assert_string_equal(talk_say(t, "outfile frob\n"), "ERR unhandled outfile command 'frob'\n");
	assert_string_equal(talk_say(t, "outfile open\n"), USAGE);
	assert_string_equal(talk_say(t, "outfile open name a file f\n"), USAGE);
	assert_string_equal(talk_say(t, "outfile open nam a\n"), "ERR param 'nam' failed\n");
	assert_string_equal(talk_say(t, "outfile open name a file\n"), "ERR param 'file' failed\n");
	assert_string_equal(talk_say(t, "outfile open name \"a\n"), "ERR params_get failed\n");
	assert_string_equal(
	    talk_say(t, "outfile open name a file f mode rw\n"), "ERR mode must be truncate or append\n");
	assert_string_equal(talk_say(t, "outfile open name a file f mode append format xml\n"),
	    "ERR format must be warts, json or text\n");
	assert_string_equal(talk_say(t, "outfile close\n"), "ERR usage: outfile close <alias>\n");
	assert_string_equal(talk_say(t, "outfile close a\n"), "ERR unknown outfile 'a'\n");
	assert_string_equal(talk_say(t, "outfile swap a\n"), "ERR usage outfile swap <alias 1> <alias 2>\n");
	assert_string_equal(
	    talk_say(t, "outfile swap a b c\n"), "ERR usage outfile swap <alias 1> <alias 2>\n");
	assert_string_equal(talk_say(t, "outfile swap a b\n"), "ERR unknown outfile 'a'\n");
	session_identify(&t->s, 1000, NULL, 0);
	assert_string_equal(talk_say(t, "outfile list\n"), "ERR not permitted: outfile is for operators\n");
}

static void
paths_that_leave_the_directory_are_refused(void **state)
{
	static const char *const paths[] = { "../x", "/etc/passwd", "/tmp/x", "d/../../x", ".state", "d/.x",
		".", "..", "/", "link", "link/x", "linked", "fifo", "d", "nodir/x", "" };
	struct talk *t = operator(state);
	char line[256];

	talk_put(t, "target", "x", 1);
	assert_int_equal(mkdir(talk_path(t, "d"), 0755), 0);
	assert_int_equal(mkfifo(talk_path(t, "fifo"), 0644), 0);
	assert_int_equal(symlink("/tmp", talk_path(t, "link")), 0);
	assert_int_equal(symlink("target", talk_path(t, "linked")), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		(void)snprintf(
		    line, sizeof(line), "outfile open name a file \"%s\" mode truncate\n", paths[i]);
		assert_string_equal(talk_say(t, line), "ERR could not add outfile\n");
	}
	assert_int_equal(talk_size(t, "target"), 1);
	(void)snprintf(line, sizeof(line), "outfile open name a file %s/d/x mode truncate\n", t->tmp);
	assert_string_equal(talk_say(t, line), "OK\n");
	assert_int_equal(talk_size(t, "d/x"), 0);
	(void)snprintf(line, sizeof(line), "outfile open name b file %sx/y mode truncate\n", t->tmp);
	assert_string_equal(talk_say(t, line), "ERR could not add outfile\n");
}

static void
an_alias_that_the_state_file_cannot_hold_is_refused(void **state)
{
	struct talk *t = operator(state);
	char line[SOURCE_TEXT_MAX + 80];

	assert_string_equal(talk_say(t, "outfile open name a\"b file f mode append\n"), "OK\n");
	(void)snprintf(line, sizeof(line), "outfile open name %0*d file g mode append\n", SOURCE_TEXT_MAX, 0);
	assert_string_equal(talk_say(t, line), "ERR could not add outfile\n");
	assert_string_equal(talk_say(t, "outfile open name \"\" file g mode append\n"), "OK\n");
	talk_restart(t);
	sources_restore(&t->env);
	assert_string_equal(talk_say(t, "outfile list\n"),
	    "INFO '' file 'g' refcnt 1\nINFO 'a\"b' file 'f' refcnt 1\nOK\n");
}

static void
a_file_has_one_alias(void **state)
{
	struct talk *t = operator(state);
	char path[64];

	assert_string_equal(talk_say(t, "outfile open name a file f mode truncate\n"), "OK\n");
	assert_string_equal(
	    talk_say(t, "outfile open name a file g mode truncate\n"), "ERR could not add outfile\n");
	assert_string_equal(
	    talk_say(t, "outfile open name b file f mode truncate\n"), "ERR could not add outfile\n");
	(void)snprintf(path, sizeof(path), "%s/g", t->tmp);
	assert_int_equal(link(talk_path(t, "f"), path), 0);
	assert_string_equal(
	    talk_say(t, "outfile open name b file g mode truncate\n"), "ERR could not add outfile\n");
}

static void
outfiles_are_bounded(void **state)
{
	struct talk *t = operator(state);
	char line[80];

	for (int i = 0; i < OUTFILES_MAX; i++) {
		(void)snprintf(line, sizeof(line), "outfile open name %d file f%d mode append\n", i, i);
		assert_string_equal(talk_say(t, line), "OK\n");
	}
	assert_string_equal(
	    talk_say(t, "outfile open name x file x mode append\n"), "ERR could not add outfile\n");
}

static void
without_a_directory_there_are_no_files(void **state)
{
	struct talk *t = operator(state);

	assert_string_equal(talk_say(t, "outfile open name a file f mode append\n"),
	    "ERR no data directory: the service keeps no files\n");
	assert_string_equal(
	    talk_say(t, "outfile list\n"), "ERR no data directory: the service keeps no files\n");
}

/* ---- records ---- */

static const struct list_record list = { .id = 3, .name = "l", .monitor = "m" };
static const struct cycle_record cycle = {
	.list = &list, .id = 1, .start = 1700000000, .stop = 1700000009, .hostname = "h"
};

static void
write_one(struct outfile *o)
{
	struct ping_record rec = { .stop_reason = PING_STOP_COMPLETED };

	assert_int_equal(addr_parse("192.0.2.1", &rec.dst), 0);
	rec.src = rec.dst;
	assert_int_equal(outfile_record(o, &ping_record_type, &rec, &cycle), 0);
}

static uint32_t
records_in(struct talk *t, const char *name)
{
	static uint8_t bytes[65536];
	FILE *f = fopen(talk_path(t, name), "r");
	struct warts_memory m = { bytes, 0 };
	struct warts_reader *r = warts_reader_new(warts_memory_read, &m);
	struct errbuf err = { "" };
	struct warts_item item;
	uint32_t n = 0;
	int rc;

	assert_non_null(f);
	m.len = fread(bytes, 1, sizeof(bytes), f);
	assert_int_equal(fclose(f), 0);
	while ((rc = warts_reader_next(r, &item, &err)) > 0)
		n += item.kind == WARTS_ITEM_RECORD;
	assert_int_equal(rc, 0);
	warts_reader_free(r);
	return n;
}

static void
appending_mends_a_damaged_tail(void **state)
{
	struct talk *t = operator(state);
	size_t whole;

	assert_string_equal(talk_say(t, "outfile open name a file f mode truncate\n"), "OK\n");
	assert_int_equal(outfile_cycle_start(outfiles_find(&t->env.files, "a"), &cycle), 0);
	write_one(outfiles_find(&t->env.files, "a"));
	write_one(outfiles_find(&t->env.files, "a"));
	assert_string_equal(talk_say(t, "outfile close a\n"), "OK\n");
	whole = talk_size(t, "f");
	assert_int_equal(records_in(t, "f"), 2);
	/* The last record is cut at each of its bytes. */
	for (size_t cut = 1; cut < 40; cut++) {
		assert_int_equal(truncate(talk_path(t, "f"), (off_t)(whole - cut)), 0);
		assert_string_equal(talk_say(t, "outfile open name a file f mode append\n"), "OK\n");
		write_one(outfiles_find(&t->env.files, "a"));
		assert_string_equal(talk_say(t, "outfile close a\n"), "OK\n");
		assert_int_equal(talk_size(t, "f"), whole);
		assert_int_equal(records_in(t, "f"), 2);
	}
	/* Even the first. */
	assert_int_equal(truncate(talk_path(t, "f"), 5), 0);
	assert_string_equal(talk_say(t, "outfile open name a file f mode append\n"), "OK\n");
	assert_int_equal(talk_size(t, "f"), 0);
}

static void
what_is_no_file_of_ours_is_not_appended_to(void **state)
{
	struct talk *t = operator(state);

	talk_put(t, "f", "somebody's notes\n", 17);
	assert_string_equal(
	    talk_say(t, "outfile open name a file f mode append\n"), "ERR could not add outfile\n");
	assert_int_equal(talk_size(t, "f"), 17);
}

static void
lines_are_mended_too(void **state)
{
	struct talk *t = operator(state);

	talk_put(t, "j", "{\"a\":1}\n{\"b\"", 13);
	assert_string_equal(talk_say(t, "outfile open name j file j mode append format json\n"), "OK\n");
	assert_int_equal(talk_size(t, "j"), 8);
}

static void
a_swap_splits_no_record(void **state)
{
	struct talk *t = operator(state);

	assert_string_equal(talk_say(t, "outfile open name a file f mode truncate\n"), "OK\n");
	assert_string_equal(talk_say(t, "outfile open name b file g mode truncate\n"), "OK\n");
	for (int i = 0; i < 10; i++) {
		write_one(outfiles_find(&t->env.files, "a"));
		assert_string_equal(talk_say(t, "outfile swap a b\n"), "OK\n");
	}
	assert_int_equal(records_in(t, "f"), 5);
	assert_int_equal(records_in(t, "g"), 5);
}

static void
what_waits_for_the_disk_is_bounded(void **state)
{
	struct talk *t = operator(state);
	struct outfile *o;
	int rc;

	assert_string_equal(talk_say(t, "outfile open name a file f mode truncate\n"), "OK\n");
	o = outfiles_find(&t->env.files, "a");
	for (int i = 0; i < 100000 && !outfile_full(o); i++)
		write_one(o);
	assert_true(outfile_full(o));
	do {
		struct ping_record rec = { .stop_reason = PING_STOP_COMPLETED };

		assert_int_equal(addr_parse("192.0.2.1", &rec.dst), 0);
		rec.src = rec.dst;
		rc = outfile_record(o, &ping_record_type, &rec, &cycle);
	} while (rc == 0);
	assert_int_equal(rc, -ENOMEM);
	sources_commit(&t->env);
	assert_int_equal(outfile_end(o), outfile_written(o));
	assert_int_equal(talk_size(t, "f"), outfile_written(o));
}

#define T(f) cmocka_unit_test_setup_teardown(f, talk_setup, talk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(opens_lists_and_closes),
		T(wrong_words_get_the_exact_error),
		T(paths_that_leave_the_directory_are_refused),
		T(an_alias_that_the_state_file_cannot_hold_is_refused),
		T(a_file_has_one_alias),
		T(outfiles_are_bounded),
		cmocka_unit_test_setup_teardown(
		    without_a_directory_there_are_no_files, talk_setup_nowhere, talk_teardown),
		T(appending_mends_a_damaged_tail),
		T(what_is_no_file_of_ours_is_not_appended_to),
		T(lines_are_mended_too),
		T(a_swap_splits_no_record),
		T(what_waits_for_the_disk_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

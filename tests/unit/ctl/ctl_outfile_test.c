#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/record/ping.h"
#include "proto/record/warts_rd.h"
#include "proto/record/zfile.h"
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

	talk_expect(t, "outfile list", "OK");
	talk_expect(t, "outfile open name a file a.warts mode truncate", "OK");
	talk_expect(t, "OUTFILE Open mode append file b.warts name b", "OK");
	talk_expect(
	    t, "outfile list", "INFO 'b' file 'b.warts' refcnt 1\nINFO 'a' file 'a.warts' refcnt 1\nOK");
	talk_expect(t, "outfile swap a b", "OK");
	talk_expect(
	    t, "outfile list", "INFO 'b' file 'a.warts' refcnt 1\nINFO 'a' file 'b.warts' refcnt 1\nOK");
	talk_expect(t, "outfile close a", "OK");
	talk_expect(t, "outfile list", "INFO 'b' file 'a.warts' refcnt 1\nOK");
}

static void
wrong_words_get_the_exact_error(void **state)
{
	struct talk *t = operator(state);

	talk_expect(t, "outfile", "ERR usage: outfile [close | list | open | swap]");
	talk_expect(t, "outfile frob", "ERR unhandled outfile command 'frob'");
	assert_string_equal(talk_say(t, "outfile open\n"), USAGE);
	assert_string_equal(talk_say(t, "outfile open name a file f\n"), USAGE);
	talk_expect(t, "outfile open nam a", "ERR param 'nam' failed");
	talk_expect(t, "outfile open name a file", "ERR param 'file' failed");
	talk_expect(t, "outfile open name \"a", "ERR params_get failed");
	talk_expect(t, "outfile open name a file f mode rw", "ERR mode must be truncate or append");
	talk_expect(t, "outfile open name a file f mode append format xml",
	    "ERR format must be warts, json or text, each perhaps with .gz, .bz2 or .xz");
	talk_expect(t, "outfile close", "ERR usage: outfile close <alias>");
	talk_expect(t, "outfile close a", "ERR unknown outfile 'a'");
	talk_expect(t, "outfile swap a", "ERR usage outfile swap <alias 1> <alias 2>");
	talk_expect(t, "outfile swap a b c", "ERR usage outfile swap <alias 1> <alias 2>");
	talk_expect(t, "outfile swap a b", "ERR unknown outfile 'a'");
	session_identify(&t->s, 1000, NULL, 0);
	talk_expect(t, "outfile list", "ERR not permitted: outfile is for operators");
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

	talk_expect(t, "outfile open name a\"b file f mode append", "OK");
	(void)snprintf(line, sizeof(line), "outfile open name %0*d file g mode append\n", SOURCE_TEXT_MAX, 0);
	assert_string_equal(talk_say(t, line), "ERR could not add outfile\n");
	talk_expect(t, "outfile open name \"\" file g mode append", "OK");
	talk_restart(t);
	sources_restore(&t->env);
	talk_expect(t, "outfile list", "INFO '' file 'g' refcnt 1\nINFO 'a\"b' file 'f' refcnt 1\nOK");
}

static void
a_file_has_one_alias(void **state)
{
	struct talk *t = operator(state);
	char path[64];

	talk_expect(t, "outfile open name a file f mode truncate", "OK");
	talk_expect(t, "outfile open name a file g mode truncate", "ERR could not add outfile");
	talk_expect(t, "outfile open name b file f mode truncate", "ERR could not add outfile");
	(void)snprintf(path, sizeof(path), "%s/g", t->tmp);
	assert_int_equal(link(talk_path(t, "f"), path), 0);
	talk_expect(t, "outfile open name b file g mode truncate", "ERR could not add outfile");
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
	talk_expect(t, "outfile open name x file x mode append", "ERR could not add outfile");
}

static void
without_a_directory_there_are_no_files(void **state)
{
	struct talk *t = operator(state);

	talk_expect(
	    t, "outfile open name a file f mode append", "ERR no data directory: the service keeps no files");
	talk_expect(t, "outfile list", "ERR no data directory: the service keeps no files");
}

/* ---- records ---- */

static const struct list_record list = { .id = 3, .name = "l", .monitor = "m" };
static const struct cycle_record cycle = {
	.list = &list, .id = 1, .start = 1700000000, .stop = 1700000009, .hostname = "h"
};

static void
write_one(struct talk *t, struct outfile *o)
{
	struct ping_record rec = { .stop_reason = PING_STOP_COMPLETED };

	assert_int_equal(addr_parse("192.0.2.1", &rec.dst), 0);
	rec.src = rec.dst;
	assert_int_equal(outfile_record(&t->env.files, o, &ping_record_type, &rec, &cycle), 0);
}

static uint32_t
records_in(struct talk *t, const char *name)
{
	int fd = open(talk_path(t, name), O_RDONLY | O_CLOEXEC);
	struct zfile *z = zfile_reader_new(fd);
	struct warts_reader *r = warts_reader_new(zfile_read, z);
	struct errbuf err = { "" };
	struct warts_item item;
	uint32_t n = 0;
	int rc;

	assert_true(fd >= 0);
	while ((rc = warts_reader_next(r, &item, &err)) > 0)
		n += item.kind == WARTS_ITEM_RECORD;
	assert_int_equal(rc, 0);
	warts_reader_free(r);
	zfile_reader_free(z);
	(void)close(fd);
	return n;
}

static void
appending_mends_a_damaged_tail(void **state)
{
	struct talk *t = operator(state);
	size_t whole;

	talk_expect(t, "outfile open name a file f mode truncate", "OK");
	assert_int_equal(outfile_cycle_start(&t->env.files, outfiles_find(&t->env.files, "a"), &cycle), 0);
	write_one(t, outfiles_find(&t->env.files, "a"));
	write_one(t, outfiles_find(&t->env.files, "a"));
	talk_expect(t, "outfile close a", "OK");
	whole = talk_size(t, "f");
	assert_int_equal(records_in(t, "f"), 2);
	/* The last record is cut at each of its bytes. */
	for (size_t cut = 1; cut < 40; cut++) {
		assert_int_equal(truncate(talk_path(t, "f"), (off_t)(whole - cut)), 0);
		talk_expect(t, "outfile open name a file f mode append", "OK");
		write_one(t, outfiles_find(&t->env.files, "a"));
		talk_expect(t, "outfile close a", "OK");
		assert_int_equal(talk_size(t, "f"), whole);
		assert_int_equal(records_in(t, "f"), 2);
	}
	/* Even the first. */
	assert_int_equal(truncate(talk_path(t, "f"), 5), 0);
	talk_expect(t, "outfile open name a file f mode append", "OK");
	assert_int_equal(talk_size(t, "f"), 0);
}

static void
what_is_no_file_of_ours_is_not_appended_to(void **state)
{
	struct talk *t = operator(state);

	talk_put(t, "f", "somebody's notes\n", 17);
	talk_expect(t, "outfile open name a file f mode append", "ERR could not add outfile");
	assert_int_equal(talk_size(t, "f"), 17);
}

static void
lines_are_mended_too(void **state)
{
	struct talk *t = operator(state);

	talk_put(t, "j", "{\"a\":1}\n{\"b\"", 13);
	talk_expect(t, "outfile open name j file j mode append format json", "OK");
	assert_int_equal(talk_size(t, "j"), 8);
}

/* ---- compressed ---- */

static const char *const packed[] = { "f.warts.gz", "f.warts.bz2", "f.warts.xz" };

static void
open_append(struct talk *t, const char *name)
{
	char line[80];

	(void)snprintf(line, sizeof(line), "outfile open name a file %s mode append\n", name);
	assert_string_equal(talk_say(t, line), "OK\n");
}

static void
a_commit_is_a_whole_stream(void **state)
{
	struct talk *t = operator(state);

	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
		open_append(t, packed[i]);
		for (uint32_t n = 1; n < 4; n++) {
			write_one(t, outfiles_find(&t->env.files, "a"));
			assert_int_equal(sources_commit(&t->env), 0);
			assert_int_equal(records_in(t, packed[i]), n);
		}
		talk_expect(t, "outfile close a", "OK");
		open_append(t, packed[i]);
		write_one(t, outfiles_find(&t->env.files, "a"));
		talk_expect(t, "outfile close a", "OK");
		assert_int_equal(records_in(t, packed[i]), 4);
	}
}

/* The last of two streams is cut at each of its bytes. */
static void
a_cut_stream_is_mended(void **state)
{
	struct talk *t = operator(state);

	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
		size_t first, whole;

		open_append(t, packed[i]);
		write_one(t, outfiles_find(&t->env.files, "a"));
		assert_int_equal(sources_commit(&t->env), 0);
		first = talk_size(t, packed[i]);
		write_one(t, outfiles_find(&t->env.files, "a"));
		talk_expect(t, "outfile close a", "OK");
		whole = talk_size(t, packed[i]);
		for (size_t cut = 1; cut < whole - first; cut++) {
			assert_int_equal(truncate(talk_path(t, packed[i]), (off_t)(whole - cut)), 0);
			open_append(t, packed[i]);
			assert_int_equal(talk_size(t, packed[i]), first);
			write_one(t, outfiles_find(&t->env.files, "a"));
			talk_expect(t, "outfile close a", "OK");
			assert_int_equal(records_in(t, packed[i]), 2);
			assert_int_equal(talk_size(t, packed[i]), whole);
		}
	}
}

/* ---- long ones ---- */

#define LONG_RECORDS 120000

/* So long that one look does not reach its end, and damaged there. */
static void
make_long(struct talk *t)
{
	struct outfile *o;

	talk_expect(t, "outfile open name a file long mode truncate", "OK");
	o = outfiles_find(&t->env.files, "a");
	for (uint32_t i = 0; i < LONG_RECORDS; i++) {
		write_one(t, o);
		if (outfile_full(o))
			assert_int_equal(sources_commit(&t->env), 0);
	}
	talk_expect(t, "outfile close a", "OK");
	assert_true(talk_size(t, "long") > 2 * OUTFILE_LOOK_BYTES);
	assert_int_equal(truncate(talk_path(t, "long"), (off_t)talk_size(t, "long") - 3), 0);
}

static void
a_long_file_is_looked_through_piece_by_piece(void **state)
{
	struct talk *t = operator(state);
	struct outfile *o;
	int ticks = 0;

	make_long(t);
	talk_expect(t, "outfile open name a file long mode append", "OK");
	talk_expect(
	    t, "outfile list", "INFO 'a' file 'long' refcnt 1 trouble 'it is being looked through'\nOK");
	talk_expect(t, "outfile open name b file g mode append", "OK");
	talk_expect(t, "outfile swap b a", "ERR could not swap outfiles: 'a' is not ready, see outfile list");
	o = outfiles_find(&t->env.files, "a");
	assert_true(outfile_full(o));
	for (; !outfile_ready(o); ticks++)
		sources_tick(&t->env, 0);
	assert_in_range(ticks, 1, 20);
	write_one(t, o);
	talk_expect(t, "outfile swap b a", "OK");
	assert_int_equal(records_in(t, "long"), LONG_RECORDS);
}

/* Two files one behind the other are no file, but nobody's damage either. */
static void
a_long_tail_is_not_cut(void **state)
{
	struct talk *t = operator(state);
	size_t size;

	make_long(t);
	size = talk_size(t, "long");
	assert_int_equal(truncate(talk_path(t, "long"), (off_t)(size + 2 * OUTFILE_MEND_MAX)), 0);
	talk_expect(t, "outfile open name a file long mode append", "OK");
	for (int i = 0; i < 40; i++)
		sources_tick(&t->env, 0);
	assert_int_equal(talk_size(t, "long"), size + 2 * OUTFILE_MEND_MAX);
	assert_non_null(strstr(
	    talk_say(t, "outfile list\n"), "bytes from there on it is not cut: begin a new file'\nOK\n"));
	talk_expect(t, "outfile close a", "OK");
}

static uint32_t ticks_wanted;

static void
want_tick(struct session_env *env, uint32_t ms)
{
	(void)env;
	(void)ms;
	ticks_wanted++;
}

static void
who_waits_for_a_lost_file_wakes_nobody(void **state)
{
	struct talk *t = operator(state);

	make_long(t);
	assert_int_equal(
	    truncate(talk_path(t, "long"), (off_t)(talk_size(t, "long") + 2 * OUTFILE_MEND_MAX)), 0);
	talk_put(t, "l", "10.0.0.1\n", 9);
	talk_expect(t, "outfile open name a file long mode append", "OK");
	talk_expect(t, "source add name s file l outfile a", "OK source added");
	for (int i = 0; i < 40; i++)
		sources_tick(&t->env, 0);
	t->env.sources.want_tick = want_tick;
	ticks_wanted = 0;
	for (int i = 0; i < 3; i++)
		sources_tick(&t->env, 0);
	assert_int_equal(ticks_wanted, 0);
	talk_expect(t, "source delete s", "OK source 's' deleted");
	sources_tick(&t->env, 0);
	talk_expect(t, "outfile close a", "OK");
}

/* ---- reasons ---- */

static void
the_reason_can_be_asked_for(void **state)
{
	struct talk *t = operator(state);

	talk_expect(t, "get error", "OK null error");
	(void)talk_say(t, "outfile open name a file ../x mode append\n");
	talk_expect(t, "get error", "OK error '../x': names that begin with a dot are refused");
	talk_put(t, "f", "somebody's notes\n", 17);
	(void)talk_say(t, "outfile open name a file f mode append\n");
	talk_expect(t, "get error", "OK error f: holds something else than warts");
	talk_expect(t, "source add name s file none outfile a", "ERR unknown outfile 'a'");
	talk_expect(t, "source add name s file none", "ERR could not alloc source");
	talk_expect(t, "get error", "OK error none: No such file or directory");
}

/* ---- the default output ---- */

/* A pipe that nobody reads fills up; what waits goes on when somebody does. */
static void
a_full_pipe_holds_nobody_else_up(void **state)
{
	struct talk *t = operator(state);
	static char bytes[1 << 20];
	struct outfile *given;
	struct errbuf err;
	size_t lines = 0;
	int ends[2];
	ssize_t n;

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(outfiles_give(&t->env.files, ends[1], "copy,json,-", &err), 0);
	talk_expect(t, "outfile list", "INFO '-' file '-' refcnt 1\nOK");
	talk_expect(t, "outfile open name a file f mode truncate", "OK");
	given = t->env.files.given;
	for (int i = 0; i < 1000; i++)
		write_one(t, outfiles_find(&t->env.files, "a"));
	assert_int_equal(sources_commit(&t->env), 0);
	assert_true(outfile_waits(given));
	assert_false(outfile_waits(outfiles_find(&t->env.files, "a")));
	assert_int_equal(records_in(t, "f"), 1000);
	talk_expect(t, "outfile close -", "ERR could not drop outfile: results wait for the disk");
	while ((n = read(ends[0], bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			lines += bytes[i] == '\n';
		assert_int_equal(sources_commit(&t->env), 0);
	}
	assert_int_equal(lines, 1000);
	talk_expect(t, "outfile swap - a", "OK");
	talk_expect(t, "outfile list", "INFO 'a' file '-' refcnt 1\nINFO '-' file 'f' refcnt 1\nOK");
	talk_expect(t, "outfile close -", "OK");
	assert_null(t->env.files.given);
	(void)close(ends[0]);
}

static void
who_reads_the_default_output_may_go(void **state)
{
	struct talk *t = operator(state);
	struct errbuf err;
	int ends[2];

	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	(void)close(ends[0]);
	assert_int_equal(outfiles_give(&t->env.files, ends[1], "copy,json,-", &err), 0);
	talk_expect(t, "outfile open name a file f mode truncate", "OK");
	write_one(t, outfiles_find(&t->env.files, "a"));
	assert_int_equal(sources_commit(&t->env), 0);
	talk_expect(t, "outfile list",
	    "INFO 'a' file 'f' refcnt 1\n"
	    "INFO '-' file '-' refcnt 1 trouble '-: nobody reads it any more'\nOK");
	/* The others go on, and nothing is tried again. */
	t->env.sources.want_tick = want_tick;
	ticks_wanted = 0;
	write_one(t, outfiles_find(&t->env.files, "a"));
	assert_int_equal(sources_commit(&t->env), 0);
	assert_int_equal(ticks_wanted, 0);
	assert_int_equal(records_in(t, "f"), 2);
	talk_expect(t, "outfile close -", "OK");
}

static void
what_is_given_must_say_what_it_is(void **state)
{
	static const char *const texts[] = { "", "warts", "copy,warts", "xml,-", "copy,", ",x" };
	struct talk *t = operator(state);
	struct errbuf err;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(outfiles_give(&t->env.files, 0, texts[i], &err), -EINVAL);
}

static void
a_swap_splits_no_record(void **state)
{
	struct talk *t = operator(state);

	talk_expect(t, "outfile open name a file f mode truncate", "OK");
	talk_expect(t, "outfile open name b file g mode truncate", "OK");
	for (int i = 0; i < 10; i++) {
		write_one(t, outfiles_find(&t->env.files, "a"));
		talk_expect(t, "outfile swap a b", "OK");
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

	talk_expect(t, "outfile open name a file f mode truncate", "OK");
	o = outfiles_find(&t->env.files, "a");
	for (int i = 0; i < 100000 && !outfile_full(o); i++)
		write_one(t, o);
	assert_true(outfile_full(o));
	do {
		struct ping_record rec = { .stop_reason = PING_STOP_COMPLETED };

		assert_int_equal(addr_parse("192.0.2.1", &rec.dst), 0);
		rec.src = rec.dst;
		rc = outfile_record(&t->env.files, o, &ping_record_type, &rec, &cycle);
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
		T(a_commit_is_a_whole_stream),
		T(a_cut_stream_is_mended),
		T(a_long_file_is_looked_through_piece_by_piece),
		T(a_long_tail_is_not_cut),
		T(who_waits_for_a_lost_file_wakes_nobody),
		T(the_reason_can_be_asked_for),
		T(a_full_pipe_holds_nobody_else_up),
		T(who_reads_the_default_output_may_go),
		T(what_is_given_must_say_what_it_is),
		T(a_swap_splits_no_record),
		T(what_waits_for_the_disk_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

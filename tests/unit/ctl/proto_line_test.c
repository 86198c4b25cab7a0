#include "proto/line.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct lines
lines_of(char *buf, const char *text)
{
	size_t len = strlen(text);

	memcpy(buf, text, len + 1);
	return (struct lines){ buf, buf + len };
}

static void
lines_end_with_newline_and_lose_the_return(void **state)
{
	char buf[64], *line;
	struct lines l = lines_of(buf, "one\ntwo\r\n\n\rthree");
	size_t len;

	(void)state;
	assert_int_equal(lines_next(&l, &line, &len), 1);
	assert_string_equal(line, "one");
	assert_int_equal(lines_next(&l, &line, &len), 1);
	assert_string_equal(line, "two");
	assert_int_equal(len, 3);
	assert_int_equal(lines_next(&l, &line, &len), 1);
	assert_string_equal(line, "");
	assert_int_equal(lines_next(&l, &line, &len), 0);
	assert_int_equal(l.end - l.p, 6);
}

static void
every_unprintable_byte_is_found_at_every_place(void **state)
{
	char buf[64], *line;
	struct lines l;
	size_t len, at;
	int c;

	(void)state;
	for (c = 0; c < 256; c++) {
		bool good = c >= 0x20 && c <= 0x7e;

		for (at = 0; at < 21; at++) {
			if (c == '\n' || (c == '\r' && at == 20))
				continue;
			l = lines_of(buf, "ping 192.0.2.1 -c 123\n");
			buf[at] = (char)c;
			assert_int_equal(lines_next(&l, &line, &len), good ? 1 : -EILSEQ);
			assert_ptr_equal(l.p, l.end);
		}
	}
}

static void
a_line_may_have_8191_bytes_and_not_one_more(void **state)
{
	char *buf = malloc(LINE_MAX_BYTES + 8), *line;
	struct lines l;
	size_t len;

	(void)state;
	assert_non_null(buf);
	memset(buf, 'x', LINE_MAX_BYTES + 8);
	memcpy(buf + LINE_MAX_BYTES, "\r\n", 2);
	l = (struct lines){ buf, buf + LINE_MAX_BYTES };
	assert_int_equal(lines_next(&l, &line, &len), 0);
	l = (struct lines){ buf, buf + LINE_MAX_BYTES + 1 };
	assert_int_equal(lines_next(&l, &line, &len), 0);
	l = (struct lines){ buf, buf + LINE_MAX_BYTES + 2 };
	assert_int_equal(lines_next(&l, &line, &len), 1);
	assert_int_equal(len, LINE_MAX_BYTES);

	memset(buf, 'x', LINE_MAX_BYTES + 8);
	l = (struct lines){ buf, buf + LINE_MAX_BYTES + 2 };
	assert_int_equal(lines_next(&l, &line, &len), -EMSGSIZE);
	buf[LINE_MAX_BYTES + 1] = '\n';
	l = (struct lines){ buf, buf + LINE_MAX_BYTES + 2 };
	assert_int_equal(lines_next(&l, &line, &len), -EMSGSIZE);
	free(buf);
}

static void
words_split_at_blanks_and_quotes_hold_them_together(void **state)
{
	char text[] = "  name \"a b  c\" x descr \"\" y\"z ";
	char *w[8];

	(void)state;
	assert_int_equal(line_split(text, w, 8), 6);
	assert_string_equal(w[0], "name");
	assert_string_equal(w[1], "a b  c");
	assert_string_equal(w[2], "x");
	assert_string_equal(w[3], "descr");
	assert_string_equal(w[4], "");
	assert_string_equal(w[5], "y\"z");
}

static void
unclosed_quotes_and_too_many_words_are_refused(void **state)
{
	char open[] = "name \"a b", tail[] = "name \"a\"b c", many[] = "a b c", none[] = "   ";
	char *w[2];

	(void)state;
	assert_int_equal(line_split(open, w, 2), -EINVAL);
	assert_int_equal(line_split(tail, w, 2), -EINVAL);
	assert_int_equal(line_split(many, w, 2), -E2BIG);
	assert_int_equal(line_split(none, w, 2), 0);
}

static void
what_is_put_as_a_word_splits_to_the_same_word(void **state)
{
	static const char *const good[] = { "a", "a b", "", " ", "a\"b", "x\"", "  two  " };
	static const char *const bad[] = { "\"a", "a \" b", "\"", "tab\there", "\x7f" };
	struct buf b;
	char *w[2];
	size_t i;

	(void)state;
	buf_init(&b, 0);
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		buf_reset(&b);
		assert_int_equal(line_put_word(&b, good[i]), 0);
		buf_u8(&b, 0);
		assert_int_equal(line_split((char *)b.p, w, 2), 1);
		assert_string_equal(w[0], good[i]);
	}
	buf_reset(&b);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(line_put_word(&b, bad[i]), -EINVAL);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

static void
replies_parse(void **state)
{
	struct reply_line r;

	(void)state;
	assert_int_equal(reply_parse("OK", &r), 0);
	assert_int_equal(r.kind, REPLY_LINE_OK);
	assert_int_equal(r.id, 0);
	assert_int_equal(reply_parse("OK id-4294967295", &r), 0);
	assert_int_equal(r.id, 4294967295u);
	assert_int_equal(reply_parse("OK halted 3", &r), 0);
	assert_int_equal(r.id, 0);
	assert_string_equal(r.text, "halted 3");
	assert_int_equal(reply_parse("MORE", &r), 0);
	assert_int_equal(r.kind, REPLY_LINE_MORE);
	assert_int_equal(reply_parse("ERR no task id-7", &r), 0);
	assert_int_equal(r.kind, REPLY_LINE_ERR);
	assert_string_equal(r.text, "no task id-7");
	assert_int_equal(reply_parse("DATA 56", &r), 0);
	assert_int_equal(r.length, 56);
	assert_int_equal(r.id, 0);
	assert_int_equal(reply_parse("DATA 136 id-9", &r), 0);
	assert_int_equal(r.id, 9);
	assert_false(r.inprogress);
	assert_int_equal(reply_parse("DATA 136 id-9 inprog", &r), 0);
	assert_true(r.inprogress);
}

static void
bad_replies_are_refused(void **state)
{
	static const char *const bad[] = { "", "ok", "OKAY", "DATA", "DATA ", "DATA x", "DATA -1", "DATA 4294967296",
		"DATA 99999999999", "DATA 5 ", "DATA 5 id-", "DATA 5 id-x", "DATA 5 id-1 ", "DATA 5 id-1 inprogx",
		"DATA 5x", "DATA  5" };
	struct reply_line r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(reply_parse(bad[i], &r) < 0);
}

static void
a_data_header_reads_back(void **state)
{
	struct reply_line r;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	reply_put_data(&b, 1234, 77, true);
	assert_memory_equal(b.p, "DATA 1234 id-77 inprog\n", b.len);
	b.p[b.len - 1] = '\0';
	assert_int_equal(reply_parse((char *)b.p, &r), 0);
	assert_int_equal(r.length, 1234);
	assert_int_equal(r.id, 77);
	buf_reset(&b);
	reply_put_data(&b, 5, 0, true);
	assert_int_equal(b.len, 7);
	assert_memory_equal(b.p, "DATA 5\n", 7);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_with_newline_and_lose_the_return),
		cmocka_unit_test(every_unprintable_byte_is_found_at_every_place),
		cmocka_unit_test(a_line_may_have_8191_bytes_and_not_one_more),
		cmocka_unit_test(words_split_at_blanks_and_quotes_hold_them_together),
		cmocka_unit_test(unclosed_quotes_and_too_many_words_are_refused),
		cmocka_unit_test(what_is_put_as_a_word_splits_to_the_same_word),
		cmocka_unit_test(replies_parse),
		cmocka_unit_test(bad_replies_are_refused),
		cmocka_unit_test(a_data_header_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

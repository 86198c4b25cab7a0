#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/jsonrd.h"
#include "client/view.h"

static const char status[] =
    "{\"type\":\"status\",\"version\":\"0.1.0\",\"uptime\":93784,\"operator\":true,\"pps\":12000,\"window\":0,"
    "\"engine\":{\"active\":12,\"sent\":1234567890,\"refused\":1,\"received\":9,\"matched\":7,\"unmatched\":2,"
    "\"malformed\":3,\"done\":4},\"drops\":{\"ring\":5},\"slices\":["
    "{\"slice\":0,\"name\":\"operators\",\"share\":1,\"part\":3000,\"pps\":0,\"rate\":0,\"sent\":0,\"active\":0,"
    "\"running\":0,\"clients\":1,\"done\":0,\"refused\":{\"methods\":0,\"running\":0,\"hourly\":0}},"
    "{\"slice\":2,\"name\":\"alpha\",\"share\":3,\"part\":9000,\"pps\":0,\"rate\":8999,\"sent\":77,\"active\":10,"
    "\"running\":40,\"clients\":2,\"done\":123456,\"refused\":{\"methods\":1,\"running\":20,\"hourly\":300}}],"
    "\"sources\":[{\"name\":\"/run/x.sock:7\",\"list\":\"de\\\"fa\\u001b[31m\",\"slice\":\"alpha\",\"uid\":1001,"
    "\"priority\":1,\"rate\":5000,\"queued\":30,\"active\":10},"
    "{\"name\":\"127.0.0.1:9\",\"slice\":\"operators\",\"rate\":1,\"queued\":0,\"active\":0}],\"sources_total\":2}";

static void
what_is_no_json_is_refused(void **state)
{
	static const char *const bad[] = { "", "{", "}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "[1,]", "[1 2]", "\"x",
		"\"x\\", "{\"a\":1}x", "{a:1}", "[[[[[[[[[1]]]]]]]]]", "\"\n\"", "[", "[1", "{\"a\":[}" };
	static const char *const good[] = { "1", " {} ", "[]", "{\"a\":{\"b\":[1,\"\\\"\",{}]},\"c\":true}",
		"[[[[[[[[1]]]]]]]]" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (json_valid(bad[i]))
			print_error("%s\n", bad[i]);
		assert_false(json_valid(bad[i]));
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(json_valid(good[i]));
}

/* Cut anywhere, it is refused and nothing behind its end is read. */
static void
a_cut_status_is_refused(void **state)
{
	(void)state;
	assert_true(json_valid(status));
	for (size_t len = 0; len < sizeof(status) - 1; len++) {
		char *cut = strndup(status, len);

		assert_non_null(cut);
		assert_false(json_valid(cut));
		free(cut);
	}
}

static void
values_are_found_by_their_names(void **state)
{
	const char *json = "{\"a\":1,\"b\":{\"a\":\"x\\\\y\"},\"c\":[10,20],\"d\":99999999999999999999}";
	char text[4];

	(void)state;
	assert_int_equal(json_u64(json_member(json, "a")), 1);
	assert_string_equal(json_text(json_member(json_member(json, "b"), "a"), text, sizeof(text)), "x\\y");
	assert_int_equal(json_u64(json_next(json_first(json_member(json, "c")))), 20);
	assert_null(json_next(json_next(json_first(json_member(json, "c")))));
	assert_null(json_member(json, "e"));
	assert_int_equal(json_u64(NULL), 0);
	assert_int_equal(json_u64(json_member(json, "d")), 0);
	assert_string_equal(json_text(json_member(json, "a"), text, sizeof(text)), "");
}

static struct buf
shown(struct view *v, char name[VIEW_NAME_MAX])
{
	struct buf out;

	buf_init(&out, 0);
	view_screen(&out, v, status, name);
	buf_u8(&out, '\0');
	assert_false(out.failed);
	return out;
}

static void
it_fits_any_screen(void **state)
{
	char name[VIEW_NAME_MAX];

	(void)state;
	for (uint32_t rows = 8; rows <= 40; rows++) {
		struct view v = { .rows = rows, .cols = 80, .filter = "", .message = "keys" };
		struct buf out = shown(&v, name);
		uint32_t lines = 0;

		for (const char *p = (const char *)out.p, *nl; (nl = strchr(p, '\n')) != NULL; p = nl + 1, lines++)
			assert_true(nl - p <= 80);
		assert_int_equal(lines, rows);
		assert_string_equal((const char *)out.p + out.len - 6, "keys\n");
		buf_fini(&out);
	}
}

static void
slices_and_sources_are_told(void **state)
{
	struct view v = { .rows = 24, .cols = 80, .filter = "", .message = "", .selected = 7, .mark = true };
	char name[VIEW_NAME_MAX];
	struct buf out = shown(&v, name);
	const char *text = (const char *)out.p;

	(void)state;
	assert_non_null(strstr(text, "vantage 0.1.0  up 1d 02:03  pps 12000  running 12  sent 1234M\n"));
	assert_non_null(strstr(text, "replies 7  unmatched 2  malformed 3  refused by kernel 1  ring drops 5\n"));
	assert_non_null(strstr(text, "alpha                      3   9000   8999      10      40    123k     321     2\n"));
	assert_non_null(strstr(text, "/run/x.sock:7                  de\"fau001b alpha       1001   5000     10    30\n"));
	assert_non_null(strstr(text, "\033[7m127.0.0.1:9"));
	assert_string_equal(name, "127.0.0.1:9"); /* the last, as there is no eighth */
	assert_int_equal(v.selected, 1);
	buf_fini(&out);
}

static void
a_filter_leaves_what_it_names(void **state)
{
	struct view v = { .rows = 24, .cols = 80, .filter = "ALPH", .message = "" };
	char name[VIEW_NAME_MAX];
	struct buf out = shown(&v, name);

	(void)state;
	assert_null(strstr((const char *)out.p, "operators"));
	assert_null(strstr((const char *)out.p, "127.0.0.1"));
	assert_string_equal(name, "/run/x.sock:7");
	buf_fini(&out);
	v.filter = "nobody";
	out = shown(&v, name);
	assert_string_equal(name, "");
	buf_fini(&out);
}

static void
plain_lines_have_no_escapes(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	view_plain(&out, "alpha", status, "12:00:00");
	buf_u8(&out, '\0');
	assert_string_equal(
	    (const char *)out.p, "12:00:00 alpha part 9000 rate 8999 active 10 running 40 done 123k refused 321\n");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_json_is_refused),
		cmocka_unit_test(a_cut_status_is_refused),
		cmocka_unit_test(values_are_found_by_their_names),
		cmocka_unit_test(it_fits_any_screen),
		cmocka_unit_test(slices_and_sources_are_told),
		cmocka_unit_test(a_filter_leaves_what_it_names),
		cmocka_unit_test(plain_lines_have_no_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

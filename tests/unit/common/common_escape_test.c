#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/escape.h"

static void
every_byte_comes_back(void **state)
{
	char all[256], text[ESCAPE_BYTES(255)];

	(void)state;
	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	/* 94 printable bytes without the backslash, 161 others */
	assert_int_equal(escape_text(text, sizeof(text), all, "\\"), 94 + 4 * 161);
	assert_int_equal(strlen(text), 94 + 4 * 161);
	for (const char *p = text; *p != '\0'; p++)
		assert_true(*p >= 0x20 && *p <= 0x7e);
	assert_int_equal(unescape_text(text), 0);
	assert_string_equal(text, all);
}

static void
what_does_not_fit_whole_is_left_out(void **state)
{
	char text[8];

	(void)state;
	memset(text, 'z', sizeof(text));
	assert_int_equal(escape_text(text, 7, "a\xff\xff", ""), 5);
	assert_memory_equal(text, "a\\xff\0zz", 8);
	assert_int_equal(escape_text(text, 5, "abcdef", ""), 1);
	assert_int_equal(escape_text(text, 1, "a", ""), 0);
	assert_memory_equal(text, "\0\0\\", 1);
}

static void
no_other_escape_is_taken(void **state)
{
	static const char *const bad[] = { "\\", "a\\", "\\x", "\\x4", "\\x4g", "\\x00", "\\xFF", "\\n", "\\\\" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[8];

		memcpy(text, bad[i], strlen(bad[i]) + 1);
		assert_int_equal(unescape_text(text), -EINVAL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_comes_back),
		cmocka_unit_test(what_does_not_fit_whole_is_left_out),
		cmocka_unit_test(no_other_escape_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

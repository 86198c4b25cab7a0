#include "common/strnum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#define CASES(table) (sizeof(table) / sizeof((table)[0]))

static void
integers_are_whole_texts_in_range(void **state)
{
	static const struct {
		const char *text;
		int64_t min, max;
		int rc;
		int64_t v;
	} cases[] = {
		{ "0", 0, 10, 0, 0 },
		{ "10", 0, 10, 0, 10 },
		{ "010", 0, 10, 0, 10 }, /* decimal, not octal */
		{ "11", 0, 10, -ERANGE, 0 },
		{ "-5", -10, 10, 0, -5 },
		{ "-11", -10, 10, -ERANGE, 0 },
		{ "9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX },
		{ "-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN },
		{ "9223372036854775808", INT64_MIN, INT64_MAX, -ERANGE, 0 },
		{ "99999999999999999999999999", INT64_MIN, INT64_MAX, -ERANGE, 0 },
		{ "", 0, 10, -EINVAL, 0 },
		{ "-", 0, 10, -EINVAL, 0 },
		{ "+1", 0, 10, -EINVAL, 0 },
		{ " 1", 0, 10, -EINVAL, 0 },
		{ "1 ", 0, 10, -EINVAL, 0 },
		{ "1x", 0, 10, -EINVAL, 0 },
		{ "0x1", 0, 10, -EINVAL, 0 },
		{ "--1", -9, 10, -EINVAL, 0 },
		{ "1.0", 0, 10, -EINVAL, 0 },
	};

	for (size_t i = 0; i < CASES(cases); i++) {
		int64_t v = 777;

		assert_int_equal(strnum_i64(cases[i].text, cases[i].min, cases[i].max, &v), cases[i].rc);
		assert_int_equal(v, cases[i].rc == 0 ? cases[i].v : 777);
	}
	(void)state;
}

static void
unsigned_32_bits_end_where_they_should(void **state)
{
	uint32_t v = 7;

	assert_int_equal(strnum_u32("4294967295", 0, UINT32_MAX, &v), 0);
	assert_int_equal(v, UINT32_MAX);
	assert_int_equal(strnum_u32("4294967296", 0, UINT32_MAX, &v), -ERANGE);
	assert_int_equal(strnum_u32("-1", 0, UINT32_MAX, &v), -ERANGE);
	assert_int_equal(v, UINT32_MAX);
	(void)state;
}

static void
times_have_fractions_and_suffixes(void **state)
{
	static const struct {
		const char *text;
		uint32_t unit;
		int rc;
		uint64_t us;
	} cases[] = {
		{ "5", 1000000, 0, 5000000 },
		{ "5", 1000, 0, 5000 },
		{ "5s", 1000, 0, 5000000 },
		{ "5ms", 1000000, 0, 5000 },
		{ "5us", 1000000, 0, 5 },
		{ "0.5", 1000000, 0, 500000 },
		{ "0.000001", 1000000, 0, 1 },
		{ "1.500ms", 1, 0, 1500 },
		{ "999999999", 1000000, 0, 999999999000000 },
		{ "0", 1000000, 0, 0 },
		{ "0.0000001", 1000000, -EINVAL, 0 }, /* finer than a microsecond */
		{ "0.5us", 1000000, -EINVAL, 0 },
		{ "1234567890", 1, -ERANGE, 0 },
		{ "1.0000000000", 1, -EINVAL, 0 },
		{ "", 1, -EINVAL, 0 },
		{ ".5", 1, -EINVAL, 0 },
		{ "5.", 1, -EINVAL, 0 },
		{ "5.s", 1, -EINVAL, 0 },
		{ "-5", 1, -EINVAL, 0 },
		{ "5m", 1, -EINVAL, 0 },
		{ "5 s", 1, -EINVAL, 0 },
		{ "5ss", 1, -EINVAL, 0 },
		{ "1e3", 1, -EINVAL, 0 },
	};

	for (size_t i = 0; i < CASES(cases); i++) {
		uint64_t us = 777;

		assert_int_equal(strnum_time_us(cases[i].text, cases[i].unit, &us), cases[i].rc);
		assert_int_equal(us, cases[i].rc == 0 ? cases[i].us : 777);
	}
	(void)state;
}

static void
hex_is_even_and_fits(void **state)
{
	static const char *const bad[] = { "", "a", "abc", "0g", "g0", "0x01", "ab cd" };
	uint8_t buf[4] = { 0 };
	uint32_t n = 99;

	for (size_t i = 0; i < CASES(bad); i++)
		assert_int_equal(strnum_hex(bad[i], buf, 3, &n), -EINVAL);
	assert_int_equal(n, 99);
	assert_int_equal(strnum_hex("00aAfF", buf, 3, &n), 0);
	assert_int_equal(n, 3);
	assert_memory_equal(buf, "\x00\xaa\xff\x00", 4);
	assert_int_equal(strnum_hex("00aAfF01", buf, 3, &n), -ERANGE);
	assert_int_equal(buf[3], 0);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_whole_texts_in_range),
		cmocka_unit_test(unsigned_32_bits_end_where_they_should),
		cmocka_unit_test(times_have_fractions_and_suffixes),
		cmocka_unit_test(hex_is_even_and_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

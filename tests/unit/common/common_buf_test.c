#include "common/buf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

#include "common/rd.h"
#include "common/wr.h"

static void
what_is_written_is_read_back(void **state)
{
	struct buf b;
	struct rd r;

	buf_init(&b, 0);
	buf_u8(&b, 0xfe);
	buf_u16(&b, 0x1234);
	buf_u32(&b, 0xdeadbeef);
	buf_text(&b, "text");
	buf_bytes(&b, NULL, 0);
	buf_patch16(&b, 1, 0x5678);
	buf_patch32(&b, 3, 0xcafef00d);
	assert_int_equal(b.len, 11);
	rd_init(&r, b.p, b.len);
	assert_int_equal(rd_u8(&r), 0xfe);
	assert_int_equal(rd_u16(&r), 0x5678);
	assert_int_equal(rd_u32(&r), 0xcafef00d);
	assert_memory_equal(rd_take(&r, 4), "text", 4);
	assert_int_equal(rd_left(&r), 0);
	assert_false(r.bad);
	buf_fini(&b);
	(void)state;
}

static void
formatted_text_of_any_length_is_whole(void **state)
{
	static const int lens[] = { 0, 1, 254, 255, 256, 257, 511, 512, 513, 5000 };
	struct buf b;

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		buf_init(&b, 0);
		buf_printf(&b, "%0*d", lens[i], 0);
		buf_u8(&b, '!');
		assert_int_equal(b.len, (lens[i] == 0 ? 1 : lens[i]) + 1);
		for (size_t at = 0; at + 1 < b.len; at++)
			assert_int_equal(b.p[at], '0');
		assert_int_equal(b.p[b.len - 1], '!');
		buf_fini(&b);
	}
	(void)state;
}

static void
decimal_digits_need_no_printf(void **state)
{
	struct buf b;

	buf_init(&b, 0);
	buf_dec(&b, 0);
	buf_u8(&b, ' ');
	buf_dec(&b, 1234567890);
	buf_u8(&b, ' ');
	buf_dec(&b, UINT64_MAX);
	assert_int_equal(b.len, strlen("0 1234567890 18446744073709551615"));
	assert_memory_equal(b.p, "0 1234567890 18446744073709551615", b.len);
	buf_fini(&b);
	(void)state;
}

static void
the_bound_is_reached_but_not_passed(void **state)
{
	struct buf b;

	buf_init(&b, 1000);
	for (int i = 0; i < 1000; i++)
		buf_u8(&b, (uint8_t)i);
	assert_int_equal(b.len, 1000);
	assert_false(b.failed);
	buf_u8(&b, 1);
	assert_true(b.failed);
	assert_int_equal(b.len, 1000);
	buf_text(&b, ""); /* failure sticks, quietly */
	buf_u32(&b, 1);
	assert_null(buf_room(&b, 0));
	assert_int_equal(b.len, 1000);
	buf_reset(&b);
	assert_false(b.failed);
	assert_null(buf_room(&b, SIZE_MAX));
	buf_fini(&b);
	(void)state;
}

static void
text_of_exactly_the_bound_fits(void **state)
{
	struct buf b;

	buf_init(&b, 300);
	buf_printf(&b, "%0300d", 0);
	assert_false(b.failed);
	assert_int_equal(b.len, 300);
	buf_fini(&b);
	(void)state;
}

static void
consuming_leaves_the_rest_in_front(void **state)
{
	struct buf b;

	buf_init(&b, 0);
	buf_consume(&b, 0);
	buf_text(&b, "abcdef");
	buf_consume(&b, 2);
	buf_text(&b, "g");
	assert_int_equal(b.len, 5);
	assert_memory_equal(b.p, "cdefg", 5);
	buf_consume(&b, 5);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
	(void)state;
}

static void
a_read_past_the_end_is_zero_and_sticks(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5 };
	struct rd r;

	rd_init(&r, bytes, sizeof(bytes));
	assert_int_equal(rd_u32(&r), 0x01020304);
	assert_int_equal(rd_u16(&r), 0);
	assert_true(r.bad);
	assert_int_equal(rd_u8(&r), 0); /* though a byte is there */
	assert_int_equal(rd_left(&r), 0);
	rd_init(&r, bytes, sizeof(bytes));
	assert_null(rd_take(&r, SIZE_MAX));
	assert_null(rd_take(&r, 0));
	(void)state;
}

static void
a_write_past_the_end_writes_nothing_and_sticks(void **state)
{
	uint8_t bytes[8];
	struct wr w;

	memset(bytes, 0xa5, sizeof(bytes));
	wr_init(&w, bytes, 5);
	wr_u32(&w, 0x01020304);
	wr_u16(&w, 0xffff);
	assert_true(w.bad);
	assert_int_equal(bytes[4], 0xa5);
	wr_u8(&w, 9);
	assert_int_equal(wr_len(&w), 4);
	assert_int_equal(bytes[4], 0xa5);
	wr_init(&w, bytes, 5);
	wr_zeros(&w, 3);
	wr_patch16(&w, 1, 0x0708);
	assert_false(w.bad);
	assert_memory_equal(bytes, "\0\x07\x08\x04\xa5", 5);
	wr_patch16(&w, 2, 0);
	assert_true(w.bad);
	wr_init(&w, bytes, 5);
	wr_zeros(&w, 3);
	wr_patch16(&w, SIZE_MAX, 0); /* off + 2 must not wrap */
	assert_true(w.bad);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(formatted_text_of_any_length_is_whole),
		cmocka_unit_test(decimal_digits_need_no_printf),
		cmocka_unit_test(the_bound_is_reached_but_not_passed),
		cmocka_unit_test(text_of_exactly_the_bound_fits),
		cmocka_unit_test(consuming_leaves_the_rest_in_front),
		cmocka_unit_test(a_read_past_the_end_is_zero_and_sticks),
		cmocka_unit_test(a_write_past_the_end_writes_nothing_and_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

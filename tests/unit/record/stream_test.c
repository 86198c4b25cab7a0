#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden.h"
#include "live.h"
#include "proto/record/stream.h"

static const struct list_record list_a = { 1, "a", NULL, "mon" };
static const struct list_record list_a_again = { 1, "a", NULL, "mon" };
static const struct list_record list_b = { 1, "b", "second", NULL };
static const struct cycle_record cycle_a = { &list_a, 7, 1000, 0, "vm" };
static const struct cycle_record cycle_a_again = { &list_a_again, 7, 1000, 0, "vm" };
static const struct cycle_record cycle_b = { &list_b, 7, 1000, 0, "vm" };

/* The types of the records in a stream, as text. */
static void
types_are(const struct buf *b, const char *want)
{
	char got[64] = "";
	size_t at = 0, n = 0;

	while (at < b->len && n < sizeof(got) - 1) {
		got[n++] = (char)('0' + b->p[at + 3]);
		at += 8 + ((size_t)b->p[at + 6] << 8 | b->p[at + 7]);
	}
	assert_string_equal(got, want);
	assert_int_equal(golden_convert(b->p, b->len, NULL, NULL, NULL), 0);
}

static void
lists_and_cycles_come_before_their_first_use(void **state)
{
	struct warts_stream s;
	struct record_refs refs;
	struct ping_record p;
	struct buf b;

	buf_init(&b, 0);
	live_ping(&p);
	warts_stream_init(&s);
	assert_int_equal(warts_stream_start(&s, &b, &cycle_a), 0);
	assert_int_equal(warts_stream_write(&s, &b, &ping_record_type, &p, NULL, &cycle_a_again), 0);
	assert_int_equal(warts_stream_write(&s, &b, &ping_record_type, &p, NULL, &cycle_b), 0);
	assert_int_equal(warts_stream_write(&s, &b, &ping_record_type, &p, NULL, NULL), 0);
	assert_int_equal(warts_stream_refs(&s, &b, NULL, &cycle_b, &refs), 0);
	assert_int_equal(refs.list_id, 2);
	assert_int_equal(refs.cycle_id, 2);
	assert_int_equal(warts_stream_refs(&s, &b, NULL, &cycle_a, &refs), 0);
	assert_string_equal(refs.monitor, "mon");
	assert_int_equal(warts_stream_stop(&s, &b, &cycle_a_again), 0);
	assert_int_equal(warts_stream_stop(&s, &b, &cycle_a), 0); /* it has ended already */
	assert_int_equal(warts_stream_write(&s, &b, &ping_record_type, &p, NULL, &cycle_a), 0);
	types_are(&b, "1271377437");
	warts_stream_fini(&s);
	ping_record_fini(&p);
	buf_fini(&b);
	(void)state;
}

static void
a_record_that_fails_takes_its_list_back(void **state)
{
	struct warts_stream s;
	struct ping_record p;
	struct buf b;

	live_ping(&p);
	buf_init(&b, 60); /* the list fits, the record does not */
	warts_stream_init(&s);
	assert_int_equal(warts_stream_write(&s, &b, &ping_record_type, &p, &list_a, NULL), -ENOMEM);
	assert_int_equal(b.len, 0);
	b.max = 0;
	assert_int_equal(warts_stream_write(&s, &b, &ping_record_type, &p, &list_a, NULL), 0);
	types_are(&b, "17");
	warts_stream_fini(&s);
	ping_record_fini(&p);
	buf_fini(&b);
	(void)state;
}

static struct warts_stream *joining;

static void
put_joined(struct buf *b, const struct warts_item *i)
{
	assert_int_equal(warts_stream_item(joining, b, i), 0);
}

/* All samples in one file: what bytewise concatenation cannot do. */
static void
samples_can_be_joined(void **state)
{
	struct warts_stream s;
	struct buf all, in, want, got;
	struct errbuf err;

	warts_stream_init(&s);
	joining = &s;
	buf_init(&all, 0);
	buf_init(&want, 0);
	buf_init(&got, 0);
	buf_init(&in, 0);
	for (size_t i = 0; golden_names[i] != NULL; i++) {
		buf_reset(&in);
		golden_read(golden_names[i], ".warts", &in);
		assert_int_equal(golden_convert(in.p, in.len, put_joined, &all, &err), 0);
		assert_int_equal(golden_convert(in.p, in.len, golden_put_text, &want, &err), 0);
	}
	assert_int_equal(golden_convert(all.p, all.len, golden_put_text, &got, &err), 0);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.p, want.p, want.len);
	warts_stream_fini(&s);
	buf_fini(&all);
	buf_fini(&in);
	buf_fini(&want);
	buf_fini(&got);
	(void)state;
}

/* As who will append to it: what it defines, and where it is whole to. */
static int
skim(struct warts_stream *s, struct warts_memory memory, uint64_t *ret_end)
{
	struct warts_reader *r = warts_reader_new(warts_memory_read, &memory);
	struct warts_item item;
	struct errbuf err;
	int rc;

	warts_stream_init(s);
	warts_reader_skim(r);
	while ((rc = warts_reader_next(r, &item, &err)) > 0) {
		assert_int_not_equal(item.kind, WARTS_ITEM_RECORD);
		assert_int_equal(warts_stream_learn(s, &item), 0);
	}
	*ret_end = warts_reader_offset(r);
	warts_reader_free(r);
	return rc;
}

static void
appending_goes_on_behind_the_last_whole_record(void **state)
{
	struct warts_stream s;
	struct ping_record p;
	uint64_t end;
	struct buf b;

	buf_init(&b, 0);
	golden_read("synth-two-lists", ".warts", &b);
	/* the last cycle stop is cut */
	assert_int_equal(skim(&s, (struct warts_memory){ b.p, b.len - 3 }, &end), -EBADMSG);
	assert_int_equal(end, b.len - 17);
	b.len = end;
	assert_int_equal(s.list_count, 2);
	live_ping(&p);
	assert_int_equal(warts_stream_write(&s, &b, &ping_record_type, &p, NULL, &cycle_a), 0);
	types_are(&b, "12713774137");
	warts_stream_fini(&s);

	assert_int_equal(skim(&s, (struct warts_memory){ b.p, b.len }, &end), 0);
	assert_int_equal(end, b.len);
	assert_int_equal(s.cycle_count, 3);
	warts_stream_fini(&s);
	ping_record_fini(&p);
	buf_fini(&b);
	(void)state;
}

/* Hand-made damage, and what the sentence says about it. */
static void
damage_is_named_with_its_offset(void **state)
{
	static const struct {
		uint8_t bytes[24];
		size_t len;
		const char *says;
	} rows[] = {
		{ { 0x12, 0x06, 0, 1, 0, 0, 0, 0 }, 8, "not a warts record" },
		{ { 0x12, 0x05, 0, 0, 0, 0, 0, 0 }, 8, "type 0" },
		{ { 0x12, 0x05, 0, 6, 0xff, 0xff, 0xff, 0xff }, 8, "at most 67108864" },
		{ { 0x12, 0x05, 0, 99, 0xff, 0xff, 0xff, 0xff, 0 }, 9, "the file ends inside" },
		{ { 0x12, 0x05, 0, 4, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0 }, 17, "cycle 1 is not defined" },
		{ { 0x12, 0x05, 0, 1, 0, 0, 0, 11, 0, 0, 0, 2, 0, 0, 0, 1, 'x', 0, 0 }, 19,
		    "where 1 is due" },
		{ { 0x12, 0x05, 0, 7, 0, 0, 0, 3, 0, 0, 0 }, 11, "without a destination" },
		{ { 0x12, 0x05, 0, 5, 0, 0, 0, 6, 2, 1, 1, 2, 3, 4 }, 14, "has number 2, not 1" },
		{ { 0x12, 0x05, 0, 7, 0, 0, 0, 11, 0x80, 0x80, 0x40, 0, 6, 4, 4, 1, 2, 3, 4 }, 19,
		    "address type 4" },
	};
	struct errbuf err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(golden_convert(rows[i].bytes, rows[i].len, NULL, NULL, &err) < 0);
		if (strstr(err.text, rows[i].says) == NULL || strstr(err.text, "offset 0: ") == NULL)
			fail_msg("row %zu: %s", i, err.text);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_and_cycles_come_before_their_first_use),
		cmocka_unit_test(a_record_that_fails_takes_its_list_back),
		cmocka_unit_test(samples_can_be_joined),
		cmocka_unit_test(appending_goes_on_behind_the_last_whole_record),
		cmocka_unit_test(damage_is_named_with_its_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

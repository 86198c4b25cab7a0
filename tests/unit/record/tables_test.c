#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/record/ping_priv.h"
#include "proto/record/trace_priv.h"

static const struct record_block *blocks[5];

static void
json_rows_have_keys_and_come_once(void **state)
{
	for (size_t i = 0; i < 4; i++) {
		const struct record_block *b = blocks[i];

		for (const uint8_t *row = b->json; *row != 0; row++) {
			const struct field *f = &b->fields[*row];

			assert_non_null(f->key);
			assert_true(f->base < FIELD_BASES);
			assert_null(memchr(row + 1, *row, strlen((const char *)row + 1)));
			assert_int_equal(f->form == JF_VALUE || f->form == JF_WHOLE, f->json != NULL);
			assert_true(f->form != JF_FLAGS || f->words != NULL);
		}
	}
	(void)state;
}

static void
every_key_is_printed(void **state)
{
	for (size_t i = 0; i < 4; i++) {
		const struct record_block *b = blocks[i];

		for (uint8_t p = 1; p <= b->params; p++) {
			bool shown = strchr((const char *)b->json, p) != NULL;

			assert_int_equal(b->fields[p].key != NULL, shown);
		}
	}
	(void)state;
}

static void
every_parameter_can_be_read_and_written(void **state)
{
	for (size_t i = 0; i < 4; i++) {
		const struct record_block *b = blocks[i];

		for (uint8_t p = 1; p <= b->params; p++) {
			const struct field *f = &b->fields[p];

			assert_in_range(f->kind, FK_NONE + 1, FIELD_KINDS - 1);
			assert_int_equal(f->kind == FK_CUSTOM, f->put != NULL && f->get != NULL);
			if (f->kind == FK_U8 || f->kind == FK_U16 || f->kind == FK_U32)
				assert_true(f->width == 1 || f->width == 2 || f->width == 4);
		}
	}
	(void)state;
}

/* A running measurement is a record and little else: the sizes count. */
static void
records_stay_small(void **state)
{
	assert_true(sizeof(struct ping_record) <= 136);
	assert_true(sizeof(struct ping_probe) <= 16);
	assert_true(sizeof(struct ping_reply) <= 64);
	assert_true(sizeof(struct trace_record) <= 120);
	assert_true(sizeof(struct trace_probe) <= 12);
	assert_true(sizeof(struct trace_reply) <= 48);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_rows_have_keys_and_come_once),
		cmocka_unit_test(every_key_is_printed),
		cmocka_unit_test(every_parameter_can_be_read_and_written),
		cmocka_unit_test(records_stay_small),
	};

	blocks[0] = ping_record_type.block;
	blocks[1] = trace_record_type.block;
	blocks[2] = &ping_reply_block;
	blocks[3] = &trace_hop_block;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "workerd/ctl/idtab.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int entries[8];

static void
what_is_put_is_found_until_it_is_taken_out(void **state)
{
	struct idtab t;

	(void)state;
	idtab_init(&t);
	assert_null(idtab_get(&t, 1));
	idtab_del(&t, 1);
	assert_int_equal(idtab_put(&t, 1, &entries[1]), 0);
	assert_int_equal(idtab_put(&t, 1, &entries[2]), -EEXIST);
	assert_int_equal(idtab_put(&t, UINT32_MAX, &entries[3]), 0);
	assert_ptr_equal(idtab_get(&t, 1), &entries[1]);
	assert_ptr_equal(idtab_get(&t, UINT32_MAX), &entries[3]);
	assert_null(idtab_get(&t, 2));
	idtab_del(&t, 1);
	idtab_del(&t, 1);
	assert_null(idtab_get(&t, 1));
	assert_int_equal(t.count, 1);
	idtab_fini(&t);
}

static void
a_straggler_keeps_one_page_not_the_span(void **state)
{
	struct idtab t;

	(void)state;
	idtab_init(&t);
	assert_int_equal(idtab_put(&t, 1, &entries[0]), 0);
	for (uint32_t id = 2; id < 1000000; id++) {
		assert_int_equal(idtab_put(&t, id, &entries[1]), 0);
		if (id > 100)
			idtab_del(&t, id - 64);
	}
	assert_ptr_equal(idtab_get(&t, 1), &entries[0]);
	assert_true(t.pages < 8);
	assert_true(t.bucket_count <= 16);
	idtab_fini(&t);
}

static void
all_of_many_can_be_taken_out(void **state)
{
	struct idtab t;
	uint32_t n = 0;
	uint32_t *e;

	(void)state;
	idtab_init(&t);
	for (uint32_t id = 1; id <= 50000; id++) {
		e = malloc(sizeof(*e));
		assert_non_null(e);
		*e = id;
		assert_int_equal(idtab_put(&t, id, e), 0);
	}
	while ((e = idtab_any(&t)) != NULL) {
		idtab_del(&t, *e);
		free(e);
		n++;
	}
	assert_int_equal(n, 50000);
	assert_int_equal(t.count, 0);
	idtab_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_found_until_it_is_taken_out),
		cmocka_unit_test(a_straggler_keeps_one_page_not_the_span),
		cmocka_unit_test(all_of_many_can_be_taken_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "workerd/meas/trace/stopset.h"

static void
a_set_holds_what_was_added(void **state)
{
	struct addr_set s;
	struct addr a = { ADDR_IP4, { 192, 0, 2, 0 } };

	addr_set_init(&s, 1000);
	assert_false(addr_set_has(&s, &a));
	for (int i = 0; i < 1000; i++) {
		a.b[2] = (uint8_t)(i >> 8);
		a.b[3] = (uint8_t)i;
		assert_int_equal(addr_set_add(&s, &a), 0);
		assert_int_equal(addr_set_add(&s, &a), -EEXIST);
	}
	assert_int_equal(s.count, 1000);
	a.b[2] = 77;
	assert_false(addr_set_has(&s, &a));
	assert_int_equal(addr_set_add(&s, &a), -ENOSPC);
	addr_set_clear(&s);
	assert_int_equal(s.count, 0);
	assert_int_equal(addr_set_add(&s, &a), 0);
	addr_set_fini(&s);
	(void)state;
}

static void
a_set_is_its_owners_alone(void **state)
{
	struct stopsets *all = stopsets_new();
	struct addr a = { ADDR_IP4, { 192, 0, 2, 1 } };
	struct stopset *ours = stopsets_get(all, "us", "near"), *theirs = stopsets_get(all, "them", "near");

	assert_ptr_not_equal(ours, theirs);
	assert_ptr_equal(stopsets_get(all, "us", "NEAR"), ours);
	assert_int_equal(stopset_add(ours, &a), 0);
	assert_int_equal(stopset_add(ours, &a), -EEXIST);
	assert_false(addr_set_has(&theirs->addrs, &a));
	assert_int_equal(stopset_add(theirs, &a), 0);
	assert_int_equal(stopsets_clear(all, "Near"), 0);
	assert_false(addr_set_has(&ours->addrs, &a) || addr_set_has(&theirs->addrs, &a));
	assert_int_equal(stopsets_clear(all, "far"), -ENOENT);
	stopsets_free(all);
	(void)state;
}

static void
sets_are_counted_for_each_owner(void **state)
{
	struct stopsets *all = stopsets_new();
	char name[16];
	int made = 0;

	while (made < 1000) {
		(void)snprintf(name, sizeof(name), "set%d", made);
		if (stopsets_get(all, "us", name) == NULL)
			break;
		made++;
	}
	assert_int_equal(made, 64);
	assert_non_null(stopsets_get(all, "us", "set7"));
	assert_non_null(stopsets_get(all, "them", "set64"));
	stopsets_free(all);
	(void)state;
}

static void
an_owners_sets_together_are_bounded(void **state)
{
	struct stopsets *all = stopsets_new();
	struct stopset *set[2] = { stopsets_get(all, "us", "a"), stopsets_get(all, "us", "b") };
	struct addr a = { ADDR_IP4, { 10 } };
	uint32_t i = 0;

	for (; i <= 1u << 20; i++) {
		a.b[1] = (uint8_t)(i >> 16);
		a.b[2] = (uint8_t)(i >> 8);
		a.b[3] = (uint8_t)i;
		if (stopset_add(set[i % 2], &a) != 0)
			break;
	}
	assert_int_equal(i, 1u << 20);
	assert_int_equal(stopset_add(set[0], &a), -ENOSPC);
	assert_int_equal(stopset_add(stopsets_get(all, "them", "a"), &a), 0);
	stopsets_free(all);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_holds_what_was_added),
		cmocka_unit_test(a_set_is_its_owners_alone),
		cmocka_unit_test(sets_are_counted_for_each_owner),
		cmocka_unit_test(an_owners_sets_together_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

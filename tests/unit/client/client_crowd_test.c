#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/crowd.h"

#define NOW (100 * NSEC_PER_SEC)

static const char reason[] = "command not accepted: slice g: running 2, 0 left; again when one of them ends";

static void
put(struct crowd *c, uint64_t line, const char *command, uint64_t running)
{
	assert_true(crowd_put(c, line, command, strlen(command), running, NOW));
}

static void
a_limit_that_passes_is_told_from_others(void **state)
{
	(void)state;
	assert_true(crowd_is_reason(reason));
	assert_false(crowd_is_reason("slice g: hourly 5, 0 left; again in 60 seconds"));
	assert_false(crowd_is_reason("could not determine command type"));
}

static void
what_was_refused_comes_again_in_its_order(void **state)
{
	struct crowd c;
	struct buf out;
	uint64_t line;

	(void)state;
	crowd_init(&c);
	buf_init(&out, 0);
	assert_false(crowd_take(&c, &out, &line));
	put(&c, 7, "ping 192.0.2.7\n", 2);
	put(&c, 8, "ping 192.0.2.8\n", 2);
	assert_true(crowd_take(&c, &out, &line));
	assert_int_equal(line, 7);
	put(&c, 7, "ping 192.0.2.7\n", 2);
	assert_true(crowd_take(&c, &out, &line));
	assert_int_equal(line, 8);
	assert_true(crowd_take(&c, &out, &line));
	assert_int_equal(line, 7);
	assert_false(crowd_take(&c, &out, &line));
	assert_memory_equal(out.p, "ping 192.0.2.7\nping 192.0.2.8\nping 192.0.2.7\n", out.len);
	buf_fini(&out);
	crowd_fini(&c);
}

static void
no_more_are_out_than_were_let_in_and_one_more_is_tried(void **state)
{
	struct crowd c;

	(void)state;
	crowd_init(&c);
	assert_true(crowd_open(&c, 4000, NOW));
	assert_true(crowd_wake(&c) == INT64_MAX);
	put(&c, 1, "x\n", 2);
	assert_false(crowd_open(&c, 2, NOW));
	assert_true(crowd_open(&c, 1, NOW));
	assert_true(crowd_open(&c, 2, crowd_wake(&c)));
	assert_false(crowd_open(&c, 3, NOW + NSEC_PER_SEC));
	crowd_fini(&c);
}

static void
where_others_have_all_the_room_it_is_tried_by_the_second(void **state)
{
	struct crowd c;

	(void)state;
	crowd_init(&c);
	put(&c, 1, "x\n", 0);
	assert_false(crowd_open(&c, 0, NOW));
	assert_true(crowd_open(&c, 0, crowd_wake(&c)));
	put(&c, 1, "x\n", 0);
	crowd_ended(&c);
	assert_true(crowd_open(&c, 0, NOW));
	crowd_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_limit_that_passes_is_told_from_others),
		cmocka_unit_test(what_was_refused_comes_again_in_its_order),
		cmocka_unit_test(no_more_are_out_than_were_let_in_and_one_more_is_tried),
		cmocka_unit_test(where_others_have_all_the_room_it_is_tried_by_the_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/gather.h"

#define NOW (100 * NSEC_PER_SEC)
#define MANY 1000

/* How long nothing is read after so many bytes have come, so long after those
 * before. */
static nsec_t
gathers(size_t bytes, nsec_t since, uint64_t running, bool hungry)
{
	struct gather g = { .received = NOW - since };

	gather_received(&g, bytes, running, hungry, NOW);
	return g.until == 0 ? 0 : g.until - NOW;
}

static void
few_results_come_at_once(void **state)
{
	(void)state;
	assert_int_equal(gathers(300, NSEC_PER_MSEC, 3, false), 0);
}

static void
many_gather_until_they_fill_the_socket(void **state)
{
	(void)state;
	assert_int_equal(gathers(300, NSEC_PER_MSEC, MANY, false), 40 * NSEC_PER_MSEC);
	assert_int_equal(gathers(49152, 20 * NSEC_PER_MSEC, MANY, false), 20 * NSEC_PER_MSEC);
	assert_int_equal(gathers(49152, NSEC_PER_MSEC, MANY, false), 0); /* no time to sleep */
	assert_int_equal(gathers(49152, 2 * NSEC_PER_SEC, MANY, false), 40 * NSEC_PER_MSEC);
}

/* The service may have nothing to do while we sleep. */
static void
who_must_hear_that_the_queue_is_empty_looks_soon(void **state)
{
	(void)state;
	assert_int_equal(gathers(300, NSEC_PER_MSEC, MANY, true), 4 * NSEC_PER_MSEC);
	assert_int_equal(gathers(49152, 3 * NSEC_PER_MSEC, MANY, true), 3 * NSEC_PER_MSEC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_results_come_at_once),
		cmocka_unit_test(many_gather_until_they_fill_the_socket),
		cmocka_unit_test(who_must_hear_that_the_queue_is_empty_looks_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

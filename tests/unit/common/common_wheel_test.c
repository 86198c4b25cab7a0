#include "common/wheel.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define NODES 300
#define ORIGIN (1000 * NSEC_PER_SEC + 12345)

/* The wheel beside a model that is an array and a loop. */
struct both {
	struct wheel wheel;
	struct wheel_node nodes[NODES];
	bool armed[NODES];
	nsec_t deadline[NODES];
	nsec_t now;
	uint64_t rng;
};

static uint64_t
rnd(struct both *b, uint64_t below)
{
	b->rng ^= b->rng << 13;
	b->rng ^= b->rng >> 7;
	b->rng ^= b->rng << 17;
	return b->rng % below;
}

/* Spans from within a tick to beyond the third level. */
static nsec_t
rnd_span(struct both *b)
{
	static const nsec_t spans[] = { 1000, WHEEL_TICK_NS, 10 * NSEC_PER_MSEC, NSEC_PER_SEC,
		60 * NSEC_PER_SEC, 86400 * NSEC_PER_SEC };

	return (nsec_t)rnd(b, (uint64_t)spans[rnd(b, 6)]);
}

static void
model_add(struct both *b)
{
	size_t i = rnd(b, NODES);
	nsec_t deadline = b->now + rnd_span(b) - (rnd(b, 8) == 0 ? NSEC_PER_SEC : 0);

	wheel_add(&b->wheel, &b->nodes[i], deadline);
	b->armed[i] = true;
	b->deadline[i] = deadline;
}

static void
model_cancel(struct both *b)
{
	size_t i = rnd(b, NODES);

	wheel_cancel(&b->wheel, &b->nodes[i]);
	b->armed[i] = false;
}

static nsec_t
model_earliest(const struct both *b)
{
	nsec_t first = INT64_MAX;

	for (size_t i = 0; i < NODES; i++) {
		if (b->armed[i] && b->deadline[i] < first)
			first = b->deadline[i];
	}
	return first;
}

static void
model_advance(struct both *b)
{
	struct wheel_node *n;

	b->now += rnd_span(b);
	wheel_advance(&b->wheel, b->now);
	while ((n = wheel_pop(&b->wheel)) != NULL) {
		size_t i = (size_t)(n - b->nodes);

		assert_true(b->armed[i]);
		assert_true(b->deadline[i] <= b->now); /* never early */
		assert_false(wheel_armed(n));
		b->armed[i] = false;
		if (rnd(b, 4) == 0)
			model_cancel(b); /* perhaps a due sibling */
		if (rnd(b, 16) == 0)
			model_add(b);
	}
	/* At most one tick late. */
	assert_true(model_earliest(b) > b->now - WHEEL_TICK_NS);
}

static void
model_check(struct both *b)
{
	uint32_t count = 0;

	for (size_t i = 0; i < NODES; i++) {
		assert_int_equal(wheel_armed(&b->nodes[i]), b->armed[i]);
		count += b->armed[i];
	}
	assert_int_equal(b->wheel.count, count);
	/* Sleeping until wheel_next may not make anything late. */
	if (count == 0)
		assert_int_equal(wheel_next(&b->wheel), INT64_MAX);
	else if (b->wheel.due == NULL)
		assert_true(wheel_next(&b->wheel) < model_earliest(b) + WHEEL_TICK_NS);
}

static void
a_million_random_operations_agree_with_a_plain_model(void **state)
{
	static struct both b;

	for (uint64_t seed = 1; seed <= 10; seed++) {
		memset(&b, 0, sizeof(b));
		b.rng = seed * 0x9e3779b97f4a7c15ULL;
		b.now = ORIGIN;
		wheel_init(&b.wheel, b.now);
		for (int i = 0; i < 100000; i++) {
			uint64_t what = rnd(&b, 8);

			if (what < 5)
				model_add(&b);
			else if (what < 6)
				model_cancel(&b);
			else
				model_advance(&b);
			if (i % 64 == 0)
				model_check(&b);
		}
	}
	(void)state;
}

/* Follows wheel_next alone, as the loop does; returns how often it woke. */
static unsigned int
sleep_until_fired(struct wheel *w, nsec_t deadline, nsec_t *now)
{
	unsigned int wakes = 0;

	for (;;) {
		nsec_t next = wheel_next(w);

		assert_true(next != INT64_MAX && wakes < 64);
		if (next > *now)
			*now = next;
		wheel_advance(w, *now);
		wakes++;
		if (wheel_pop(w) != NULL)
			break;
	}
	assert_true(*now >= deadline && *now < deadline + WHEEL_TICK_NS);
	return wakes;
}

static void
every_span_fires_within_a_tick_and_few_wakes(void **state)
{
	struct wheel w;
	nsec_t now = ORIGIN;

	wheel_init(&w, now);
	for (nsec_t span = 1; span < 365LL * 86400 * NSEC_PER_SEC; span = span * 3 + 1) {
		struct wheel_node n = { 0 };

		wheel_add(&w, &n, now + span);
		assert_in_range(sleep_until_fired(&w, n.deadline, &now), 1, WHEEL_LEVELS + 1);
	}
	(void)state;
}

static void
a_deadline_at_the_edge_of_a_slot_is_not_early(void **state)
{
	for (uint64_t tick = 1; tick < 70000; tick = tick < 600 ? tick + 1 : tick + 251) {
		for (int d = -1; d <= 1; d++) {
			nsec_t deadline = (nsec_t)tick * WHEEL_TICK_NS + d;
			struct wheel_node n = { 0 };
			struct wheel w;

			wheel_init(&w, 0);
			wheel_add(&w, &n, deadline);
			wheel_advance(&w, deadline - 1);
			assert_null(wheel_pop(&w));
			wheel_advance(&w, deadline + WHEEL_TICK_NS - 1);
			assert_ptr_equal(wheel_pop(&w), &n);
		}
	}
	(void)state;
}

static void
a_past_deadline_is_due_at_once(void **state)
{
	struct wheel_node n = { 0 }, far = { 0 };
	struct wheel w;

	wheel_init(&w, ORIGIN);
	wheel_add(&w, &n, ORIGIN - NSEC_PER_SEC);
	assert_true(wheel_next(&w) <= ORIGIN);
	wheel_cancel(&w, &n);
	assert_null(wheel_pop(&w));
	assert_int_equal(wheel_next(&w), INT64_MAX);
	wheel_add(&w, &n, INT64_MIN);
	wheel_add(&w, &far, INT64_MAX);
	assert_ptr_equal(wheel_pop(&w), &n);
	wheel_advance(&w, ORIGIN + 1000 * 86400LL * NSEC_PER_SEC);
	assert_null(wheel_pop(&w));
	assert_true(wheel_armed(&far));
	wheel_cancel(&w, &far);
	assert_int_equal(w.count, 0);
	(void)state;
}

static void
adding_again_moves_the_node(void **state)
{
	struct wheel_node n = { 0 };
	struct wheel w;

	wheel_init(&w, ORIGIN);
	wheel_add(&w, &n, ORIGIN + NSEC_PER_MSEC);
	wheel_add(&w, &n, ORIGIN + NSEC_PER_SEC);
	assert_int_equal(w.count, 1);
	wheel_advance(&w, ORIGIN + 500 * NSEC_PER_MSEC);
	assert_null(wheel_pop(&w));
	wheel_advance(&w, ORIGIN + 2 * NSEC_PER_SEC);
	assert_ptr_equal(wheel_pop(&w), &n);
	assert_null(wheel_pop(&w));
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_random_operations_agree_with_a_plain_model),
		cmocka_unit_test(every_span_fires_within_a_tick_and_few_wakes),
		cmocka_unit_test(a_deadline_at_the_edge_of_a_slot_is_not_early),
		cmocka_unit_test(a_past_deadline_is_due_at_once),
		cmocka_unit_test(adding_again_moves_the_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

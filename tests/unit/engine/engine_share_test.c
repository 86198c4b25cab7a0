#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/engine/net.h"
#include "workerd/probe/engine.h"

/* Shares that compete, under the virtual clock. The sources' number is the
 * second octet of what their tasks probe. */

#define LISTS_MAX NET_SOURCES
#define ITEMS 64
#define START NSEC_PER_SEC

/* Wants another probe at once, or after a rest; or ends without any. */
struct item {
	struct task task;
	nsec_t rest;
	bool barren;
};

static void
on_start(struct task *t, const struct instant *now)
{
	(void)now;
	if (((struct item *)t)->barren)
		task_done(t);
	else
		task_want_probe(t);
}

static void
on_timeout(struct task *t, const struct instant *now)
{
	(void)now;
	task_want_probe(t);
}

static bool
on_probe(struct task *t, struct probe *p, const struct instant *now)
{
	nsec_t rest = ((struct item *)t)->rest;

	p->src = p->dst = t->first_claim.claim.remote;
	p->proto = IPPROTO_UDP;
	p->ttl = 1;
	p->sport = 40000;
	p->dport = 33435;
	if (rest != 0)
		task_wait(t, now->mono + rest);
	else
		task_want_probe(t);
	return true;
}

static void
on_halt(struct task *t, const struct instant *now)
{
	(void)now;
	task_done(t);
}

static const struct task_ops ops = { .start = on_start, .probe = on_probe, .timeout = on_timeout, .halt = on_halt };

struct list {
	struct source source;
	struct item items[ITEMS];
	uint32_t count;
	uint32_t taken;
	nsec_t rest;
	bool barren; /* endless tasks of no probe */
	uint8_t number;
};

static struct task *
list_take(struct source *s)
{
	struct list *l = (struct list *)s;
	struct item *item = &l->items[l->taken % ITEMS];
	struct claim c = { .remote = { ADDR_IP4, { 192, l->number, 2, (uint8_t)l->taken } },
		.proto = IPPROTO_UDP, .local_port = 40000, .remote_hi = 65535 };

	if (l->taken == l->count && !l->barren)
		return NULL;
	task_init(&item->task, &ops, ++l->taken);
	item->rest = l->rest;
	item->barren = l->barren;
	assert_int_equal(task_preclaim(&item->task, &c, 1), 0);
	return &item->task;
}

static void
list_finished(struct source *s, struct task *t)
{
	(void)s;
	(void)t;
}

static const struct source_ops list_ops = { .take = list_take, .finished = list_finished };

struct contest {
	struct engine *engine;
	struct net net;
	struct share shares[LISTS_MAX];
	struct list lists[LISTS_MAX];
	nsec_t now;
};

static struct contest *
contest_new(uint32_t pps, uint32_t window)
{
	struct contest *c = calloc(1, sizeof(*c));
	struct engine_config cfg = { .pps = pps, .window = window, .sport = 40000 };
	struct engine_io io = net_io(&c->net);
	struct instant now = { START, START };

	c->engine = engine_new(&cfg, &io, &now);
	c->now = START;
	return c;
}

static void
contest_free(struct contest *c)
{
	engine_free(c->engine);
	free(c);
}

/* A share of its own for list number n. */
static void
enter(struct contest *c, uint8_t n, uint32_t weight, uint32_t tasks)
{
	share_init(&c->shares[n], c->engine, weight);
	source_init(&c->lists[n].source, c->engine, &list_ops, 1);
	source_share(&c->lists[n].source, &c->shares[n]);
	c->lists[n].number = n;
	c->lists[n].count = tasks;
}

static void
wake(struct contest *c, uint8_t n)
{
	source_wake(&c->lists[n].source);
}

/* Wakes are late by some microseconds, as they are; counts begin anew. */
static void
run(struct contest *c, nsec_t length)
{
	nsec_t end = c->now + length;

	memset(c->net.of_source, 0, sizeof(c->net.of_source));
	while (c->now < end) {
		struct instant at = { c->now, c->now };
		nsec_t next = engine_run(c->engine, &at);

		if (next == INT64_MAX)
			break;
		c->now = next > c->now ? next + 20 * NSEC_PER_USEC : c->now;
	}
	c->now = end;
}

static void
assert_near(uint32_t have, double want)
{
	double slack = want * 0.02 + 1.5;

	if ((double)have < want - slack || (double)have > want + slack)
		print_error("%u instead of %.0f\n", have, want);
	assert_true((double)have >= want - slack && (double)have <= want + slack);
}

static void
shares_follow_their_weights_over_a_second_at_any_rate(void **state)
{
	static const uint32_t rates[] = { 20, 100, 1000, 10000, 100000, 500000 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct contest *c = contest_new(rates[i], 0);

		enter(c, 1, 1, 10);
		enter(c, 2, 3, 10);
		enter(c, 3, 6, 1);
		wake(c, 1);
		wake(c, 2);
		wake(c, 3);
		for (int second = 0; second < 3; second++) {
			run(c, NSEC_PER_SEC);
			assert_near(c->net.of_source[1], rates[i] * 0.1);
			assert_near(c->net.of_source[2], rates[i] * 0.3);
			assert_near(c->net.of_source[3], rates[i] * 0.6);
		}
		contest_free(c);
	}
}

static void
many_sources_of_one_share_take_nothing_of_another(void **state)
{
	struct contest *c = contest_new(10000, 0);

	(void)state;
	enter(c, 1, 1, 5);
	for (uint8_t n = 2; n < LISTS_MAX; n++) {
		enter(c, n, 1, 5);
		/* All of them in the first's share, at a priority that asks for more. */
		source_init(&c->lists[n].source, c->engine, &list_ops, 50);
		source_share(&c->lists[n].source, &c->shares[2]);
		wake(c, n);
	}
	wake(c, 1);
	run(c, NSEC_PER_SEC);
	assert_near(c->net.of_source[1], 5000);
	contest_free(c);
}

static void
an_idle_share_is_used_by_whoever_wants_it(void **state)
{
	struct contest *c = contest_new(1000, 0);

	(void)state;
	enter(c, 1, 9, 1);
	enter(c, 2, 1, 1);
	wake(c, 2);
	run(c, NSEC_PER_SEC);
	assert_near(c->net.of_source[2], 1000);
	/* It comes back: its share at once, and nothing for the time away. */
	wake(c, 1);
	run(c, 100 * NSEC_PER_MSEC);
	assert_near(c->net.of_source[1], 90);
	assert_near(c->net.of_source[2], 10);
	engine_halt(c->engine, &c->lists[1].items[0].task);
	run(c, NSEC_PER_SEC);
	assert_near(c->net.of_source[2], 1000);
	contest_free(c);
}

static void
who_asks_for_little_gets_it_and_the_rest_is_for_others(void **state)
{
	struct contest *c = contest_new(1000, 0);

	(void)state;
	enter(c, 1, 1, 5);
	enter(c, 2, 1, 5);
	c->lists[1].rest = 100 * NSEC_PER_MSEC; /* five tasks, ten a second each */
	wake(c, 1);
	wake(c, 2);
	run(c, NSEC_PER_SEC);
	run(c, NSEC_PER_SEC);
	assert_near(c->net.of_source[1], 50);
	assert_near(c->net.of_source[2], 950);
	contest_free(c);
}

static void
a_cap_holds_also_when_all_others_are_idle(void **state)
{
	struct share_config cfg = { .weight = 5, .pps = 100 };
	struct contest *c = contest_new(10000, 0);

	(void)state;
	enter(c, 1, 1, 5);
	enter(c, 2, 1, 5);
	share_configure(c->engine, &c->shares[1], &cfg);
	wake(c, 1);
	run(c, NSEC_PER_SEC);
	assert_near(c->net.of_source[1], 100);
	/* What the engine's pace saved up meanwhile (a quarter second) goes first. */
	wake(c, 2);
	run(c, 2 * NSEC_PER_SEC);
	run(c, NSEC_PER_SEC);
	assert_near(c->net.of_source[1], 100);
	assert_near(c->net.of_source[2], 9900);
	contest_free(c);
}

static void
tasks_without_a_probe_are_a_turn_too(void **state)
{
	struct contest *c = contest_new(100000, 0);

	(void)state;
	enter(c, 1, 1, 1);
	enter(c, 2, 1, 5);
	c->lists[1].barren = true;
	wake(c, 1);
	wake(c, 2);
	run(c, NSEC_PER_SEC);
	assert_near(c->net.of_source[2], 100000);
	assert_in_range(c->lists[1].taken, 90000, 110000);
	contest_free(c);
}

static void
a_source_that_changes_hands_goes_on_in_the_other_share(void **state)
{
	struct contest *c = contest_new(1000, 0);

	(void)state;
	enter(c, 1, 1, 5);
	enter(c, 2, 3, 5);
	wake(c, 1);
	wake(c, 2);
	run(c, NSEC_PER_SEC);
	run(c, NSEC_PER_SEC);
	assert_near(c->net.of_source[1], 250);
	assert_near(c->net.of_source[2], 750);
	/* Two of one share by turns now, and nobody in the other. */
	source_share(&c->lists[1].source, &c->shares[2]);
	share_fini(&c->shares[1], c->engine);
	assert_int_equal(c->shares[1].running + c->shares[1].active, 0);
	assert_int_equal(c->shares[2].running, c->lists[1].source.running + c->lists[2].source.running);
	/* A quarter of the weights is the engine's own. */
	assert_int_equal(share_part(c->engine, &c->shares[2]), 750);
	memset(&c->shares[1], 0xff, sizeof(c->shares[1])); /* nobody looks there any more */
	run(c, NSEC_PER_SEC);
	run(c, NSEC_PER_SEC);
	assert_near(c->net.of_source[1], 500);
	assert_near(c->net.of_source[2], 500);
	contest_free(c);
}

static void
a_window_of_a_share_is_its_own(void **state)
{
	struct share_config cfg = { .weight = 1, .window = 3 };
	struct contest *c = contest_new(100000, 0);

	(void)state;
	enter(c, 1, 1, 50);
	enter(c, 2, 1, 50);
	c->lists[1].rest = c->lists[2].rest = NSEC_PER_SEC;
	share_configure(c->engine, &c->shares[1], &cfg);
	wake(c, 1);
	wake(c, 2);
	run(c, NSEC_PER_SEC / 2);
	assert_int_equal(c->shares[1].running, 3);
	assert_int_equal(c->shares[2].running, 50);
	contest_free(c);
}

/* Tasks that never end fill the window; a later share has its part of it. */
static void
a_window_filled_by_one_share_keeps_no_other_out(void **state)
{
	struct contest *c = contest_new(100000, 30);

	(void)state;
	enter(c, 1, 1, 50);
	enter(c, 2, 1, 50);
	c->lists[1].rest = c->lists[2].rest = NSEC_PER_SEC;
	wake(c, 1);
	run(c, NSEC_PER_SEC / 2);
	assert_int_equal(c->shares[1].running, 30);
	wake(c, 2);
	run(c, NSEC_PER_SEC / 2);
	/* A third is the engine's own share's. */
	assert_int_equal(c->shares[2].running, 10);
	contest_free(c);
}

static void
rates_are_those_of_the_last_second(void **state)
{
	struct contest *c = contest_new(1000, 0);

	(void)state;
	enter(c, 1, 1, 5);
	enter(c, 2, 4, 5);
	wake(c, 1);
	wake(c, 2);
	run(c, 2 * NSEC_PER_SEC + NSEC_PER_SEC / 2);
	meter_roll(&c->shares[2].sent, c->now);
	assert_near(c->shares[1].sent.rate, 200);
	assert_near(c->shares[2].sent.rate, 800);
	assert_int_equal(c->lists[2].source.sent.total, c->shares[2].sent.total);
	assert_int_equal(share_part(c->engine, &c->shares[2]), 666); /* of 1 + 1 + 4 */
	meter_roll(&c->shares[1].sent, c->now + 5 * NSEC_PER_SEC);
	assert_int_equal(c->shares[1].sent.rate, 0);
	contest_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_follow_their_weights_over_a_second_at_any_rate),
		cmocka_unit_test(many_sources_of_one_share_take_nothing_of_another),
		cmocka_unit_test(an_idle_share_is_used_by_whoever_wants_it),
		cmocka_unit_test(who_asks_for_little_gets_it_and_the_rest_is_for_others),
		cmocka_unit_test(a_cap_holds_also_when_all_others_are_idle),
		cmocka_unit_test(tasks_without_a_probe_are_a_turn_too),
		cmocka_unit_test(a_source_that_changes_hands_goes_on_in_the_other_share),
		cmocka_unit_test(a_window_of_a_share_is_its_own),
		cmocka_unit_test(a_window_filled_by_one_share_keeps_no_other_out),
		cmocka_unit_test(rates_are_those_of_the_last_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

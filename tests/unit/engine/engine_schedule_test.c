#include <errno.h>
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

/* Sends probes one after another, or waits for ever after the first. */
struct dummy {
	struct task task;
	uint32_t probes;
	uint32_t left;
	nsec_t rest; /* between probes; 0: at once */
	int refused;
	bool halted;
	struct addr dst;
};

static void
dummy_start(struct task *t, const struct instant *now)
{
	(void)now;
	task_want_probe(t);
}

static bool
dummy_probe(struct task *t, struct probe *p, const struct instant *now)
{
	struct dummy *d = (struct dummy *)t;

	p->src = p->dst = d->dst;
	p->proto = IPPROTO_UDP;
	p->ttl = 1;
	p->sport = 40000;
	p->dport = 33435;
	d->probes++;
	if (d->left > 0 && --d->left == 0)
		task_done(t);
	else if (d->rest != 0)
		task_wait(t, now->mono + d->rest);
	else
		task_want_probe(t);
	return true;
}

static void
dummy_sent(struct task *t, const struct pkt *p, nsec_t tx)
{
	(void)t;
	(void)p;
	(void)tx;
}

static void
dummy_reply(struct task *t, const struct reply *r, const struct instant *now)
{
	(void)r;
	(void)now;
	task_done(t);
}

static void
dummy_timeout(struct task *t, const struct instant *now)
{
	(void)now;
	task_want_probe(t);
}

static void
dummy_refused(struct task *t, int err, const struct instant *now)
{
	(void)now;
	((struct dummy *)t)->refused = err;
	task_done(t);
}

static void
dummy_halt(struct task *t, const struct instant *now)
{
	(void)now;
	((struct dummy *)t)->halted = true;
	task_done(t);
}

static const struct task_ops dummy_ops = { dummy_start, dummy_probe, dummy_sent, dummy_reply, dummy_timeout,
	dummy_refused, dummy_halt };

struct list {
	struct source source;
	struct dummy *items;
	uint32_t count;
	uint32_t taken;
	uint32_t finished;
	bool same_target;
	uint8_t number;
};

static struct task *
list_take(struct source *s)
{
	struct list *l = (struct list *)s;
	struct dummy *d;
	struct claim c = { .proto = IPPROTO_UDP, .local_port = 40000, .remote_hi = 65535 };

	if (l->taken == l->count)
		return NULL;
	d = &l->items[l->taken];
	d->dst = (struct addr){ ADDR_IP4, { 192, l->number, 2, 1 } };
	if (!l->same_target) {
		d->dst.b[2] = (uint8_t)(l->taken >> 8);
		d->dst.b[3] = (uint8_t)l->taken;
	}
	c.remote = d->dst;
	task_init(&d->task, &dummy_ops, ++l->taken);
	assert_int_equal(task_preclaim(&d->task, &c, 1), 0);
	return &d->task;
}

static void
list_finished(struct source *s, struct task *t)
{
	(void)t;
	((struct list *)s)->finished++;
}

static void
list_progress(struct source *s, struct task *t)
{
	(void)s;
	(void)t;
}

static const struct source_ops list_ops = { list_take, list_finished, list_progress };

static void
list_make(struct list *l, struct engine *e, uint32_t count, uint32_t priority)
{
	memset(l, 0, sizeof(*l));
	source_init(&l->source, e, &list_ops, priority);
	l->items = calloc(count, sizeof(*l->items));
	l->count = count;
}

static struct engine *
engine_make(struct net *net, uint32_t pps, uint32_t window)
{
	struct engine_config cfg = {
		.pps = pps, .window = window, .hold_s = 5, .sport = 40000, .icmp_id = 7
	};
	struct engine_io io = net_io(net);
	struct instant now = { NSEC_PER_SEC, 1000 * NSEC_PER_SEC };

	memset(net, 0, sizeof(*net));
	return engine_new(&cfg, &io, &now);
}

/* Runs the virtual clock to an end; wakes are late by a few microseconds, as
 * they are. Returns the most that was sent above the rate in any one wake. */
static void
run_until(struct engine *e, nsec_t from, nsec_t end, nsec_t late, struct net *net, uint32_t *ret_burst)
{
	nsec_t now = from;
	uint32_t burst = 0;

	while (now < end) {
		struct instant at = { now, now + 1000 * NSEC_PER_SEC };
		uint32_t before = net->sent;
		nsec_t next = engine_run(e, &at);

		if (net->sent - before > burst)
			burst = net->sent - before;
		if (next == INT64_MAX)
			break;
		now = next > now ? next + late : now;
	}
	if (ret_burst != NULL)
		*ret_burst = burst;
}

static void
check_pace(uint32_t pps)
{
	struct net net;
	struct engine *e = engine_make(&net, pps, 0);
	struct list l;
	uint32_t burst;
	double want = (double)pps * 10;

	list_make(&l, e, 1, 1);
	source_wake(&l.source);
	run_until(e, NSEC_PER_SEC, 11 * NSEC_PER_SEC, 30 * NSEC_PER_USEC, &net, &burst);
	assert_true((double)net.sent > want * 0.99 && (double)net.sent < want * 1.01 + 1);
	assert_true(burst <= pps / 500 + 1); /* two milliseconds' worth */
	engine_free(e);
	free(l.items);
}

static void
the_pace_is_kept_within_a_per_cent_and_without_bursts(void **state)
{
	static const uint32_t rates[] = { 1, 20, 999, 1000, 1001, 12345, 100000, 1000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		check_pace(rates[i]);
}

static void
a_stall_is_made_up_for_gently(void **state)
{
	struct net net;
	struct engine *e = engine_make(&net, 10000, 0);
	struct list l;
	struct instant later = { 5 * NSEC_PER_SEC, 0 };
	uint32_t burst;

	(void)state;
	list_make(&l, e, 1, 1);
	source_wake(&l.source);
	run_until(e, NSEC_PER_SEC, NSEC_PER_SEC + NSEC_PER_MSEC, 0, &net, NULL);
	net.sent = 0;
	(void)engine_run(e, &later);
	assert_in_range(net.sent, 1, 26); /* two milliseconds' worth, at five quarters */
	net.sent = 0;
	run_until(e, later.mono, later.mono + 100 * NSEC_PER_MSEC, 0, &net, &burst);
	assert_in_range(net.sent, 1220, 1280); /* still catching up */
	run_until(e, later.mono + 100 * NSEC_PER_MSEC, later.mono + 2 * NSEC_PER_SEC, 0, &net, &burst);
	assert_in_range(net.sent, 22400, 22600); /* no more than a quarter second */
	assert_true(burst <= 26);
	engine_free(e);
	free(l.items);
}

static uint32_t
sent_at(struct engine *e, nsec_t at, const struct net *net)
{
	struct instant now = { at, at + 1000 * NSEC_PER_SEC };

	(void)engine_run(e, &now);
	return net->sent;
}

/* It is told that a task has begun, and then has the next: as a client that
 * sends one command for each MORE. */
/* Runs in a tenth of a second, of so many tasks that all wait for times of their
 * own. */
static uint32_t
runs_of_waiting(uint32_t tasks)
{
	struct net net;
	struct engine *e = engine_make(&net, 0, 0);
	struct list l;
	uint32_t runs = 0;
	nsec_t end = 2 * NSEC_PER_SEC + 100 * NSEC_PER_MSEC;

	list_make(&l, e, tasks, 1);
	for (uint32_t i = 0; i < tasks; i++)
		l.items[i].rest = NSEC_PER_SEC + (nsec_t)i * (100 * NSEC_PER_MSEC / tasks);
	source_wake(&l.source);
	run_until(e, NSEC_PER_SEC, 2 * NSEC_PER_SEC, 0, &net, NULL);
	for (nsec_t now = 2 * NSEC_PER_SEC; now < end; runs++) {
		struct instant at = { now, now + 1000 * NSEC_PER_SEC };

		now = engine_run(e, &at);
	}
	assert_true(net.sent > 2 * tasks * 9 / 10);
	engine_free(e);
	free(l.items);
	return runs;
}

static void
deadlines_of_many_tasks_wait_for_each_other(void **state)
{
	(void)state;
	assert_in_range(runs_of_waiting(50), 50, 200);
	assert_in_range(runs_of_waiting(400), 40, 110);
}

static void
a_source_that_ran_dry_waits_for_no_group(void **state)
{
	const nsec_t at = 2 * NSEC_PER_SEC;
	struct net net;
	struct engine *e = engine_make(&net, 100000, 0);
	struct list l;

	(void)state;
	list_make(&l, e, 3, 1);
	for (int i = 0; i < 3; i++)
		l.items[i].rest = 10 * NSEC_PER_SEC;
	l.count = 1;
	source_wake(&l.source);
	assert_int_equal(sent_at(e, at, &net), 1);
	l.count = 3; /* more of what is known to be there waits for the group */
	source_wake(&l.source);
	assert_int_equal(sent_at(e, at + PACE_OPEN_GAP_NS, &net), 1);
	l.source.hungry = false;
	source_wake(&l.source);
	assert_int_equal(sent_at(e, at + PACE_OPEN_GAP_NS - 1, &net), 1);
	assert_int_equal(sent_at(e, at + PACE_OPEN_GAP_NS, &net), 3);
	engine_free(e);
	free(l.items);
}

static void
the_window_bounds_running_tasks(void **state)
{
	struct net net;
	struct engine *e = engine_make(&net, 1000000, 3);
	struct list l;

	(void)state;
	list_make(&l, e, 10, 1);
	for (int i = 0; i < 10; i++)
		l.items[i].rest = NSEC_PER_SEC;
	source_wake(&l.source);
	run_until(e, NSEC_PER_SEC, NSEC_PER_SEC + 10 * NSEC_PER_MSEC, 0, &net, NULL);
	assert_int_equal(engine_running(e), 3);
	assert_int_equal(net.sent, 3);
	engine_halt(e, &l.items[0].task);
	assert_true(l.items[0].halted);
	run_until(e, 2 * NSEC_PER_SEC - 1, 2 * NSEC_PER_SEC, 0, &net, NULL);
	assert_int_equal(l.taken, 4);
	engine_free(e);
	free(l.items);
}

#define CROWD 512

/* Whatever waits is set free at once when what it waits for ends. */
static void
a_crowd_of_sources_holds_no_more_than_a_few_times_one(void **state)
{
	struct net net;
	struct engine *e = engine_make(&net, 1000000, 0);
	struct list *l = calloc(CROWD, sizeof(*l));
	uint32_t held = 0;

	(void)state;
	assert_non_null(l);
	for (int i = 0; i < CROWD; i++) {
		list_make(&l[i], e, 100, 1);
		l[i].same_target = true;
		for (int k = 0; k < 100; k++)
			l[i].items[k].rest = 10 * NSEC_PER_SEC;
		source_wake(&l[i].source);
	}
	run_until(e, NSEC_PER_SEC, 2 * NSEC_PER_SEC, 0, &net, NULL);
	for (int i = 0; i < CROWD; i++) {
		assert_in_range(l[i].source.held, 1, 4);
		held += l[i].source.held;
	}
	assert_in_range(held, 1024, 4 * CROWD);
	engine_free(e);
	for (int i = 0; i < CROWD; i++)
		free(l[i].items);
	free(l);
}

static void
tasks_with_overlapping_claims_run_one_after_another(void **state)
{
	struct net net;
	struct engine *e = engine_make(&net, 1000000, 0);
	struct list l;

	(void)state;
	list_make(&l, e, 3, 1);
	l.same_target = true;
	for (int i = 0; i < 3; i++)
		l.items[i].rest = NSEC_PER_SEC;
	source_wake(&l.source);
	run_until(e, NSEC_PER_SEC, NSEC_PER_SEC + 10 * NSEC_PER_MSEC, 0, &net, NULL);
	assert_int_equal(engine_running(e), 1);
	assert_int_equal(l.source.held, 2);
	engine_halt(e, &l.items[1].task); /* one that was held */
	assert_int_equal(l.source.held, 1);
	engine_halt(e, &l.items[0].task);
	run_until(e, NSEC_PER_SEC + 20 * NSEC_PER_MSEC, NSEC_PER_SEC + 30 * NSEC_PER_MSEC, 0, &net, NULL);
	assert_int_equal(engine_running(e), 1);
	assert_int_equal(l.items[2].probes, 1);
	assert_int_equal(l.finished, 2);
	assert_int_equal(net.holds, 1);
	engine_free(e);
	free(l.items);
}

static void
sources_share_by_priority(void **state)
{
	struct net net;
	struct engine *e = engine_make(&net, 10000, 0);
	struct list a, b;

	(void)state;
	list_make(&a, e, 5, 1);
	list_make(&b, e, 5, 3);
	a.number = 1;
	b.number = 2;
	source_wake(&a.source);
	source_wake(&b.source);
	run_until(e, NSEC_PER_SEC, 2 * NSEC_PER_SEC, 0, &net, NULL);
	assert_in_range(net.of_source[1], 2400, 2600);
	assert_in_range(net.of_source[2], 7400, 7600);
	engine_free(e);
	free(a.items);
	free(b.items);
}

static void
a_source_keeps_its_own_pace_and_leaves_the_rest_to_others(void **state)
{
	struct net net;
	struct engine *e = engine_make(&net, 10000, 0);
	struct list a, b;

	(void)state;
	list_make(&a, e, 1, 1);
	list_make(&b, e, 1, 1);
	a.number = 1;
	b.number = 2;
	a.source.pps = 100;
	source_wake(&a.source);
	source_wake(&b.source);
	run_until(e, NSEC_PER_SEC, 3 * NSEC_PER_SEC, 10000, &net, NULL);
	assert_in_range(net.of_source[1], 198, 202);
	assert_in_range(net.of_source[2], 19500, 19900);
	engine_free(e);
	free(a.items);
	free(b.items);
}

static void
a_refused_probe_is_told_and_the_others_go_on(void **state)
{
	struct net net;
	struct engine *e = engine_make(&net, 1000000, 0);
	struct list l;

	(void)state;
	list_make(&l, e, 4, 1);
	net.refuse = EPERM;
	source_wake(&l.source);
	run_until(e, NSEC_PER_SEC, NSEC_PER_SEC + 10 * NSEC_PER_MSEC, 0, &net, NULL);
	assert_int_equal(l.finished, 4);
	assert_int_equal(l.items[3].refused, EPERM);
	assert_int_equal(engine_running(e), 0);
	engine_free(e);
	free(l.items);
}

static void
a_full_kernel_queue_delays_but_loses_nothing(void **state)
{
	struct net net;
	struct engine *e = engine_make(&net, 1000000, 0);
	struct list l;

	(void)state;
	list_make(&l, e, 100, 1);
	for (int i = 0; i < 100; i++)
		l.items[i].left = 1;
	net.full_after = 3;
	source_wake(&l.source);
	run_until(e, NSEC_PER_SEC, 2 * NSEC_PER_SEC, 0, &net, NULL);
	assert_int_equal(net.sent, 100);
	assert_int_equal(l.finished, 100);
	engine_free(e);
	free(l.items);
}

static void
a_port_of_another_program_ends_the_task_with_the_reason(void **state)
{
	struct net net;
	struct engine *e = engine_make(&net, 1000, 0);
	struct list l;

	(void)state;
	list_make(&l, e, 1, 1);
	net.hold_error = -EADDRINUSE;
	source_wake(&l.source);
	run_until(e, NSEC_PER_SEC, 2 * NSEC_PER_SEC, 0, &net, NULL);
	assert_int_equal(l.items[0].refused, EADDRINUSE);
	assert_int_equal(l.finished, 1);
	engine_free(e);
	free(l.items);
}

static void
chosen_ports_are_free_and_rest_after_use(void **state)
{
	struct net net;
	struct engine *e = engine_make(&net, 1000, 0);
	struct list l;
	uint16_t first, again;
	struct claim c = {
		.remote = { ADDR_IP4, { 198, 51, 100, 1 } }, .proto = IPPROTO_UDP, .remote_hi = 65535
	};

	(void)state;
	list_make(&l, e, 1, 1);
	l.items[0].rest = NSEC_PER_SEC;
	source_wake(&l.source);
	run_until(e, NSEC_PER_SEC, NSEC_PER_SEC + NSEC_PER_MSEC, 0, &net, NULL);
	assert_int_equal(task_free_port(&l.items[0].task, IPPROTO_UDP, &first), 0);
	assert_in_range(first, 0x8000, 0xffff);
	c.local_port = first;
	assert_int_equal(task_claim(&l.items[0].task, &c), 0);
	engine_halt(e, &l.items[0].task);
	for (int i = 0; i < 1000; i++) {
		net.rng = (uint32_t)i;
		assert_int_equal(task_free_port(&l.items[0].task, IPPROTO_UDP, &again), 0);
		assert_int_not_equal(first, again);
	}
	assert_int_equal(net.holds, 0);
	engine_free(e);
	free(l.items);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pace_is_kept_within_a_per_cent_and_without_bursts),
		cmocka_unit_test(a_stall_is_made_up_for_gently),
		cmocka_unit_test(deadlines_of_many_tasks_wait_for_each_other),
		cmocka_unit_test(a_source_that_ran_dry_waits_for_no_group),
		cmocka_unit_test(the_window_bounds_running_tasks),
		cmocka_unit_test(a_crowd_of_sources_holds_no_more_than_a_few_times_one),
		cmocka_unit_test(tasks_with_overlapping_claims_run_one_after_another),
		cmocka_unit_test(sources_share_by_priority),
		cmocka_unit_test(a_source_keeps_its_own_pace_and_leaves_the_rest_to_others),
		cmocka_unit_test(a_refused_probe_is_told_and_the_others_go_on),
		cmocka_unit_test(a_full_kernel_queue_delays_but_loses_nothing),
		cmocka_unit_test(a_port_of_another_program_ends_the_task_with_the_reason),
		cmocka_unit_test(chosen_ports_are_free_and_rest_after_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

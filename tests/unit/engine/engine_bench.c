#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/engine/net.h"
#include "workerd/probe/engine.h"

/*
 * What the engine costs for each probe, the network and the measurements left
 * out: one source whose tasks always want another, at a million a second.
 */
#define PROBES 4000000u
#define TASKS 64

static double
cpu_seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
on_event(struct task *t, const struct instant *now)
{
	(void)now;
	task_want_probe(t);
}

static bool
on_probe(struct task *t, struct probe *p, const struct instant *now)
{
	(void)now;
	p->src = p->dst = t->first_claim.claim.remote;
	p->proto = IPPROTO_UDP;
	p->ttl = 1;
	p->sport = 40000;
	p->dport = 33435;
	task_want_probe(t);
	return true;
}

static const struct task_ops ops = { .start = on_event, .probe = on_probe, .timeout = on_event };

struct list {
	struct source source;
	struct task tasks[TASKS];
	uint32_t taken;
};

static struct task *
take(struct source *s)
{
	struct list *l = (struct list *)s;
	struct claim c = { .remote = { ADDR_IP4, { 192, 0, 2, (uint8_t)l->taken } }, .proto = IPPROTO_UDP,
		.local_port = 40000, .remote_hi = 65535 };
	struct task *t = &l->tasks[l->taken];

	if (l->taken == TASKS)
		return NULL;
	task_init(t, &ops, ++l->taken);
	return task_preclaim(t, &c, 1) == 0 ? t : NULL;
}

static const struct source_ops list_ops = { .take = take };

int
main(void)
{
	static struct list list;
	struct net net = { 0 };
	struct engine_config cfg = { .pps = 1000000 };
	struct engine_io io = net_io(&net);
	struct instant now = { NSEC_PER_SEC, NSEC_PER_SEC };
	struct engine *e = engine_new(&cfg, &io, &now);
	double start;

	if (e == NULL)
		return 1;
	source_init(&list.source, e, &list_ops, 1);
	source_wake(&list.source);
	start = cpu_seconds();
	while (net.sent < PROBES) {
		nsec_t next = engine_run(e, &now);

		now.mono = next > now.mono ? next : now.mono;
	}
	printf("engine: %.1f ns of CPU a probe\n", (cpu_seconds() - start) * 1e9 / PROBES);
	engine_free(e);
	return 0;
}

#include <errno.h>
#include <stdlib.h>

#include "workerd/meas/trace/decide.h"
#include "workerd/meas/trace/trace.h"

/*
 * Several hops at once (-N), and the trace from its far end (-O back). Hops are
 * probed side by side, each for itself as serial probing would; then they are
 * settled in order, each when it can get no more, with the rules of serial
 * probing: so the result is what serial probing would have found.
 */

struct par_hop {
	nsec_t deadline; /* mono: of the probe that is out; 0: none is */
	nsec_t next_ok;  /* mono: -H allows the next from then on */
	uint16_t last;   /* probe that is out */
	uint8_t sent;
	uint8_t interfaces; /* counted with -c */
	bool answered;
};

struct parallel {
	struct par_hop hop[256]; /* by TTL */
	uint8_t first, last;     /* TTLs to be probed */
	uint8_t edge;            /* the last TTL opened; beyond the first: none yet */
	uint8_t ceiling;         /* nothing beyond can matter: this TTL ended the path */
	uint8_t settled;         /* forward: hops up to this one are judged */
	uint8_t loops;
	bool back;
	bool ending; /* the verdict is in t->stop; waiting for what is out */
};

int
parallel_new(struct trace *t)
{
	t->more->parallel = calloc(1, sizeof(struct parallel));
	return t->more->parallel == NULL ? -ENOMEM : 0;
}

void
parallel_free(struct parallel *p)
{
	free(p);
}

/* ---- one hop ---- */

static bool
hop_over(const struct trace *t, uint8_t ttl)
{
	const struct par_hop *h = &t->more->parallel->hop[ttl];

	if (h->answered && !trace_wants_all(&t->rec))
		return true;
	return h->deadline == 0 && h->sent > 0 && h->sent >= trace_quota(&t->rec, h->interfaces);
}

static bool
hop_wants_probe(const struct trace *t, uint8_t ttl)
{
	const struct par_hop *h = &t->more->parallel->hop[ttl];

	return h->deadline == 0 && h->sent > 0 && !hop_over(t, ttl);
}

/* Answered, or given up. */
static bool
hop_known(const struct trace *t, uint8_t ttl)
{
	return t->more->parallel->hop[ttl].answered || hop_over(t, ttl);
}

/* ---- the verdict ---- */

static void
end(struct trace *t, uint8_t reason, uint8_t data, uint8_t ttl)
{
	struct parallel *p = t->more->parallel;

	p->ending = true;
	t->stop = reason;
	t->stop_data = data;
	if (t->rec.hop_count > ttl)
		t->rec.stop_hop = ttl;
}

/* True when a reply of this hop ends the trace. */
static bool
judge_hop(struct trace *t, uint8_t ttl)
{
	struct parallel *p = t->more->parallel;
	const struct trace_leg *leg = &t->rec.leg;

	for (uint16_t i = 0; i < leg->reply_count; i++) {
		const struct trace_reply *r = &leg->replies[i];
		bool full = false;
		struct verdict v;

		if (leg->probes[r->probe].ttl != ttl)
			continue;
		if (t->rec.loops != 0 && trace_is_loop(leg, i, true))
			full = ++p->loops >= t->rec.loops;
		v = trace_judge(&t->rec, r, full, false);
		if (v.reason == TRACE_STOP_NONE)
			continue;
		end(t, v.reason, v.data, ttl);
		return true;
	}
	return false;
}

static void
settle_forward(struct trace *t)
{
	struct parallel *p = t->more->parallel;

	while (!p->ending && p->settled < p->edge && hop_over(t, (uint8_t)(p->settled + 1))) {
		uint8_t ttl = ++p->settled;

		if (judge_hop(t, ttl))
			return;
		if (ttl == p->last)
			end(t, TRACE_STOP_HOPLIMIT, 0, ttl);
		else if (trace_gap_reached(&t->rec, p->first, ttl))
			end(t, TRACE_STOP_GAPLIMIT, 0, ttl);
	}
}

/* From the far end every hop is probed, and the reason is worked out at the
 * end: the first hop that ends the path, else what the far end looks like. */
static void
settle_back(struct trace *t)
{
	struct parallel *p = t->more->parallel;

	if (p->edge != p->first)
		return;
	for (unsigned int ttl = p->first; ttl <= p->last; ttl++) {
		if (!hop_over(t, (uint8_t)ttl))
			return;
	}
	p->loops = 0;
	for (unsigned int ttl = p->first; ttl <= p->last; ttl++) {
		if (judge_hop(t, (uint8_t)ttl))
			return;
	}
	end(t, trace_gap_reached(&t->rec, p->first, p->last) ? TRACE_STOP_GAPLIMIT : TRACE_STOP_HOPLIMIT, 0,
	    p->last);
}

/* ---- which hop is next ---- */

static uint8_t
opened_low(const struct parallel *p)
{
	return p->back ? p->edge : p->first;
}

static unsigned int
opened_high(const struct parallel *p)
{
	return p->back ? p->last : p->edge;
}

/* The TTL to open next, or 0. In ints: edges may lie one outside the TTLs. */
static uint8_t
next_forward(const struct trace *t)
{
	const struct parallel *p = t->more->parallel;
	int frontier = p->first - 1, replied = frontier, next = p->edge + 1;

	for (int ttl = p->first; ttl <= p->edge; ttl++) {
		if (hop_known(t, (uint8_t)ttl))
			frontier = ttl;
		if (p->hop[ttl].answered)
			replied = ttl;
	}
	if (next > p->last || next > p->ceiling || next > frontier + t->rec.squeries)
		return 0;
	if (t->rec.gaplimit != 0 && next > replied + t->rec.gaplimit)
		return 0;
	return (uint8_t)next;
}

static uint8_t
next_back(const struct trace *t)
{
	const struct parallel *p = t->more->parallel;
	int next = p->hop[p->last].sent == 0 ? p->last : p->edge - 1;
	int frontier = p->last + 1;

	for (int ttl = p->last; ttl > next; ttl--) {
		if (hop_known(t, (uint8_t)ttl))
			frontier = ttl;
	}
	return next >= p->first && next >= frontier - t->rec.squeries ? (uint8_t)next : 0;
}

/* The hop to probe as soon as may be, and when that is; 0: none. Hops that were
 * begun come first. */
static uint8_t
pick(const struct trace *t, nsec_t *ret_when)
{
	const struct parallel *p = t->more->parallel;
	uint8_t best = 0;

	if (p->ending)
		return 0;
	for (unsigned int ttl = opened_low(p); ttl <= opened_high(p) && ttl <= p->ceiling; ttl++) {
		if (ttl != 0 && hop_wants_probe(t, (uint8_t)ttl) &&
		    (best == 0 || p->hop[ttl].next_ok < p->hop[best].next_ok))
			best = (uint8_t)ttl;
	}
	if (best == 0 || p->hop[best].next_ok > t->next_probe) {
		uint8_t fresh = p->back ? next_back(t) : next_forward(t);

		best = fresh != 0 ? fresh : best;
	}
	if (best != 0)
		*ret_when = p->hop[best].next_ok > t->next_probe ? p->hop[best].next_ok : t->next_probe;
	return best;
}

static nsec_t
first_deadline(const struct parallel *p)
{
	nsec_t when = INT64_MAX;

	for (unsigned int ttl = p->first; ttl <= p->last; ttl++) {
		if (p->hop[ttl].deadline != 0 && p->hop[ttl].deadline < when)
			when = p->hop[ttl].deadline;
	}
	return when;
}

/* After every event: judge, ask, wait, or end. */
static void
step(struct trace *t, const struct instant *now)
{
	struct parallel *p = t->more->parallel;
	nsec_t wait, when = INT64_MAX;

	if (!p->ending && p->back)
		settle_back(t);
	else if (!p->ending)
		settle_forward(t);
	wait = first_deadline(p);
	if (p->ending && wait == INT64_MAX) {
		trace_stop(t, t->stop, t->stop_data, now);
		return;
	}
	if (pick(t, &when) != 0) {
		if (when <= now->mono)
			task_want_probe(&t->meas.task);
		else if (when < wait)
			wait = when;
	}
	if (wait == INT64_MAX)
		task_unwait(&t->meas.task);
	else
		task_wait(&t->meas.task, wait);
}

/* ---- the room ---- */

void
parallel_enter(struct trace *t, const struct instant *now)
{
	struct parallel *p = t->more->parallel;

	p->back = (t->rec.flags & TRACE_FLAG_BACK) != 0;
	p->first = t->rec.firsthop;
	p->last = trace_last_ttl(t);
	p->ceiling = p->last;
	p->settled = (uint8_t)(p->first - 1);
	p->edge = p->back ? p->last : p->settled;
	step(t, now);
}

bool
parallel_probe(struct trace *t, struct probe *pr, const struct instant *now)
{
	struct parallel *p = t->more->parallel;
	nsec_t when = INT64_MAX;
	uint8_t ttl = pick(t, &when);
	struct par_hop *h = &p->hop[ttl];

	if (ttl == 0 || when > now->mono) {
		step(t, now);
		return false;
	}
	if (!trace_send(t, pr, &t->rec.leg, ttl, h->sent, t->rec.probe_size, now))
		return false;
	if (h->sent == 0)
		p->edge = ttl;
	h->sent++;
	h->last = (uint16_t)(t->rec.leg.probe_count - 1);
	h->deadline = now->mono + trace_wait_ns(t);
	h->next_ok = now->mono + t->more->hop_spacing;
	step(t, now);
	return true;
}

void
parallel_reply(struct trace *t, struct trace_leg *leg, uint16_t reply, const struct instant *now)
{
	struct parallel *p = t->more->parallel;
	const struct trace_reply *r = &leg->replies[reply];
	uint8_t ttl = leg->probes[r->probe].ttl;
	struct par_hop *h = &p->hop[ttl];
	struct verdict v = trace_judge(&t->rec, r, false, false);

	leg->probes[r->probe].flags &= (uint8_t)~TRACE_PROBE_PENDING;
	h->answered = true;
	if (t->rec.confidence != 0 && h->interfaces < UINT8_MAX && trace_is_new_interface(leg, reply))
		h->interfaces++;
	if (h->deadline != 0 && (h->last == r->probe || !trace_wants_all(&t->rec)))
		h->deadline = 0;
	if (v.reason != TRACE_STOP_NONE && !p->back && !p->ending) {
		if (ttl < p->ceiling)
			p->ceiling = ttl;
		if (ttl <= p->settled) /* late, for a hop that had been given up */
			end(t, v.reason, v.data, p->settled);
	}
	step(t, now);
}

void
parallel_timeout(struct trace *t, const struct instant *now)
{
	struct parallel *p = t->more->parallel;

	for (unsigned int ttl = p->first; ttl <= p->last; ttl++) {
		struct par_hop *h = &p->hop[ttl];

		if (h->deadline == 0 || h->deadline > now->mono)
			continue;
		h->deadline = 0;
		t->rec.leg.probes[h->last].flags &= (uint8_t)~TRACE_PROBE_PENDING;
	}
	step(t, now);
}

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "workerd/meas/trace/decide.h"
#include "workerd/meas/trace/stopset.h"
#include "workerd/meas/trace/trace.h"

/*
 * Doubletree (Donnet et al., "Efficient algorithms for large-scale topology
 * discovery", 2005): begin mid-path, go forward until the global stop set or
 * the destination, then backward until the local stop set or the first hop.
 */

struct dtree {
	struct addr_set *gss; /* owned; NULL: none */
	struct stopset *lss;  /* shared; NULL: none */
	struct addr_set mine; /* what this trace has added to lss */
	bool noback;
	bool begun;      /* a first hop was found */
	uint16_t astray; /* probes of visits that were too deep, and are forgotten */
};

struct dtree *
dtree_new(struct addr_set *gss, struct stopset *lss, bool noback)
{
	struct dtree *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->gss = gss;
	d->lss = lss;
	d->noback = noback;
	addr_set_init(&d->mine, UINT16_MAX);
	return d;
}

void
dtree_free(struct dtree *d)
{
	if (d == NULL)
		return;
	if (d->gss != NULL)
		addr_set_fini(d->gss);
	free(d->gss);
	addr_set_fini(&d->mine);
	free(d);
}

bool
dtree_in_gss(const struct trace *t, const struct addr *a)
{
	const struct dtree *d = t->more == NULL ? NULL : t->more->dtree;

	return d != NULL && d->gss != NULL && addr_set_has(d->gss, a);
}

bool
dtree_wants_back(const struct trace *t)
{
	const struct dtree *d = t->more == NULL ? NULL : t->more->dtree;

	return d != NULL && d->begun && !d->noback && t->rec.firsthop > 1;
}

/* ---- the first hop ---- */

uint16_t
dtree_astray(const struct trace *t)
{
	return t->more == NULL || t->more->dtree == NULL ? 0 : t->more->dtree->astray;
}

void
dtree_first_enter(struct trace *t, const struct instant *now)
{
	visit_begin(t, t->rec.firsthop, now);
}

/* Too deep, or silence: half as far, and there is where the trace begins. What
 * was asked of the hops beyond counts as sent and is no part of the path. */
static void
halve(struct trace *t, const struct instant *now)
{
	struct dtree *d = t->more->dtree;

	d->astray = (uint16_t)(d->astray + t->rec.leg.probe_count);
	trace_leg_fini(&t->rec.leg);
	t->rec.hop_count = 0;
	t->rec.firsthop = (uint8_t)(t->ttl / 2);
	visit_begin(t, t->rec.firsthop, now);
}

static void
begin_at(struct trace *t, uint8_t firsthop)
{
	t->more->dtree->begun = true;
	t->rec.rare->dtree->firsthop = firsthop;
}

static void
go_forward(struct trace *t, const struct instant *now)
{
	if (t->ttl >= trace_last_ttl(t)) {
		trace_stop(t, TRACE_STOP_HOPLIMIT, 0, now);
		return;
	}
	t->ttl++;
	trace_goto(t, TR_FORWARD, now);
}

/* What the replies from this hop say, the first that ends the path or is in
 * the global stop set. Loops need more than one hop. */
static struct verdict
judge_hop(const struct trace *t, const struct trace_reply **ret_reply)
{
	const struct trace_leg *leg = &t->rec.leg;

	for (uint16_t i = 0; i < leg->reply_count; i++) {
		const struct trace_reply *r = &leg->replies[i];
		struct verdict v;

		if (leg->probes[r->probe].ttl != t->ttl)
			continue;
		v = trace_judge(&t->rec, r, false, dtree_in_gss(t, &r->from));
		*ret_reply = r;
		if (v.reason != TRACE_STOP_NONE)
			return v;
	}
	return (struct verdict){ TRACE_STOP_NONE, 0 };
}

void
dtree_first_hop_over(struct trace *t, const struct instant *now)
{
	const struct trace_reply *r = NULL;
	struct verdict v = judge_hop(t, &r);
	bool found = r != NULL && (v.reason == TRACE_STOP_NONE || v.reason == TRACE_STOP_GSS);

	if (!found && t->ttl > 1) {
		halve(t, now);
		return;
	}
	begin_at(t, t->ttl);
	if (v.reason == TRACE_STOP_NONE) {
		go_forward(t, now);
		return;
	}
	if (v.reason == TRACE_STOP_GSS)
		t->rec.rare->dtree->gss_stop = r->from;
	trace_stop(t, v.reason, v.data, now);
}

/* ---- backward ---- */

static void
back_to(struct trace *t, uint8_t ttl, const struct instant *now)
{
	t->rec.firsthop = ttl;
	visit_begin(t, ttl, now);
}

void
dtree_back_enter(struct trace *t, const struct instant *now)
{
	back_to(t, (uint8_t)(t->rec.firsthop - 1), now);
}

/* True when the local stop set knew the address from another trace. A full
 * set takes no more, and probing goes on. */
static bool
known_locally(struct dtree *d, const struct addr *a)
{
	if (d->lss == NULL || addr_set_has(&d->mine, a))
		return false;
	if (addr_set_has(&d->lss->addrs, a))
		return true;
	if (stopset_add(d->lss, a) == 0)
		(void)addr_set_add(&d->mine, a);
	return false;
}

static bool
stopped_locally(struct trace *t)
{
	const struct trace_leg *leg = &t->rec.leg;

	for (uint16_t i = 0; i < leg->reply_count; i++) {
		const struct addr *a = &leg->replies[i].from;

		if (leg->probes[leg->replies[i].probe].ttl != t->ttl || !known_locally(t->more->dtree, a))
			continue;
		t->rec.rare->dtree->lss_stop = *a;
		return true;
	}
	return false;
}

void
dtree_back_hop_over(struct trace *t, const struct instant *now)
{
	if (stopped_locally(t) || t->ttl <= 1)
		trace_advance(t, now);
	else
		back_to(t, (uint8_t)(t->ttl - 1), now);
}

#include <errno.h>
#include <stdlib.h>

#include "workerd/meas/trace/decide.h"
#include "workerd/meas/trace/mtusearch.h"
#include "workerd/meas/trace/trace.h"

/*
 * Path MTU discovery: full-size probes to the end, smaller when a router says
 * so (RFC 1191, RFC 8201), a search when it says nothing useful or nothing at
 * all, and for the latter a search along the path for where silence begins.
 */

#define PMTUD_TTL 255
#define PMTUD_VERSION 2
#define NOTES_MAX 64
#define PROBES_MAX 800 /* what a UDP trace's claimed ports leave room for */
#define NO_REPLY TRACE_NOTE_NO_REPLY

enum pmtud_phase {
	SEEK,   /* does size reach the end? */
	SEARCH, /* between lower and upper, for the MTU of the last note */
	HOPS,   /* which hop still answers probes of this size? */
};

struct pmtud {
	uint8_t phase;
	uint8_t ttl; /* of the probe */
	uint8_t attempt;
	bool lower_reaches;  /* a probe of size lower got to the end */
	uint16_t size;       /* of the probe */
	uint16_t floor;      /* known to reach the end */
	uint16_t lower;      /* the last size that got past; 0: none known yet */
	uint16_t upper;      /* the smallest that did not */
	int16_t low, high;   /* in ttls: hops that may still be the last to answer */
	uint16_t last_reply; /* of the furthest hop that answered, or NO_REPLY */
	uint8_t ttl_count;
	uint8_t ttls[255]; /* that answered in the trace, ascending */
};

void
pmtud_free(struct pmtud *p)
{
	free(p);
}

static struct trace_pmtud *
result(const struct trace *t)
{
	return t->rec.rare->pmtud;
}

static void
try(struct trace *t, uint8_t ttl, uint16_t size, const struct instant *now)
{
	struct pmtud *p = t->more->pmtud;

	p->ttl = ttl;
	p->size = size;
	p->attempt = 0;
	if (result(t)->leg.probe_count >= PROBES_MAX)
		trace_advance(t, now);
	else
		trace_ask(t, now);
}

static void
seek(struct trace *t, uint16_t size, const struct instant *now)
{
	t->more->pmtud->phase = SEEK;
	try(t, PMTUD_TTL, size, now);
}

static void
found(struct trace *t, uint16_t size, const struct instant *now)
{
	result(t)->pmtu = size;
	trace_advance(t, now);
}

/* ---- notes ---- */

static struct trace_note *
add_note(struct trace *t, uint8_t type, uint16_t reply)
{
	struct trace_pmtud *r = result(t);
	struct trace_note *notes;

	if (r->note_count >= NOTES_MAX)
		return NULL;
	notes = reallocarray(r->notes, r->note_count + 1u, sizeof(*notes));
	if (notes == NULL)
		return NULL;
	r->notes = notes;
	notes += r->note_count++;
	*notes = (struct trace_note){ .type = type, .reply = reply };
	return notes;
}

static struct trace_note *
last_note(const struct trace *t)
{
	return &result(t)->notes[result(t)->note_count - 1];
}

/* ---- the search along the path ---- */

/* Only routers: where the path ends says nothing about a hop on the way. */
static void
collect_ttls(const struct trace *t, struct pmtud *p)
{
	const struct trace_leg *leg = &t->rec.leg;
	bool seen[256] = { false };

	for (uint16_t i = 0; i < leg->reply_count; i++) {
		if (reply_kind(&leg->replies[i]) == REPLY_EXCEEDED &&
		    !addr_equal(&leg->replies[i].from, &t->rec.dst))
			seen[leg->probes[leg->replies[i].probe].ttl] = true;
	}
	p->ttl_count = 0;
	for (unsigned int ttl = 1; ttl < 256; ttl++) {
		if (seen[ttl])
			p->ttls[p->ttl_count++] = (uint8_t)ttl;
	}
}

/* An MTU is known: the path's, if a probe of that size has been at the end. */
static void
searched(struct trace *t, const struct instant *now)
{
	const struct pmtud *p = t->more->pmtud;

	if (p->lower_reaches)
		found(t, p->lower, now);
	else
		seek(t, p->lower, now);
}

static void
next_hop(struct trace *t, const struct instant *now)
{
	struct pmtud *p = t->more->pmtud;

	if (p->low <= p->high) {
		try(t, p->ttls[(p->low + p->high) / 2], p->upper, now);
		return;
	}
	last_note(t)->reply = p->last_reply;
	/* Not even the first hop forwards it, in silence. */
	if (p->last_reply == NO_REPLY && result(t)->note_count == 1)
		result(t)->outmtu = p->lower;
	searched(t, now);
}

static void
search_hops(struct trace *t, const struct instant *now)
{
	struct pmtud *p = t->more->pmtud;

	collect_ttls(t, p);
	p->phase = HOPS;
	p->low = 0;
	p->high = (int16_t)(p->ttl_count - 1);
	p->last_reply = NO_REPLY;
	next_hop(t, now);
}

/* answer: the hop's reply, or NO_REPLY. */
static void
judge_hop(struct trace *t, uint16_t answer, const struct instant *now)
{
	struct pmtud *p = t->more->pmtud;
	int16_t mid = (int16_t)((p->low + p->high) / 2);

	if (answer != NO_REPLY) {
		p->last_reply = answer;
		p->low = (int16_t)(mid + 1);
	} else {
		p->high = (int16_t)(mid - 1);
	}
	next_hop(t, now);
}

/* ---- the search for a size ---- */

static void
next_size(struct trace *t, const struct instant *now)
{
	struct pmtud *p = t->more->pmtud;
	uint16_t size = 0;

	if (p->lower == 0) {
		size = mtu_first_guess(p->upper);
		if (size <= p->floor) {
			p->lower = p->floor;
			p->lower_reaches = true;
			size = 0;
		}
	}
	if (size == 0)
		size = mtu_next_guess(p->lower, p->upper);
	if (size != 0) {
		try(t, PMTUD_TTL, size, now);
		return;
	}
	last_note(t)->nhmtu = p->lower;
	if (last_note(t)->type == TRACE_NOTE_SILENCE)
		search_hops(t, now);
	else
		searched(t, now);
}

static void
search(struct trace *t, uint8_t type, uint16_t reply, const struct instant *now)
{
	struct pmtud *p = t->more->pmtud;

	/* Below what is known to pass there is nothing to look for. */
	if (p->size <= p->floor || add_note(t, type, reply) == NULL) {
		trace_advance(t, now);
		return;
	}
	p->phase = SEARCH;
	p->upper = p->size;
	p->lower = 0;
	p->lower_reaches = false;
	next_size(t, now);
}

/* A too-big from elsewhere than the hop that the search is about came from
 * behind that hop: what it forwards, it can forward. */
static bool
is_about_note(const struct trace *t, const struct trace_reply *r)
{
	const struct trace_note *n = last_note(t);

	if (n->type == TRACE_NOTE_SILENCE)
		return false;
	return addr_equal(&result(t)->leg.replies[n->reply].from, &r->from);
}

static void
judge_size(struct trace *t, const struct trace_reply *r, const struct instant *now)
{
	struct pmtud *p = t->more->pmtud;
	bool too_big = r != NULL && reply_too_big(r);

	if (r == NULL || (too_big && is_about_note(t, r))) {
		p->upper = p->size;
	} else {
		p->lower = p->size;
		p->lower_reaches = !too_big;
	}
	next_size(t, now);
}

/* ---- to the end ---- */

static void
judge_too_big(struct trace *t, uint16_t reply, const struct instant *now)
{
	const struct pmtud *p = t->more->pmtud;
	uint16_t mtu = result(t)->leg.replies[reply].nhmtu;
	struct trace_note *n;

	if (mtu == 0 || mtu >= p->size) {
		search(t, TRACE_NOTE_PTB_BAD, reply, now);
		return;
	}
	n = add_note(t, mtu < trace_min_size(&t->rec) ? TRACE_NOTE_PTB_BAD : TRACE_NOTE_PTB, reply);
	if (n == NULL || n->type == TRACE_NOTE_PTB_BAD) {
		trace_advance(t, now);
		return;
	}
	n->nhmtu = mtu;
	seek(t, mtu, now);
}

static void
judge(struct trace *t, uint16_t reply, const struct instant *now)
{
	const struct pmtud *p = t->more->pmtud;
	const struct trace_reply *r = reply == NO_REPLY ? NULL : &result(t)->leg.replies[reply];

	switch ((enum pmtud_phase)p->phase) {
	case SEEK:
		if (r == NULL)
			search(t, TRACE_NOTE_SILENCE, NO_REPLY, now);
		else if (reply_too_big(r))
			judge_too_big(t, reply, now);
		else
			found(t, p->size, now);
		return;
	case SEARCH:
		judge_size(t, r, now);
		return;
	case HOPS:
		judge_hop(t, r != NULL && !reply_too_big(r) ? reply : NO_REPLY, now);
		return;
	}
}

/* ---- the room ---- */

static int
make_state(struct trace *t)
{
	struct trace_rare *rare = trace_record_rare(&t->rec);
	struct trace_more *m = trace_more(t);

	if (rare == NULL || m == NULL)
		return -ENOMEM;
	m->pmtud = calloc(1, sizeof(*m->pmtud));
	rare->pmtud = calloc(1, sizeof(*rare->pmtud));
	return m->pmtud == NULL || rare->pmtud == NULL ? -ENOMEM : 0;
}

void
pmtud_enter(struct trace *t, const struct instant *now)
{
	const struct trace_rare *rare = t->rec.rare;
	const struct addr *via = rare != NULL && rare->router.family != ADDR_NONE ? &rare->router : NULL;
	struct route route;

	if (make_state(t) != 0 || task_route(&t->meas.task, &t->rec.dst, via, &route) != 0 ||
	    route.mtu <= t->rec.probe_size) {
		trace_advance(t, now);
		return;
	}
	/* lo has 65536, one more than an IP packet's length can say */
	result(t)->ifmtu = route.mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)route.mtu;
	result(t)->version = PMTUD_VERSION;
	t->more->pmtud->floor = t->rec.probe_size;
	seek(t, result(t)->ifmtu, now);
}

bool
pmtud_probe(struct trace *t, struct probe *pr, const struct instant *now)
{
	struct pmtud *p = t->more->pmtud;

	if (!trace_send(t, pr, &result(t)->leg, p->ttl, p->attempt, p->size, now))
		return false;
	p->attempt++;
	task_wait(&t->meas.task, now->mono + trace_wait_ns(t));
	return true;
}

void
pmtud_reply(struct trace *t, struct trace_leg *leg, uint16_t reply, const struct instant *now)
{
	const struct pmtud *p = t->more->pmtud;
	struct trace_probe *tp = &leg->probes[leg->replies[reply].probe];

	tp->flags &= (uint8_t)~TRACE_PROBE_PENDING;
	if (leg == &result(t)->leg && p->attempt > 0 && tp->ttl == p->ttl && tp->size == p->size)
		judge(t, reply, now);
}

void
pmtud_timeout(struct trace *t, const struct instant *now)
{
	struct trace_leg *leg = &result(t)->leg;

	leg->probes[leg->probe_count - 1].flags &= (uint8_t)~TRACE_PROBE_PENDING;
	if (t->more->pmtud->attempt < t->rec.attempts)
		trace_ask(t, now);
	else
		judge(t, NO_REPLY, now);
}

void
pmtud_too_long(struct trace *t, const struct instant *now)
{
	judge(t, NO_REPLY, now);
}

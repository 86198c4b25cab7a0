#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "workerd/meas/trace/dns.h"
#include "workerd/meas/trace/stopset.h"
#include "workerd/meas/trace/trace.h"

/*
 * Names of the addresses that answered: after the trace, one DNS query for
 * each over UDP, from a port of its own with numbers that cannot be guessed,
 * and once more for those without an answer.
 */

#define DNS_PORT 53
#define DNS_TTL 64
#define DNS_WAIT_NS (2 * NSEC_PER_SEC)
#define ROUNDS 2
#define NAMES_MAX 512

struct ptr_entry {
	struct addr addr;
	uint16_t id;
	uint8_t sent;
	bool over; /* answered, one way or the other */
};

struct ptr {
	struct addr src;
	uint16_t sport;
	uint8_t round; /* from 1 */
	uint16_t count;
	uint16_t open; /* entries that are not over */
	uint8_t query[DNS_QUERY_MAX];
	struct ptr_entry entry[];
};

void
ptr_free(struct ptr *p)
{
	free(p);
}

/* ---- who is to be asked about ---- */

static void
collect(struct trace *t, struct addr_set *seen, const struct trace_leg *leg)
{
	struct ptr *p = t->more->ptr;

	for (uint16_t i = 0; i < leg->reply_count; i++) {
		const struct addr *a = &leg->replies[i].from;

		if (addr_set_add(seen, a) != 0)
			continue; /* known, or one too many */
		p->entry[p->count++] =
		    (struct ptr_entry){ .addr = *a, .id = (uint16_t)task_random(&t->meas.task) };
	}
	p->open = p->count;
}

static const struct trace_leg *
lastditch(const struct trace *t)
{
	return t->rec.rare == NULL ? NULL : t->rec.rare->lastditch;
}

static struct ptr *
make_state(struct trace *t)
{
	const struct trace_leg *ld = lastditch(t);
	size_t most = t->rec.leg.reply_count + (ld == NULL ? 0u : ld->reply_count);
	struct trace_more *m = trace_more(t);
	struct addr_set seen;

	if (m == NULL)
		return NULL;
	most = most > NAMES_MAX ? NAMES_MAX : most;
	m->ptr = calloc(1, sizeof(struct ptr) + most * sizeof(struct ptr_entry));
	if (m->ptr == NULL)
		return NULL;
	addr_set_init(&seen, NAMES_MAX);
	collect(t, &seen, &t->rec.leg);
	if (ld != NULL)
		collect(t, &seen, ld);
	addr_set_fini(&seen);
	return m->ptr;
}

/* A source address and port to ask from. */
static int
prepare(struct trace *t, struct ptr *p)
{
	const struct addr *server = task_nameserver(&t->meas.task);
	struct claim c = {
		.remote = *server, .proto = IPPROTO_UDP, .remote_lo = DNS_PORT, .remote_hi = DNS_PORT
	};
	struct route route;
	int rc = task_route(&t->meas.task, server, NULL, &route);

	if (rc == 0)
		rc = task_free_port(&t->meas.task, IPPROTO_UDP, &p->sport);
	if (rc != 0)
		return rc;
	p->src = route.src;
	c.local_port = p->sport;
	return task_claim(&t->meas.task, &c);
}

void
ptr_enter(struct trace *t, const struct instant *now)
{
	struct ptr *p = make_state(t);

	if (p == NULL || p->count == 0 || prepare(t, p) != 0) {
		trace_advance(t, now);
		return;
	}
	p->round = 1;
	task_want_probe(&t->meas.task);
}

/* ---- asking ---- */

static struct ptr_entry *
next_entry(struct ptr *p)
{
	for (uint16_t i = 0; i < p->count; i++) {
		if (!p->entry[i].over && p->entry[i].sent < p->round)
			return &p->entry[i];
	}
	return NULL;
}

bool
ptr_probe(struct trace *t, struct probe *pr, const struct instant *now)
{
	struct ptr *p = t->more->ptr;
	struct ptr_entry *e = next_entry(p);

	if (e == NULL) { /* the rest has been answered since */
		task_wait(&t->meas.task, now->mono + DNS_WAIT_NS);
		return false;
	}
	e->sent++;
	pr->src = p->src;
	pr->dst = *task_nameserver(&t->meas.task);
	pr->proto = IPPROTO_UDP;
	pr->ttl = DNS_TTL;
	pr->ip_id = (uint16_t)(task_random(&t->meas.task) | 1);
	pr->sport = p->sport;
	pr->dport = DNS_PORT;
	pr->payload = p->query;
	pr->payload_len = (uint16_t)dns_ptr_query(p->query, sizeof(p->query), e->id, &e->addr);
	task_wait(&t->meas.task, now->mono + DNS_WAIT_NS);
	if (next_entry(p) != NULL)
		task_want_probe(&t->meas.task);
	return true;
}

void
ptr_timeout(struct trace *t, const struct instant *now)
{
	struct ptr *p = t->more->ptr;

	if (next_entry(p) != NULL) { /* this round waits for its slots */
		task_want_probe(&t->meas.task);
		return;
	}
	if (p->round == ROUNDS) {
		trace_advance(t, now);
		return;
	}
	p->round++;
	task_want_probe(&t->meas.task);
}

/* ---- answers ---- */

/* Without memory the reply just has no name. */
static void
set_name(struct trace_reply *r, const char *name)
{
	if (r->extra == NULL)
		r->extra = calloc(1, sizeof(*r->extra));
	if (r->extra != NULL && r->extra->name == NULL)
		r->extra->name = strdup(name);
}

static void
name_replies(struct trace_leg *leg, const struct addr *a, const char *name)
{
	for (uint16_t i = 0; i < leg->reply_count; i++) {
		if (addr_equal(&leg->replies[i].from, a))
			set_name(&leg->replies[i], name);
	}
}

/* True when the message is an answer about this entry. */
static bool
take_answer(struct trace *t, struct ptr_entry *e, const struct pkt *pkt)
{
	char name[DNS_NAME_MAX];
	int rc = dns_ptr_answer(pkt->payload, pkt->payload_len, e->id, &e->addr, name);

	if (rc == 0) {
		name_replies(&t->rec.leg, &e->addr, name);
		if (t->rec.rare != NULL && t->rec.rare->lastditch != NULL)
			name_replies(t->rec.rare->lastditch, &e->addr, name);
	}
	return rc == 0 || rc == -ENOENT;
}

void
ptr_answer(struct trace *t, const struct pkt *pkt, const struct instant *now)
{
	struct ptr *p = t->more->ptr;

	if (pkt->proto != IPPROTO_UDP || pkt->sport != DNS_PORT || pkt->dport != p->sport)
		return;
	for (uint16_t i = 0; i < p->count; i++) {
		struct ptr_entry *e = &p->entry[i];

		if (e->over || e->sent == 0 || !take_answer(t, e, pkt))
			continue;
		e->over = true;
		p->open--;
		break;
	}
	if (p->open == 0)
		trace_advance(t, now);
}

#include <stdlib.h>
#include <string.h>

#include "proto/record/trace_priv.h"

nsec_t
trace_probe_tx(const struct trace_probe *p, nsec_t start)
{
	int64_t us = (int64_t)p->tx_high * (INT64_C(1) << 32) + p->tx_us;

	return (p->flags & TRACE_PROBE_NO_TX) != 0 ? 0 : start + us * NSEC_PER_USEC;
}

void
trace_probe_set_tx(struct trace_probe *p, nsec_t start, nsec_t tx)
{
	nsec_t us = (tx - start) / NSEC_PER_USEC;

	p->flags &= (uint8_t)~TRACE_PROBE_NO_TX;
	if (us >> 47 != 0 && us >> 47 != -1) {
		p->flags |= TRACE_PROBE_NO_TX;
		us = 0;
	}
	p->tx_us = (uint32_t)us;
	p->tx_high = (int16_t)(us >> 32);
}

void
trace_leg_fini(struct trace_leg *leg)
{
	for (uint16_t i = 0; i < leg->reply_count; i++) {
		struct trace_reply_extra *x = leg->replies[i].extra;

		if (x == NULL)
			continue;
		free(x->name);
		free(x->ext);
		free(x);
	}
	free(leg->probes);
	free(leg->replies);
	memset(leg, 0, sizeof(*leg));
}

static void
rare_free(struct trace_rare *rare)
{
	if (rare == NULL)
		return;
	if (rare->pmtud != NULL) {
		trace_leg_fini(&rare->pmtud->leg);
		free(rare->pmtud->notes);
		free(rare->pmtud);
	}
	if (rare->lastditch != NULL) {
		trace_leg_fini(rare->lastditch);
		free(rare->lastditch);
	}
	if (rare->dtree != NULL) {
		free(rare->dtree->lss_name);
		free(rare->dtree);
	}
	free(rare->errmsg);
	free(rare);
}

void
trace_record_fini(struct trace_record *t)
{
	trace_leg_fini(&t->leg);
	rare_free(t->rare);
	memset(t, 0, sizeof(*t));
}

/* A place for one more element, zeroed; counts stop at the index's width. */
static void *
append(void *array, uint16_t *cap, uint16_t *count, size_t size)
{
	void **p = array;
	/* a little more: a hundred thousand running traces hold these arrays */
	uint32_t want = *cap == 0 ? 4 : *cap + *cap / 4 + 2u;
	uint8_t *more;

	if (*count == UINT16_MAX)
		return NULL;
	if (*count == *cap) {
		if (want > UINT16_MAX)
			want = UINT16_MAX;
		more = realloc(*p, want * size);
		if (more == NULL)
			return NULL;
		*p = more;
		*cap = (uint16_t)want;
	}
	more = (uint8_t *)*p + (*count)++ * size;
	memset(more, 0, size);
	return more;
}

struct trace_probe *
trace_leg_add_probe(struct trace_leg *leg)
{
	return append(&leg->probes, &leg->probe_cap, &leg->probe_count, sizeof(*leg->probes));
}

struct trace_reply *
trace_leg_add_reply(struct trace_leg *leg)
{
	return append(&leg->replies, &leg->reply_cap, &leg->reply_count, sizeof(*leg->replies));
}

/* By TTL, probe, arrival: probes to one TTL are in the order in which they
 * went out, replies to one probe in the order of their round-trip times. */
static int
compare(const void *a, const void *b, void *arg)
{
	const struct trace_reply *x = a, *y = b;
	const struct trace_leg *leg = arg;
	int d = leg->probes[x->probe].ttl - leg->probes[y->probe].ttl;

	if (d != 0)
		return d;
	if (x->probe != y->probe)
		return x->probe < y->probe ? -1 : 1;
	return (x->rtt_us > y->rtt_us) - (x->rtt_us < y->rtt_us);
}

void
trace_leg_sort(struct trace_leg *leg)
{
	for (uint16_t i = 1; i < leg->reply_count; i++) {
		if (compare(&leg->replies[i - 1], &leg->replies[i], leg) <= 0)
			continue;
		qsort_r(leg->replies, leg->reply_count, sizeof(*leg->replies), compare, leg);
		return;
	}
}

struct trace_rare *
trace_record_rare(struct trace_record *t)
{
	if (t->rare == NULL)
		t->rare = calloc(1, sizeof(*t->rare));
	return t->rare;
}

bool
trace_reply_is_icmp(const struct trace_reply *r)
{
	return (r->flags & (TRACE_REPLY_TCP | TRACE_REPLY_UDP)) == 0;
}

/* RFC 792 and RFC 4443: the errors that a probe can draw. */
bool
trace_reply_quotes(const struct trace_record *t, const struct trace_reply *r)
{
	if (!trace_reply_is_icmp(r))
		return false;
	if (t->dst.family == ADDR_IP4)
		return r->icmp_type == 3 || r->icmp_type == 11;
	return r->icmp_type >= 1 && r->icmp_type <= 3;
}

/* RFC 1191 section 4 and RFC 4443 section 3.2. */
bool
trace_reply_is_toobig(const struct trace_record *t, const struct trace_reply *r)
{
	if (!trace_reply_is_icmp(r))
		return false;
	return t->dst.family == ADDR_IP4 ? r->icmp_type == 3 && r->icmp_code == 4 : r->icmp_type == 2;
}

uint8_t
trace_reply_ttl(const struct trace_leg *leg, const struct trace_reply *r)
{
	return leg->probes[r->probe].ttl;
}

const struct trace_reply *
trace_first_reply(const struct trace_leg *leg, uint8_t ttl)
{
	for (uint16_t i = 0; i < leg->reply_count; i++) {
		if (trace_reply_ttl(leg, &leg->replies[i]) == ttl)
			return &leg->replies[i];
	}
	return NULL;
}

uint8_t
trace_last_hop(const struct trace_record *t)
{
	uint8_t hops = t->hop_count > UINT8_MAX ? UINT8_MAX : (uint8_t)t->hop_count;

	return t->stop_hop != 0 && t->stop_hop < hops ? t->stop_hop : hops;
}

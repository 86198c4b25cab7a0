#include <netinet/in.h>

#include "workerd/meas/trace/trace.h"

/*
 * Each probe carries its number, index + 1, where the method may vary without
 * changing the flow. The engine has compared addresses, protocol and ports (or
 * ICMP id); here the number is read back, and refused when no probe has it.
 */

#define NO_PROBE (-1)

uint16_t
trace_sent(const struct trace *t)
{
	const struct trace_rare *rare = t->rec.rare;
	uint16_t n = (uint16_t)(dtree_astray(t) + t->rec.leg.probe_count);

	if (rare != NULL && rare->lastditch != NULL)
		n = (uint16_t)(n + rare->lastditch->probe_count);
	if (rare != NULL && rare->pmtud != NULL)
		n = (uint16_t)(n + rare->pmtud->leg.probe_count);
	return n;
}

/* The main leg is complete before a second one begins, and a trace has either
 * a last ditch or path MTU discovery: the latter needs a path that answers. */
struct trace_leg *
trace_locate(struct trace *t, uint16_t index, uint16_t *ret_place)
{
	struct trace_leg *leg = &t->rec.leg;

	if (index < dtree_astray(t))
		return NULL;
	index = (uint16_t)(index - dtree_astray(t));
	if (index >= leg->probe_count) {
		index = (uint16_t)(index - leg->probe_count);
		if (t->rec.rare == NULL)
			return NULL;
		leg = t->rec.rare->lastditch != NULL ? t->rec.rare->lastditch
		      : t->rec.rare->pmtud != NULL   ? &t->rec.rare->pmtud->leg
						     : NULL;
		if (leg == NULL || index >= leg->probe_count)
			return NULL;
	}
	*ret_place = index;
	return leg;
}

static int32_t
from_number(uint32_t number, uint16_t sent)
{
	return number >= 1 && number <= sent ? (int32_t)number - 1 : NO_PROBE;
}

/* Middleboxes add one to the IP ID, or leave it in the other byte order. */
static int32_t
from_ip_id(uint16_t id, uint16_t sent)
{
	uint16_t swapped = (uint16_t)(id << 8 | id >> 8);

	if (id == 0)
		return NO_PROBE;
	if (id <= sent)
		return id - 1;
	if (id == sent + 1)
		return id - 2;
	return from_number(swapped, sent);
}

static int32_t
match_udp(const struct trace *t, const struct pkt *q)
{
	uint16_t index = (uint16_t)(q->dport - t->rec.dport);

	return index < trace_sent(t) ? index : NO_PROBE;
}

/* The IP ID, or in IPv6 the flow label. */
static int32_t
match_ip(const struct trace *t, const struct pkt *q)
{
	uint16_t sent = trace_sent(t);

	return q->src.family == ADDR_IP4 ? from_ip_id((uint16_t)q->ip_id, sent) : from_number(q->flow, sent);
}

static int32_t
match_udp_paris(const struct trace *t, const struct pkt *q)
{
	uint16_t sent = trace_sent(t);

	if ((t->rec.flags & TRACE_FLAG_CONSTPAYLOAD) != 0)
		return match_ip(t, q);
	if (q->src.family == ADDR_IP6)
		return from_number(q->udp.csum, sent);
	if (q->udp.csum == q->ip_id)
		return from_number(q->udp.csum, sent);
	return from_ip_id((uint16_t)q->ip_id, sent);
}

static int32_t
match_icmp(const struct trace *t, const struct pkt *q)
{
	return q->icmp.kind == ICMP_KIND_ECHO && q->icmp.seq < trace_sent(t) ? q->icmp.seq : NO_PROBE;
}

typedef int32_t (*match_fn)(const struct trace *, const struct pkt *);

static const match_fn by_method[TRACE_METHODS] = {
	[TRACE_ICMP] = match_icmp,
	[TRACE_UDP] = match_udp,
	[TRACE_TCP] = match_ip,
	[TRACE_ICMP_PARIS] = match_icmp,
	[TRACE_UDP_PARIS] = match_udp_paris,
	[TRACE_TCP_ACK] = match_ip,
};

static const uint8_t proto4[TRACE_METHODS] = {
	[TRACE_ICMP] = IPPROTO_ICMP,
	[TRACE_UDP] = IPPROTO_UDP,
	[TRACE_TCP] = IPPROTO_TCP,
	[TRACE_ICMP_PARIS] = IPPROTO_ICMP,
	[TRACE_UDP_PARIS] = IPPROTO_UDP,
	[TRACE_TCP_ACK] = IPPROTO_TCP,
};

uint8_t
trace_proto(const struct trace_record *rec)
{
	uint8_t proto = proto4[rec->method];

	return proto == IPPROTO_ICMP && rec->dst.family == ADDR_IP6 ? IPPROTO_ICMPV6 : proto;
}

int32_t
trace_match_own(const struct trace *t, const struct pkt *q)
{
	if (q->proto != trace_proto(&t->rec) || !addr_equal(&q->dst, &t->rec.dst))
		return NO_PROBE;
	if (t->rec.offset == 0)
		return q->l4 ? by_method[t->rec.method](t, q) : NO_PROBE;
	/* -o: the fragment header tells all there is to know. */
	if (!q->frag || q->frag_off != t->rec.offset || q->ip_id >> 16 != t->rec.sport)
		return NO_PROBE;
	return from_number((q->ip_id & 0xffff) + 1, trace_sent(t));
}

/* Nothing in a segment or datagram from the other side says what it answers:
 * it is credited to the last probe. */
static int32_t
match_last(const struct trace *t)
{
	return trace_sent(t) - 1;
}

static int32_t
match_direct(const struct trace *t, const struct pkt *p)
{
	if (p->proto != trace_proto(&t->rec) || !addr_equal(&p->src, &t->rec.dst))
		return NO_PROBE;
	if (p->proto == IPPROTO_TCP)
		return match_last(t);
	if (p->proto == IPPROTO_UDP)
		return (t->rec.flags & TRACE_FLAG_DL) != 0 ? match_last(t) : NO_PROBE;
	if (p->icmp.kind != ICMP_KIND_ECHO_REPLY || p->icmp.seq >= trace_sent(t))
		return NO_PROBE;
	return p->icmp.seq;
}

int32_t
trace_match(const struct trace *t, const struct pkt *reply, const struct pkt *quoted)
{
	if (quoted == NULL)
		return match_direct(t, reply);
	switch ((enum icmp_kind)reply->icmp.kind) {
	case ICMP_KIND_EXCEEDED:
	case ICMP_KIND_UNREACH:
	case ICMP_KIND_TOO_BIG:
		return trace_match_own(t, quoted);
	case ICMP_KIND_NONE:
	case ICMP_KIND_OTHER:
	case ICMP_KIND_ECHO:
	case ICMP_KIND_ECHO_REPLY:
	case ICMP_KIND_TIME:
	case ICMP_KIND_TIME_REPLY:
	case ICMP_KIND_PARAM:
		break;
	}
	return NO_PROBE;
}

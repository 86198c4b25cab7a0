#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "workerd/meas/trace/trace.h"

/* A reply's packet into the record. */

/* A reply that seems to come before its probe left is the clocks' doing. */
static uint32_t
rtt_us(nsec_t rx, nsec_t tx)
{
	nsec_t us = (rx - tx) / NSEC_PER_USEC;

	return us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int
note_ext(struct trace_reply *tr, const struct pkt_icmp *icmp)
{
	if (icmp->ext == NULL || icmp->ext_len == 0)
		return 0;
	tr->extra = calloc(1, sizeof(*tr->extra));
	if (tr->extra == NULL)
		return -ENOMEM;
	tr->extra->ext = malloc(icmp->ext_len);
	if (tr->extra->ext == NULL)
		return -ENOMEM;
	memcpy(tr->extra->ext, icmp->ext, icmp->ext_len);
	tr->extra->ext_len = icmp->ext_len;
	return 0;
}

static int
note_icmp(struct trace_reply *tr, const struct reply *r)
{
	const struct pkt_icmp *icmp = &r->pkt->icmp;

	tr->icmp_type = icmp->type;
	tr->icmp_code = icmp->code;
	if (icmp->kind == ICMP_KIND_TOO_BIG)
		tr->nhmtu = icmp->nhmtu > UINT16_MAX ? UINT16_MAX : (uint16_t)icmp->nhmtu;
	if (r->quoted == NULL)
		return 0;
	tr->q_ttl = r->quoted->ttl;
	tr->q_tos = r->quoted->tos;
	tr->q_len = r->quoted->ip_len;
	return note_ext(tr, icmp);
}

int
trace_note_reply(struct trace *t, struct trace_leg *leg, uint16_t probe, const struct reply *r)
{
	const struct trace_probe *tp = &leg->probes[probe];
	struct trace_reply *tr = trace_leg_add_reply(leg);
	const struct pkt *p = r->pkt;

	if (tr == NULL)
		return -ENOMEM;
	*tr = (struct trace_reply){ .from = p->src,
		.ttl = p->ttl,
		.tos = p->tos,
		.probe = probe,
		.size = p->ip_len,
		.flags = TRACE_REPLY_TTL | TRACE_REPLY_DLRX };
	/* a late end may have cut the hops below this one */
	if (leg == &t->rec.leg && tp->ttl > t->rec.hop_count)
		t->rec.hop_count = tp->ttl;
	if (p->src.family == ADDR_IP4)
		tr->ip_id = (uint16_t)p->ip_id;
	if ((tp->flags & TRACE_PROBE_DLTX) != 0)
		tr->flags |= TRACE_REPLY_DLTX;
	tr->rtt_us = rtt_us(r->rx, trace_probe_tx(tp, t->rec.start));
	if (p->proto == IPPROTO_TCP) {
		tr->flags |= TRACE_REPLY_TCP;
		tr->tcp_flags = p->tcp.flags;
		return 0;
	}
	if (p->proto == IPPROTO_UDP) {
		tr->flags |= TRACE_REPLY_UDP;
		return 0;
	}
	return note_icmp(tr, r);
}

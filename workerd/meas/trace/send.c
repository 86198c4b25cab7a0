#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "workerd/meas/trace/trace.h"

/* What a probe of each method looks like (commands.md section 3.2). */

#define IP4_HDR 20
#define IP6_HDR 40
#define FRAG_HDR 8
#define UDP_OR_ICMP_HDR 8
#define TCP_HDR 20
#define COUNTER_BYTES 4 /* with -o, the first of the payload */
#define FUDGE_BYTES 2   /* that make the checksum what it is to be */
#define PAYLOAD4 16     /* without -p */
#define PAYLOAD6 12
#define FRAG_BODY (UDP_OR_ICMP_HDR + PAYLOAD6) /* with -o: as much as without */
#define ICMP4_ECHO 8
#define ICMP6_ECHO 128

static bool
is_tcp(uint8_t method)
{
	return method == TRACE_TCP || method == TRACE_TCP_ACK;
}

/* With -o every probe is a later fragment, which has no transport header. */
static uint16_t
header_size(uint8_t family, uint8_t method, uint16_t offset)
{
	if (offset != 0)
		return IP6_HDR + FRAG_HDR;
	return (uint16_t)((is_tcp(method) ? TCP_HDR : UDP_OR_ICMP_HDR) +
			  (family == ADDR_IP6 ? IP6_HDR : IP4_HDR));
}

/* Bytes of IP and transport headers: no probe is smaller. */
static uint16_t
headers_of(const struct trace_record *rec)
{
	return header_size(rec->dst.family, rec->method, rec->offset);
}

bool
trace_alters_payload(const struct trace_record *rec)
{
	if (rec->offset != 0)
		return false;
	return rec->method == TRACE_ICMP_PARIS ||
	       (rec->method == TRACE_UDP_PARIS && (rec->flags & TRACE_FLAG_CONSTPAYLOAD) == 0);
}

uint16_t
trace_min_size(const struct trace_record *rec)
{
	uint16_t size = headers_of(rec);

	if (rec->offset != 0)
		size = (uint16_t)(size + COUNTER_BYTES);
	return trace_alters_payload(rec) ? (uint16_t)(size + FUDGE_BYTES) : size;
}

uint16_t
trace_probe_size(uint8_t family, uint8_t method, uint16_t offset, int32_t payload_len)
{
	uint16_t size = header_size(family, method, offset);

	if (offset != 0)
		return (uint16_t)(size + COUNTER_BYTES + (payload_len < 0 ? FRAG_BODY : payload_len));
	if (is_tcp(method))
		return size;
	if (payload_len < 0)
		payload_len = family == ADDR_IP6 ? PAYLOAD6 : PAYLOAD4;
	return (uint16_t)(size + payload_len);
}

static int
pad_reserve(struct trace_more *m, uint16_t len)
{
	uint8_t *pad;

	if (len <= m->pad_cap)
		return 0;
	pad = realloc(m->pad, len);
	if (pad == NULL)
		return -ENOMEM;
	m->pad = pad;
	m->pad_cap = len;
	return 0;
}

/* The payload where it is not just zeros: with -o the probe's counter, then -p,
 * then zeros. */
static int
fill_payload(struct trace *t, struct probe *p, uint32_t number)
{
	struct trace_more *m = t->more;
	struct wr w;

	if (p->payload_len == 0 || m == NULL || (m->payload == NULL && t->rec.offset == 0))
		return 0;
	if (pad_reserve(m, p->payload_len) != 0)
		return -ENOMEM;
	memset(m->pad, 0, p->payload_len);
	wr_init(&w, m->pad, p->payload_len);
	if (t->rec.offset != 0)
		wr_u32(&w, number - 1);
	if (m->payload != NULL)
		wr_bytes(&w, m->payload, m->payload_len);
	p->payload = m->pad;
	return 0;
}

static void
shape_udp(const struct trace *t, struct probe *p, uint32_t number)
{
	p->dport = (uint16_t)(t->rec.dport + number - 1);
}

/* The number is the checksum, and the payload's first bytes make it valid; or
 * with const-payload the flow label, in IPv4 the IP ID, says it alone. */
static void
shape_udp_paris(const struct trace *t, struct probe *p, uint32_t number)
{
	p->dport = t->rec.dport;
	if ((t->rec.flags & TRACE_FLAG_CONSTPAYLOAD) != 0) {
		p->flow = number;
		return;
	}
	p->csum_mode = PROBE_CSUM_FIXED;
	p->csum = (uint16_t)number;
}

static void
shape_icmp(const struct trace *t, struct probe *p, uint32_t number)
{
	p->icmp_type = p->dst.family == ADDR_IP6 ? ICMP6_ECHO : ICMP4_ECHO;
	p->icmp_id = t->rec.sport;
	p->icmp_seq = (uint16_t)(number - 1);
}

static void
shape_icmp_paris(const struct trace *t, struct probe *p, uint32_t number)
{
	shape_icmp(t, p, number);
	p->csum_mode = PROBE_CSUM_FIXED;
	p->csum = t->rec.dport;
}

static void
shape_tcp(const struct trace *t, struct probe *p, uint32_t number)
{
	p->dport = t->rec.dport;
	p->flow = number;
	p->tcp_flags = t->rec.method == TRACE_TCP_ACK ? TCP_ACK : TCP_SYN;
}

typedef void (*shape_fn)(const struct trace *, struct probe *, uint32_t number);

static const shape_fn shape[TRACE_METHODS] = {
	[TRACE_ICMP] = shape_icmp,
	[TRACE_UDP] = shape_udp,
	[TRACE_TCP] = shape_tcp,
	[TRACE_ICMP_PARIS] = shape_icmp_paris,
	[TRACE_UDP_PARIS] = shape_udp_paris,
	[TRACE_TCP_ACK] = shape_tcp,
};

static int
fill_probe(struct trace *t, struct probe *p, uint32_t number, uint8_t ttl, uint16_t size)
{
	const struct trace_record *rec = &t->rec;

	p->src = rec->src;
	p->dst = rec->dst;
	if (rec->rare != NULL)
		p->router = rec->rare->router;
	p->proto = trace_proto(rec);
	p->ttl = ttl;
	p->tos = rec->tos;
	p->ip_id = (uint16_t)number;
	p->sport = rec->sport;
	p->payload_len = (uint16_t)(size - headers_of(rec));
	if (rec->offset != 0) {
		p->frag = true;
		p->frag_off = rec->offset;
		p->frag_id = (uint32_t)rec->sport << 16 | (number - 1);
	} else {
		shape[rec->method](t, p, number);
	}
	return fill_payload(t, p, number);
}

static void
note_probe(struct trace *t, struct trace_leg *leg, const struct trace_probe *tp, const struct instant *now)
{
	const struct trace_more *m = t->more;
	uint8_t reason = t->rec.stop_reason;

	t->rec.probe_count++;
	if (leg == &t->rec.leg && tp->ttl > t->rec.hop_count)
		t->rec.hop_count = tp->ttl;
	t->next_probe = now->mono + t->rec.wait_probe_cs * 10 * NSEC_PER_MSEC;
	if (m == NULL || m->progress_every == 0 || t->rec.probe_count % m->progress_every != 0)
		return;
	trace_leg_sort(&t->rec.leg); /* readers want hops in order; here no order matters */
	t->rec.stop_reason = TRACE_STOP_INPROGRESS;
	task_progress(&t->meas.task);
	t->rec.stop_reason = reason;
}

bool
trace_send(struct trace *t, struct probe *p, struct trace_leg *leg, uint8_t ttl, uint8_t id, uint16_t size,
    const struct instant *now)
{
	uint32_t number = trace_sent(t) + 1u;
	struct trace_probe *tp;

	if (number > TRACE_PROBES_MAX) {
		trace_fail(t, -EOVERFLOW, "too many probes", now);
		return false;
	}
	tp = trace_leg_add_probe(leg);
	if (tp == NULL || fill_probe(t, p, number, ttl, size) != 0) {
		trace_fail(t, -ENOMEM, "out of memory", now);
		return false;
	}
	*tp = (struct trace_probe){ .size = size, .ttl = ttl, .id = id, .flags = TRACE_PROBE_PENDING };
	trace_probe_set_tx(tp, t->rec.start, now->wall);
	note_probe(t, leg, tp, now);
	return true;
}

#include "live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct addr
live_addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

void
live_ping(struct ping_record *p)
{
	memset(p, 0, sizeof(*p));
	p->src = live_addr("192.0.2.1");
	p->dst = live_addr("203.0.113.9");
	p->stop_reason = PING_STOP_COMPLETED;
	p->probe_count = 2;
	p->probe_size = 84;
	p->ttl = 64;
	p->sport = 25890;
	p->wait_us = 200000;
	p->timeout_us = 300000;
	p->start = LIVE_START;
	for (int i = 0; i < 2; i++) {
		struct ping_probe *probe = ping_record_add_probe(p);

		assert_non_null(probe);
		probe->tx = LIVE_START + i * 200 * NSEC_PER_MSEC + 230 * NSEC_PER_USEC;
		probe->ip_id = (uint16_t)(1698 + i);
	}
}

void
live_ping_reply(struct ping_record *p, uint16_t probe, const char *from, uint32_t rtt_us)
{
	struct ping_reply *r = ping_record_add_reply(p);

	assert_non_null(r);
	r->from = live_addr(from);
	r->probe = probe;
	r->rtt_us = rtt_us;
	r->size = 84;
	r->proto = 1;
	r->ttl = 61;
	r->flags = PING_REPLY_TTL | PING_REPLY_IPID | PING_PROBE_IPID;
}

void
live_trace(struct trace_record *t, const char *dst)
{
	memset(t, 0, sizeof(*t));
	t->src = live_addr("192.0.2.1");
	t->dst = live_addr(dst);
	t->method = TRACE_UDP_PARIS;
	t->stop_reason = TRACE_STOP_COMPLETED;
	t->attempts = 2;
	t->firsthop = 1;
	t->wait_s = 5;
	t->gaplimit = 5;
	t->gapaction = 1;
	t->squeries = 1;
	t->probe_size = 44;
	t->sport = 40000;
	t->dport = 33435;
	t->start = LIVE_START;
}

void
live_probe(struct trace_record *t, struct trace_leg *leg, uint8_t ttl, uint8_t id, uint16_t size)
{
	struct trace_probe *p = trace_leg_add_probe(leg);

	assert_non_null(p);
	p->ttl = ttl;
	p->id = id;
	p->size = size;
	trace_probe_set_tx(p, t->start, t->start + t->probe_count * NSEC_PER_MSEC);
	t->probe_count++;
	if (leg == &t->leg && t->hop_count < ttl)
		t->hop_count = ttl;
}

struct trace_reply *
live_hop(struct trace_leg *leg, const char *from, uint32_t rtt_us)
{
	struct trace_reply *r = trace_leg_add_reply(leg);

	assert_non_null(r);
	r->from = live_addr(from);
	r->probe = (uint16_t)(leg->probe_count - 1);
	r->rtt_us = rtt_us;
	r->flags = TRACE_REPLY_TTL | TRACE_REPLY_SOCKRX;
	r->ttl = 64;
	r->size = 72;
	r->icmp_type = r->from.family == ADDR_IP4 ? 11 : 3;
	r->q_ttl = 1;
	r->q_len = leg->probes[r->probe].size;
	return r;
}

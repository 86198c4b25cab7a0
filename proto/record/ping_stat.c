#include "proto/record/ping_stat.h"

#include <math.h>
#include <netinet/in.h>

#include "proto/record/bits.h"

enum family { METHOD_ICMP = 1, METHOD_TCP, METHOD_UDP };

static const uint8_t families[PING_METHODS] = {
	[PING_ICMP_ECHO] = METHOD_ICMP,
	[PING_ICMP_TIME] = METHOD_ICMP,
	[PING_TCP_ACK] = METHOD_TCP,
	[PING_TCP_ACK_SPORT] = METHOD_TCP,
	[PING_TCP_SYN] = METHOD_TCP,
	[PING_TCP_SYNACK] = METHOD_TCP,
	[PING_TCP_RST] = METHOD_TCP,
	[PING_TCP_SYN_SPORT] = METHOD_TCP,
	[PING_UDP] = METHOD_UDP,
	[PING_UDP_DPORT] = METHOD_UDP,
	[PING_UDP_SPORT] = METHOD_UDP,
};

static uint8_t
family_of(uint8_t method)
{
	return method < PING_METHODS ? families[method] : 0;
}

bool
ping_method_is_icmp(uint8_t method)
{
	return family_of(method) == METHOD_ICMP;
}

bool
ping_method_is_tcp(uint8_t method)
{
	return family_of(method) == METHOD_TCP;
}

bool
ping_method_is_udp(uint8_t method)
{
	return family_of(method) == METHOD_UDP;
}

bool
ping_reply_is_icmp(const struct ping_reply *r)
{
	return r->proto == IPPROTO_ICMP || r->proto == IPPROTO_ICMPV6;
}

/* RFC 1191 section 4 and RFC 4443 section 3.2. */
bool
ping_reply_is_toobig(const struct ping_record *p, const struct ping_reply *r)
{
	if (!ping_reply_is_icmp(r))
		return false;
	return p->dst.family == ADDR_IP4 ? r->icmp_type == 3 && r->icmp_code == 4 : r->icmp_type == 2;
}

/* ICMP types and codes that answer a probe, by family of the target. */
static bool
icmp_answers(const struct ping_record *p, const struct ping_reply *r)
{
	bool v4 = p->dst.family == ADDR_IP4;

	switch (family_of(p->method)) {
	case METHOD_ICMP:
		if (p->method == PING_ICMP_TIME)
			return v4 && r->icmp_type == 14;
		return r->icmp_type == (v4 ? 0 : 129);
	case METHOD_UDP:
		return v4 ? r->icmp_type == 3 && r->icmp_code == 3 : r->icmp_type == 1 && r->icmp_code == 4;
	}
	return false;
}

static bool
from_target(const struct ping_record *p, const struct ping_reply *r)
{
	if (ping_reply_is_icmp(r))
		return icmp_answers(p, r);
	if (r->proto == IPPROTO_TCP)
		return family_of(p->method) == METHOD_TCP;
	return r->proto == IPPROTO_UDP && family_of(p->method) == METHOD_UDP;
}

/* Round-trip times, in two passes so that nothing cancels. */
static void
spread(const struct ping_record *p, uint32_t n, double sum, struct ping_stat *s)
{
	double mean = sum / n, squares = 0;

	for (uint32_t i = 0; i < p->reply_count; i++) {
		double d = p->replies[i].rtt_us - mean;

		if (from_target(p, &p->replies[i]))
			squares += d * d;
	}
	s->avg_us = (uint32_t)mean;
	s->stddev_us = (uint32_t)sqrt(squares / n);
}

void
ping_stat(const struct ping_record *p, struct ping_stat *ret)
{
	struct ping_stat s = { .min_us = UINT32_MAX };
	struct bits seen BITS_UNSET; /* probes with a reply counted */
	double sum = 0;

	bits_init(&seen, p->sent);
	for (uint32_t i = 0; i < p->reply_count; i++) {
		const struct ping_reply *r = &p->replies[i];

		if (!from_target(p, r)) {
			s.errors++;
			continue;
		}
		if (bits_has(&seen, r->probe))
			s.dups++;
		else
			s.replies++;
		bits_set(&seen, r->probe);
		sum += r->rtt_us;
		s.min_us = r->rtt_us < s.min_us ? r->rtt_us : s.min_us;
		s.max_us = r->rtt_us > s.max_us ? r->rtt_us : s.max_us;
	}
	if (s.replies > 0)
		spread(p, s.replies + s.dups, sum, &s);
	for (uint32_t i = 0; i < p->sent; i++)
		s.pending += (p->probes[i].flags & PING_PROBE_PENDING) != 0;
	*ret = s;
}

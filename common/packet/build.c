#include "common/packet/probe.h"

#include <errno.h>
#include <netinet/in.h>

#include "common/packet/checksum.h"

#define IP4_HDR 20
#define IP6_HDR 40
#define IP6_FRAG_HDR 8
#define ICMP_HDR 8
#define UDP_HDR 8
#define TCP_HDR 20
#define TCP_OPT_MSS 2
#define TCP_OPT_MSS_LEN 4

#define IP4_DF 0x4000
#define IP_MAX 65535u /* RFC 791 total length; RFC 8200 payload length */
#define IP6_FLOW_MAX 0xfffffu

/* RFC 791 section 3.1, "Specific Option Definitions". */
#define IPOPT_RR_TYPE 7
#define IPOPT_RR_SLOTS 9
#define IPOPT_TS_TYPE 68

static bool
is_ip6(const struct probe *p)
{
	return p->dst.family == ADDR_IP6;
}

static size_t
ipopt_size(const struct probe *p)
{
	switch ((enum probe_ipopt)p->ipopt) {
	case PROBE_IPOPT_NONE:
		return 0;
	case PROBE_IPOPT_RR:
	case PROBE_IPOPT_TS_ONLY:
		return 40;
	case PROBE_IPOPT_TS_ADDR:
		return 36;
	case PROBE_IPOPT_TS_PRESPEC:
		return 4 + 8u * p->tsps_count;
	}
	return 0;
}

/* RFC 8200 section 4.5: only the first fragment has the transport header. */
static bool
is_later_fragment(const struct probe *p)
{
	return p->frag && p->frag_off != 0;
}

/* The transport header and what follows it. */
static size_t
l4_size(const struct probe *p)
{
	size_t hdr = UDP_HDR;

	if (is_later_fragment(p))
		hdr = 0;
	else if (p->proto == IPPROTO_TCP)
		hdr = TCP_HDR + (p->tcp_mss != 0 ? TCP_OPT_MSS_LEN : 0);
	else if (p->proto != IPPROTO_UDP)
		hdr = ICMP_HDR;
	return hdr + p->payload_len;
}

size_t
probe_size(const struct probe *p)
{
	if (is_ip6(p))
		return IP6_HDR + (p->frag ? IP6_FRAG_HDR : 0) + l4_size(p);
	return IP4_HDR + ipopt_size(p) + l4_size(p);
}

static bool
ipopt_valid(const struct probe *p)
{
	if (p->ipopt > PROBE_IPOPT_TS_PRESPEC)
		return false;
	if (p->ipopt != PROBE_IPOPT_TS_PRESPEC)
		return true;
	if (p->tsps_count == 0 || p->tsps_count > PROBE_TSPS_MAX)
		return false;
	for (unsigned int i = 0; i < p->tsps_count; i++) {
		if (p->tsps[i].family != ADDR_IP4)
			return false;
	}
	return true;
}

static bool
csum_valid(const struct probe *p)
{
	if (p->csum_mode == PROBE_CSUM_NATURAL)
		return true;
	if (is_later_fragment(p))
		return false;
	return p->csum_mode == PROBE_CSUM_FIXED && (size_t)p->csum_off + 2 <= p->payload_len;
}

static int
probe_check(const struct probe *p)
{
	bool ip6 = is_ip6(p);
	uint8_t icmp = ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	if (p->src.family != p->dst.family || (!ip6 && p->dst.family != ADDR_IP4))
		return -EINVAL;
	if (p->proto != IPPROTO_UDP && p->proto != IPPROTO_TCP && p->proto != icmp)
		return -EINVAL;
	if (ip6 && (p->ipopt != PROBE_IPOPT_NONE || p->flow > IP6_FLOW_MAX || p->frag_off > 0x1fff))
		return -EINVAL;
	if (!ip6 && (p->frag || !ipopt_valid(p)))
		return -EINVAL;
	/* RFC 1191 section 4: sixteen bits in IPv4. */
	if (p->proto == IPPROTO_ICMP && p->icmp_is_mtu && p->icmp_mtu > UINT16_MAX)
		return -EINVAL;
	if (!csum_valid(p) || probe_size(p) - (ip6 ? IP6_HDR : 0) > IP_MAX)
		return -EINVAL;
	return 0;
}

static void
put_ts_prespec(struct wr *w, const struct probe *p)
{
	for (unsigned int i = 0; i < p->tsps_count; i++) {
		wr_bytes(w, p->tsps[i].b, 4);
		wr_zeros(w, 4);
	}
}

static void
put_ipopt(struct wr *w, const struct probe *p)
{
	/* The flag of the timestamp option; its size is the option's length. */
	static const uint8_t ts_flag[] = {
		[PROBE_IPOPT_TS_ONLY] = 0, [PROBE_IPOPT_TS_ADDR] = 1, [PROBE_IPOPT_TS_PRESPEC] = 3
	};
	uint8_t size = (uint8_t)ipopt_size(p);

	if (p->ipopt == PROBE_IPOPT_NONE)
		return;
	if (p->ipopt == PROBE_IPOPT_RR) {
		wr_u8(w, IPOPT_RR_TYPE);
		wr_u8(w, 3 + 4 * IPOPT_RR_SLOTS);
		wr_u8(w, 4);			       /* pointer: the first slot */
		wr_zeros(w, 4 * IPOPT_RR_SLOTS + 1); /* the last: end of options */
		return;
	}
	wr_u8(w, IPOPT_TS_TYPE);
	wr_u8(w, size);
	wr_u8(w, 5);
	wr_u8(w, ts_flag[p->ipopt]);
	if (p->ipopt == PROBE_IPOPT_TS_PRESPEC)
		put_ts_prespec(w, p);
	else
		wr_zeros(w, size - 4u);
}

static void
put_ip4(struct wr *w, const struct probe *p)
{
	size_t start = wr_len(w);
	size_t hdr = IP4_HDR + ipopt_size(p);

	wr_u8(w, (uint8_t)(4u << 4 | hdr / 4));
	wr_u8(w, p->tos);
	wr_u16(w, (uint16_t)(hdr + l4_size(p)));
	wr_u16(w, p->ip_id);
	wr_u16(w, IP4_DF);
	wr_u8(w, p->ttl);
	wr_u8(w, p->proto);
	wr_u16(w, 0);
	wr_bytes(w, p->src.b, 4);
	wr_bytes(w, p->dst.b, 4);
	put_ipopt(w, p);
	if (!w->bad)
		wr_patch16(w, start + 10, checksum_fold(checksum_add(0, w->start + start, hdr)));
}

static void
put_ip6(struct wr *w, const struct probe *p)
{
	size_t frag = p->frag ? IP6_FRAG_HDR : 0;

	wr_u32(w, 6u << 28 | (uint32_t)p->tos << 20 | p->flow);
	wr_u16(w, (uint16_t)(frag + l4_size(p)));
	wr_u8(w, p->frag ? IPPROTO_FRAGMENT : p->proto);
	wr_u8(w, p->ttl);
	wr_bytes(w, p->src.b, 16);
	wr_bytes(w, p->dst.b, 16);
	if (!p->frag)
		return;
	/* RFC 8200 section 4.5 */
	wr_u8(w, p->proto);
	wr_u8(w, 0);
	wr_u16(w, (uint16_t)(p->frag_off << 3));
	wr_u32(w, p->frag_id);
}

/* The put_* below write a header whose checksum is 0 and return where in the
 * header the checksum is. */

static size_t
put_udp(struct wr *w, const struct probe *p)
{
	wr_u16(w, p->sport);
	wr_u16(w, p->dport);
	wr_u16(w, (uint16_t)l4_size(p));
	wr_u16(w, 0);
	return 6;
}

static size_t
put_tcp(struct wr *w, const struct probe *p)
{
	size_t hdr = TCP_HDR + (p->tcp_mss != 0 ? TCP_OPT_MSS_LEN : 0);

	wr_u16(w, p->sport);
	wr_u16(w, p->dport);
	wr_u32(w, p->tcp_seq);
	wr_u32(w, p->tcp_ack);
	wr_u8(w, (uint8_t)(hdr / 4 << 4));
	wr_u8(w, p->tcp_flags);
	wr_u16(w, p->tcp_win);
	wr_u16(w, 0);
	wr_u16(w, 0); /* urgent pointer */
	if (p->tcp_mss != 0) {
		wr_u8(w, TCP_OPT_MSS);
		wr_u8(w, TCP_OPT_MSS_LEN);
		wr_u16(w, p->tcp_mss);
	}
	return 16;
}

static size_t
put_icmp(struct wr *w, const struct probe *p)
{
	if (!p->icmp_is_mtu) {
		wr_u8(w, p->icmp_type);
		wr_u8(w, p->icmp_code);
		wr_u16(w, 0);
		wr_u16(w, p->icmp_id);
		wr_u16(w, p->icmp_seq);
		return 2;
	}
	/* RFC 1191 section 4: type 3 code 4; RFC 4443 section 3.2: type 2. */
	wr_u8(w, is_ip6(p) ? 2 : 3);
	wr_u8(w, is_ip6(p) ? 0 : 4);
	wr_u16(w, 0);
	wr_u32(w, p->icmp_mtu);
	return 2;
}

static size_t
put_l4(struct wr *w, const struct probe *p)
{
	if (p->proto == IPPROTO_UDP)
		return put_udp(w, p);
	if (p->proto == IPPROTO_TCP)
		return put_tcp(w, p);
	return put_icmp(w, p);
}

/* Everything the transport checksum covers that is not the segment itself:
 * ICMPv4 alone has no pseudo-header (RFC 792; ICMPv6: RFC 4443 section 2.3). */
static uint32_t
pseudo_sum(const struct probe *p)
{
	if (p->proto == IPPROTO_ICMP)
		return 0;
	return checksum_pseudo(&p->src, &p->dst, p->proto, (uint32_t)l4_size(p));
}

/* A UDP checksum of 0 says "none" in IPv4 (RFC 768) and is dropped in IPv6
 * (RFC 8200 section 8.1): 0xffff is the same number. */
static uint16_t
shown_csum(const struct probe *p, uint16_t csum)
{
	return csum == 0 && p->proto == IPPROTO_UDP ? 0xffff : csum;
}

static void
patch_csum(struct wr *w, const struct probe *p, size_t start, size_t field)
{
	size_t len = l4_size(p);
	size_t fudge = start + len - p->payload_len + p->csum_off;
	uint16_t rest;

	if (p->csum_mode == PROBE_CSUM_FIXED) {
		wr_patch16(w, fudge, 0);
		wr_patch16(w, start + field, shown_csum(p, p->csum));
	}
	if (w->bad)
		return;
	rest = checksum_fold(checksum_add(pseudo_sum(p), w->start + start, len));
	if (p->csum_mode == PROBE_CSUM_NATURAL) {
		wr_patch16(w, start + field, shown_csum(p, rest));
		return;
	}
	/* At an odd offset the two bytes fall into two words, swapped. */
	if ((fudge - start) % 2 != 0)
		rest = (uint16_t)(rest << 8 | rest >> 8);
	wr_patch16(w, fudge, rest);
}

static void
put_payload(struct wr *w, const struct probe *p)
{
	if (p->payload != NULL)
		wr_bytes(w, p->payload, p->payload_len);
	else
		wr_zeros(w, p->payload_len);
}

static void
put_segment(struct wr *w, const struct probe *p)
{
	size_t start = wr_len(w), field = put_l4(w, p);

	put_payload(w, p);
	patch_csum(w, p, start, field);
}

int
probe_build(struct wr *w, const struct probe *p)
{
	int rc = probe_check(p);

	if (rc != 0)
		return rc;
	if (w->bad || probe_size(p) > (size_t)(w->end - w->p))
		return -ENOBUFS;
	if (is_ip6(p))
		put_ip6(w, p);
	else
		put_ip4(w, p);
	if (is_later_fragment(p))
		put_payload(w, p);
	else
		put_segment(w, p);
	return w->bad ? -ENOBUFS : 0;
}

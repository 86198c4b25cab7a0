#include "common/packet/pkt.h"

#include <netinet/in.h>
#include <string.h>

#include "common/packet/parse_icmp.h"
#include "common/rd.h"

#define IP4_HDR 20
#define IP6_HDR 40
#define L4_QUOTE_MIN 8 /* RFC 792: what every error quotes of the transport */
#define TCP_HDR 20
#define UDP_HDR 8

#define IP4_DF 0x4000
#define IP4_MF 0x2000
#define IP4_OFF 0x1fff

#define TCP_OPT_EOL 0
#define TCP_OPT_NOP 1
#define TCP_OPT_MSS 2
#define TCP_OPT_MSS_LEN 4

/* An IP header being parsed: r is at the next byte, and ends where the packet
 * or what was captured of it ends. */
struct parse {
	struct rd r;
	bool quoted;
	bool whole; /* nothing of the packet is missing */
};

static struct addr
take_addr4(struct rd *r)
{
	const uint8_t *p = rd_take(r, 4);
	struct addr a = { .family = ADDR_IP4 };

	if (p != NULL)
		memcpy(a.b, p, 4);
	return a;
}

static struct addr
take_addr6(struct rd *r)
{
	const uint8_t *p = rd_take(r, 16);
	struct addr a = { .family = ADDR_IP6 };

	if (p != NULL)
		memcpy(a.b, p, 16);
	return a;
}

/* Ends the cursor where the IP length says. Routers and hosts are known to
 * quote a length they have altered, so a quote is cut only by a length that
 * leaves it the 8 bytes that must be there. */
static void
cut(struct parse *ps, const uint8_t *start, size_t ip_len, size_t hdr_len)
{
	size_t len = (size_t)(ps->r.end - start);

	ps->whole = len >= ip_len;
	if (len > ip_len && (!ps->quoted || ip_len >= hdr_len + L4_QUOTE_MIN))
		ps->r.end = start + ip_len;
}

static enum pkt_result
parse_ip4(struct pkt *pkt, struct parse *ps)
{
	const uint8_t *start = ps->r.p;
	size_t hdr_len = (rd_u8(&ps->r) & 0x0fu) * 4;
	uint16_t off;

	pkt->tos = rd_u8(&ps->r);
	pkt->ip_len = rd_u16(&ps->r);
	pkt->ip_id = rd_u16(&ps->r);
	off = rd_u16(&ps->r);
	pkt->ttl = rd_u8(&ps->r);
	pkt->proto = rd_u8(&ps->r);
	(void)rd_u16(&ps->r); /* the kernel has verified the checksum, or a router */
	pkt->src = take_addr4(&ps->r);
	pkt->dst = take_addr4(&ps->r);
	if (ps->r.bad)
		return PKT_SHORT;
	pkt->df = (off & IP4_DF) != 0;
	pkt->frag_off = off & IP4_OFF;
	pkt->frag = (off & (IP4_MF | IP4_OFF)) != 0;
	if (hdr_len < IP4_HDR || (!ps->quoted && pkt->ip_len < hdr_len))
		return PKT_BAD;
	if (hdr_len > IP4_HDR) {
		pkt->ip_opts_len = (uint8_t)(hdr_len - IP4_HDR);
		pkt->ip_opts = rd_take(&ps->r, pkt->ip_opts_len);
		if (pkt->ip_opts == NULL)
			return PKT_SHORT;
	}
	pkt->ip_hdr_len = (uint16_t)hdr_len;
	cut(ps, start, pkt->ip_len, hdr_len);
	return PKT_OK;
}

static void
parse_frag6(struct pkt *pkt, struct rd *r)
{
	uint16_t off;

	(void)rd_u8(r); /* reserved */
	off = rd_u16(r);
	pkt->frag_off = off >> 3;
	pkt->frag = true;
	pkt->ip_id = rd_u32(r);
}

/* RFC 8200 section 4: extension headers, each of 8 bytes or more, so that the
 * packet's end bounds the walk. */
static enum pkt_result
parse_ext6(struct pkt *pkt, struct rd *r)
{
	for (;;) {
		uint8_t next;

		switch (pkt->proto) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			next = rd_u8(r);
			(void)rd_take(r, 6 + 8u * rd_u8(r));
			break;
		case IPPROTO_AH: /* RFC 4302 section 2.2: in 4-byte units, minus 2 */
			next = rd_u8(r);
			(void)rd_take(r, 6 + 4u * rd_u8(r));
			break;
		case IPPROTO_FRAGMENT:
			next = rd_u8(r);
			parse_frag6(pkt, r);
			break;
		default:
			return PKT_OK;
		}
		if (r->bad)
			return PKT_SHORT;
		pkt->proto = next;
		/* Behind a later fragment's header is no header but data. */
		if (pkt->frag_off != 0)
			return PKT_OK;
	}
}

static enum pkt_result
parse_ip6(struct pkt *pkt, struct parse *ps)
{
	const uint8_t *start = ps->r.p;
	uint32_t first = rd_u32(&ps->r);
	size_t ip_len = IP6_HDR + (size_t)rd_u16(&ps->r);
	enum pkt_result rc;

	pkt->proto = rd_u8(&ps->r);
	pkt->ttl = rd_u8(&ps->r);
	pkt->src = take_addr6(&ps->r);
	pkt->dst = take_addr6(&ps->r);
	if (ps->r.bad)
		return PKT_SHORT;
	pkt->tos = (uint8_t)(first >> 20);
	pkt->flow = first & 0xfffff;
	pkt->df = true; /* RFC 8200 section 4.5: routers never fragment */
	pkt->ip_len = ip_len > UINT16_MAX ? UINT16_MAX : (uint16_t)ip_len;
	cut(ps, start, ip_len, IP6_HDR);
	rc = parse_ext6(pkt, &ps->r);
	/* More extension headers than ip_hdr_len can count, on lo's 64 KiB. */
	if (rc == PKT_OK && ps->r.p - start > UINT16_MAX)
		return PKT_BAD;
	pkt->ip_hdr_len = (uint16_t)(ps->r.p - start);
	return rc;
}

static void
take_payload(struct pkt *pkt, const struct rd *r)
{
	size_t left = rd_left(r);

	pkt->payload = r->p;
	pkt->payload_len = left > UINT16_MAX ? UINT16_MAX : (uint16_t)left;
}

static enum pkt_result
parse_udp(struct pkt *pkt, struct parse *ps)
{
	struct rd *r = &ps->r;

	pkt->sport = rd_u16(r);
	pkt->dport = rd_u16(r);
	pkt->udp.len = rd_u16(r);
	pkt->udp.csum = rd_u16(r);
	if (r->bad)
		return PKT_SHORT;
	if (pkt->udp.len < UDP_HDR && !ps->quoted)
		return PKT_BAD;
	pkt->l4 = true;
	take_payload(pkt, r);
	if (pkt->udp.len >= UDP_HDR && pkt->payload_len > pkt->udp.len - UDP_HDR)
		pkt->payload_len = (uint16_t)(pkt->udp.len - UDP_HDR);
	return PKT_OK;
}

/* RFC 9293 section 3.2. The first option of a bad length ends the search. */
static uint16_t
find_mss(const uint8_t *opts, size_t len)
{
	struct rd r;

	rd_init(&r, opts, len);
	while (rd_left(&r) > 0) {
		uint8_t kind = rd_u8(&r), opt_len;

		if (kind == TCP_OPT_EOL)
			return 0;
		if (kind == TCP_OPT_NOP)
			continue;
		opt_len = rd_u8(&r);
		if (opt_len < 2)
			return 0;
		if (kind == TCP_OPT_MSS && opt_len == TCP_OPT_MSS_LEN)
			return rd_u16(&r);
		(void)rd_take(&r, opt_len - 2u);
	}
	return 0;
}

static enum pkt_result
parse_tcp(struct pkt *pkt, struct parse *ps)
{
	struct rd *r = &ps->r;
	size_t left = rd_left(r), hdr_len, opts_len;

	pkt->sport = rd_u16(r);
	pkt->dport = rd_u16(r);
	pkt->tcp.seq = rd_u32(r);
	if (r->bad)
		return PKT_SHORT;
	pkt->l4 = true;
	take_payload(pkt, r);
	if (ps->quoted && left < TCP_HDR)
		return PKT_OK;
	pkt->tcp.ack = rd_u32(r);
	hdr_len = (rd_u8(r) >> 4) * 4u;
	pkt->tcp.flags = rd_u8(r);
	pkt->tcp.win = rd_u16(r);
	(void)rd_u32(r); /* checksum and urgent pointer */
	if (r->bad)
		return PKT_SHORT;
	if (hdr_len < TCP_HDR || (ps->whole && !ps->quoted && hdr_len > left))
		return ps->quoted ? PKT_OK : PKT_BAD;
	opts_len = (hdr_len < left ? hdr_len : left) - TCP_HDR;
	pkt->tcp.mss = find_mss(r->p, opts_len);
	(void)rd_take(r, opts_len);
	take_payload(pkt, r);
	return PKT_OK;
}

static enum pkt_result
parse_l4(struct pkt *pkt, struct parse *ps)
{
	bool ip6 = pkt->src.family == ADDR_IP6;
	bool first = pkt->frag_off == 0; /* behind a later one's header is data */

	if (first && pkt->proto == IPPROTO_UDP)
		return parse_udp(pkt, ps);
	if (first && pkt->proto == IPPROTO_TCP)
		return parse_tcp(pkt, ps);
	if (first && pkt->proto == (ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return parse_icmp(pkt, &ps->r, ps->quoted);
	take_payload(pkt, &ps->r);
	return PKT_OK;
}

static enum pkt_result
parse_any(struct pkt *ret, const uint8_t *bytes, size_t len, bool quoted)
{
	struct parse ps = { .quoted = quoted };
	enum pkt_result rc;

	*ret = (struct pkt){ 0 };
	if (len == 0)
		return PKT_SHORT;
	rd_init(&ps.r, bytes, len);
	if (bytes[0] >> 4 == 4)
		rc = parse_ip4(ret, &ps);
	else if (bytes[0] >> 4 == 6)
		rc = parse_ip6(ret, &ps);
	else
		return PKT_UNKNOWN;
	return rc == PKT_OK ? parse_l4(ret, &ps) : rc;
}

enum pkt_result
pkt_parse(struct pkt *ret, const uint8_t *bytes, size_t len)
{
	return parse_any(ret, bytes, len, false);
}

enum pkt_result
pkt_parse_quote(struct pkt *ret, const struct pkt *error)
{
	bool icmp = error->proto == IPPROTO_ICMP || error->proto == IPPROTO_ICMPV6;
	uint8_t family = error->src.family;
	enum pkt_result rc;

	*ret = (struct pkt){ 0 };
	if (!icmp || !error->l4 || error->icmp.quote == NULL)
		return PKT_BAD;
	rc = parse_any(ret, error->icmp.quote, error->icmp.quote_len, true);
	return rc == PKT_OK && ret->src.family != family ? PKT_BAD : rc;
}

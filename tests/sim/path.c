#include "path.h"

#include <netinet/in.h>
#include <string.h>

#include "wire.h"

/* Types of RFC 792 and RFC 4443, for index topo_family(). */
static const uint8_t type_exceeded[2] = { 11, 3 };
static const uint8_t type_unreach[2] = { 3, 1 };
static const uint8_t code_port[2] = { 3, 4 };
static const uint8_t type_echo_reply[2] = { 0, 129 };

#define TOS_ERROR 0xc0 /* RFC 1812 section 4.3.2.5: internetwork control */
#define QUOTE_MAX4 548
#define QUOTE_MAX6 1232
#define EXT_QUOTE 128 /* RFC 4884 section 5.5 */

struct walk {
	struct topo *topo;
	const struct pkt *pkt;
	const uint8_t *bytes;
	size_t len;
	nsec_t now;
	const struct path_out *out;
};

/* Not one packet's: simulators run one after another in one thread. */
struct room {
	uint8_t seg[WIRE_MAX];
	uint8_t packet[WIRE_MAX + 100];
};

/* ---- whether and when an answer comes ---- */

static bool
is_lost(const struct walk *w, struct topo_hop *h)
{
	h->answers++;
	if (h->answers < 64 && (h->drop >> h->answers & 1) != 0)
		return true;
	if (h->loss > 0 && w->out->random(w->out->ctx) % 100 < h->loss)
		return true;
	if (h->rate > 0) {
		if (w->now - h->last_answer < NSEC_PER_SEC / h->rate)
			return true;
		h->last_answer = w->now;
	}
	return false;
}

static void
answer(const struct walk *w, struct topo_hop *h, uint32_t distance, const uint8_t *bytes, size_t len)
{
	nsec_t after = h->delay != 0 ? h->delay : (nsec_t)distance * NSEC_PER_MSEC;

	if (is_lost(w, h))
		return;
	for (uint32_t i = 0; i <= h->dup; i++) {
		nsec_t more = h->jitter > 0 ? (nsec_t)w->out->random(w->out->ctx) % h->jitter : 0;

		w->out->arrive(w->out->ctx, after + more + i * 10 * NSEC_PER_USEC, bytes, len);
	}
}

/* FNV-1a over what a balancer reads: addresses, protocol, ports, or ICMP type,
 * code and checksum. */
static uint32_t
flow_hash(const struct walk *w)
{
	const uint8_t *l4 = w->bytes + w->pkt->ip_hdr_len;
	uint32_t h = 2166136261u ^ w->topo->seed;

	for (int i = 0; i < 16; i++)
		h = (h ^ w->pkt->dst.b[i] ^ w->pkt->src.b[i]) * 16777619u;
	h = (h ^ w->pkt->proto) * 16777619u;
	for (int i = 0; i < 4; i++)
		h = (h ^ l4[i]) * 16777619u;
	return h ^ h >> 15;
}

static const struct addr *
hop_address(const struct walk *w, struct topo_hop *h)
{
	int f = topo_family(w->pkt->dst.family);

	if (!h->there || h->count[f] == 0)
		return NULL;
	if (h->pick == PICK_FLOW)
		return &h->addrs[f][flow_hash(w) % h->count[f]];
	if (h->pick == PICK_PACKET)
		return &h->addrs[f][h->turn++ % h->count[f]];
	return &h->addrs[f][0];
}

static struct wire_ip
back(const struct walk *w, const struct addr *from, uint8_t proto, uint8_t ttl, uint32_t distance)
{
	return (struct wire_ip){ .src = *from,
		.dst = w->pkt->src,
		.proto = proto,
		.ttl = (uint8_t)(ttl - (distance - 1)),
		.id = (uint16_t)w->out->random(w->out->ctx) };
}

/* ---- options of the header ---- */

/* The forward path as the options of RFC 791 record it. */
static void
record_hop(uint8_t *o, size_t len, const struct addr *a, uint32_t ms)
{
	uint8_t at = o[2];
	uint8_t flag = o[0] == 68 ? o[3] & 15 : 0;
	size_t need = o[0] == 7 || flag == 0 ? 4 : 8;

	if (at < 4 || at - 1 + need > len || at - 1 + need > o[1])
		return;
	if (o[0] == 7) {
		memcpy(o + at - 1, a->b, 4);
	} else if (flag == 0) {
		wire_put32(o + at - 1, ms);
	} else {
		if (flag == 3 && memcmp(o + at - 1, a->b, 4) != 0)
			return;
		memcpy(o + at - 1, a->b, 4);
		wire_put32(o + at + 3, ms);
	}
	o[2] = (uint8_t)(at + need);
}

static uint32_t
ms_of_day(const struct walk *w)
{
	return (uint32_t)(w->now / NSEC_PER_MSEC % 86400000);
}

/* The probe's options as they are after so many hops. */
static void
travel_options(const struct walk *w, uint32_t hops, uint8_t *opts)
{
	memcpy(opts, w->pkt->ip_opts, w->pkt->ip_opts_len);
	for (uint32_t i = 1; i <= hops && i < w->topo->dst.hops; i++) {
		const struct addr *a = hop_address(w, &w->topo->hop[i]);

		if (a != NULL)
			record_hop(opts, w->pkt->ip_opts_len, a, ms_of_day(w));
	}
	if (hops >= w->topo->dst.hops)
		record_hop(opts, w->pkt->ip_opts_len, &w->pkt->dst, ms_of_day(w));
}

/* ---- errors ---- */

static size_t
quote_len(const struct walk *w, const struct topo_hop *h)
{
	bool ip4 = w->pkt->dst.family == ADDR_IP4;
	size_t want = ip4 ? (size_t)w->pkt->ip_hdr_len + 8 : QUOTE_MAX6;
	size_t most = ip4 ? QUOTE_MAX4 : QUOTE_MAX6;

	if (h->quote >= 0)
		want = (size_t)h->quote < most ? (size_t)h->quote : most;
	return want < w->len ? want : w->len;
}

static size_t
put_quote(const struct walk *w, const struct topo_hop *h, uint32_t distance, uint8_t *p)
{
	size_t len = quote_len(w, h), ttl_at = w->pkt->dst.family == ADDR_IP4 ? 8 : 7;

	memcpy(p, w->bytes, len);
	if (len > ttl_at)
		p[ttl_at] = h->qttl >= 0 ? (uint8_t)h->qttl : (uint8_t)(w->pkt->ttl - (distance - 1));
	if (h->badid && ttl_at == 8 && len > 5)
		p[4] ^= 0xff;
	if (w->pkt->ip_opts_len > 0 && len >= w->pkt->ip_hdr_len)
		travel_options(w, distance, p + w->pkt->ip_hdr_len - w->pkt->ip_opts_len);
	return len;
}

static void
icmp_error(const struct walk *w, struct topo_hop *h, const struct addr *from, uint32_t distance, uint8_t type,
    uint8_t code, uint32_t rest)
{
	static struct room room;
	bool ip4 = w->pkt->dst.family == ADDR_IP4;
	struct wire_ip ip = back(w, from, ip4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, h->ttl, distance);
	uint8_t *p = room.seg;
	size_t len;

	ip.tos = TOS_ERROR;
	memset(p, 0, 8 + EXT_QUOTE);
	p[0] = type;
	p[1] = code;
	wire_put32(p + 4, rest);
	len = 8 + put_quote(w, h, distance, p + 8);
	if (h->label_count > 0) {
		len = 8 + EXT_QUOTE;
		p[ip4 ? 5 : 4] = ip4 ? EXT_QUOTE / 4 : EXT_QUOTE / 8;
		len += wire_mpls(p + len, h->labels, h->label_count);
	}
	len = wire_packet(room.packet, &ip, p, len, 2);
	answer(w, h, distance, room.packet, len);
}

/* ---- answers of the destination ---- */

/* A reply that is too large for what a too-big message told: in fragments. */
static void
answer_fragments(const struct walk *w, struct wire_ip *ip, const uint8_t *seg, size_t len)
{
	static struct room room;
	struct topo_hop *d = &w->topo->dst;
	size_t mtu = d->path_mtu < 1280 ? 1280 : d->path_mtu, piece = (mtu - 48) / 8 * 8;

	ip->frag = true;
	ip->frag_id = w->out->random(w->out->ctx);
	/* the checksum covers the whole, so that it is made before the cut */
	memcpy(room.seg, seg, len);
	(void)wire_packet(room.packet, ip, seg, len, 2);
	memcpy(room.seg, room.packet + 48, len);
	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;

		ip->frag_off = (uint16_t)(at / 8);
		ip->more = at + n < len;
		answer(w, d, d->hops, room.packet, wire_packet(room.packet, ip, room.seg + at, n, SIZE_MAX));
	}
}

static void
answer_segment(const struct walk *w, struct wire_ip *ip, const uint8_t *seg, size_t len, size_t csum_at)
{
	static struct room room;
	struct topo_hop *d = &w->topo->dst;
	uint8_t opts[40];

	if (ip->src.family == ADDR_IP6 && d->path_mtu != 0 && len + 40 > d->path_mtu) {
		answer_fragments(w, ip, seg, len);
		return;
	}
	if (w->pkt->ip_opts_len > 0 && ip->proto == IPPROTO_ICMP) {
		travel_options(w, d->hops, opts);
		ip->opts = opts;
		ip->opts_len = w->pkt->ip_opts_len;
	}
	answer(w, d, d->hops, room.packet, wire_packet(room.packet, ip, seg, len, csum_at));
}

static void
dst_icmp(const struct walk *w, struct wire_ip *ip, const uint8_t *seg, size_t len)
{
	static uint8_t copy[WIRE_MAX];
	struct topo_hop *d = &w->topo->dst;
	const struct pkt_icmp *icmp = &w->pkt->icmp;
	int f = topo_family(w->pkt->dst.family);

	if (icmp->kind == ICMP_KIND_TOO_BIG && !d->noptb)
		d->path_mtu = icmp->nhmtu;
	memcpy(copy, seg, len);
	if (icmp->kind == ICMP_KIND_ECHO && d->echo != ANSWER_SILENT) {
		copy[0] = type_echo_reply[f];
		answer_segment(w, ip, copy, len, 2);
	} else if (icmp->kind == ICMP_KIND_TIME && d->time != ANSWER_SILENT && len >= 20) {
		copy[0] = 14;
		wire_put32(copy + 12, ms_of_day(w));
		wire_put32(copy + 16, ms_of_day(w));
		answer_segment(w, ip, copy, 20, 2);
	}
}

static void
dst_udp(const struct walk *w, struct wire_ip *ip)
{
	struct topo_hop *d = &w->topo->dst;
	int f = topo_family(w->pkt->dst.family);
	uint8_t seg[12] = { 0 };

	if (d->udp == ANSWER_SILENT)
		return;
	if (d->udp != ANSWER_REPLY) {
		icmp_error(w, d, &w->pkt->dst, d->hops, type_unreach[f], code_port[f], 0);
		return;
	}
	wire_put16(seg, w->pkt->dport);
	wire_put16(seg + 2, w->pkt->sport);
	wire_put16(seg + 4, sizeof(seg));
	answer_segment(w, ip, seg, sizeof(seg), 6);
}

/* RFC 9293 section 3.10.7: a SYN is accepted or reset, the rest is reset; a
 * reset is never answered. */
static void
dst_tcp(const struct walk *w, struct wire_ip *ip)
{
	struct topo_hop *d = &w->topo->dst;
	uint8_t seg[24] = { 0 }, flags = w->pkt->tcp.flags;
	bool accept = d->tcp == ANSWER_SYNACK && (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;

	if (d->tcp == ANSWER_SILENT || (flags & TCP_RST) != 0)
		return;
	wire_put16(seg, w->pkt->dport);
	wire_put16(seg + 2, w->pkt->sport);
	wire_put32(seg + 4, accept ? w->out->random(w->out->ctx) : w->pkt->tcp.ack);
	seg[12] = 5 << 4;
	seg[13] = TCP_RST;
	if ((flags & TCP_ACK) == 0) {
		wire_put32(seg + 8, w->pkt->tcp.seq + 1);
		seg[13] = accept ? TCP_SYN | TCP_ACK : TCP_RST | TCP_ACK;
	}
	if (accept) {
		seg[12] = 6 << 4;
		seg[20] = 2;
		seg[21] = 4;
		wire_put16(seg + 22, 1460);
	}
	if (d->echoid)
		ip->id = (uint16_t)w->pkt->ip_id;
	answer_segment(w, ip, seg, accept ? 24 : 20, 16);
}

static void
at_dst(const struct walk *w)
{
	struct topo_hop *d = &w->topo->dst;
	struct wire_ip ip = back(w, &w->pkt->dst, w->pkt->proto, d->ttl, d->hops);
	size_t hdr = w->pkt->ip_hdr_len;
	int f = topo_family(w->pkt->dst.family);

	if (d->silent)
		return;
	if (d->unreach >= 0)
		icmp_error(w, d, &w->pkt->dst, d->hops, type_unreach[f], (uint8_t)d->unreach, 0);
	else if (w->pkt->proto == IPPROTO_UDP)
		dst_udp(w, &ip);
	else if (w->pkt->proto == IPPROTO_TCP)
		dst_tcp(w, &ip);
	else
		dst_icmp(w, &ip, w->bytes + hdr, w->len - hdr);
}

/* ---- the way there ---- */

static void
too_big(const struct walk *w, struct topo_hop *h, const struct addr *from, uint32_t distance)
{
	uint32_t mtu = h->nhmtu >= 0 ? (uint32_t)h->nhmtu : h->mtu;

	if (from == NULL || h->silent || h->nobig)
		return;
	if (w->pkt->dst.family == ADDR_IP4)
		icmp_error(w, h, from, distance, 3, 4, mtu);
	else
		icmp_error(w, h, from, distance, 2, 0, mtu);
}

/* One router. True: it forwards the packet. */
static bool
at_hop(const struct walk *w, uint32_t distance)
{
	struct topo_hop *h = &w->topo->hop[distance];
	const struct addr *from = hop_address(w, h);
	bool mute = from == NULL || h->silent;
	int f = topo_family(w->pkt->dst.family);

	if (h->unreach >= 0) {
		if (!mute)
			icmp_error(w, h, from, distance, type_unreach[f], (uint8_t)h->unreach, 0);
		return false;
	}
	if (w->pkt->ttl == distance) {
		if (!mute)
			icmp_error(w, h, from, distance, type_exceeded[f], 0, 0);
		return false;
	}
	if (h->mtu != 0 && w->len > h->mtu) {
		too_big(w, h, from, distance);
		return false;
	}
	return !h->block;
}

void
path_walk(struct topo *t, const struct pkt *pkt, const uint8_t *bytes, size_t len, nsec_t now,
    const struct path_out *out)
{
	struct walk w = { .topo = t, .pkt = pkt, .bytes = bytes, .len = len, .now = now, .out = out };

	for (uint32_t i = 1; i < t->dst.hops; i++) {
		if (i > pkt->ttl || !at_hop(&w, i))
			return;
	}
	if (pkt->ttl >= t->dst.hops)
		at_dst(&w);
}

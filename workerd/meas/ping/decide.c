#include <assert.h>
#include <netinet/in.h>

#include "workerd/meas/ping/ping.h"

/* RFC 792: originate, receive and transmit stamps behind the ICMP header. */
#define ICMP_TIME_BYTES 12
#define TCP_MSS_OPTION_BYTES 4

#define ICMP_ROW(bytes)                                                                                      \
	.proto = IPPROTO_ICMP, .varies = PING_VARIES_SEQ, .header = 8, .payload = (bytes), .embeds = true
#define TCP_ROW(flags) .proto = IPPROTO_TCP, .header = 20, .tcp_flags = (flags)
#define UDP_ROW .proto = IPPROTO_UDP, .header = 8, .payload = 12, .embeds = true

static const struct ping_kind kinds[PING_METHODS] = {
	[PING_ICMP_ECHO] = { ICMP_ROW(56) },
	[PING_TCP_ACK] = { TCP_ROW(TCP_ACK), .number_is_ack = true, .embeds = true },
	[PING_TCP_ACK_SPORT] = { TCP_ROW(TCP_ACK), .varies = PING_VARIES_SPORT, .number_is_ack = true,
	    .embeds = true },
	[PING_UDP] = { UDP_ROW },
	[PING_UDP_DPORT] = { UDP_ROW, .varies = PING_VARIES_DPORT },
	[PING_ICMP_TIME] = { ICMP_ROW(44) },
	[PING_TCP_SYN] = { TCP_ROW(TCP_SYN), .embeds = true },
	[PING_TCP_SYNACK] = { TCP_ROW(TCP_SYN | TCP_ACK), .number_is_ack = true },
	[PING_TCP_RST] = { TCP_ROW(TCP_RST) },
	[PING_TCP_SYN_SPORT] = { TCP_ROW(TCP_SYN), .varies = PING_VARIES_SPORT, .embeds = true },
	[PING_UDP_SPORT] = { UDP_ROW, .varies = PING_VARIES_SPORT },
};

const struct ping_kind *
ping_kind_of(uint8_t method)
{
	assert(method < PING_METHODS);
	return &kinds[method];
}

bool
ping_is_icmp(uint8_t method)
{
	return ping_kind_of(method)->proto == IPPROTO_ICMP;
}

bool
ping_is_tcp(uint8_t method)
{
	return ping_kind_of(method)->proto == IPPROTO_TCP;
}

/* ---- sizes: commands.md 4.2 ---- */

static uint32_t
ip_option_bytes(const struct ping_record *rec)
{
	if ((rec->flags & (PING_FLAG_RR | PING_FLAG_TSONLY)) != 0)
		return 40;
	if ((rec->flags & PING_FLAG_TSANDADDR) != 0)
		return 36;
	if (rec->rare != NULL && rec->rare->tsps_count > 0)
		return 4 + 8 * (uint32_t)rec->rare->tsps_count;
	return 0;
}

bool
ping_embeds_source(const struct ping_record *rec)
{
	return (rec->flags & (PING_FLAG_SPOOF | PING_FLAG_NOSRC)) == PING_FLAG_SPOOF &&
	       ping_kind_of(rec->method)->embeds;
}

uint32_t
ping_prefix_bytes(const struct ping_record *rec)
{
	uint32_t n = rec->method == PING_ICMP_TIME ? ICMP_TIME_BYTES : 0;

	if (ping_embeds_source(rec))
		n += (uint32_t)addr_len(rec->dst.family);
	return n;
}

uint32_t
ping_header_bytes(const struct ping_record *rec)
{
	uint32_t n = rec->dst.family == ADDR_IP4 ? 20 : 40;

	n += ip_option_bytes(rec);
	n += ping_kind_of(rec->method)->header;
	if (rec->tcp_mss != 0)
		n += TCP_MSS_OPTION_BYTES;
	return n + ping_prefix_bytes(rec);
}

uint16_t
ping_default_port(const struct ping_record *rec, uint16_t port)
{
	uint32_t last = (uint32_t)port + rec->probe_count - 1;

	if (ping_kind_of(rec->method)->varies == PING_VARIES_SPORT && last > UINT16_MAX)
		return (uint16_t)(UINT16_MAX - (rec->probe_count - 1));
	return port;
}

/* ---- which probe: commands.md 4.4 ---- */

static int32_t
by_seq(const struct ping_record *rec, uint16_t seq)
{
	uint16_t index = (uint16_t)(seq - rec->dport);

	return index < rec->sent ? index : -1;
}

static int32_t
by_dport(const struct ping_record *rec, uint16_t dport)
{
	uint32_t index = (uint32_t)dport - rec->dport; /* a lower port wraps, beyond any count */

	return index < rec->sent ? (int32_t)index : -1;
}

/* Ports go up by one, unless another program had one of them. */
static int32_t
by_sport(const struct ping_record *rec, uint16_t sport)
{
	uint16_t guess = (uint16_t)(sport - rec->sport);

	if (guess < rec->sent && rec->probes[guess].sport == sport)
		return guess;
	for (int32_t i = (int32_t)rec->sent - 1; i >= 0; i--) {
		if (rec->probes[i].sport == sport)
			return i;
	}
	return -1;
}

static int32_t
by_ipid(const struct ping_record *rec, uint32_t ip_id)
{
	int32_t last = (int32_t)rec->sent - 1;

	for (int32_t i = last; i >= 0 && i > last - PING_IPID_BACK; i--) {
		if (rec->probes[i].ip_id == ip_id)
			return i;
	}
	return -1;
}

/* Is p our kind of ICMP request (as it left, or as quoted)? */
static bool
is_our_request(const struct ping_record *rec, const struct pkt *p)
{
	return p->icmp.kind == (rec->method == PING_ICMP_TIME ? ICMP_KIND_TIME : ICMP_KIND_ECHO);
}

/* -1 for a fixed-port probe, which only the IPID tells. */
static int32_t
by_own_fields(const struct ping_record *rec, const struct pkt *p)
{
	switch ((enum ping_varies)ping_kind_of(rec->method)->varies) {
	case PING_VARIES_SEQ:
		return is_our_request(rec, p) ? by_seq(rec, p->icmp.seq) : -1;
	case PING_VARIES_SPORT:
		return by_sport(rec, p->sport);
	case PING_VARIES_DPORT:
		return by_dport(rec, p->dport);
	case PING_VARIES_NOTHING:
		break;
	}
	return -1;
}

static bool
varies(const struct ping_record *rec)
{
	return ping_kind_of(rec->method)->varies != PING_VARIES_NOTHING;
}

int32_t
ping_index_sent(const struct ping_record *rec, const struct pkt *p)
{
	if (varies(rec))
		return by_own_fields(rec, p);
	if (p->src.family == ADDR_IP4)
		return by_ipid(rec, p->ip_id);
	return (int32_t)rec->sent - 1;
}

int32_t
ping_index_quoted(const struct ping_record *rec, const struct pkt *p)
{
	int32_t index;

	if (varies(rec))
		return by_own_fields(rec, p);
	index = p->src.family == ADDR_IP4 ? by_ipid(rec, p->ip_id) : -1;
	/* Some routers rewrite the quoted IPID, and IPv6 has none. */
	return index >= 0 ? index : (int32_t)rec->sent - 1;
}

int32_t
ping_index_direct(const struct ping_record *rec, const struct pkt *p)
{
	int32_t index = -1;

	switch ((enum ping_varies)ping_kind_of(rec->method)->varies) {
	case PING_VARIES_SEQ:
		if (p->icmp.kind !=
		    (rec->method == PING_ICMP_TIME ? ICMP_KIND_TIME_REPLY : ICMP_KIND_ECHO_REPLY))
			return -1;
		return by_seq(rec, p->icmp.seq);
	case PING_VARIES_SPORT:
		return by_sport(rec, p->dport);
	case PING_VARIES_DPORT:
		return by_dport(rec, p->sport);
	case PING_VARIES_NOTHING:
		break;
	}
	/* Some systems answer a segment with a RST that has the segment's IPID. */
	if (p->src.family == ADDR_IP4 && p->proto == IPPROTO_TCP && (p->tcp.flags & TCP_RST) != 0)
		index = by_ipid(rec, p->ip_id);
	return index >= 0 ? index : (int32_t)rec->sent - 1;
}

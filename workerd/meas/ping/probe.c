#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"
#include "workerd/meas/ping/ping.h"

/* RFC 792 and RFC 4443 types of what we send. */
#define ICMP4_ECHO 8
#define ICMP4_TIME 13
#define ICMP4_UNREACH 3
#define ICMP4_FRAG_NEEDED 4
#define ICMP6_TOO_BIG 2
#define ICMP6_ECHO 128

/* commands.md 4.5: as much of the reply as a too-big message quotes. RFC 4443
 * section 2.4(c): an error stays within 1280 bytes, 48 of which are headers. */
#define QUOTE4_L4_BYTES 8
#define QUOTE6_MAX 1232
#define TOOBIG_TTL 255

#define TCP_WINDOW 65535

struct ping_more *
ping_more(struct ping *p)
{
	return p->has_more ? &((struct ping_full *)p)->more : NULL;
}

static void
toobig_free_all(struct ping_toobig *t)
{
	while (t != NULL) {
		struct ping_toobig *next = t->next;

		free(t);
		t = next;
	}
}

void
ping_more_fini(struct ping_more *m)
{
	toobig_free_all(m->toobig);
	free(m->sending);
	free(m->payload);
}

/* ---- the payload: commands.md 4.3 ---- */

/* Bytes of the user: the payload once, or the pattern over and over. */
static void
fill_data(const struct ping_record *rec, uint8_t *p, size_t room)
{
	const struct ping_rare *rare = rec->rare;
	bool once = (rec->flags & PING_FLAG_PAYLOAD) != 0;

	if (rare == NULL || rare->data_len == 0)
		return;
	while (room > 0) {
		size_t n = rare->data_len < room ? rare->data_len : room;

		memcpy(p, rare->data, n);
		p += n;
		room -= n;
		if (once)
			return;
	}
}

int
ping_prepare(struct ping *p, const struct addr *real_src)
{
	const struct ping_record *rec = &p->rec;
	bool plain = rec->rare == NULL || rec->rare->data_len == 0;
	size_t skip = ping_prefix_bytes(rec);
	struct ping_more *more = ping_more(p);

	if (more == NULL || p->payload_len == 0 || (plain && skip == 0))
		return 0; /* zeros, which need no memory */
	more->payload = calloc(1, p->payload_len);
	if (more->payload == NULL)
		return -ENOMEM;
	if (ping_embeds_source(rec)) {
		size_t len = addr_len(rec->dst.family);

		memcpy(more->payload + skip - len, real_src->b, len);
	}
	if ((rec->flags & PING_FLAG_ICMPSUM) != 0)
		skip += 2; /* chosen by probe_build */
	fill_data(rec, more->payload + skip, p->payload_len - skip);
	return 0;
}

/* RFC 792: milliseconds since midnight UT. */
static void
put_originate(uint8_t *at, nsec_t wall)
{
	uint32_t ms = (uint32_t)(wall / NSEC_PER_MSEC % 86400000);

	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(ms >> (24 - 8 * i));
}

/* ---- probes ---- */

static void
fill_icmp(const struct ping *p, struct probe *pr, uint16_t index)
{
	const struct ping_record *rec = &p->rec;

	pr->icmp_type = rec->method == PING_ICMP_TIME ? ICMP4_TIME : ICMP4_ECHO;
	if (rec->dst.family == ADDR_IP6) {
		pr->proto = IPPROTO_ICMPV6;
		pr->icmp_type = ICMP6_ECHO;
	}
	pr->icmp_id = rec->sport;
	pr->icmp_seq = (uint16_t)(rec->dport + index);
	if ((rec->flags & PING_FLAG_ICMPSUM) != 0) {
		pr->csum_mode = PROBE_CSUM_FIXED;
		pr->csum = rec->icmp_csum;
		pr->csum_off = (uint16_t)ping_prefix_bytes(rec);
	}
}

static void
fill_tcp(const struct ping_record *rec, struct probe *pr, uint8_t flags)
{
	pr->tcp_flags = flags;
	pr->tcp_seq = rec->tcp_seq;
	pr->tcp_ack = rec->tcp_ack;
	pr->tcp_win = TCP_WINDOW;
	pr->tcp_mss = rec->tcp_mss;
}

static void
fill_ip_options(const struct ping_record *rec, struct probe *pr)
{
	if ((rec->flags & PING_FLAG_RR) != 0)
		pr->ipopt = PROBE_IPOPT_RR;
	else if ((rec->flags & PING_FLAG_TSONLY) != 0)
		pr->ipopt = PROBE_IPOPT_TS_ONLY;
	else if ((rec->flags & PING_FLAG_TSANDADDR) != 0)
		pr->ipopt = PROBE_IPOPT_TS_ADDR;
	if (rec->rare == NULL)
		return;
	pr->router = rec->rare->router;
	if (rec->rare->tsps_count > 0) {
		pr->ipopt = PROBE_IPOPT_TS_PRESPEC;
		pr->tsps_count = rec->rare->tsps_count;
		memcpy(pr->tsps, rec->rare->tsps, sizeof(pr->tsps));
	}
}

void
ping_fill_probe(struct ping *p, struct probe *pr, uint16_t index, const struct instant *now)
{
	const struct ping_record *rec = &p->rec;
	const struct ping_kind *kind = ping_kind_of(rec->method);
	struct ping_more *more = ping_more(p);

	pr->src = rec->src;
	pr->dst = rec->dst;
	pr->proto = kind->proto;
	pr->ttl = rec->ttl;
	pr->tos = rec->tos;
	pr->ip_id = rec->probes[index].ip_id;
	pr->sport = rec->probes[index].sport;
	pr->dport = rec->dport;
	if (kind->varies == PING_VARIES_DPORT)
		pr->dport = (uint16_t)(rec->dport + index);
	if (kind->proto == IPPROTO_ICMP)
		fill_icmp(p, pr, index);
	else if (kind->proto == IPPROTO_TCP)
		fill_tcp(rec, pr, kind->tcp_flags);
	fill_ip_options(rec, pr);
	pr->payload_len = p->payload_len;
	if (more != NULL && more->payload != NULL) {
		pr->payload = more->payload;
		if (rec->method == PING_ICMP_TIME)
			put_originate(more->payload, now->wall);
	}
}

/* ---- too-big messages: commands.md 4.5 ---- */

static size_t
quote_bytes(const struct reply *r)
{
	size_t want = QUOTE6_MAX;

	if (r->pkt->src.family == ADDR_IP4)
		want = (size_t)r->pkt->ip_hdr_len + QUOTE4_L4_BYTES;
	return want < r->len ? want : r->len;
}

int
ping_queue_toobig(struct ping *p, const struct reply *r)
{
	struct ping_more *more = ping_more(p);
	struct ping_toobig **at, *t;
	size_t len = quote_bytes(r);
	uint32_t waiting = 0;

	if (more == NULL)
		return -EINVAL; /* it was not asked for */
	for (at = &more->toobig; *at != NULL; at = &(*at)->next)
		waiting++;
	if (waiting >= PING_TOOBIG_MAX)
		return -ENOBUFS;
	t = calloc(1, sizeof(*t) + len);
	if (t == NULL)
		return -ENOMEM;
	t->src = r->pkt->dst;
	t->dst = r->pkt->src;
	t->len = (uint16_t)len;
	memcpy(t->quote, r->bytes, len);
	*at = t;
	return 0;
}

bool
ping_fill_toobig(struct ping *p, struct probe *pr)
{
	struct ping_more *more = ping_more(p);
	struct ping_toobig *t;

	if (more == NULL)
		return false;
	free(more->sending);
	more->sending = t = more->toobig;
	if (t == NULL)
		return false;
	more->toobig = t->next;
	pr->src = t->src;
	pr->dst = t->dst;
	if (p->rec.rare != NULL)
		pr->router = p->rec.rare->router;
	pr->ttl = TOOBIG_TTL;
	if (t->dst.family == ADDR_IP4) {
		pr->proto = IPPROTO_ICMP;
		pr->icmp_type = ICMP4_UNREACH;
		pr->icmp_code = ICMP4_FRAG_NEEDED;
		pr->ip_id = (uint16_t)(task_random(&p->meas.task) % UINT16_MAX + 1);
	} else {
		pr->proto = IPPROTO_ICMPV6;
		pr->icmp_type = ICMP6_TOO_BIG;
	}
	pr->icmp_is_mtu = true;
	pr->icmp_mtu = p->rec.pmtu;
	pr->payload = t->quote;
	pr->payload_len = t->len;
	return true;
}

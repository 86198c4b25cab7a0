#include <errno.h>
#include <netinet/in.h>

#include "common/nsec.h"
#include "proto/record/bits.h"
#include "proto/record/codec.h"
#include "proto/record/json.h"
#include "proto/record/ping_priv.h"
#include "proto/record/ping_stat.h"

static const struct ping_record *
rec_of(const struct field_ctx *c)
{
	return c->base[BASE_REC];
}

/* The reply, or NULL where a probe without one is written. */
static const struct ping_reply *
reply_of(const struct field_ctx *c)
{
	return c->base[BASE_SELF];
}

struct field_ctx
ping_reply_ctx(const struct field_ctx *outer, const struct ping_reply *reply)
{
	struct field_ctx c = *outer;

	c.base[BASE_SELF] = (void *)(uintptr_t)reply;
	c.base[BASE_PROBE] = &rec_of(outer)->probes[reply->probe];
	c.base[BASE_EXTRA] = reply->extra;
	return c;
}

static bool
to_ip4(const struct field_ctx *c)
{
	return rec_of(c)->dst.family == ADDR_IP4;
}

static bool
ttl_known(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return (reply_of(c)->flags & PING_REPLY_TTL) != 0;
}

static bool
tos_known(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return (reply_of(c)->flags & PING_REPLY_TOS) != 0;
}

static bool
is_icmp(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return ping_reply_is_icmp(reply_of(c));
}

static bool
is_tcp(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return reply_of(c)->proto == IPPROTO_TCP;
}

static bool
is_toobig(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return ping_reply_is_toobig(rec_of(c), reply_of(c));
}

static bool
ip4_ipid(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return to_ip4(c) && (reply_of(c)->flags & PING_REPLY_IPID) != 0;
}

static bool
ip6_ipid(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return !to_ip4(c) && (reply_of(c)->flags & PING_REPLY_IPID) != 0;
}

static bool
any_ipid(const struct field_ctx *c, const struct field *f)
{
	return to_ip4(c) || ip6_ipid(c, f);
}

/* Only IPv4 probes have an identification. */
static bool
probe_ipid_known(const struct field_ctx *c, const struct field *f)
{
	if (!to_ip4(c))
		return false;
	if (reply_of(c) == NULL)
		return field_given(c, f);
	return (reply_of(c)->flags & PING_PROBE_IPID) != 0;
}

/* Absent means the ICMP of the target's family. */
static bool
proto_needed(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return !ping_method_is_icmp(rec_of(c)->method) ||
	       reply_of(c)->proto != (to_ip4(c) ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static bool
port_known(const struct field_ctx *c, const struct field *f)
{
	return !ping_method_is_icmp(rec_of(c)->method) && field_given(c, f);
}

static bool
has_mss(const struct field_ctx *c, const struct field *f)
{
	return reply_of(c)->proto == IPPROTO_TCP && field_given(c, f);
}

static bool
has_stamps(const struct field_ctx *c, const struct field *f)
{
	const struct ping_reply_extra *x = c->base[BASE_EXTRA];

	(void)f;
	return x != NULL && x->ts_count != 0;
}

static bool
has_icmp_times(const struct field_ctx *c, const struct field *f)
{
	const struct ping_reply_extra *x = c->base[BASE_EXTRA];

	(void)f;
	return x != NULL && x->has_icmp_times != 0;
}

static bool
any_dl_flag(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return (reply_of(c)->flags & (PING_REPLY_DLTX | PING_REPLY_DLRX)) != 0;
}

static int
put_ipid16(struct warts_put *w, const struct field_ctx *c)
{
	buf_u16(w->out, (uint16_t)reply_of(c)->ip_id);
	return 0;
}

static int
put_ipid32(struct warts_put *w, const struct field_ctx *c)
{
	buf_u32(w->out, reply_of(c)->ip_id);
	return 0;
}

/* The 2021 writer puts both forms into every reply, one of them zero
 * (warts.md 23, no. 10): the family says which one counts. */
static int
get_ipid16(struct warts_get *g, const struct field_ctx *c)
{
	struct ping_reply *reply = c->base[BASE_SELF];
	uint16_t v = rd_u16(&g->rd);

	if (to_ip4(c))
		reply->ip_id = v;
	return 0;
}

static int
get_ipid32(struct warts_get *g, const struct field_ctx *c)
{
	struct ping_reply *reply = c->base[BASE_SELF];
	uint32_t v = rd_u32(&g->rd);

	if (!to_ip4(c))
		reply->ip_id = v;
	return 0;
}

static int
put_stamps(struct warts_put *w, const struct field_ctx *c)
{
	const struct ping_reply_extra *x = c->base[BASE_EXTRA];

	buf_u8(w->out, x->ts_count);
	buf_u8(w->out, x->ts_addr_count);
	for (uint8_t i = 0; i < x->ts_count; i++)
		buf_u32(w->out, x->ts[i]);
	for (uint8_t i = 0; i < x->ts_addr_count; i++)
		warts_put_addr(w, &x->ts_addr[i]);
	return 0;
}

static int
get_stamps(struct warts_get *g, const struct field_ctx *c)
{
	struct ping_reply_extra *x = c->base[BASE_EXTRA];
	uint8_t n = rd_u8(&g->rd);
	uint8_t addrs = rd_u8(&g->rd);

	if (n > 9 || (addrs != 0 && addrs != n))
		return errbuf_set(g->err, -EBADMSG, "%u timestamps with %u addresses", n, addrs);
	for (uint8_t i = 0; i < n; i++)
		x->ts[i] = rd_u32(&g->rd);
	for (uint8_t i = 0; i < addrs; i++) {
		int r = warts_get_addr(g, &x->ts_addr[i]);

		if (r < 0)
			return r;
	}
	x->ts_count = n;
	x->ts_addr_count = addrs;
	return 0;
}

static int
put_icmp_times(struct warts_put *w, const struct field_ctx *c)
{
	const struct ping_reply_extra *x = c->base[BASE_EXTRA];

	for (int i = 0; i < 3; i++)
		buf_u32(w->out, x->icmp_times[i]);
	return 0;
}

static int
get_icmp_times(struct warts_get *g, const struct field_ctx *c)
{
	struct ping_reply_extra *x = c->base[BASE_EXTRA];

	for (int i = 0; i < 3; i++)
		x->icmp_times[i] = rd_u32(&g->rd);
	x->has_icmp_times = 1;
	return 0;
}

static uint16_t
seq_of(const struct field_ctx *c)
{
	return (uint16_t)((const struct ping_probe *)c->base[BASE_PROBE] - rec_of(c)->probes);
}

static void
json_seq(struct buf *b, const struct field_ctx *c)
{
	buf_dec(b, seq_of(c));
}

/* The port of this probe: the one really used, else by the method's rule. */
static uint16_t
sport_of(const struct field_ctx *c)
{
	const struct ping_record *p = rec_of(c);
	const struct ping_probe *probe = c->base[BASE_PROBE];

	if (probe->sport != 0)
		return probe->sport;
	switch (p->method) {
	case PING_TCP_ACK_SPORT:
	case PING_TCP_SYN_SPORT:
	case PING_UDP_SPORT:
		return (uint16_t)(p->sport + seq_of(c));
	}
	return p->sport;
}

static void
json_idents(struct buf *b, const struct field_ctx *c)
{
	const struct ping_record *p = rec_of(c);
	bool tcp = ping_method_is_tcp(p->method);

	if (ping_method_is_icmp(p->method)) {
		json_number(b, "icmp_id", p->sport);
		json_number(b, "icmp_seq", (uint16_t)(p->dport + seq_of(c)));
		return;
	}
	if (!tcp && !ping_method_is_udp(p->method))
		return; /* a method newer than we are */
	json_number(b, tcp ? "tcp_sport" : "udp_sport", sport_of(c));
	buf_text(b, tcp ? ", \"tcp_dport\":" : ", \"udp_dport\":");
	buf_dec(b, p->method == PING_UDP_DPORT ? (uint16_t)(p->dport + seq_of(c)) : p->dport);
}

static void
json_proto(struct buf *b, const struct field_ctx *c)
{
	const struct ping_reply *r = reply_of(c);

	if (ping_reply_is_icmp(r))
		buf_text(b, "\"icmp\"");
	else if (r->proto == IPPROTO_TCP)
		buf_text(b, "\"tcp\"");
	else if (r->proto == IPPROTO_UDP)
		buf_text(b, "\"udp\"");
	else
		buf_dec(b, r->proto);
}

static void
json_rx(struct buf *b, const struct field_ctx *c)
{
	const struct ping_probe *probe = c->base[BASE_PROBE];

	json_time(b, probe->tx / NSEC_PER_USEC * NSEC_PER_USEC + reply_of(c)->rtt_us * NSEC_PER_USEC);
}

static void
json_mss(struct buf *b, const struct field_ctx *c)
{
	buf_text(b, ", \"tcp_mss\":");
	buf_dec(b, reply_of(c)->tcp_mss);
}

static void
json_stamps(struct buf *b, const struct field_ctx *c)
{
	const struct ping_reply_extra *x = c->base[BASE_EXTRA];
	bool tsonly = (rec_of(c)->flags & PING_FLAG_TSONLY) != 0;

	json_key(b, tsonly ? "tsonly" : "tsandaddr");
	buf_u8(b, '[');
	for (uint8_t i = 0; i < x->ts_count; i++) {
		json_sep(b);
		if (tsonly) {
			buf_dec(b, x->ts[i]);
			continue;
		}
		buf_u8(b, '{');
		json_number(b, "ts", x->ts[i]);
		if (i < x->ts_addr_count) {
			json_key(b, "ip");
			json_addr(b, &x->ts_addr[i]);
		}
		buf_u8(b, '}');
	}
	buf_u8(b, ']');
}

static const struct record_word dl_words[] = {
	{ "dltxts", PING_REPLY_DLTX },
	{ "dlrxts", PING_REPLY_DLRX },
	{ NULL, 0 },
};

static const struct record_word probe_words[] = {
	{ "dltxts", PING_PROBE_DLTX },
	{ "pending", PING_PROBE_PENDING },
	{ NULL, 0 },
};

enum {
	PARAMS = 21,
	ROW_SEQ,
	ROW_IDENTS,
	ROW_PROTO,
	ROW_RX,
	ROW_TYPE,
	ROW_CODE,
	ROW_MSS,
	ROW_IPID,
	ROW_PROBE_FLAGS,
	ROW_FLAGS,
};

static const struct field fields[] = {
	[1] = { .kind = FK_GID, MEMBER(BASE_SELF, ping_reply, from) },
	[2] = { .kind = FK_U8, MEMBER(BASE_SELF, ping_reply, flags), .when = field_given },
	[3] = { "reply_ttl", FK_U8, MEMBER(BASE_SELF, ping_reply, ttl), .when = ttl_known },
	[4] = { "reply_size", FK_U16, MEMBER(BASE_SELF, ping_reply, size) },
	[5] = { .kind = FK_ICMP_TC, MEMBER(BASE_SELF, ping_reply, icmp_type), .when = is_icmp },
	[6] = { "rtt", FK_U32, MEMBER(BASE_SELF, ping_reply, rtt_us), .form = JF_MS },
	[7] = { .kind = FK_U16, MEMBER(BASE_SELF, ping_reply, probe) },
	[8] = { .kind = FK_CUSTOM,
	    MEMBER(BASE_SELF, ping_reply, ip_id),
	    .when = ip4_ipid,
	    .put = put_ipid16,
	    .get = get_ipid16 },
	[9] = { "probe_ipid", FK_U16, MEMBER(BASE_PROBE, ping_probe, ip_id), .when = probe_ipid_known,
	    .json_when = probe_ipid_known },
	[10] = { .kind = FK_U8, MEMBER(BASE_SELF, ping_reply, proto), .when = proto_needed },
	[11] = { "tcp_flags", FK_U8, MEMBER(BASE_SELF, ping_reply, tcp_flags), .when = is_tcp,
	    .json_when = is_tcp },
	[12] = { "from", FK_ADDR, MEMBER(BASE_SELF, ping_reply, from) },
	[13] = { "RR", FK_ADDRS, MEMBER(BASE_EXTRA, ping_reply_extra, rr), AUX(ping_reply_extra, rr_count),
	    .max = 9, .when = field_given, .json_when = field_given },
	[14] = { "tsandaddr", FK_CUSTOM, MEMBER(BASE_EXTRA, ping_reply_extra, ts), .when = has_stamps,
	    .json_when = has_stamps, .put = put_stamps, .get = get_stamps, .form = JF_WHOLE,
	    .json = json_stamps },
	[15] = { .kind = FK_CUSTOM,
	    MEMBER(BASE_SELF, ping_reply, ip_id),
	    .when = ip6_ipid,
	    .put = put_ipid32,
	    .get = get_ipid32 },
	[16] = { "tx", FK_TIME, MEMBER(BASE_PROBE, ping_probe, tx), .when = field_given,
	    .json_when = field_given },
	[17] = { .kind = FK_CUSTOM,
	    MEMBER(BASE_EXTRA, ping_reply_extra, icmp_times),
	    .when = has_icmp_times,
	    .put = put_icmp_times,
	    .get = get_icmp_times },
	[18] = { .kind = FK_U16, MEMBER(BASE_PROBE, ping_probe, sport), .when = port_known },
	[19] = { "reply_tos", FK_U8, MEMBER(BASE_SELF, ping_reply, tos), .when = field_given,
	    .json_when = tos_known },
	[20] = { "ifname", FK_IFNAME, MEMBER(BASE_SELF, ping_reply, ifname), .when = field_given,
	    .json_when = field_given },
	[21] = { "icmp_nhmtu", FK_U16, MEMBER(BASE_SELF, ping_reply, nhmtu), .when = is_toobig,
	    .json_when = is_toobig },
	[ROW_SEQ] = { "seq", .form = JF_VALUE, .json = json_seq },
	[ROW_IDENTS] = { "ids", .form = JF_WHOLE, .json = json_idents },
	[ROW_PROTO] = { "reply_proto", .form = JF_VALUE, .json = json_proto },
	[ROW_RX] = { "rx", .kind = FK_TIME, MEMBER(BASE_PROBE, ping_probe, tx), .json_when = field_given,
	    .form = JF_VALUE, .json = json_rx },
	[ROW_TYPE] = { "icmp_type", MEMBER(BASE_SELF, ping_reply, icmp_type), .json_when = is_icmp },
	[ROW_CODE] = { "icmp_code", MEMBER(BASE_SELF, ping_reply, icmp_code), .json_when = is_icmp },
	[ROW_MSS] = { "tcp_mss", MEMBER(BASE_SELF, ping_reply, tcp_mss), .json_when = has_mss,
	    .form = JF_WHOLE, .json = json_mss },
	[ROW_IPID] = { "reply_ipid", MEMBER(BASE_SELF, ping_reply, ip_id), .json_when = any_ipid },
	[ROW_PROBE_FLAGS] = { "probe_flags", MEMBER(BASE_PROBE, ping_probe, flags), .json_when = field_given,
	    .form = JF_FLAGS, .words = probe_words },
	[ROW_FLAGS] = { "reply_flags", MEMBER(BASE_SELF, ping_reply, flags), .json_when = any_dl_flag,
	    .form = JF_FLAGS, .words = dl_words },
};

static const uint8_t response_rows[] = { 12, 4, 3, ROW_SEQ, 16, ROW_IDENTS, 9, ROW_PROTO, 20, ROW_FLAGS,
	ROW_RX, 6, ROW_IPID, 19, ROW_TYPE, ROW_CODE, 21, 11, ROW_MSS, 13, 14, 0 };
static const uint8_t silent_rows[] = { ROW_SEQ, ROW_PROBE_FLAGS, 16, ROW_IDENTS, 9, 0 };

const struct record_block ping_reply_block = {
	.name = "ping reply", .fields = fields, .json = response_rows, .params = PARAMS
};
static const struct record_block silent_block = {
	.name = "ping probe", .fields = fields, .json = silent_rows
};

void
ping_json_responses(struct buf *b, const struct field_ctx *outer)
{
	const struct ping_record *p = rec_of(outer);

	buf_u8(b, '[');
	for (uint32_t i = 0; i < p->reply_count; i++) {
		struct field_ctx c = ping_reply_ctx(outer, &p->replies[i]);

		json_sep(b);
		json_block(b, &ping_reply_block, &c);
	}
	buf_u8(b, ']');
}

/* Probes that were sent (a file does not know them) and not answered. */
void
ping_json_no_responses(struct buf *b, const struct field_ctx *outer)
{
	const struct ping_record *p = rec_of(outer);
	struct bits answered BITS_UNSET;
	struct field_ctx c = *outer;

	bits_init(&answered, p->sent);
	for (uint32_t i = 0; i < p->reply_count; i++)
		bits_set(&answered, p->replies[i].probe);
	c.base[BASE_SELF] = NULL;
	buf_u8(b, '[');
	for (uint16_t i = 0; i < p->sent; i++) {
		if (p->probes[i].tx == 0 || bits_has(&answered, i))
			continue;
		c.base[BASE_PROBE] = &p->probes[i];
		json_sep(b);
		json_block(b, &silent_block, &c);
	}
	buf_u8(b, ']');
}

void
ping_json_statistics(struct buf *b, const struct field_ctx *c)
{
	const struct ping_record *p = rec_of(c);
	struct ping_stat s;
	uint32_t done;

	ping_stat(p, &s);
	done = p->sent - s.pending;
	buf_u8(b, '{');
	json_number(b, "replies", s.replies);
	if (done > 0) {
		json_key(b, "loss");
		if (s.replies == 0 || s.replies >= done)
			buf_dec(b, s.replies == 0);
		else
			buf_printf(b, "%.2f", (double)(done - s.replies) / done);
	}
	if (s.replies > 0) {
		json_key(b, "min");
		json_ms(b, s.min_us);
		json_key(b, "max");
		json_ms(b, s.max_us);
		json_key(b, "avg");
		json_ms(b, s.avg_us);
		json_key(b, "stddev");
		json_ms(b, s.stddev_us);
	}
	if (s.dups > 0)
		json_number(b, "ndups", s.dups);
	if (s.errors > 0)
		json_number(b, "nerrs", s.errors);
	if (s.pending > 0)
		json_number(b, "npend", s.pending);
	buf_u8(b, '}');
}

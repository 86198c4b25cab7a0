#include "proto/record/ping.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "proto/record/codec.h"
#include "proto/record/json.h"
#include "proto/record/ping_priv.h"
#include "proto/record/ping_stat.h"

static const struct record_word methods[] = {
	{ "icmp-echo", PING_ICMP_ECHO },
	{ "tcp-ack", PING_TCP_ACK },
	{ "tcp-ack-sport", PING_TCP_ACK_SPORT },
	{ "udp", PING_UDP },
	{ "udp-dport", PING_UDP_DPORT },
	{ "icmp-time", PING_ICMP_TIME },
	{ "tcp-syn", PING_TCP_SYN },
	{ "tcp-synack", PING_TCP_SYNACK },
	{ "tcp-rst", PING_TCP_RST },
	{ "tcp-syn-sport", PING_TCP_SYN_SPORT },
	{ "udp-sport", PING_UDP_SPORT },
	{ NULL, 0 },
};

static const struct record_word stop_reasons[] = {
	{ "none", PING_STOP_NONE },
	{ "done", PING_STOP_COMPLETED },
	{ "error", PING_STOP_ERROR },
	{ "halted", PING_STOP_HALTED },
	{ "inprogress", PING_STOP_INPROGRESS },
	{ NULL, 0 },
};

static const struct record_word flag_words[] = {
	{ "v4rr", PING_FLAG_RR },
	{ "spoof", PING_FLAG_SPOOF },
	{ "payload", PING_FLAG_PAYLOAD },
	{ "tsonly", PING_FLAG_TSONLY },
	{ "tsandaddr", PING_FLAG_TSANDADDR },
	{ "icmpsum", PING_FLAG_ICMPSUM },
	{ "dl", PING_FLAG_DL },
	{ "tbt", PING_FLAG_TBT },
	{ "nosrc", PING_FLAG_NOSRC },
	{ "raw", PING_FLAG_RAW },
	{ "sockrx", PING_FLAG_SOCKRX },
	{ "dltx", PING_FLAG_DLTX },
	{ NULL, 0 },
};

static const struct ping_record *
rec_of(const struct field_ctx *c)
{
	return c->base[BASE_REC];
}

static bool
high_flags(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return rec_of(c)->flags > UINT8_MAX;
}

bool
ping_has_source(const struct ping_record *p)
{
	static const uint8_t none[sizeof(p->src.b)];

	return p->src.family != ADDR_NONE && memcmp(p->src.b, none, sizeof(none)) != 0;
}

static bool
source_known(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return ping_has_source(rec_of(c));
}

/* warts.md 10.1, #27: absent means the same seconds as the wait. */
static bool
other_timeout(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return rec_of(c)->timeout_us / 1000000 != rec_of(c)->wait_us / 1000000;
}

static bool
fixed_csum(const struct field_ctx *c, const struct field *f)
{
	return (rec_of(c)->flags & PING_FLAG_ICMPSUM) != 0 && field_given(c, f);
}

static bool
json_csum(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return (rec_of(c)->flags & PING_FLAG_ICMPSUM) != 0 && ping_method_is_icmp(rec_of(c)->method);
}

static bool
tcp_method(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return ping_method_is_tcp(rec_of(c)->method);
}

static bool
tcp_mss_given(const struct field_ctx *c, const struct field *f)
{
	return ping_method_is_tcp(rec_of(c)->method) && field_given(c, f);
}

static bool
port_method(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return ping_method_is_tcp(rec_of(c)->method) || ping_method_is_udp(rec_of(c)->method);
}

static void
json_head(struct buf *b, const struct field_ctx *c)
{
	(void)c;
	buf_text(b, "\"type\":\"ping\",\"version\":\"0.4\"");
}

static void
json_data(struct buf *b, const struct field_ctx *c)
{
	const struct ping_rare *rare = c->base[BASE_RARE];

	json_key(b, (rec_of(c)->flags & PING_FLAG_PAYLOAD) != 0 ? "payload" : "pattern");
	json_hex(b, rare->data, rare->data_len);
}

/* Rows behind the last warts parameter. */
enum {
	PARAMS = 34,
	ROW_HEAD,
	ROW_MSS,
	ROW_RESPONSES,
	ROW_NO_RESPONSES,
	ROW_STATISTICS,
	ROW_MONITOR,
};

static const struct field fields[] = {
	[1] = { .kind = FK_U32, MEMBER(BASE_REFS, record_refs, list_id), .when = field_given },
	[2] = { .kind = FK_U32, MEMBER(BASE_REFS, record_refs, cycle_id), .when = field_given },
	[3] = { .kind = FK_GID, MEMBER(BASE_REC, ping_record, src) },
	[4] = { .kind = FK_GID, MEMBER(BASE_REC, ping_record, dst) },
	[5] = { "start", FK_TIME, MEMBER(BASE_REC, ping_record, start) },
	[6] = { "stop_reason", FK_U8, MEMBER(BASE_REC, ping_record, stop_reason), .words = stop_reasons },
	[7] = { "stop_data", FK_U8, MEMBER(BASE_REC, ping_record, stop_data) },
	[8] = { .kind = FK_U16, MEMBER(BASE_RARE, ping_rare, data_len), .when = field_given },
	[9] = { "data", FK_BYTES, MEMBER(BASE_RARE, ping_rare, data), AUX(ping_rare, data_len),
	    .when = field_given, .json_when = field_given, .form = JF_WHOLE, .json = json_data },
	[10] = { .kind = FK_U16, MEMBER(BASE_REC, ping_record, probe_count) },
	[11] = { "probe_size", FK_U16, MEMBER(BASE_REC, ping_record, probe_size) },
	[12] = { "wait", FK_SEC8, MEMBER(BASE_REC, ping_record, wait_us) },
	[13] = { "ttl", FK_U8, MEMBER(BASE_REC, ping_record, ttl) },
	[14] = { .kind = FK_U16, MEMBER(BASE_REC, ping_record, stop_count), .when = field_given },
	[15] = { "ping_sent", FK_U16, MEMBER(BASE_REC, ping_record, sent) },
	[16] = { "method", FK_U8, MEMBER(BASE_REC, ping_record, method), .when = field_given,
	    .words = methods },
	[17] = { "sport", FK_U16, MEMBER(BASE_REC, ping_record, sport), .when = field_given,
	    .json_when = port_method },
	[18] = { "dport", FK_U16, MEMBER(BASE_REC, ping_record, dport), .when = field_given,
	    .json_when = port_method },
	[19] = { "userid", FK_U32, MEMBER(BASE_REC, ping_record, userid), .when = field_given },
	[20] = { "src", FK_ADDR, MEMBER(BASE_REC, ping_record, src), .when = field_given,
	    .json_when = source_known },
	[21] = { "dst", FK_ADDR, MEMBER(BASE_REC, ping_record, dst) },
	[22] = { .kind = FK_U8, MEMBER(BASE_REC, ping_record, flags), .when = field_given },
	[23] = { "tos", FK_U8, MEMBER(BASE_REC, ping_record, tos), .when = field_given },
	[24] = { "probe_tsps", FK_ADDRS, MEMBER(BASE_RARE, ping_rare, tsps), AUX(ping_rare, tsps_count),
	    .max = 4, .when = field_given, .json_when = field_given },
	[25] = { "icmp_csum", FK_U16, MEMBER(BASE_REC, ping_record, icmp_csum), .when = fixed_csum,
	    .json_when = json_csum },
	[26] = { .kind = FK_U16, MEMBER(BASE_REC, ping_record, pmtu), .when = field_given },
	[27] = { "timeout", FK_SEC8, MEMBER(BASE_REC, ping_record, timeout_us), .when = other_timeout },
	[28] = { "wait_us", FK_USEC32, MEMBER(BASE_REC, ping_record, wait_us), .when = field_given,
	    .json_when = field_given },
	[29] = { "tcp_ack", FK_U32, MEMBER(BASE_REC, ping_record, tcp_ack), .when = field_given,
	    .json_when = tcp_method },
	[30] = { "flags", FK_U32, MEMBER(BASE_REC, ping_record, flags), .when = high_flags, .form = JF_FLAGS,
	    .words = flag_words, .json_when = field_given },
	[31] = { "tcp_seq", FK_U32, MEMBER(BASE_REC, ping_record, tcp_seq), .when = field_given,
	    .json_when = tcp_method },
	[32] = { "rtr", FK_SADDR, MEMBER(BASE_RARE, ping_rare, router), .when = field_given,
	    .json_when = field_given },
	[33] = { "timeout_us", FK_USEC32, MEMBER(BASE_REC, ping_record, timeout_us), .when = field_given,
	    .json_when = field_given },
	[34] = { "errmsg", FK_STRING, MEMBER(BASE_RARE, ping_rare, errmsg), .when = field_given,
	    .json_when = field_given },
	[ROW_HEAD] = { "type", .form = JF_WHOLE, .json = json_head },
	[ROW_MSS] = { "tcp_mss", MEMBER(BASE_REC, ping_record, tcp_mss), .json_when = tcp_mss_given },
	[ROW_RESPONSES] = { "responses", .form = JF_VALUE, .json = ping_json_responses },
	[ROW_NO_RESPONSES] = { "no_responses", .form = JF_VALUE, .json = ping_json_no_responses },
	[ROW_STATISTICS] = { "statistics", .form = JF_VALUE, .json = ping_json_statistics },
	[ROW_MONITOR] = { "monitor", .kind = FK_STRING, MEMBER(BASE_REFS, record_refs, monitor),
	    .json_when = field_given },
};

static const uint8_t json_rows[] = { ROW_HEAD, 16, 20, 21, 32, 5, 6, 7, 34, 15, 11, 19, 13, 23, 12, 28, 27,
	33, 17, 18, 31, 29, ROW_MSS, 9, 30, 25, 24, ROW_MONITOR, ROW_RESPONSES, ROW_NO_RESPONSES,
	ROW_STATISTICS, 0 };

static int
put_replies(struct warts_put *w, const struct field_ctx *outer)
{
	const struct ping_record *p = rec_of(outer);

	if (p->reply_count > UINT16_MAX)
		return -EMSGSIZE;
	buf_u16(w->out, (uint16_t)p->reply_count);
	for (uint32_t i = 0; i < p->reply_count; i++) {
		struct field_ctx c = ping_reply_ctx(outer, &p->replies[i]);
		int r = warts_put_block(w, &ping_reply_block, &c);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool
has_extra(const struct ping_reply_extra *x)
{
	return x->rr_count != 0 || x->ts_count != 0 || x->has_icmp_times != 0;
}

/* What a file stores with each reply to a probe: it should be equal in all of
 * them, the first that has a thing is believed. */
static void
merge_probe(struct ping_probe *probe, const struct ping_probe *told, uint8_t reply_flags)
{
	if (probe->tx == 0)
		probe->tx = told->tx;
	if (probe->ip_id == 0 && (reply_flags & PING_PROBE_IPID) != 0)
		probe->ip_id = told->ip_id;
	if (probe->sport == 0)
		probe->sport = told->sport;
}

/* One reply, decoded into scratch, joins the record. */
static int
keep_reply(struct warts_get *g, struct ping_record *p, struct ping_reply *reply,
    const struct ping_probe *probe, const struct ping_reply_extra *extra)
{
	struct ping_reply *kept;

	if (reply->from.family == ADDR_NONE)
		return errbuf_set(g->err, -EBADMSG, "ping reply without an address");
	if (reply->probe >= p->sent)
		return errbuf_set(g->err, -EBADMSG, "reply to probe %u of %u", reply->probe, p->sent);
	reply->flags &= PING_REPLY_TTL | PING_REPLY_IPID | PING_PROBE_IPID | PING_REPLY_DLTX |
			PING_REPLY_DLRX | PING_REPLY_TOS;
	kept = ping_record_add_reply(p);
	if (kept == NULL)
		return errbuf_set(g->err, -ENOMEM, "out of memory");
	*kept = *reply;
	merge_probe(&p->probes[reply->probe], probe, reply->flags);
	if (!has_extra(extra))
		return 0;
	kept->extra = malloc(sizeof(*extra));
	if (kept->extra == NULL)
		return errbuf_set(g->err, -ENOMEM, "out of memory");
	*kept->extra = *extra;
	return 0;
}

static int
get_reply(struct warts_get *g, const struct field_ctx *outer)
{
	struct ping_record *p = outer->base[BASE_REC];
	struct ping_reply reply = { 0 };
	struct ping_probe probe = { 0 };
	struct ping_reply_extra extra = { 0 };
	struct field_ctx c = *outer;
	uint64_t seen;
	int r;

	c.base[BASE_SELF] = &reply;
	c.base[BASE_PROBE] = &probe;
	c.base[BASE_EXTRA] = &extra;
	reply.proto = p->dst.family == ADDR_IP4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	r = warts_get_block(g, &ping_reply_block, &c, &seen);
	return r < 0 ? r : keep_reply(g, p, &reply, &probe, &extra);
}

static int
get_replies(struct warts_get *g, const struct field_ctx *c, uint64_t seen)
{
	struct ping_record *p = c->base[BASE_REC];
	struct ping_rare *rare = c->base[BASE_RARE];
	uint16_t n = rd_u16(&g->rd);

	if (g->rd.bad)
		return errbuf_set(g->err, -EBADMSG, "ping: cut short");
	if (p->dst.family == ADDR_NONE)
		return errbuf_set(g->err, -EBADMSG, "ping without a destination");
	if (rare->data == NULL)
		rare->data_len = 0;
	if ((seen & SEEN(27)) == 0)
		p->timeout_us += p->wait_us / 1000000 * 1000000;
	p->probes = calloc(p->sent == 0 ? 1 : p->sent, sizeof(*p->probes));
	if (p->probes == NULL)
		return errbuf_set(g->err, -ENOMEM, "out of memory");
	p->probes_cap = p->sent;
	for (uint16_t i = 0; i < n; i++) {
		int r = get_reply(g, c);

		if (r < 0)
			return r;
	}
	return 0;
}

static void *
make_rare(void *rec)
{
	return ping_record_rare(rec);
}

static void *
rare_of(const void *rec)
{
	return ((const struct ping_record *)rec)->rare;
}

static const struct record_block block = {
	.name = "ping",
	.fields = fields,
	.json = json_rows,
	.params = PARAMS,
	.put_rest = put_replies,
	.get_rest = get_replies,
	.make_rare = make_rare,
	.rare = rare_of,
};

static void
fini(void *rec)
{
	ping_record_fini(rec);
}

const struct record_type ping_record_type = {
	.warts_type = 7,
	.name = "ping",
	.size = sizeof(struct ping_record),
	.block = &block,
	.text = ping_text,
	.fini = fini,
};

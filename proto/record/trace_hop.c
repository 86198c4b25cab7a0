#include <errno.h>
#include <stdlib.h>

#include "common/nsec.h"
#include "proto/record/json.h"
#include "proto/record/trace_priv.h"

static const struct trace_record *
rec_of(const struct field_ctx *c)
{
	return c->base[BASE_REC];
}

static const struct trace_reply *
reply_of(const struct field_ctx *c)
{
	return c->base[BASE_SELF];
}

static const struct trace_probe *
probe_of(const struct field_ctx *c)
{
	return c->base[BASE_PROBE];
}

static bool
is_icmp(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return trace_reply_is_icmp(reply_of(c));
}

static bool
is_tcp(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return (reply_of(c)->flags & TRACE_REPLY_TCP) != 0;
}

static bool
is_toobig(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return trace_reply_is_toobig(rec_of(c), reply_of(c));
}

static bool
quotes(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return trace_reply_quotes(rec_of(c), reply_of(c));
}

/* Replies from an error queue come without their own IP header. */
static bool
header_seen(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return (rec_of(c)->flags & TRACE_FLAG_RXERR) == 0;
}

static bool
quote_seen(const struct field_ctx *c, const struct field *f)
{
	return quotes(c, f) && header_seen(c, f);
}

/* The 2026 writer compares with the trace's probe size and its reader with the
 * hop's (warts.md 23, no. 7): to be safe, write where those differ too. */
static bool
odd_quote_len(const struct field_ctx *c, const struct field *f)
{
	uint16_t size = rec_of(c)->probe_size;

	return quotes(c, f) && (reply_of(c)->q_len != size || probe_of(c)->size != size);
}

static bool
odd_quote_ttl(const struct field_ctx *c, const struct field *f)
{
	return quotes(c, f) && reply_of(c)->q_ttl != 1;
}

static bool
tx_known(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return trace_probe_tx(probe_of(c), rec_of(c)->start) / NSEC_PER_SEC != 0;
}

static bool
any_rx_flag(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return (reply_of(c)->flags & (TRACE_REPLY_SOCKRX | TRACE_REPLY_DLTX | TRACE_REPLY_DLRX)) != 0;
}

static bool
any_probe_flag(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return (probe_of(c)->flags & (TRACE_PROBE_PENDING | TRACE_PROBE_DLTX)) != 0;
}

static int
put_tx(struct warts_put *w, const struct field_ctx *c)
{
	warts_put_time(w, trace_probe_tx(probe_of(c), rec_of(c)->start));
	return 0;
}

static int
get_tx(struct warts_get *g, const struct field_ctx *c)
{
	nsec_t tx;
	int r = warts_get_time(g, &tx);

	if (r == 0)
		trace_probe_set_tx(c->base[BASE_PROBE], rec_of(c)->start, tx);
	return r;
}

static void
json_tx(struct buf *b, const struct field_ctx *c)
{
	json_time(b, trace_probe_tx(probe_of(c), rec_of(c)->start));
}

/* In files the first attempt is 0, for people it is 1. */
static void
json_id(struct buf *b, const struct field_ctx *c)
{
	buf_dec(b, probe_of(c)->id + 1u);
}

/* RFC 4950 section 5: label, traffic class, bottom of stack, TTL. */
static void
json_labels(struct buf *b, struct rd *data)
{
	json_key(b, "mpls_labels");
	buf_u8(b, '[');
	while (rd_left(data) >= 4) {
		uint32_t v = rd_u32(data);

		json_sep(b);
		buf_u8(b, '{');
		json_number(b, "mpls_ttl", v & 0xff);
		json_number(b, "mpls_s", v >> 8 & 1);
		json_number(b, "mpls_exp", v >> 9 & 7);
		json_number(b, "mpls_label", v >> 12);
		buf_u8(b, '}');
	}
	buf_u8(b, ']');
}

static void
json_ext(struct buf *b, const struct field_ctx *c)
{
	const struct trace_reply_extra *x = c->base[BASE_EXTRA];
	struct rd r, data;

	rd_init(&r, x->ext, x->ext_len);
	buf_u8(b, '[');
	while (rd_left(&r) >= 4) {
		uint16_t n = rd_u16(&r);
		uint8_t class_num = rd_u8(&r);
		uint8_t class_type = rd_u8(&r);
		const uint8_t *p = n < 4 ? NULL : rd_take(&r, n - 4u);

		if (p == NULL)
			break;
		json_sep(b);
		buf_u8(b, '{');
		json_number(b, "ie_cn", class_num);
		json_number(b, "ie_ct", class_type);
		json_number(b, "ie_dl", n - 4u);
		rd_init(&data, p, n - 4u);
		if (class_num == 1 && class_type == 1)
			json_labels(b, &data);
		buf_u8(b, '}');
	}
	buf_u8(b, ']');
}

static const struct record_word rx_words[] = {
	{ "dltxts", TRACE_REPLY_DLTX },
	{ "dlrxts", TRACE_REPLY_DLRX },
	{ "sockrxts", TRACE_REPLY_SOCKRX },
	{ NULL, 0 },
};

static const struct record_word probe_words[] = {
	{ "pending", TRACE_PROBE_PENDING },
	{ "dltxts", TRACE_PROBE_DLTX },
	{ NULL, 0 },
};

enum {
	PARAMS = 20,
	ROW_FLAGS,
	ROW_TYPE,
	ROW_CODE,
	ROW_PROBE_FLAGS,
};

static const struct field fields[] = {
	[1] = { .kind = FK_GID, MEMBER(BASE_SELF, trace_reply, from) },
	[2] = { "probe_ttl", FK_U8, MEMBER(BASE_PROBE, trace_probe, ttl) },
	[3] = { "reply_ttl", FK_U8, MEMBER(BASE_SELF, trace_reply, ttl) },
	[4] = { .kind = FK_U8, MEMBER(BASE_SELF, trace_reply, flags) },
	[5] = { "probe_id", FK_U8, MEMBER(BASE_PROBE, trace_probe, id), .form = JF_VALUE, .json = json_id },
	[6] = { "rtt", FK_U32, MEMBER(BASE_SELF, trace_reply, rtt_us), .form = JF_MS },
	[7] = { .kind = FK_ICMP_TC, MEMBER(BASE_SELF, trace_reply, icmp_type), .when = is_icmp },
	[8] = { "probe_size", FK_U16, MEMBER(BASE_PROBE, trace_probe, size) },
	[9] = { "reply_size", FK_U16, MEMBER(BASE_SELF, trace_reply, size), .json_when = header_seen },
	[10] = { "reply_ipid", FK_U16, MEMBER(BASE_SELF, trace_reply, ip_id), .when = field_given,
	    .json_when = header_seen },
	[11] = { "reply_tos", FK_U8, MEMBER(BASE_SELF, trace_reply, tos) },
	/* The colon belongs to the key: that is what readers know. */
	[12] = { "icmp_nhmtu:", FK_U16, MEMBER(BASE_SELF, trace_reply, nhmtu), .when = is_toobig,
	    .json_when = is_toobig },
	[13] = { "icmp_q_ipl", FK_U16, MEMBER(BASE_SELF, trace_reply, q_len), .when = odd_quote_len,
	    .json_when = quote_seen },
	[14] = { "icmp_q_ttl", FK_U8, MEMBER(BASE_SELF, trace_reply, q_ttl), .when = odd_quote_ttl,
	    .json_when = quote_seen },
	[15] = { "tcp_flags", FK_U8, MEMBER(BASE_SELF, trace_reply, tcp_flags), .when = is_tcp,
	    .json_when = is_tcp },
	[16] = { "icmp_q_tos", FK_U8, MEMBER(BASE_SELF, trace_reply, q_tos), .when = quotes,
	    .json_when = quote_seen },
	[17] = { "icmpext", FK_ICMPEXT, MEMBER(BASE_EXTRA, trace_reply_extra, ext),
	    AUX(trace_reply_extra, ext_len), .when = field_given, .json_when = field_given, .form = JF_VALUE,
	    .json = json_ext },
	[18] = { "addr", FK_ADDR, MEMBER(BASE_SELF, trace_reply, from) },
	[19] = { "tx", FK_CUSTOM, MEMBER(BASE_PROBE, trace_probe, tx_us), .when = tx_known, .put = put_tx,
	    .get = get_tx, .json_when = tx_known, .form = JF_VALUE, .json = json_tx },
	[20] = { "name", FK_STRING, MEMBER(BASE_EXTRA, trace_reply_extra, name), .when = field_given,
	    .json_when = field_given },
	[ROW_FLAGS] = { "flags", MEMBER(BASE_SELF, trace_reply, flags), .json_when = any_rx_flag,
	    .form = JF_FLAGS, .words = rx_words },
	[ROW_TYPE] = { "icmp_type", MEMBER(BASE_SELF, trace_reply, icmp_type), .json_when = is_icmp },
	[ROW_CODE] = { "icmp_code", MEMBER(BASE_SELF, trace_reply, icmp_code), .json_when = is_icmp },
	[ROW_PROBE_FLAGS] = { "flags", MEMBER(BASE_PROBE, trace_probe, flags), .json_when = any_probe_flag,
	    .form = JF_FLAGS, .words = probe_words },
};

static const uint8_t hop_rows[] = { 18, 20, 2, 5, 8, 19, 6, 3, 11, ROW_FLAGS, 10, 9, ROW_TYPE, ROW_CODE, 14,
	13, 16, 12, 15, 17, 0 };
static const uint8_t silent_rows[] = { 2, 5, 8, 19, ROW_PROBE_FLAGS, 0 };

const struct record_block trace_hop_block = {
	.name = "trace hop", .fields = fields, .json = hop_rows, .params = PARAMS
};
static const struct record_block silent_block = {
	.name = "trace probe", .fields = fields, .json = silent_rows
};

static struct field_ctx
hop_ctx(const struct field_ctx *outer, const struct trace_leg *leg, const struct trace_reply *reply)
{
	struct field_ctx c = *outer;

	c.base[BASE_SELF] = (void *)(uintptr_t)reply;
	c.base[BASE_PROBE] = &leg->probes[reply->probe];
	c.base[BASE_EXTRA] = reply->extra;
	return c;
}

int
trace_put_hop(struct warts_put *w, const struct field_ctx *outer, const struct trace_leg *leg,
    const struct trace_reply *reply)
{
	struct field_ctx c = hop_ctx(outer, leg, reply);

	return warts_put_block(w, &trace_hop_block, &c);
}

/* Hops of one probe follow one another (warts.md section 9.2). */
static int
keep_probe(struct trace_leg *leg, const struct trace_probe *probe)
{
	struct trace_probe *last = leg->probe_count == 0 ? NULL : &leg->probes[leg->probe_count - 1];

	if (last != NULL && last->ttl == probe->ttl && last->id == probe->id && last->size == probe->size)
		return 0;
	last = trace_leg_add_probe(leg);
	if (last == NULL)
		return -ENOMEM;
	*last = *probe;
	return 0;
}

/* Takes what extra owns, on success only. */
static int
keep_reply(struct trace_leg *leg, const struct trace_reply *reply, const struct trace_reply_extra *extra)
{
	struct trace_reply_extra *x = NULL;
	struct trace_reply *kept;

	if (extra->name != NULL || extra->ext != NULL) {
		x = malloc(sizeof(*x));
		if (x == NULL)
			return -ENOMEM;
		*x = *extra;
	}
	kept = trace_leg_add_reply(leg);
	if (kept == NULL) {
		free(x);
		return -ENOMEM;
	}
	*kept = *reply;
	kept->flags &= (uint8_t)~0x80; /* lives in memory only */
	kept->probe = (uint16_t)(leg->probe_count - 1);
	kept->extra = x;
	return 0;
}

static int
get_hop(struct warts_get *g, const struct field_ctx *outer, struct trace_leg *leg)
{
	struct trace_reply reply = { .q_ttl = 1 };
	struct trace_probe probe = { .flags = TRACE_PROBE_NO_TX };
	struct trace_reply_extra extra = { 0 };
	struct field_ctx c = *outer;
	uint64_t seen;
	int r;

	c.base[BASE_SELF] = &reply;
	c.base[BASE_PROBE] = &probe;
	c.base[BASE_EXTRA] = &extra;
	r = warts_get_block(g, &trace_hop_block, &c, &seen);
	if (r == 0 && (reply.from.family == ADDR_NONE || probe.ttl == 0))
		r = errbuf_set(g->err, -EBADMSG, "trace hop without an address or a TTL");
	if ((seen & SEEN(13)) == 0)
		reply.q_len = probe.size;
	probe.flags |= TRACE_PROBE_ANSWERED;
	if (r == 0 && (keep_probe(leg, &probe) < 0 || keep_reply(leg, &reply, &extra) < 0))
		r = errbuf_set(g->err, -ENOMEM, "out of memory");
	if (r < 0) {
		free(extra.name);
		free(extra.ext);
	}
	return r;
}

int
trace_get_hops(struct warts_get *g, const struct field_ctx *outer, struct trace_leg *leg, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		int r = get_hop(g, outer, leg);

		if (r < 0)
			return r;
	}
	return 0;
}

void
trace_json_hop(struct buf *b, const struct field_ctx *outer, const struct trace_leg *leg,
    const struct trace_reply *reply)
{
	struct field_ctx c = hop_ctx(outer, leg, reply);

	json_sep(b);
	json_block(b, &trace_hop_block, &c);
}

void
trace_json_silent(struct buf *b, const struct field_ctx *outer, const struct trace_probe *probe)
{
	struct field_ctx c = *outer;

	c.base[BASE_PROBE] = (void *)(uintptr_t)probe;
	json_sep(b);
	json_block(b, &silent_block, &c);
}

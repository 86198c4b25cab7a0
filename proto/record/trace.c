#include "proto/record/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "common/nsec.h"
#include "proto/record/bits.h"
#include "proto/record/json.h"
#include "proto/record/trace_priv.h"

static const struct record_word methods[] = {
	{ "icmp-echo", TRACE_ICMP },
	{ "udp", TRACE_UDP },
	{ "tcp", TRACE_TCP },
	{ "icmp-echo-paris", TRACE_ICMP_PARIS },
	{ "udp-paris", TRACE_UDP_PARIS },
	{ "tcp-ack", TRACE_TCP_ACK },
	{ NULL, 0 },
};

static const struct record_word stop_reasons[] = {
	{ "NONE", TRACE_STOP_NONE },
	{ "COMPLETED", TRACE_STOP_COMPLETED },
	{ "UNREACH", TRACE_STOP_UNREACH },
	{ "ICMP", TRACE_STOP_ICMP },
	{ "LOOP", TRACE_STOP_LOOP },
	{ "GAPLIMIT", TRACE_STOP_GAPLIMIT },
	{ "ERROR", TRACE_STOP_ERROR },
	{ "HOPLIMIT", TRACE_STOP_HOPLIMIT },
	{ "GSS", TRACE_STOP_GSS },
	{ "HALTED", TRACE_STOP_HALTED },
	{ "INPROGRESS", TRACE_STOP_INPROGRESS },
	{ NULL, 0 },
};

static const struct record_word flag_words[] = {
	{ "all-attempts", TRACE_FLAG_ALLATTEMPTS },
	{ "pmtud", TRACE_FLAG_PMTUD },
	{ "dl", TRACE_FLAG_DL },
	{ "ignorettldst", TRACE_FLAG_IGNORETTLDST },
	{ "doubletree", TRACE_FLAG_DOUBLETREE },
	{ "icmp-csum-dport", TRACE_FLAG_ICMPCSUMDP },
	{ "const-payload", TRACE_FLAG_CONSTPAYLOAD },
	{ "rxerr", TRACE_FLAG_RXERR },
	{ "ptr", TRACE_FLAG_PTR },
	{ "raw", TRACE_FLAG_RAW },
	{ "back", TRACE_FLAG_BACK },
	{ NULL, 0 },
};

static const struct trace_record *
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

static bool
several_at_once(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return rec_of(c)->squeries > 1;
}

static bool
icmp_method(const struct field_ctx *c)
{
	return rec_of(c)->method == TRACE_ICMP || rec_of(c)->method == TRACE_ICMP_PARIS;
}

static bool
port_method(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return !icmp_method(c);
}

static bool
icmp_csum(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return icmp_method(c) && (rec_of(c)->flags & TRACE_FLAG_ICMPCSUMDP) != 0;
}

static void
json_head(struct buf *b, const struct field_ctx *c)
{
	(void)c;
	buf_text(b, "\"type\":\"trace\",\"version\":\"0.1\"");
}

static void
put_two(struct buf *b, int v)
{
	buf_u8(b, (uint8_t)('0' + v / 10 % 10));
	buf_u8(b, (uint8_t)('0' + v % 10));
}

/* ftime is local time; the process has called tzset before its sandbox shut,
 * and localtime_r does not look for the zone again. */
static void
json_start(struct buf *b, const struct field_ctx *c)
{
	time_t sec = (time_t)(rec_of(c)->start / NSEC_PER_SEC);
	struct tm tm;

	json_time(b, rec_of(c)->start);
	if (localtime_r(&sec, &tm) == NULL || b->failed)
		return;
	b->len--; /* back into the object */
	buf_text(b, ",\"ftime\":\"");
	buf_dec(b, (uint64_t)(tm.tm_year + 1900));
	buf_u8(b, '-');
	put_two(b, tm.tm_mon + 1);
	buf_u8(b, '-');
	put_two(b, tm.tm_mday);
	buf_u8(b, ' ');
	put_two(b, tm.tm_hour);
	buf_u8(b, ':');
	put_two(b, tm.tm_min);
	buf_u8(b, ':');
	put_two(b, tm.tm_sec);
	buf_text(b, "\"}");
}

static void
json_hop_count(struct buf *b, const struct field_ctx *c)
{
	buf_dec(b, trace_last_hop(rec_of(c)));
}

/* Hops in first..last under a key, when there are any. */
static void
json_hops(struct buf *b, const struct field_ctx *c, const char *key, int first, int last)
{
	const struct trace_leg *leg = &rec_of(c)->leg;
	bool open = false;

	for (uint16_t i = 0; i < leg->reply_count; i++) {
		uint8_t ttl = trace_reply_ttl(leg, &leg->replies[i]);

		if (ttl < first || ttl > last)
			continue;
		if (!open) {
			json_key(b, key);
			buf_u8(b, '[');
			open = true;
		}
		trace_json_hop(b, c, leg, &leg->replies[i]);
	}
	if (open)
		buf_u8(b, ']');
}

/* The highest TTL of an unanswered probe, and which probes were answered; 0
 * when all were, as always in what was read from a file. */
static int
find_silent(const struct trace_leg *leg, struct bits *ret_answered)
{
	int highest = 0;

	bits_init(ret_answered, leg->probe_count);
	for (uint16_t i = 0; i < leg->reply_count; i++)
		bits_set(ret_answered, leg->replies[i].probe);
	for (uint16_t i = 0; i < leg->probe_count; i++) {
		if (!bits_has(ret_answered, i) && leg->probes[i].ttl > highest)
			highest = leg->probes[i].ttl;
	}
	return highest;
}

/* Unanswered probes likewise, by TTL. */
static void
json_no_hops(struct buf *b, const struct field_ctx *c, const char *key, int first, int last)
{
	const struct trace_leg *leg = &rec_of(c)->leg;
	struct bits answered BITS_UNSET;
	int highest = find_silent(leg, &answered);
	bool open = false;

	for (int ttl = first; ttl <= last && ttl <= highest; ttl++) {
		for (uint16_t i = 0; i < leg->probe_count; i++) {
			if (leg->probes[i].ttl != ttl || bits_has(&answered, i))
				continue;
			if (!open) {
				json_key(b, key);
				buf_u8(b, '[');
				open = true;
			}
			trace_json_silent(b, c, &leg->probes[i]);
		}
	}
	if (open)
		buf_u8(b, ']');
}

/* Everything below the scalars, text-json.md 10.1. */
static void
json_legs(struct buf *b, const struct field_ctx *c)
{
	const struct trace_record *t = rec_of(c);
	bool cut = t->stop_hop != 0 && t->stop_hop < t->hop_count;
	int last = cut ? t->stop_hop : UINT8_MAX;

	json_hops(b, c, "hops", t->firsthop, last);
	if (cut)
		json_hops(b, c, "extra_hops", last + 1, UINT8_MAX);
	json_no_hops(b, c, "no_hops", t->firsthop, last);
	if (cut)
		json_no_hops(b, c, "extra_no_hops", last + 1, UINT8_MAX);
	if (t->rare != NULL && t->rare->pmtud != NULL && t->rare->pmtud->version == 2)
		trace_json_pmtud(b, c);
}

enum {
	PARAMS = 34,
	ROW_HEAD,
	ROW_SUM,
	ROW_MONITOR,
	ROW_LEGS,
};

static const struct field fields[] = {
	[1] = { .kind = FK_U32, MEMBER(BASE_REFS, record_refs, list_id) },
	[2] = { .kind = FK_U32, MEMBER(BASE_REFS, record_refs, cycle_id) },
	[3] = { .kind = FK_GID, MEMBER(BASE_REC, trace_record, src) },
	[4] = { .kind = FK_GID, MEMBER(BASE_REC, trace_record, dst) },
	[5] = { "start", FK_TIME, MEMBER(BASE_REC, trace_record, start), .form = JF_VALUE,
	    .json = json_start },
	[6] = { "stop_reason", FK_U8, MEMBER(BASE_REC, trace_record, stop_reason), .words = stop_reasons },
	[7] = { "stop_data", FK_U8, MEMBER(BASE_REC, trace_record, stop_data) },
	[8] = { .kind = FK_U8, MEMBER(BASE_REC, trace_record, flags), .when = field_given },
	[9] = { "attempts", FK_U8, MEMBER(BASE_REC, trace_record, attempts) },
	[10] = { "hoplimit", FK_U8, MEMBER(BASE_REC, trace_record, hoplimit) },
	[11] = { "method", FK_U8, MEMBER(BASE_REC, trace_record, method), .words = methods },
	[12] = { "probe_size", FK_U16, MEMBER(BASE_REC, trace_record, probe_size) },
	[13] = { "sport", FK_U16, MEMBER(BASE_REC, trace_record, sport), .json_when = port_method },
	[14] = { "dport", FK_U16, MEMBER(BASE_REC, trace_record, dport), .json_when = port_method },
	[15] = { "firsthop", FK_U8, MEMBER(BASE_REC, trace_record, firsthop) },
	[16] = { "tos", FK_U8, MEMBER(BASE_REC, trace_record, tos) },
	[17] = { "wait", FK_U8, MEMBER(BASE_REC, trace_record, wait_s) },
	[18] = { .kind = FK_U8, MEMBER(BASE_REC, trace_record, loops) },
	[19] = { "hop_count", FK_U16, MEMBER(BASE_REC, trace_record, hop_count), .form = JF_VALUE,
	    .json = json_hop_count },
	[20] = { .kind = FK_U8, MEMBER(BASE_REC, trace_record, gaplimit) },
	[21] = { .kind = FK_U8, MEMBER(BASE_REC, trace_record, gapaction) },
	[22] = { .kind = FK_U8, MEMBER(BASE_REC, trace_record, loop_action) },
	[23] = { "probe_count", FK_U16, MEMBER(BASE_REC, trace_record, probe_count) },
	[24] = { "wait_probe", FK_U8, MEMBER(BASE_REC, trace_record, wait_probe_cs) },
	[25] = { .kind = FK_U8, MEMBER(BASE_REC, trace_record, confidence) },
	[26] = { "src", FK_ADDR, MEMBER(BASE_REC, trace_record, src), .when = field_given,
	    .json_when = field_given },
	[27] = { "dst", FK_ADDR, MEMBER(BASE_REC, trace_record, dst) },
	[28] = { "userid", FK_U32, MEMBER(BASE_REC, trace_record, userid), .when = field_given },
	[29] = { .kind = FK_U16, MEMBER(BASE_REC, trace_record, offset), .when = field_given },
	[30] = { "rtr", FK_SADDR, MEMBER(BASE_RARE, trace_rare, router), .when = field_given,
	    .json_when = field_given },
	[31] = { .kind = FK_U8, MEMBER(BASE_REC, trace_record, squeries), .when = several_at_once },
	[32] = { "flags", FK_U32, MEMBER(BASE_REC, trace_record, flags), .when = high_flags,
	    .json_when = field_given, .form = JF_FLAGS, .words = flag_words },
	[33] = { .kind = FK_U8, MEMBER(BASE_REC, trace_record, stop_hop), .when = field_given },
	[34] = { "errmsg", FK_STRING, MEMBER(BASE_RARE, trace_rare, errmsg), .when = field_given,
	    .json_when = field_given },
	[ROW_HEAD] = { "type", .form = JF_WHOLE, .json = json_head },
	[ROW_SUM] = { "icmp_sum", MEMBER(BASE_REC, trace_record, dport), .json_when = icmp_csum },
	[ROW_MONITOR] = { "monitor", .kind = FK_STRING, MEMBER(BASE_REFS, record_refs, monitor),
	    .json_when = field_given },
	[ROW_LEGS] = { "hops", .form = JF_WHOLE, .json = json_legs },
};

static const uint8_t json_rows[] = { ROW_HEAD, 28, 11, 26, 27, 30, 13, 14, ROW_SUM, 6, 7, 34, 5, 19, 9, 10,
	15, 17, 24, 16, 12, 23, ROW_MONITOR, 32, ROW_LEGS, 0 };

static int
put_rest(struct warts_put *w, const struct field_ctx *c)
{
	const struct trace_leg *leg = &rec_of(c)->leg;
	uint8_t highest = 0;

	buf_u16(w->out, leg->reply_count);
	for (uint16_t i = 0; i < leg->reply_count; i++) {
		uint8_t ttl = trace_reply_ttl(leg, &leg->replies[i]);
		int r = trace_put_hop(w, c, leg, &leg->replies[i]);

		/* Readers would give up the whole file at such a record. */
		if (ttl < highest || ttl > rec_of(c)->hop_count)
			return -EINVAL;
		if (r < 0)
			return r;
		highest = ttl;
	}
	return trace_put_attrs(w, c);
}

/* Defaults and limits of warts.md sections 9.1 and 21. */
static int
check_hops(struct warts_get *g, struct trace_record *t)
{
	uint8_t highest = 0;

	for (uint16_t i = 0; i < t->leg.reply_count; i++) {
		uint8_t ttl = trace_reply_ttl(&t->leg, &t->leg.replies[i]);

		if (ttl < highest)
			return errbuf_set(g->err, -EBADMSG, "a hop at TTL %u behind TTL %u", ttl, highest);
		highest = ttl;
	}
	if (t->hop_count == 0)
		t->hop_count = highest;
	if (t->hop_count < highest || t->hop_count > UINT8_MAX)
		return errbuf_set(g->err, -EBADMSG, "a hop at TTL %u of %u", highest, t->hop_count);
	if (t->firsthop == 0)
		t->firsthop = 1;
	if (t->squeries == 0)
		t->squeries = 1;
	return 0;
}

static int
get_rest(struct warts_get *g, const struct field_ctx *c, uint64_t seen)
{
	struct trace_record *t = c->base[BASE_REC];
	uint16_t n = rd_u16(&g->rd);
	int r;

	(void)seen;
	if (g->rd.bad)
		return errbuf_set(g->err, -EBADMSG, "trace: cut short");
	if (t->dst.family == ADDR_NONE)
		return errbuf_set(g->err, -EBADMSG, "trace without a destination");
	r = trace_get_hops(g, c, &t->leg, n);
	if (r == 0)
		r = check_hops(g, t);
	return r < 0 ? r : trace_get_attrs(g, c);
}

static void *
make_rare(void *rec)
{
	return trace_record_rare(rec);
}

static void *
rare_of(const void *rec)
{
	return ((const struct trace_record *)rec)->rare;
}

static const struct record_block block = {
	.name = "trace",
	.fields = fields,
	.json = json_rows,
	.params = PARAMS,
	.put_rest = put_rest,
	.get_rest = get_rest,
	.make_rare = make_rare,
	.rare = rare_of,
};

static void
fini(void *rec)
{
	trace_record_fini(rec);
}

const struct record_type trace_record_type = {
	.warts_type = 6,
	.name = "trace",
	.size = sizeof(struct trace_record),
	.block = &block,
	.text = trace_text,
	.fini = fini,
};

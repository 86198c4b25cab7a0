#include "proto/record/json.h"
#include "proto/record/trace_priv.h"

/* Addresses of the two ends of a link share all but their last bits: /30 and
 * /126 (RFC 6164 allows /127 too). */
static bool
same_link(const struct addr *a, const struct addr *b)
{
	size_t whole = addr_len(a->family) - 1;

	if (a->family != b->family)
		return false;
	for (size_t i = 0; i < whole; i++) {
		if (a->b[i] != b->b[i])
			return false;
	}
	return (a->b[whole] & 0xfc) == (b->b[whole] & 0xfc);
}

/* The first hop, from TTL from on, whose first reply has the address; 0: none. */
static uint8_t
hop_of_addr(const struct trace_record *t, const struct addr *a, uint8_t from)
{
	uint8_t last = 0;

	for (uint16_t i = 0; i < t->leg.reply_count; i++) {
		const struct trace_reply *r = &t->leg.replies[i];
		uint8_t ttl = trace_reply_ttl(&t->leg, r);

		if (ttl == last)
			continue;
		last = ttl;
		if (ttl >= from && addr_equal(&r->from, a))
			return ttl;
	}
	return 0;
}

/* From how far the probe had come, by the TTL left in the quotation. */
static int16_t
estimate(const struct trace_record *t, const struct trace_reply *r, uint8_t probe_ttl)
{
	int16_t i = (int16_t)(probe_ttl - r->q_ttl);
	const struct trace_reply *next;

	if (i <= 0 || i >= trace_last_hop(t))
		return -1;
	next = trace_first_reply(&t->leg, (uint8_t)(i + 1));
	return next != NULL && same_link(&next->from, &r->from) ? i : (int16_t)(i + 1);
}

void
trace_note_dists(const struct trace_record *t, int16_t ret_dists[UINT8_MAX])
{
	const struct trace_pmtud *pm = t->rare->pmtud;
	uint8_t from = 1;

	for (uint16_t i = 0; i < pm->note_count; i++) {
		const struct trace_note *note = &pm->notes[i];
		const struct trace_reply *r =
		    note->reply == TRACE_NOTE_NO_REPLY ? NULL : &pm->leg.replies[note->reply];
		int16_t dist = -1;

		if (note->type == TRACE_NOTE_SILENCE) {
			dist = r == NULL ? 0 : trace_reply_ttl(&pm->leg, r);
		} else if (r != NULL) {
			dist = hop_of_addr(t, &r->from, from);
			if (dist == 0)
				dist = estimate(t, r, trace_reply_ttl(&pm->leg, r));
		}
		ret_dists[i] = dist;
		if (dist > 0)
			from = (uint8_t)dist;
	}
}

static const struct record_word note_types[] = {
	{ "ptb", TRACE_NOTE_PTB },
	{ "ptb-bad", TRACE_NOTE_PTB_BAD },
	{ "silence", TRACE_NOTE_SILENCE },
	{ NULL, 0 },
};

static void
json_note(struct buf *b, const struct trace_record *t, const struct trace_note *note, int16_t dist)
{
	const char *type = record_word_name(note_types, note->type);
	const struct trace_reply *r = NULL;

	json_sep(b);
	buf_u8(b, '{');
	json_number(b, "nhmtu", note->nhmtu);
	if (note->reply != TRACE_NOTE_NO_REPLY) {
		r = &t->rare->pmtud->leg.replies[note->reply];
		json_number(b, "hop_id", note->reply);
	}
	if (dist >= 0)
		json_number(b, "dist", (uint64_t)dist);
	json_key(b, "type");
	if (type != NULL)
		json_string(b, type);
	else
		buf_dec(b, note->type);
	if (r != NULL && trace_reply_is_toobig(t, r))
		json_number(b, "icmp_nhmtu", r->nhmtu);
	if (r != NULL) {
		json_key(b, "addr");
		json_addr(b, &r->from);
	}
	buf_u8(b, '}');
}

static void
json_notes(struct buf *b, const struct trace_record *t)
{
	const struct trace_pmtud *pm = t->rare->pmtud;
	int16_t dists[UINT8_MAX];

	if (pm->note_count == 0)
		return;
	trace_note_dists(t, dists);
	json_key(b, "notes");
	buf_u8(b, '[');
	for (uint16_t i = 0; i < pm->note_count; i++)
		json_note(b, t, &pm->notes[i], dists[i]);
	buf_u8(b, ']');
}

static bool
answered(const struct trace_leg *leg, uint16_t probe)
{
	for (uint16_t i = 0; i < leg->reply_count; i++) {
		if (leg->replies[i].probe == probe)
			return true;
	}
	return false;
}

static void
json_leg(struct buf *b, const struct field_ctx *c, const struct trace_leg *leg)
{
	bool open = false;

	for (uint16_t i = 0; i < leg->reply_count; i++) {
		if (i == 0) {
			json_key(b, "hops");
			buf_u8(b, '[');
		}
		trace_json_hop(b, c, leg, &leg->replies[i]);
	}
	if (leg->reply_count > 0)
		buf_u8(b, ']');
	for (uint16_t i = 0; i < leg->probe_count; i++) {
		if (answered(leg, i))
			continue;
		if (!open) {
			json_key(b, "no_hops");
			buf_u8(b, '[');
			open = true;
		}
		trace_json_silent(b, c, &leg->probes[i]);
	}
	if (open)
		buf_u8(b, ']');
}

void
trace_json_pmtud(struct buf *b, const struct field_ctx *c)
{
	const struct trace_record *t = c->base[BASE_REC];
	const struct trace_pmtud *pm = t->rare->pmtud;

	json_key(b, "pmtud");
	buf_u8(b, '{');
	json_number(b, "if_mtu", pm->ifmtu);
	json_number(b, "out_mtu", pm->outmtu != 0 ? pm->outmtu : pm->ifmtu);
	json_number(b, "path_mtu", pm->pmtu);
	json_number(b, "probec", pm->leg.probe_count);
	json_number(b, "notec", pm->note_count);
	json_notes(b, t);
	json_leg(b, c, &pm->leg);
	buf_u8(b, '}');
}

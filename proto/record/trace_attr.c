#include <errno.h>
#include <stdlib.h>

#include "proto/record/trace_priv.h"

/* Attributes of warts.md section 9.3: four bits of type, twelve of length. */
#define ATTR_PMTUD 1
#define ATTR_LASTDITCH 2
#define ATTR_DTREE 3
#define ATTR_MAX 0x0fff

static const struct trace_rare *
rare_of(const struct field_ctx *c)
{
	return c->base[BASE_RARE];
}

static const struct field pmtud_fields[] = {
	[1] = { .kind = FK_U16, MEMBER(BASE_SELF, trace_pmtud, ifmtu), .when = field_given },
	[2] = { .kind = FK_U16, MEMBER(BASE_SELF, trace_pmtud, pmtu), .when = field_given },
	[3] = { .kind = FK_U16, MEMBER(BASE_SELF, trace_pmtud, outmtu), .when = field_given },
	[4] = { .kind = FK_U8, MEMBER(BASE_SELF, trace_pmtud, version) },
	[5] = { .kind = FK_U8, MEMBER(BASE_SELF, trace_pmtud, note_count), .when = field_given },
};
static const struct record_block pmtud_block = { .name = "trace pmtud", .fields = pmtud_fields, .params = 5 };

static bool
has_reply(const struct field_ctx *c, const struct field *f)
{
	(void)f;
	return ((const struct trace_note *)c->base[BASE_SELF])->reply != TRACE_NOTE_NO_REPLY;
}

static const struct field note_fields[] = {
	[1] = { .kind = FK_U8, MEMBER(BASE_SELF, trace_note, type), .when = field_given },
	[2] = { .kind = FK_U16, MEMBER(BASE_SELF, trace_note, nhmtu), .when = field_given },
	[3] = { .kind = FK_U16, MEMBER(BASE_SELF, trace_note, reply), .when = has_reply },
};
static const struct record_block note_block = {
	.name = "trace pmtud note", .fields = note_fields, .params = 3
};

static const struct field dtree_fields[] = {
	[1] = { .kind = FK_GID, MEMBER(BASE_SELF, trace_dtree, lss_stop) },
	[2] = { .kind = FK_GID, MEMBER(BASE_SELF, trace_dtree, gss_stop) },
	[3] = { .kind = FK_U8, MEMBER(BASE_SELF, trace_dtree, firsthop) },
	[4] = { .kind = FK_ADDR, MEMBER(BASE_SELF, trace_dtree, lss_stop), .when = field_given },
	[5] = { .kind = FK_ADDR, MEMBER(BASE_SELF, trace_dtree, gss_stop), .when = field_given },
	[6] = { .kind = FK_STRING, MEMBER(BASE_SELF, trace_dtree, lss_name), .when = field_given },
	[7] = { .kind = FK_U8, MEMBER(BASE_SELF, trace_dtree, flags), .when = field_given },
};
static const struct record_block dtree_block = {
	.name = "trace doubletree", .fields = dtree_fields, .params = 7
};

static const struct record_block empty_block = { .name = "trace last-ditch" };

/* How much of an attribute to write: its length has only twelve bits. */
struct cut {
	uint16_t notes;
	uint16_t hops; /* PMTUD: hops that no note is about */
};

/* One attribute's body, as much of it as cut says. */
typedef int put_body(struct warts_put *, const struct field_ctx *, const struct cut *);

static bool
noted(const struct trace_pmtud *pm, uint16_t notes, uint16_t reply)
{
	for (uint16_t i = 0; i < notes; i++) {
		if (pm->notes[i].reply == reply)
			return true;
	}
	return false;
}

/* Hop records that the cut leaves; *ret_index[i] is the new number of reply i
 * plus one. NULL without memory. */
static uint16_t *
choose_hops(const struct trace_pmtud *pm, const struct cut *cut, uint16_t *ret_count)
{
	uint16_t *index = calloc(pm->leg.reply_count + 1u, sizeof(*index));
	uint16_t spare = cut->hops;

	*ret_count = 0;
	if (index == NULL)
		return NULL;
	for (uint16_t i = 0; i < pm->leg.reply_count; i++) {
		if (!noted(pm, cut->notes, i)) {
			if (spare == 0)
				continue;
			spare--;
		}
		index[i] = ++*ret_count;
	}
	return index;
}

static int
put_pmtud_hops(struct warts_put *w, const struct field_ctx *outer, const struct cut *cut,
    const uint16_t *index, uint16_t count)
{
	const struct trace_pmtud *pm = rare_of(outer)->pmtud;
	int r = 0;

	buf_u16(w->out, count);
	for (uint16_t i = 0; r == 0 && i < pm->leg.reply_count; i++) {
		if (index[i] != 0)
			r = trace_put_hop(w, outer, &pm->leg, &pm->leg.replies[i]);
	}
	for (uint16_t i = 0; r == 0 && i < cut->notes; i++) {
		struct trace_note note = pm->notes[i];
		struct field_ctx c = *outer;

		if (note.reply != TRACE_NOTE_NO_REPLY)
			note.reply = (uint16_t)(index[note.reply] - 1);
		c.base[BASE_SELF] = &note;
		r = warts_put_block(w, &note_block, &c);
	}
	return r;
}

static int
put_pmtud(struct warts_put *w, const struct field_ctx *outer, const struct cut *cut)
{
	struct trace_pmtud shown = *rare_of(outer)->pmtud;
	struct field_ctx c = *outer;
	uint16_t *index, count;
	int r;

	shown.note_count = (uint8_t)cut->notes;
	c.base[BASE_SELF] = &shown;
	r = warts_put_block(w, &pmtud_block, &c);
	if (r < 0)
		return r;
	index = choose_hops(rare_of(outer)->pmtud, cut, &count);
	if (index == NULL)
		return -ENOMEM;
	r = put_pmtud_hops(w, outer, cut, index, count);
	free(index);
	return r;
}

static int
put_lastditch(struct warts_put *w, const struct field_ctx *outer, const struct cut *cut)
{
	const struct trace_leg *leg = rare_of(outer)->lastditch;
	int r = warts_put_block(w, &empty_block, outer);

	buf_u16(w->out, cut->hops);
	for (uint16_t i = 0; r == 0 && i < cut->hops; i++)
		r = trace_put_hop(w, outer, leg, &leg->replies[i]);
	return r;
}

static int
put_dtree(struct warts_put *w, const struct field_ctx *outer, const struct cut *cut)
{
	struct field_ctx c = *outer;

	(void)cut;
	c.base[BASE_SELF] = rare_of(outer)->dtree;
	return warts_put_block(w, &dtree_block, &c);
}

/* An eighth less each time; false when there is nothing left to drop. */
static bool
cut_more(struct cut *cut)
{
	uint16_t *n = cut->hops > 0 ? &cut->hops : &cut->notes;

	if (*n == 0)
		return false;
	*n = (uint16_t)(*n - *n / 8 - (*n < 8 ? 1 : 0));
	return true;
}

/* Writes an attribute, dropping hop records until it fits: a longer body would
 * run into the type bits and make the record unreadable (warts.md 23, no. 8). */
static int
put_attr(struct warts_put *w, const struct field_ctx *outer, uint16_t type, put_body *body, struct cut cut)
{
	size_t start = w->out->len;
	uint32_t addrs = w->addrs.count;
	int r;

	for (;;) {
		buf_u16(w->out, 0);
		r = body(w, outer, &cut);
		if (w->out->failed)
			return -ENOMEM;
		if (r < 0 && r != -EMSGSIZE)
			return r;
		if (r == 0 && w->out->len - start - 2 <= ATTR_MAX)
			break;
		if (!cut_more(&cut))
			return -EMSGSIZE;
		w->out->len = start;
		addr_dict_cut(&w->addrs, addrs);
	}
	buf_patch16(w->out, start, (uint16_t)(type << 12 | (w->out->len - start - 2)));
	return 0;
}

int
trace_put_attrs(struct warts_put *w, const struct field_ctx *outer)
{
	const struct trace_rare *rare = rare_of(outer);
	struct cut none = { 0 }, pmtud = { 0 }, last = { 0 };
	int r = 0;

	if (rare != NULL && rare->pmtud != NULL) {
		pmtud = (struct cut){ rare->pmtud->note_count, rare->pmtud->leg.reply_count };
		r = put_attr(w, outer, ATTR_PMTUD, put_pmtud, pmtud);
	}
	if (r == 0 && rare != NULL && rare->lastditch != NULL) {
		last.hops = rare->lastditch->reply_count;
		r = put_attr(w, outer, ATTR_LASTDITCH, put_lastditch, last);
	}
	if (r == 0 && rare != NULL && rare->dtree != NULL)
		r = put_attr(w, outer, ATTR_DTREE, put_dtree, none);
	buf_u16(w->out, 0);
	return r;
}

static int
get_notes(struct warts_get *g, const struct field_ctx *outer, struct trace_pmtud *pm)
{
	struct field_ctx c = *outer;
	uint64_t seen;
	int r;

	if (pm->note_count == 0)
		return 0;
	pm->notes = calloc(pm->note_count, sizeof(*pm->notes));
	if (pm->notes == NULL)
		return errbuf_set(g->err, -ENOMEM, "out of memory");
	for (uint16_t i = 0; i < pm->note_count; i++) {
		struct trace_note *note = &pm->notes[i];

		note->reply = TRACE_NOTE_NO_REPLY;
		c.base[BASE_SELF] = note;
		r = warts_get_block(g, &note_block, &c, &seen);
		if (r < 0)
			return r;
		if (note->reply != TRACE_NOTE_NO_REPLY && note->reply >= pm->leg.reply_count)
			return errbuf_set(
			    g->err, -EBADMSG, "note about reply %u of %u", note->reply, pm->leg.reply_count);
	}
	return 0;
}

static int
get_pmtud(struct warts_get *g, const struct field_ctx *outer, struct trace_rare *rare)
{
	struct field_ctx c = *outer;
	struct trace_pmtud *pm;
	uint64_t seen;
	int r;

	if (rare->pmtud != NULL)
		return errbuf_set(g->err, -EBADMSG, "a second pmtud attribute");
	pm = rare->pmtud = calloc(1, sizeof(*pm));
	if (pm == NULL)
		return errbuf_set(g->err, -ENOMEM, "out of memory");
	pm->version = 1;
	c.base[BASE_SELF] = pm;
	r = warts_get_block(g, &pmtud_block, &c, &seen);
	if (r == 0)
		r = trace_get_hops(g, outer, &pm->leg, rd_u16(&g->rd));
	if (r == 0)
		r = get_notes(g, outer, pm);
	if (r < 0)
		pm->note_count = 0; /* those behind the damage are not there */
	return r;
}

static int
get_lastditch(struct warts_get *g, const struct field_ctx *outer, struct trace_rare *rare)
{
	uint64_t seen;
	int r;

	if (rare->lastditch != NULL)
		return errbuf_set(g->err, -EBADMSG, "a second last-ditch attribute");
	rare->lastditch = calloc(1, sizeof(*rare->lastditch));
	if (rare->lastditch == NULL)
		return errbuf_set(g->err, -ENOMEM, "out of memory");
	r = warts_get_block(g, &empty_block, outer, &seen);
	return r < 0 ? r : trace_get_hops(g, outer, rare->lastditch, rd_u16(&g->rd));
}

static int
get_dtree(struct warts_get *g, const struct field_ctx *outer, struct trace_rare *rare)
{
	struct field_ctx c = *outer;
	uint64_t seen;

	if (rare->dtree != NULL)
		return errbuf_set(g->err, -EBADMSG, "a second doubletree attribute");
	rare->dtree = calloc(1, sizeof(*rare->dtree));
	if (rare->dtree == NULL)
		return errbuf_set(g->err, -ENOMEM, "out of memory");
	c.base[BASE_SELF] = rare->dtree;
	return warts_get_block(g, &dtree_block, &c, &seen);
}

static int
get_body(struct warts_get *g, const struct field_ctx *outer, uint16_t type)
{
	struct trace_rare *rare = outer->base[BASE_RARE];

	switch (type) {
	case ATTR_PMTUD:
		return get_pmtud(g, outer, rare);
	case ATTR_LASTDITCH:
		return get_lastditch(g, outer, rare);
	case ATTR_DTREE:
		return get_dtree(g, outer, rare);
	}
	return 0; /* newer than we are: skipped by its length */
}

int
trace_get_attrs(struct warts_get *g, const struct field_ctx *outer)
{
	for (;;) {
		uint16_t head = rd_u16(&g->rd);
		uint16_t len = head & ATTR_MAX;
		const uint8_t *body = rd_take(&g->rd, len);
		struct rd outside = g->rd;
		int r;

		if (body == NULL)
			return errbuf_set(g->err, -EBADMSG, "trace attributes are cut short");
		if (head == 0)
			return 0;
		rd_init(&g->rd, body, len);
		r = get_body(g, outer, (uint16_t)(head >> 12));
		if (r == 0 && g->rd.bad)
			r = errbuf_set(g->err, -EBADMSG, "a trace attribute is cut short");
		g->rd = outside;
		if (r < 0)
			return r;
	}
}

#include "proto/record/json.h"
#include "proto/record/text.h"
#include "proto/record/trace_priv.h"

/* Bits of the TCP flags byte, RFC 9293 section 3.1. */
#define FLAG_SYN 0x02
#define FLAG_RST 0x04
#define FLAG_ACK 0x10
#define FLAG_ECE 0x40

static const struct record_word tcp_flags[] = {
	{ "RST", 0x04 },
	{ "SYN", 0x02 },
	{ "ACK", 0x10 },
	{ "PSH", 0x08 },
	{ "FIN", 0x01 },
	{ "URG", 0x20 },
	{ "CWR", 0x80 },
	{ "ECE", 0x40 },
	{ NULL, 0 },
};

/* Letters for unreachable codes, text-json.md section 3. */
static const struct record_word unreach4[] = {
	{ " !X", 13 },
	{ " !H", 1 },
	{ " !F", 4 },
	{ " !S", 5 },
	{ " !P", 2 },
	{ " !N", 0 },
	{ NULL, 0 },
};
static const struct record_word unreach6[] = {
	{ " !A", 3 },
	{ " !S", 2 },
	{ " !P", 1 },
	{ " !N", 0 },
	{ NULL, 0 },
};

/* How a family's ICMP numbers the types that matter here. */
static const struct icmp_types {
	uint8_t echo_reply, exceeded, unreach, port;
	const struct record_word *unreach_words;
} icmp_types[] = {
	[ADDR_IP4] = { 0, 11, 3, 3, unreach4 },
	[ADDR_IP6] = { 129, 3, 1, 4, unreach6 },
};

static void
put_tcp(struct buf *b, uint8_t flags)
{
	if ((flags & FLAG_RST) != 0) {
		buf_text(b, " [closed]");
	} else if ((flags & (FLAG_SYN | FLAG_ACK)) == (FLAG_SYN | FLAG_ACK)) {
		buf_text(b, (flags & FLAG_ECE) != 0 ? " [open, ecn]" : " [open]");
	} else if (flags == 0) {
		buf_text(b, " [unknown, no flags]");
	} else {
		buf_text(b, " [unknown,");
		for (const struct record_word *w = tcp_flags; w->name != NULL; w++) {
			if ((flags & w->value) == 0)
				continue;
			buf_u8(b, ' ');
			buf_text(b, w->name);
		}
		buf_u8(b, ']');
	}
}

static void
put_icmp(struct buf *b, const struct trace_record *t, const struct trace_reply *r)
{
	const struct icmp_types *types = &icmp_types[t->dst.family == ADDR_IP4 ? ADDR_IP4 : ADDR_IP6];
	const char *letter;

	if (r->icmp_type == types->exceeded || r->icmp_type == types->echo_reply)
		return;
	if (r->icmp_type == types->unreach && r->icmp_code == types->port)
		return;
	if (trace_reply_is_toobig(t, r)) {
		buf_text(b, " !F");
		return;
	}
	if (r->icmp_type != types->unreach) {
		buf_printf(b, " !<%u,%u>", r->icmp_type, r->icmp_code);
		return;
	}
	letter = record_word_name(types->unreach_words, r->icmp_code);
	if (letter != NULL)
		buf_text(b, letter);
	else
		buf_printf(b, " !<%u>", r->icmp_code);
}

/* What an MTU note says about the way towards one hop. */
struct mtu {
	bool shown;
	uint16_t mtu;
	uint16_t size;
	const struct trace_reply *ptb; /* the packet-too-big that ended this MTU */
	bool ptb_bad;
};

static void
put_mtu(struct buf *b, const struct trace_record *t, const struct mtu *m, uint8_t ttl)
{
	const struct trace_reply *seen = trace_first_reply(&t->leg, ttl);

	buf_text(b, m->mtu == m->size ? " [mtu: " : " [*mtu: ");
	buf_dec(b, m->size);
	buf_u8(b, ']');
	if (m->ptb == NULL)
		return;
	if (seen == NULL || !addr_equal(&seen->from, &m->ptb->from)) {
		buf_text(b, " ptb ");
		text_addr(b, &m->ptb->from);
	}
	if (m->ptb_bad) {
		buf_text(b, " nhmtu ");
		buf_dec(b, m->ptb->nhmtu);
		buf_u8(b, '!');
	}
}

/* Gives the hops in *at..last the current values, those that answered. */
static void
mtu_spread(
    const struct trace_record *t, struct mtu ann[UINT8_MAX + 1], const struct mtu *now, int *at, int last)
{
	for (; *at <= last; (*at)++) {
		if (trace_first_reply(&t->leg, (uint8_t)*at) == NULL)
			continue;
		ann[*at].shown = true;
		ann[*at].mtu = now->mtu;
		ann[*at].size = now->size;
	}
}

/* One note: the hops up to its own have what is current, then the values
 * change (text-json.md section 3). */
static void
mtu_note(const struct trace_record *t, const struct trace_note *note, int16_t dist,
    struct mtu ann[UINT8_MAX + 1], struct mtu *now, int *at)
{
	const struct trace_reply *r;
	int last = trace_last_hop(t);

	if (note->reply == TRACE_NOTE_NO_REPLY) {
		now->size = note->nhmtu;
		return;
	}
	if (dist < 0)
		return;
	r = &t->rare->pmtud->leg.replies[note->reply];
	mtu_spread(t, ann, now, at, dist < last ? dist : last);
	if (trace_reply_is_toobig(t, r)) {
		if (!ann[dist].shown) {
			ann[dist] = *now;
			ann[dist].shown = true;
		}
		ann[dist].ptb = r;
		ann[dist].ptb_bad = note->type == TRACE_NOTE_PTB_BAD;
		now->mtu = r->nhmtu;
	}
	now->size = note->nhmtu;
}

static void
mtu_annotate(const struct trace_record *t, struct mtu ann[UINT8_MAX + 1])
{
	const struct trace_pmtud *pm = t->rare == NULL ? NULL : t->rare->pmtud;
	struct mtu now = { 0 };
	int16_t dists[UINT8_MAX];
	uint16_t i = 0;
	int at = 1;

	if (pm == NULL || pm->version != 2)
		return;
	now.mtu = now.size = pm->ifmtu;
	if (pm->outmtu != 0) {
		now.size = pm->outmtu;
		i = 1; /* the first note says the same */
	}
	trace_note_dists(t, dists);
	for (; i < pm->note_count; i++)
		mtu_note(t, &pm->notes[i], dists[i], ann, &now, &at);
	mtu_spread(t, ann, &now, &at, trace_last_hop(t));
}

static void
put_silent(struct buf *b, const struct trace_record *t)
{
	uint8_t n = (t->flags & TRACE_FLAG_ALLATTEMPTS) != 0 && t->attempts > 0 ? t->attempts : 1;

	buf_u8(b, ' ');
	for (uint8_t i = 0; i < n; i++)
		buf_text(b, " *");
}

/* One hop's line; *next is the first reply not yet printed. */
static void
put_hop(struct buf *b, const struct trace_record *t, uint8_t ttl, uint16_t *next, const struct mtu *mtu)
{
	const struct trace_leg *leg = &t->leg;
	const struct addr *shown = NULL;

	text_pad2(b, ttl);
	for (; *next < leg->reply_count && trace_reply_ttl(leg, &leg->replies[*next]) == ttl; (*next)++) {
		const struct trace_reply *r = &leg->replies[*next];

		buf_text(b, "  ");
		if (shown == NULL || !addr_equal(shown, &r->from)) {
			text_addr(b, &r->from);
			buf_text(b, "  ");
			shown = &r->from;
		}
		json_ms(b, r->rtt_us);
		buf_text(b, " ms");
		if ((r->flags & TRACE_REPLY_TCP) != 0)
			put_tcp(b, r->tcp_flags);
		else if (trace_reply_is_icmp(r))
			put_icmp(b, t, r);
	}
	if (shown == NULL)
		put_silent(b, t);
	if (mtu->shown)
		put_mtu(b, t, mtu, ttl);
	buf_u8(b, '\n');
}

void
trace_text(struct buf *b, const void *rec)
{
	const struct trace_record *t = rec;
	struct mtu ann[UINT8_MAX + 1] = { 0 };
	uint16_t next = 0;

	buf_text(b, "traceroute");
	if (t->src.family != ADDR_NONE) {
		buf_text(b, " from ");
		text_addr(b, &t->src);
	}
	buf_text(b, " to ");
	text_addr(b, &t->dst);
	if (t->rare != NULL && t->rare->router.family != ADDR_NONE) {
		buf_text(b, " via ");
		text_addr(b, &t->rare->router);
	}
	buf_u8(b, '\n');
	mtu_annotate(t, ann);
	for (int ttl = 1; ttl <= t->hop_count && ttl <= UINT8_MAX; ttl++)
		put_hop(b, t, (uint8_t)ttl, &next, &ann[ttl]);
}

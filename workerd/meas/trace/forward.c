#include "workerd/meas/trace/decide.h"
#include "workerd/meas/trace/trace.h"

/* The ordinary trace: hop after hop until something ends it. */

void
forward_enter(struct trace *t, const struct instant *now)
{
	visit_begin(t, t->ttl, now);
}

static struct verdict
judge(struct trace *t, const struct trace_leg *leg, uint16_t reply)
{
	const struct trace_reply *r = &leg->replies[reply];
	bool full = false;

	if (t->rec.loops != 0 && trace_is_loop(leg, reply, false)) {
		t->loops++;
		full = t->loops >= t->rec.loops;
	}
	return trace_judge(&t->rec, r, full, dtree_in_gss(t, &r->from));
}

/* A late reply has ended the trace: the hops that were asked since are not on
 * the path that it describes. */
static void
cut_hops(struct trace_record *rec)
{
	rec->hop_count = 0;
	for (uint16_t i = 0; i < rec->leg.reply_count; i++) {
		uint8_t ttl = rec->leg.probes[rec->leg.replies[i].probe].ttl;

		if (ttl > rec->hop_count)
			rec->hop_count = ttl;
	}
}

void
forward_reply(struct trace *t, struct trace_leg *leg, uint16_t reply, const struct instant *now)
{
	struct verdict v = judge(t, leg, reply);
	bool here = leg->probes[leg->replies[reply].probe].ttl == t->ttl;

	if (v.reason != TRACE_STOP_NONE && t->stop == TRACE_STOP_NONE) {
		t->stop = v.reason;
		t->stop_data = v.data;
		if (v.reason == TRACE_STOP_GSS)
			t->rec.rare->dtree->gss_stop = leg->replies[reply].from;
		if (!here)
			cut_hops(&t->rec);
		if (!here || !trace_wants_all(&t->rec)) {
			trace_stop(t, v.reason, v.data, now);
			return;
		}
	}
	visit_reply(t, leg, reply, now);
}

void
forward_hop_over(struct trace *t, const struct instant *now)
{
	if (t->stop != TRACE_STOP_NONE)
		trace_stop(t, t->stop, t->stop_data, now);
	else if (t->ttl >= trace_last_ttl(t)) /* a gap that ends here changes nothing */
		trace_stop(t, TRACE_STOP_HOPLIMIT, 0, now);
	else if (trace_gap_reached(&t->rec, t->rec.firsthop, t->ttl))
		trace_stop(t, TRACE_STOP_GAPLIMIT, 0, now);
	else
		visit_begin(t, (uint8_t)(t->ttl + 1), now);
}

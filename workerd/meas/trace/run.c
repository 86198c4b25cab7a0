#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "workerd/meas/trace/decide.h"
#include "workerd/meas/trace/trace.h"

/* The rooms of a trace, the one door between them, and what the engine calls. */

#define TO(state) (1u << (state))
#define AFTER_FORWARD (TO(TR_BACK) | TO(TR_LASTDITCH) | TO(TR_PMTUD) | TO(TR_PTR) | TO(TR_DONE))

static void done_enter(struct trace *, const struct instant *);

static const struct trace_room rooms[TR_STATES] = {
	[TR_NEW] = { "new", TO(TR_FIRST) | TO(TR_FORWARD) | TO(TR_PARALLEL) | TO(TR_DONE) },
	[TR_FIRST] = { "first", TO(TR_FORWARD) | AFTER_FORWARD, dtree_first_enter, visit_probe, visit_reply,
	    visit_timeout, dtree_first_hop_over },
	[TR_FORWARD] = { "forward", AFTER_FORWARD, forward_enter, visit_probe, forward_reply, visit_timeout,
	    forward_hop_over },
	[TR_PARALLEL] = { "parallel", AFTER_FORWARD, parallel_enter, parallel_probe, parallel_reply,
	    parallel_timeout },
	[TR_BACK] = { "back", TO(TR_LASTDITCH) | TO(TR_PTR) | TO(TR_DONE), dtree_back_enter, visit_probe,
	    visit_reply, visit_timeout, dtree_back_hop_over },
	[TR_LASTDITCH] = { "lastditch", TO(TR_PTR) | TO(TR_DONE), lastditch_enter, visit_probe, visit_reply,
	    visit_timeout, lastditch_hop_over },
	[TR_PMTUD] = { "pmtud", TO(TR_PTR) | TO(TR_DONE), pmtud_enter, pmtud_probe, pmtud_reply,
	    pmtud_timeout },
	[TR_PTR] = { "ptr", TO(TR_DONE), ptr_enter, ptr_probe, NULL, ptr_timeout },
	[TR_DONE] = { "done", 0, done_enter },
};

void
trace_goto(struct trace *t, enum trace_state to, const struct instant *now)
{
	assert(rooms[t->state].next & TO(to)); /* our bug, never the network's */
	log_debug("trace: %s -> %s", rooms[t->state].name, rooms[to].name);
	t->state = (uint8_t)to;
	rooms[to].enter(t, now);
}

/* ---- what comes after probing, in this order, each if it is wanted ---- */

static bool
wants_lastditch(const struct trace *t)
{
	return t->rec.stop_reason == TRACE_STOP_GAPLIMIT && t->rec.gapaction == 2;
}

static bool
wants_pmtud(const struct trace *t)
{
	return (t->rec.flags & TRACE_FLAG_PMTUD) != 0 && trace_responsive_end(t->rec.stop_reason);
}

static bool
wants_ptr(const struct trace *t)
{
	return (t->rec.flags & TRACE_FLAG_PTR) != 0 && task_nameserver(&t->meas.task)->family != ADDR_NONE;
}

static bool
always(const struct trace *t)
{
	(void)t;
	return true;
}

static const struct {
	enum trace_state state;
	bool (*wanted)(const struct trace *);
} later[] = {
	{ TR_BACK, dtree_wants_back },
	{ TR_LASTDITCH, wants_lastditch },
	{ TR_PMTUD, wants_pmtud },
	{ TR_PTR, wants_ptr },
	{ TR_DONE, always },
};

void
trace_advance(struct trace *t, const struct instant *now)
{
	size_t i = 0;

	while (later[i].state <= t->state || !later[i].wanted(t))
		i++;
	task_unwait(&t->meas.task);
	t->spacing = false;
	trace_goto(t, later[i].state, now);
}

void
trace_stop(struct trace *t, uint8_t reason, uint8_t data, const struct instant *now)
{
	t->stop = reason;
	t->stop_data = data;
	t->rec.stop_reason = reason;
	t->rec.stop_data = data;
	trace_advance(t, now);
}

/* What probing has found is kept when only a later room fails. */
void
trace_fail(struct trace *t, int err, const char *what, const struct instant *now)
{
	struct trace_rare *rare;

	if (t->state == TR_DONE)
		return;
	if (t->state <= TR_PARALLEL) {
		t->rec.stop_reason = TRACE_STOP_ERROR;
		t->rec.stop_data = (uint8_t)-err;
		rare = trace_record_rare(&t->rec);
		if (rare != NULL && rare->errmsg == NULL)
			rare->errmsg = strdup(what);
	}
	trace_goto(t, TR_DONE, now);
}

static void
settle_probes(struct trace_leg *leg)
{
	for (uint16_t i = 0; i < leg->probe_count; i++)
		leg->probes[i].flags &= (uint8_t)~TRACE_PROBE_PENDING;
	trace_leg_sort(leg);
}

static void
done_enter(struct trace *t, const struct instant *now)
{
	(void)now;
	if (t->rec.stop_reason != TRACE_STOP_HALTED)
		settle_probes(&t->rec.leg);
	else
		trace_leg_sort(&t->rec.leg);
	if (t->rec.rare != NULL && t->rec.rare->lastditch != NULL)
		settle_probes(t->rec.rare->lastditch);
	task_done(&t->meas.task);
}

/* ---- asking ---- */

void
trace_ask(struct trace *t, const struct instant *now)
{
	t->spacing = now->mono < t->next_probe;
	if (t->spacing) {
		task_wait(&t->meas.task, t->next_probe);
		return;
	}
	task_unwait(&t->meas.task);
	task_want_probe(&t->meas.task);
}

void
trace_room_hop_over(struct trace *t, const struct instant *now)
{
	rooms[t->state].hop_over(t, now);
}

/* ---- the rest of what the engine calls ---- */

static bool
op_probe(struct task *task, struct probe *p, const struct instant *now)
{
	struct trace *t = (struct trace *)task;

	return rooms[t->state].probe(t, p, now);
}

static struct trace_leg *
find_probe(struct trace *t, int32_t index, uint16_t *ret_place)
{
	return index < 0 ? NULL : trace_locate(t, (uint16_t)index, ret_place);
}

static void
op_sent(struct task *task, const struct pkt *probe, nsec_t tx)
{
	struct trace *t = (struct trace *)task;
	uint16_t at;
	struct trace_leg *leg = find_probe(t, trace_match_own(t, probe), &at);

	if (leg == NULL || (leg->probes[at].flags & TRACE_PROBE_ANSWERED) != 0)
		return;
	trace_probe_set_tx(&leg->probes[at], t->rec.start, tx);
	leg->probes[at].flags |= TRACE_PROBE_DLTX;
}

/* A probe's first reply is always kept, whatever else came before it: a hop that
 * answers a hundred times must not make the next one look silent. */
static bool
has_room(struct trace *t, const struct trace_probe *p)
{
	if ((p->flags & TRACE_PROBE_ANSWERED) == 0)
		return true;
	if (t->spare_replies >= TRACE_SPARE_REPLIES)
		return false;
	t->spare_replies++;
	return true;
}

static void
op_reply(struct task *task, const struct reply *r, const struct instant *now)
{
	struct trace *t = (struct trace *)task;
	struct trace_leg *leg;
	uint16_t at;

	if (t->state == TR_PTR) {
		if (r->quoted == NULL)
			ptr_answer(t, r->pkt, now);
		return;
	}
	leg = find_probe(t, trace_match(t, r->pkt, r->quoted), &at);
	if (leg == NULL || !has_room(t, &leg->probes[at]))
		return;
	if (trace_note_reply(t, leg, at, r) != 0) {
		trace_fail(t, -ENOMEM, "out of memory", now);
		return;
	}
	leg->probes[at].flags |= TRACE_PROBE_ANSWERED;
	rooms[t->state].reply(t, leg, (uint16_t)(leg->reply_count - 1), now);
}

static void
op_timeout(struct task *task, const struct instant *now)
{
	struct trace *t = (struct trace *)task;

	if (t->spacing) {
		t->spacing = false;
		task_want_probe(task);
		return;
	}
	rooms[t->state].timeout(t, now);
}

static void
count_hops(struct trace_record *rec)
{
	rec->hop_count = 0;
	for (uint16_t i = 0; i < rec->leg.probe_count; i++) {
		if (rec->leg.probes[i].ttl > rec->hop_count)
			rec->hop_count = rec->leg.probes[i].ttl;
	}
}

/* The probe that was noted last never left. */
static void
unsend(struct trace *t)
{
	uint16_t at;
	struct trace_leg *leg = find_probe(t, (int32_t)trace_sent(t) - 1, &at);

	if (leg == NULL)
		return;
	leg->probe_count--;
	t->rec.probe_count--;
	count_hops(&t->rec);
}

static void
op_refused(struct task *task, int err, const struct instant *now)
{
	struct trace *t = (struct trace *)task;

	if (t->state == TR_NEW) { /* in place of start */
		t->rec.start = now->wall;
		trace_fail(t, -err, task_refusal(err, true), now);
	} else if (t->state == TR_PTR) {
		trace_advance(t, now);
	} else if (t->state == TR_PMTUD && err == EMSGSIZE) {
		unsend(t);
		pmtud_too_long(t, now);
	} else if (t->state != TR_DONE) {
		unsend(t);
		trace_fail(t, -err, task_refusal(err, false), now);
	}
}

static void
op_halt(struct task *task, const struct instant *now)
{
	struct trace *t = (struct trace *)task;

	if (t->state == TR_DONE)
		return;
	if (t->state == TR_NEW)
		t->rec.start = now->wall;
	t->rec.stop_reason = TRACE_STOP_HALTED;
	t->rec.stop_data = 0;
	trace_goto(t, TR_DONE, now);
}

const struct task_ops trace_ops = {
	.start = trace_begin,
	.probe = op_probe,
	.sent = op_sent,
	.reply = op_reply,
	.timeout = op_timeout,
	.refused = op_refused,
	.halt = op_halt,
};

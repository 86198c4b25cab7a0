#include "workerd/meas/trace/decide.h"
#include "workerd/meas/trace/trace.h"

/*
 * Probing one TTL, one probe at a time, up to its attempts. Forward probing,
 * doubletree's two directions and the last ditch are visits that differ in what
 * comes next: the room's hop_over.
 */

nsec_t
trace_wait_ns(const struct trace *t)
{
	return t->rec.wait_s * NSEC_PER_SEC;
}

uint8_t
trace_last_ttl(const struct trace *t)
{
	return t->rec.hoplimit == 0 ? 255 : t->rec.hoplimit;
}

void
visit_begin(struct trace *t, uint8_t ttl, const struct instant *now)
{
	t->ttl = ttl;
	t->attempt = 0;
	t->interfaces = 0;
	trace_ask(t, now);
}

static struct trace_leg *
leg_of(struct trace *t)
{
	return t->state == TR_LASTDITCH ? t->rec.rare->lastditch : &t->rec.leg;
}

static bool
visit_wants_all(const struct trace *t)
{
	return t->state != TR_LASTDITCH && trace_wants_all(&t->rec);
}

static uint8_t
quota(const struct trace *t)
{
	return t->state == TR_LASTDITCH ? t->rec.attempts : trace_quota(&t->rec, t->interfaces);
}

bool
visit_probe(struct trace *t, struct probe *p, const struct instant *now)
{
	struct trace_leg *leg = leg_of(t);

	if (!trace_send(t, p, leg, t->ttl, t->attempt, t->rec.probe_size, now))
		return false;
	t->attempt++;
	task_wait(&t->meas.task, now->mono + trace_wait_ns(t));
	return true;
}

static void
attempt_over(struct trace *t, const struct instant *now)
{
	if (t->attempt < quota(t))
		trace_ask(t, now);
	else
		trace_room_hop_over(t, now);
}

void
visit_reply(struct trace *t, struct trace_leg *leg, uint16_t reply, const struct instant *now)
{
	struct trace_probe *p = &leg->probes[leg->replies[reply].probe];
	bool waited_for = (p->flags & TRACE_PROBE_PENDING) != 0; /* only the last is ever */

	p->flags &= (uint8_t)~TRACE_PROBE_PENDING;
	if (leg != leg_of(t) || p->ttl != t->ttl || t->attempt == 0)
		return; /* late: recorded, and that is all */
	if (t->rec.confidence != 0 && t->interfaces < UINT8_MAX && trace_is_new_interface(leg, reply))
		t->interfaces++;
	if (!visit_wants_all(t))
		trace_room_hop_over(t, now);
	else if (waited_for)
		attempt_over(t, now);
}

void
visit_timeout(struct trace *t, const struct instant *now)
{
	struct trace_leg *leg = leg_of(t);

	leg->probes[leg->probe_count - 1].flags &= (uint8_t)~TRACE_PROBE_PENDING;
	attempt_over(t, now);
}

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/wr.h"
#include "workerd/probe/engine_priv.h"

/* Who gets the next slot, and the batch that carries the probes out. */

/* Tasks that wait for another's end, in a share, whose sources have an equal part
 * of them, and for one source at least: beyond this its commands stay where they
 * are. All may wait for the same one, whose end sets all free at once. */
#define HELD_MAX 1024
#define HELD_MIN 4

/* Probes in one run of the loop before input is looked at again: neither the
 * departures nor the ring of their replies must fill. */
#define RUN_PROBES 64
#define RUN_STEPS 1024 /* tasks that end without a probe count too */

/* Deadlines of so many tasks are looked at no more often than this. */
#define LULL_TASKS 256
#define LULL_NS PACE_GROUP_MAX_NS

/* How long to leave the kernel alone when its queue is full. */
#define RETRY_NS (200 * NSEC_PER_USEC)

void
source_init(struct source *s, struct engine *e, const struct source_ops *ops, uint32_t priority)
{
	memset(s, 0, sizeof(*s));
	s->ops = ops;
	s->engine = e;
	s->share = &e->own;
	s->priority = priority;
	s->burst = priority;
}

void
source_activate(struct source *s)
{
	struct engine *e = s->engine;
	struct share *sh = s->share;

	if (s->active)
		return;
	s->active = true;
	sh->active++;
	pace_set(&s->pace, s->pps);
	pace_settle(&s->pace, e->now.mono, true);
	s->burst = s->priority;
	if (sh->ring == NULL) {
		sh->ring = s->next = s;
		share_list(e, sh);
		return;
	}
	/* Behind all others: before the one whose turn it is. */
	s->next = sh->ring->next;
	sh->ring->next = s;
}

void
source_wake(struct source *s)
{
	/* One that had run dry may be a client that sends its next command when it
	 * is told that this one has begun: no group is worth that wait. */
	if (!s->hungry)
		pace_open_group(&s->engine->pace);
	s->hungry = true;
	source_activate(s);
}

static struct source *
ring_before(const struct source *s)
{
	struct source *p = s->next;

	while (p->next != s)
		p = p->next;
	return p;
}

static void
source_deactivate(struct source *s)
{
	struct share *sh = s->share;
	struct source *before = sh->ring->next == s ? sh->ring : ring_before(s);

	s->active = false;
	sh->active--;
	if (sh->active == 0) {
		sh->ring = NULL;
		share_unlist(s->engine, sh);
	} else {
		before->next = s->next;
		if (sh->ring == s)
			sh->ring = before;
	}
	s->next = NULL;
}

void
source_drop(struct source *s)
{
	s->hungry = false;
	if (s->active)
		source_deactivate(s);
}

void
source_share(struct source *s, struct share *share)
{
	bool active = s->active;

	if (active)
		source_deactivate(s);
	s->share->running -= s->running;
	share->running += s->running;
	s->share = share;
	if (active)
		source_activate(s);
}

/* ---- the batch ---- */

void
batch_forget(struct engine *e, const struct task *t)
{
	for (uint32_t i = 0; i < e->batch_count; i++) {
		if (e->batch_task[i] == t)
			e->batch_task[i] = NULL;
	}
}

static void
refuse(struct engine *e, struct task *t, int err)
{
	struct instant now = task_now(e, t);

	t->ops->refused(t, err, &now);
}

/* Sends what the batch holds; what the kernel had no room for stays, first. */
static void
batch_flush(struct engine *e)
{
	uint32_t kept = 0;

	if (e->batch_count == 0)
		return;
	e->io.send(e->io.ctx, e->batch, e->batch_count);
	for (uint32_t i = 0; i < e->batch_count; i++) {
		struct task *t = e->batch_task[i];
		int err = e->batch[i].err;

		if (err == EAGAIN || err == ENOBUFS) {
			e->batch[kept] = e->batch[i];
			e->batch_task[kept++] = t;
			continue;
		}
		if (err == 0) {
			e->stats.sent++;
			continue;
		}
		e->stats.refused++;
		if (t == NULL || t->state != TASK_RUNNING)
			continue;
		e->batch_task[i] = NULL;
		refuse(e, t, err);
		engine_settle(e, t);
	}
	e->batch_count = kept;
	if (kept == 0)
		e->batch_bytes = 0;
}

static bool
batch_has_room(const struct engine *e)
{
	return e->batch_count < BATCH_MAX && e->batch_bytes + 65536 <= BATCH_BYTES;
}

static int
batch_add(struct engine *e, struct task *t, const struct probe *p)
{
	struct engine_packet *slot = &e->batch[e->batch_count];
	struct wr w;
	int rc;

	wr_init(&w, e->batch_mem + e->batch_bytes, BATCH_BYTES - e->batch_bytes);
	rc = probe_build(&w, p);
	if (rc != 0)
		return rc;
	slot->bytes = w.start;
	slot->len = (uint16_t)wr_len(&w);
	slot->to = p->router.family != ADDR_NONE ? p->router : p->dst;
	slot->err = 0;
	e->batch_task[e->batch_count++] = t;
	e->batch_bytes += (uint32_t)wr_len(&w);
	return 0;
}

/* ---- tasks begin ---- */

/* From its source into the engine: run, wait for another, or fail. */
static void
task_begin(struct engine *e, struct source *s, struct task *t)
{
	struct task *blocker;
	int rc;

	t->engine = e;
	t->source = s;
	rc = claims_take(e, t, &blocker);
	if (blocker != NULL) {
		t->state = TASK_HELD;
		t->next = blocker->held;
		t->link = &blocker->held;
		if (t->next != NULL)
			t->next->link = &t->next;
		blocker->held = t;
		s->held++;
		return;
	}
	t->state = TASK_RUNNING;
	e->running++;
	s->running++;
	s->share->running++;
	t->ahead = e->now.wall - e->now.mono;
	if (rc != 0)
		t->ops->refused(t, -rc, &e->now);
	else
		t->ops->start(t, &e->now);
	engine_settle(e, t);
}

static uint32_t
held_max(const struct share *sh)
{
	return sh->active > HELD_MAX / HELD_MIN ? HELD_MIN : HELD_MAX / sh->active;
}

/* Of a source in its share's ring. */
static bool
window_open(const struct engine *e, const struct source *s)
{
	return (s->window == 0 || s->running < s->window) && s->held < held_max(s->share) &&
	       share_window_open(e, s->share);
}

static bool
may_begin(const struct engine *e, const struct source *s)
{
	return (s->released != NULL || s->hungry) && window_open(e, s);
}

/* One new task. False when the source had none after all. */
static bool
begin_one(struct engine *e, struct source *s)
{
	struct task *t = s->released;

	if (t != NULL) {
		s->released = t->next;
		if (t->next == NULL)
			s->released_tail = NULL;
	} else {
		t = s->ops->take(s);
		if (t == NULL) {
			s->hungry = false;
			return false;
		}
	}
	task_begin(e, s, t);
	return true;
}

/* ---- slots ---- */

/* Offers one slot to this source: a task that is ready, or else a new one. */
static void
source_slot(struct engine *e, struct source *s)
{
	struct instant now;
	struct probe p;
	struct task *t;

	if (s->ready_head == NULL && (!may_begin(e, s) || !begin_one(e, s)))
		return;
	t = s->ready_head;
	if (t == NULL)
		return; /* it waits for another task, or has ended at once */
	s->ready_head = t->next;
	if (t->next == NULL)
		s->ready_tail = NULL;
	else
		t->next->prev = NULL;
	t->next = t->prev = NULL;
	t->ready = false;
	memset(&p, 0, sizeof(p));
	now = task_now(e, t);
	if (t->ops->probe(t, &p, &now)) {
		int rc = batch_add(e, t, &p);

		if (rc != 0)
			refuse(e, t, -rc);
	}
	engine_settle(e, t);
}

static bool
wants_slot(const struct engine *e, const struct source *s)
{
	return s->ready_head != NULL || may_begin(e, s);
}

/* The source of this share whose turn it is, or NULL when none may send now.
 * Each gives up to its priority in a row; those with nothing leave the ring,
 * those that only the window keeps from beginning stay. */
static struct source *
source_of(struct engine *e, struct share *sh)
{
	if (!pace_due(&sh->pace, e->now.mono))
		return NULL;
	for (uint32_t tries = sh->active; tries > 0 && sh->ring != NULL; tries--) {
		struct source *s = sh->ring->next;
		bool due = pace_due(&s->pace, e->now.mono);

		if (s->ready_head == NULL && s->released == NULL && !s->hungry) {
			source_deactivate(s);
			continue;
		}
		if (!wants_slot(e, s)) {
			sh->ring = s;
			continue;
		}
		if (due && s->burst > 0)
			return s;
		s->burst = s->priority;
		sh->ring = s;
		if (due)
			tries++;
	}
	return NULL;
}

/* The source that has the next slot; a share that cannot use it is not asked
 * again in this run. */
static struct source *
next_source(struct engine *e)
{
	struct share *sh;

	while ((sh = share_pick(e)) != NULL) {
		struct source *s = source_of(e, sh);

		if (s != NULL)
			return s;
		share_pass(e, sh);
	}
	return NULL;
}

/* Also: all shares may be asked again. */
static void
settle_paces(struct engine *e)
{
	pace_settle(&e->pace, e->now.mono, e->idle);
	for (struct share *sh = e->shares; sh != NULL; sh = sh->next) {
		struct source *s = sh->ring;

		sh->passed = false;
		if (sh->pace.interval != 0)
			pace_settle(&sh->pace, e->now.mono, false);
		for (uint32_t i = 0; i < sh->active; i++, s = s->next) {
			if (s->pace.interval != 0)
				pace_settle(&s->pace, e->now.mono, false);
		}
	}
}

/* A slot has become a probe. */
static void
slot_used(struct engine *e, struct source *s)
{
	pace_take(&e->pace);
	pace_take(&s->pace);
	pace_take(&s->share->pace);
	meter_add(&s->sent, e->now.mono);
	meter_add(&s->share->sent, e->now.mono);
}

/* Fills and sends batches as far as the paces allow. True when it stopped for
 * its own limit, with slots still due. */
static bool
send_due(struct engine *e)
{
	uint32_t probes = 0, steps = 0;

	if (!pace_due(&e->pace, e->now.mono))
		return false;
	while (pace_due(&e->pace, e->now.mono)) {
		uint32_t before = e->batch_count;
		struct source *s;

		if (!batch_has_room(e)) {
			batch_flush(e);
			if (e->batch_count > 0)
				return false; /* the kernel is full */
			before = 0;
		}
		if (probes >= RUN_PROBES || steps++ >= RUN_STEPS)
			return true;
		s = next_source(e);
		if (s == NULL)
			break;
		/* Whether or not a packet comes of it: who asks for what needs
		 * none (a target without a route) has had its turn. */
		s->burst--;
		share_charge(e, s->share);
		source_slot(e, s);
		if (e->batch_count > before) {
			probes++;
			slot_used(e, s);
		}
	}
	batch_flush(e);
	if (probes > 0)
		pace_close_group(&e->pace, e->now.mono);
	return false;
}

/* When one of its sources can use a slot. */
static nsec_t
share_wake(const struct engine *e, const struct share *sh)
{
	nsec_t own = pace_wake(&sh->pace, e->now.mono), slot = INT64_MAX;
	const struct source *s = sh->ring;

	for (uint32_t i = 0; i < sh->active; i++, s = s->next) {
		nsec_t w = pace_wake(&s->pace, e->now.mono);

		if (w < slot && wants_slot(e, s))
			slot = w;
	}
	return slot == INT64_MAX || slot > own ? slot : own;
}

static nsec_t
next_wake(const struct engine *e, bool more)
{
	nsec_t when = wheel_next(&e->wheel), slot = INT64_MAX;

	if (more)
		return e->now.mono;
	if (e->batch_count > 0)
		return e->now.mono + RETRY_NS < when ? e->now.mono + RETRY_NS : when;
	for (const struct share *sh = e->shares; sh != NULL; sh = sh->next) {
		nsec_t w = share_wake(e, sh);

		slot = w < slot ? w : slot;
	}
	if (slot != INT64_MAX) {
		nsec_t own = pace_wake(&e->pace, e->now.mono);

		slot = own > slot ? own : slot;
	}
	/* Deadlines inside a group wait for its end, and those of many tasks for
	 * each other: a wake-up of their own would cost more than what they end. */
	if (when < e->pace.group)
		when = e->pace.group;
	if (when < e->now.mono + LULL_NS && e->running >= LULL_TASKS)
		when = e->now.mono + LULL_NS;
	return slot < when ? slot : when;
}

static struct task *
task_of(const struct wheel_node *n)
{
	return (struct task *)((char *)(uintptr_t)n - offsetof(struct task, timer));
}

/* Many end together, long after they were last touched. Brings near, before it
 * is needed: of the next one its place among the claims, for which its own memory
 * has to be there; of the one behind that, its memory. */
static void
fetch_ahead(const struct engine *e)
{
	const struct wheel_node *n = e->wheel.due;
	const char *bytes;

	if (n == NULL || n->next == NULL)
		return;
	match_fetch(&e->match, &task_of(n)->first_claim);
	bytes = (const char *)task_of(n->next);
	for (size_t off = 0; off < sizeof(struct task) + 128; off += 64)
		__builtin_prefetch(bytes + off);
}

nsec_t
engine_run(struct engine *e, const struct instant *now)
{
	struct wheel_node *n;
	bool more;

	e->now = *now;
	wheel_advance(&e->wheel, now->mono);
	while ((n = wheel_pop(&e->wheel)) != NULL) {
		struct task *t = task_of(n);
		struct instant at = task_now(e, t);

		fetch_ahead(e);
		t->ops->timeout(t, &at);
		engine_settle(e, t);
	}
	settle_paces(e);
	batch_flush(e);
	more = e->batch_count == 0 && send_due(e);
	e->idle = e->shares == NULL;
	return next_wake(e, more);
}

#include "workerd/ctl/attach.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "workerd/ctl/attach_priv.h"
#include "workerd/ctl/session.h"
#include "workerd/probe/engine.h"
#include "workerd/slice/slice.h"

static struct attach *
attach_of(struct source *src)
{
	return (struct attach *)((char *)src - offsetof(struct attach, source));
}

/* ---- the queue ---- */

/* A user with many connections has less for each. */
static uint32_t
queue_max(const struct peer *p)
{
	uint32_t part = CTL_QUEUE_UID_MAX / p->sessions;

	return part > CTL_QUEUE_MAX ? CTL_QUEUE_MAX : part < CTL_QUEUE_MIN ? CTL_QUEUE_MIN : part;
}

void
attach_enqueue(struct attach *a, struct task *t)
{
	t->next = NULL;
	t->prev = a->tail;
	if (t->prev == NULL)
		a->head = t;
	else
		t->prev->next = t;
	a->tail = t;
	a->queued++;
	a->full = a->full || a->queued >= queue_max(a->session->peer);
	a->fresh = true;
}

static void
queue_remove(struct attach *a, struct task *t)
{
	if (t->prev == NULL)
		a->head = t->next;
	else
		t->prev->next = t->next;
	if (t->next == NULL)
		a->tail = t->prev;
	else
		t->next->prev = t->prev;
	t->next = t->prev = NULL;
	a->queued--;
}

/* From the queue towards the engine: from now on it is the engine's to end.
 * MORE tells the client that the queue has become empty (control.md 6.3). */
static void
queue_release(struct attach *a, struct task *t)
{
	struct session *s = a->session;

	queue_remove(a, t);
	if (a->queued == 0)
		a->source.hungry = false;
	t->engine = a->source.engine;
	t->source = &a->source;
	if (a->queued == 0 && !a->ending && !a->dropping)
		buf_bytes(&s->out, "MORE\n", 5);
	else if (!a->full || a->queued > queue_max(s->peer) / 2)
		return;
	a->full = false;
	s->attend(s); /* to say so, or to read its socket again */
}

/* ---- results ---- */

static void
put_result(struct attach *a, struct task *t, bool inprogress)
{
	const struct meas *m = (const struct meas *)t;
	struct session *s = a->session;
	int rc;

	if (a->dropping || s->cut)
		return;
	rc = sink_result(&a->sink, m->type->record, m->type->result(m), t->id, inprogress);
	/* A client that counts results would wait for this one for ever. */
	if (s->out.failed)
		session_cut(s, "reads too slowly for its results");
	else if (rc != 0)
		session_cut(s, rc == -EMSGSIZE ? "a result does not fit its format" : "out of memory");
	s->attend(s);
}

/* The last task has ended after "done": the cycle ends, then the connection. */
static void
settle(struct attach *a)
{
	struct session *s = a->session;

	if (!a->ending || a->ids.count > 0 || a->dropping || s->closing || s->cut)
		return;
	a->cycle.stop = clock_wall_seconds();
	if (sink_end(&a->sink, &a->cycle) != 0)
		session_cut(s, "out of memory");
	s->closing = true;
	s->attend(s);
}

static void
task_gone(struct attach *a, struct task *t)
{
	struct meas *m = (struct meas *)t;

	slice_ended(a->session->slice);
	a->session->peer->tasks--;
	idtab_del(&a->ids, t->id);
	m->type->free(m);
}

/* -O outcopy: the default output gets it too. */
static void
copy_result(struct attach *a, struct meas *m)
{
	struct session_env *env = a->session->env;

	int rc;

	if (!env->files.copy || a->dropping)
		return;
	rc = outfile_record(&env->files, NULL, m->type->record, m->type->result(m), &a->cycle);
	/* Once: what is full stays so for many of them. */
	if (rc != 0 && !a->uncopied)
		log_warn("%s: a result is not copied to the default output, and perhaps more of them: %s",
		    a->name, strerror(-rc));
	a->uncopied = a->uncopied || rc != 0;
	sources_dirty(env);
}

static void
on_finished(struct source *src, struct task *t)
{
	struct attach *a = attach_of(src);

	put_result(a, t, false);
	copy_result(a, (struct meas *)t);
	task_gone(a, t);
	if (attach_turn(a) && a->queued > 0)
		source_wake(&a->source);
	settle(a);
}

static void
on_progress(struct source *src, struct task *t)
{
	put_result(attach_of(src), t, true);
}

/* ---- tasks for the engine ---- */

static struct task *
next_queued(struct attach *a)
{
	struct task *t = a->head;

	if (t != NULL)
		queue_release(a, t);
	return t;
}

static struct task *
on_take(struct source *src)
{
	struct attach *a = attach_of(src);
	struct task *t;

	if (a->dropping || a->session->cut)
		return NULL;
	if (session_unsent(a->session) > CTL_OUT_MARK) {
		a->starved = true;
		return NULL;
	}
	while (!attach_at_mark(a) && (t = next_queued(a)) != NULL) {
		if (session_env_preclaim((struct meas *)t) == 0)
			return t;
		engine_halt(src->engine, t); /* without memory; its result says it was halted */
	}
	return NULL;
}

static const struct source_ops attach_source_ops = {
	.take = on_take,
	.finished = on_finished,
	.progress = on_progress,
};

/* ---- the whole ---- */

void
attach_halt_task(struct attach *a, struct task *t)
{
	if (t->engine == NULL)
		queue_release(a, t);
	engine_halt(a->source.engine, t);
}

static struct attach *
attach_of_entry(const struct roster_entry *r)
{
	return (struct attach *)((char *)(uintptr_t)r - offsetof(struct attach, entry));
}

static uint32_t
on_queued(const struct roster_entry *r)
{
	return attach_of_entry(r)->queued;
}

/* What it has now, and nothing of what comes after. */
static uint32_t
on_halt(struct roster_entry *r)
{
	struct attach *a = attach_of_entry(r);

	a->to_halt = a->ids.count;
	a->session->attend(a->session);
	return a->to_halt;
}

static struct slice *
on_reslice(struct roster_entry *r)
{
	struct attach *a = attach_of_entry(r);

	a->session->slice->running += a->ids.count;
	return a->session->slice;
}

static const struct roster_ops attach_roster_ops = {
	.queued = on_queued,
	.halt = on_halt,
	.reslice = on_reslice,
};

bool
attach_work(struct attach *a)
{
	struct task *t;

	for (uint32_t n = 0; a->to_halt > 0 && n < CTL_DROP_BATCH; n++) {
		t = idtab_any(&a->ids);
		a->to_halt = t == NULL ? 0 : a->to_halt - 1;
		if (t != NULL)
			attach_halt_task(a, t);
	}
	return a->to_halt > 0;
}

/* NULL when from is NULL or without memory. */
static char *
copy_text(const char *from)
{
	return from == NULL ? NULL : strdup(from);
}

struct attach *
attach_new(struct session *s, const struct attach_options *o)
{
	struct attach *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->session = s;
	a->next_id = 1;
	idtab_init(&a->ids);
	source_init(&a->source, s->env->engine, &attach_source_ops, o->priority);
	source_share(&a->source, session_share(s));
	a->source.pps = o->pps;
	a->source.window = o->window == 0 || o->window > s->env->running_max ? s->env->running_max : o->window;
	a->name = copy_text(o->name);
	a->descr = copy_text(o->descr);
	a->monitor = copy_text(o->monitor);
	if (a->name == NULL || (o->descr != NULL && a->descr == NULL) ||
	    (o->monitor != NULL && a->monitor == NULL)) {
		attach_free(a);
		return NULL;
	}
	a->entry = (struct roster_entry){ .ops = &attach_roster_ops, .source = &a->source, .name = s->name, .list = a->name,
		.slice = s->slice, .uid = s->uid };
	roster_add(s->env, &a->entry);
	a->list = (struct list_record){
		.id = o->list_id, .name = a->name, .descr = a->descr, .monitor = a->monitor
	};
	a->cycle = (struct cycle_record){
		.list = &a->list, .id = o->cycle_id, .start = clock_wall_seconds(), .hostname = s->env->cfg.hostname
	};
	a->sink = (struct sink){
		.out = &s->out,
		.scratch = &s->env->scratch,
		.format = o->format,
		.with_id = o->with_id,
		.refs.monitor = a->monitor,
	};
	return a;
}

void
attach_begin(struct attach *a)
{
	session_reply(a->session, "MORE");
	if (sink_begin(&a->sink, &a->cycle) != 0)
		session_cut(a->session, "out of memory");
	attach_enlist(a);
}

void
attach_free(struct attach *a)
{
	if (a == NULL)
		return;
	attach_delist(a);
	source_drop(&a->source);
	roster_remove(a->session->env, &a->entry);
	idtab_fini(&a->ids);
	free(a->name);
	free(a->descr);
	free(a->monitor);
	free(a);
}

void
attach_wake(struct attach *a)
{
	struct session_env *env = a->session->env;

	a->session->attend(a->session);
	if (!a->fresh)
		return;
	a->fresh = false;
	source_wake(&a->source);
	env->cfg.wake(env->cfg.ctx);
}

void
attach_end(struct attach *a)
{
	a->ending = true;
	settle(a);
}

void
attach_flush(struct attach *a)
{
	struct task *t;

	while ((t = a->head) != NULL) {
		queue_remove(a, t);
		task_gone(a, t);
	}
	attach_end(a);
}

bool
attach_ending(const struct attach *a)
{
	return a->ending;
}

bool
attach_full(const struct attach *a)
{
	return a->full;
}

void
attach_drained(struct attach *a)
{
	struct session_env *env = a->session->env;

	if (!a->starved || session_unsent(a->session) > CTL_OUT_MARK / 2)
		return;
	a->starved = false;
	source_wake(&a->source);
	env->cfg.wake(env->cfg.ctx);
}

bool
attach_drop(struct attach *a, uint32_t max)
{
	struct task *t;

	a->dropping = true;
	while (max-- > 0 && (t = idtab_any(&a->ids)) != NULL)
		attach_halt_task(a, t);
	return a->ids.count == 0;
}

#include <string.h>

#include "workerd/ctl/attach_priv.h"
#include "common/clock.h"
#include "workerd/ctl/session.h"

/* Attached sessions as sources among others (control.md section 3). */

void
attach_enlist(struct attach *a)
{
	struct session *s = a->session;
	struct attach **first = &s->env->sources.attached;
	struct source_view v;

	a->next = *first;
	if (a->next != NULL)
		a->next->prev = a;
	*first = a;
	a->listed = true;
	attach_view(a, &v);
	observe_add(s->env, &v);
	observe_event(s->env, s->uid, "cycle '%s' id %u", a->name, a->cycle.id);
}

void
attach_delist(struct attach *a)
{
	struct session_env *env = a->session->env;

	if (!a->listed)
		return;
	a->listed = false;
	if (a->prev == NULL)
		env->sources.attached = a->next;
	else
		a->prev->next = a->next;
	if (a->next != NULL)
		a->next->prev = a->prev;
	observe_event(env, a->session->uid, "finish '%s'", a->name);
}

struct attach *
attach_next(const struct attach *a)
{
	return a->next;
}

struct attach *
attach_find(const struct session_env *env, const char *name)
{
	struct attach *a = env->sources.attached;

	while (a != NULL && strcmp(a->name, name) != 0)
		a = a->next;
	return a;
}

void
attach_view(const struct attach *a, struct source_view *ret)
{
	*ret = (struct source_view){ .name = a->name,
		.descr = a->descr,
		.list_id = a->list.id,
		.cycle_id = a->cycle.id,
		.priority = a->source.priority,
		.outfile = a->session->name,
		.uid = a->session->uid };
}

void
attach_set_priority(struct attach *a, uint32_t priority)
{
	a->source.priority = priority;
	if (a->source.burst > priority)
		a->source.burst = priority;
}

/* ---- cycles ---- */

bool
attach_at_mark(const struct attach *a)
{
	return a->marked && (a->head == NULL || a->head->id >= a->mark);
}

bool
attach_turn(struct attach *a)
{
	struct session *s = a->session;

	if (!attach_at_mark(a) || a->ids.count > a->queued || a->ending || a->dropping || s->cut)
		return false;
	a->marked = false;
	a->cycle.stop = clock_wall_seconds();
	if (sink_end(&a->sink, &a->cycle) != 0)
		session_cut(s, "out of memory");
	a->cycle.id++;
	a->cycle.start = a->cycle.stop;
	a->cycle.stop = 0;
	if (sink_cycle(&a->sink, &a->cycle) != 0)
		session_cut(s, "out of memory");
	observe_event(s->env, s->uid, "cycle '%s' id %u", a->name, a->cycle.id);
	s->attend(s);
	return true;
}

bool
attach_cycle(struct attach *a)
{
	if (a->marked || a->ending || a->dropping)
		return false;
	a->marked = true;
	a->mark = a->next_id;
	(void)attach_turn(a);
	return true;
}

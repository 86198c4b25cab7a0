#include "workerd/ctl/observe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/clock.h"
#include "workerd/ctl/session.h"

/* Two names, a description and a path, each SOURCE_TEXT_MAX. */
#define EVENT_MAX (5 * SOURCE_TEXT_MAX)

void
source_view_put(struct buf *b, const struct source_view *v)
{
	buf_printf(b, "name '%s'", v->name);
	if (v->descr != NULL)
		buf_printf(b, " descr '%s'", v->descr);
	buf_printf(b, " list_id %u cycle_id %u priority %u", v->list_id, v->cycle_id, v->priority);
	if (v->outfile != NULL)
		buf_printf(b, " outfile '%s'", v->outfile);
	if (v->file == NULL)
		buf_text(b, " type 'control'");
	else
		buf_printf(b, " type 'file' file '%s' cycles %u autoreload %s", v->file, v->cycles,
		    v->autoreload ? "on" : "off");
}

bool
observe_may(const struct session *s, uid_t owner)
{
	return session_operator(s) || (s->uid == owner && owner != PEER_UNKNOWN);
}

static void
tell(struct session_env *env, uid_t owner, const char *text)
{
	uint32_t now = clock_wall_seconds();
	struct session *next;

	for (struct session *s = env->sources.observers; s != NULL; s = next) {
		next = s->observe_next;
		if (s->cut || s->closing || !observe_may(s, owner))
			continue;
		buf_printf(&s->out, "EVENT %" PRIu32 " source %s\n", now, text);
		if (session_unsent(s) > CTL_OUT_MARK || s->out.failed)
			session_cut(s, "does not read its events");
		s->attend(s);
	}
}

void
observe_event(struct session_env *env, uid_t owner, const char *fmt, ...)
{
	char text[EVENT_MAX];
	va_list ap;

	if (env->sources.observers == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tell(env, owner, text);
}

void
observe_add(struct session_env *env, const struct source_view *v)
{
	struct buf b;

	if (env->sources.observers == NULL)
		return;
	buf_init(&b, EVENT_MAX);
	buf_text(&b, "add ");
	source_view_put(&b, v);
	buf_u8(&b, '\0');
	if (!b.failed)
		tell(env, v->uid, (const char *)b.p);
	buf_fini(&b);
}

void
observe_begin(struct session *s)
{
	if (s->observing)
		return;
	s->observing = true;
	s->observe_prev = NULL;
	s->observe_next = s->env->sources.observers;
	if (s->observe_next != NULL)
		s->observe_next->observe_prev = s;
	s->env->sources.observers = s;
}

void
observe_end(struct session *s)
{
	if (!s->observing)
		return;
	s->observing = false;
	if (s->observe_prev == NULL)
		s->env->sources.observers = s->observe_next;
	else
		s->observe_prev->observe_next = s->observe_next;
	if (s->observe_next != NULL)
		s->observe_next->observe_prev = s->observe_prev;
}

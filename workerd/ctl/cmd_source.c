#include "workerd/ctl/cmd_source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/strnum.h"
#include "proto/line.h"
#include "workerd/ctl/args.h"
#include "workerd/ctl/attach.h"
#include "workerd/ctl/cmd.h"
#include "workerd/ctl/managed.h"
#include "workerd/ctl/session.h"

/* ---- list ---- */

static bool
put_view(struct session *s, const struct source_view *v, const char *name)
{
	if (!observe_may(s, v->uid) || (name != NULL && strcmp(v->name, name) != 0))
		return false;
	buf_text(&s->out, "INFO ");
	source_view_put(&s->out, v);
	buf_u8(&s->out, '\n');
	return true;
}

static void
source_list(struct session *s, char *rest)
{
	const char *name = *rest == '\0' ? NULL : rest;
	struct source_view v;
	bool found = false;

	for (const struct managed *m = s->env->sources.first; m != NULL; m = m->next) {
		if (m->over)
			continue;
		managed_view(m, &v);
		found |= put_view(s, &v, name);
	}
	for (const struct attach *a = s->env->sources.attached; a != NULL; a = attach_next(a)) {
		attach_view(a, &v);
		found |= put_view(s, &v, name);
	}
	if (name != NULL && !found)
		session_reply(s, "ERR no source '%s'", name);
	else
		session_reply(s, "OK");
}

/* ---- update ---- */

struct update {
	bool autoreload;
	bool cycles;
	bool priority;
	uint32_t autoreload_to;
	uint32_t cycles_to;
	uint32_t priority_to;
};

static int
update_set(struct session *s, void *values, const char *key, const char *text)
{
	static const struct word switches[] = { { "off", 0 }, { "on", 1 }, { NULL, 0 } };
	struct update *u = values;
	const char *wanted;
	bool *good;

	if (line_word_is(key, "autoreload")) {
		good = &u->autoreload;
		*good = word_find(switches, text, &u->autoreload_to);
		wanted = "autoreload <on|off>";
	} else if (line_word_is(key, "cycles")) {
		good = &u->cycles;
		*good = strnum_u32(text, 0, UINT32_MAX, &u->cycles_to) == 0;
		wanted = "cycles <number gte 0>";
	} else if (line_word_is(key, "priority")) {
		good = &u->priority;
		*good = strnum_u32(text, 0, SOURCE_PRIORITY_MAX, &u->priority_to) == 0;
		wanted = "priority <number gte 0>";
	} else {
		return -ENOENT;
	}
	if (*good)
		return 0;
	session_reply(s, "ERR %s", wanted);
	return -EINVAL;
}

static const struct cmd_pairs update_pairs = { "source update params_get failed", "source update param",
	update_set };

/* What has changed, as the event tells it. */
static void
update_tell(struct session_env *env, uid_t owner, const char *name, const struct update *u)
{
	char text[80];
	int n = 0;

	text[0] = '\0';
	if (u->autoreload)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " autoreload %u", u->autoreload_to);
	if (u->cycles)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " cycles %u", u->cycles_to);
	if (u->priority)
		(void)snprintf(text + n, sizeof(text) - (size_t)n, " priority %u", u->priority_to);
	observe_event(env, owner, "update '%s'%s", name, text);
}

static void
update_managed(struct managed *m, const struct update *u)
{
	if (u->autoreload)
		m->autoreload = u->autoreload_to != 0;
	if (u->cycles)
		m->cycles = u->cycles_to;
	if (u->priority)
		managed_set_priority(m, u->priority_to);
	update_tell(m->env, m->uid, m->list.name, u);
	sources_dirty(m->env);
}

static void
update_attached(struct session *s, struct attach *a, const struct update *u)
{
	struct source_view v;

	attach_view(a, &v);
	if (u->autoreload || u->cycles) {
		session_reply(s, "ERR can't specify autoreload/cycles on control source");
		return;
	}
	if (u->priority && u->priority_to == 0) {
		session_reply(s, "ERR priority <number gte 0>");
		return;
	}
	if (u->priority)
		attach_set_priority(a, u->priority_to);
	update_tell(s->env, v.uid, v.name, u);
	session_reply(s, "OK");
}

static void
source_update(struct session *s, char *rest)
{
	struct update u = { 0 };
	struct managed *m;
	struct attach *a;
	char *name, *tail;

	if (*rest == '\0') {
		session_reply(s, "ERR missing name parameter");
		return;
	}
	name = source_name(rest, &tail);
	m = sources_find(s->env, name);
	a = attach_find(s->env, name);
	if (m == NULL && a == NULL) {
		session_reply(s, "ERR no such source '%s'", name);
		return;
	}
	if (!cmd_pairs(s, &update_pairs, tail, &u))
		return;
	if (m == NULL) {
		update_attached(s, a, &u);
		return;
	}
	update_managed(m, &u);
	session_reply(s, "OK");
}

/* ---- cycle, delete ---- */

/* The only word, or it has replied. */
static const char *
one_name(struct session *s, char *rest, const char *verb)
{
	char *words[2];

	if (*rest == '\0') {
		session_reply(s, "ERR missing required parameter for source %s", verb);
		return NULL;
	}
	if (line_split(rest, words, 2) != 1) {
		session_reply(s, "ERR source %s params_get failed", verb);
		return NULL;
	}
	return words[0];
}

static void
source_cycle(struct session *s, char *rest)
{
	const char *name = one_name(s, rest, "cycle");
	struct attach *a;

	if (name == NULL)
		return;
	a = attach_find(s->env, name);
	if (a != NULL)
		session_reply(s, attach_cycle(a) ? "OK" : "ERR could not cycle source '%s'", name);
	else if (sources_find(s->env, name) != NULL)
		session_reply(s, "ERR could not cycle source '%s'", name);
	else
		session_reply(s, "ERR no source '%s'", name);
}

static void
source_delete(struct session *s, char *rest)
{
	const char *name = one_name(s, rest, "delete");
	struct managed *m;

	if (name == NULL)
		return;
	m = sources_find(s->env, name);
	if (m != NULL) {
		session_reply(s, "OK source '%s' deleted", name);
		managed_delete(m);
		sources_dirty(s->env);
		(void)sources_commit(s->env);
	} else if (attach_find(s->env, name) != NULL) {
		session_reply(s, "ERR could not delete source '%s'", name);
	} else {
		session_reply(s, "ERR unknown source '%s'", name);
	}
}

/* Sorted. */
static const struct cmd rows[] = {
	{ "add", NULL, NULL, source_add },
	{ "cycle", NULL, NULL, source_cycle },
	{ "delete", NULL, NULL, source_delete },
	{ "list", NULL, NULL, source_list },
	{ "update", NULL, NULL, source_update },
};

static const struct cmd_verbs verbs = { rows, sizeof(rows) / sizeof(rows[0]),
	"source [add | cycle | delete | list | update]", "" };

void
cmd_source(struct session *s, char *rest)
{
	char *tail, *word = cmd_word(rest, &tail);
	const struct cmd *verb = cmd_verb(s, &verbs, word);

	if (verb == NULL)
		return;
	if (verb->run != source_list && !session_operator(s))
		session_reply(s, "ERR not permitted: source %s is for operators", verb->name);
	else
		verb->run(s, tail);
}

#include "workerd/ctl/cmd_source.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/log.h"
#include "common/strnum.h"
#include "proto/line.h"
#include "workerd/ctl/args.h"
#include "workerd/ctl/cmd.h"
#include "workerd/ctl/managed.h"
#include "workerd/ctl/restore.h"
#include "workerd/ctl/session.h"

char *
source_name(char *rest, char **ret_rest)
{
	char *end;

	if (*rest != '"')
		return cmd_word(rest, ret_rest);
	rest++;
	end = rest + strcspn(rest, "\"");
	*ret_rest = end;
	if (*end == '"') {
		*end = '\0';
		*ret_rest = end + 1 + strspn(end + 1, " ");
	}
	return rest;
}

/* The words as they came; NULL: not given. */
struct values {
	const char *autoreload;
	const char *command;
	const char *cycle_id;
	const char *cycles;
	const char *descr;
	const char *file;
	const char *list_id;
	const char *name;
	const char *outfile;
	const char *priority;
};

#define KEY(word)                                                                                            \
	{                                                                                                    \
#word, offsetof(struct values, word)                                                         \
	}

static const struct key {
	const char *name;
	size_t off;
} keys[] = { KEY(autoreload), KEY(command), KEY(cycle_id), KEY(cycles), KEY(descr), KEY(file), KEY(list_id),
	KEY(name), KEY(outfile), KEY(priority) };

static int
set_value(struct session *s, void *values, const char *key, const char *text)
{
	(void)s;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (line_word_is(keys[i].name, key) && strlen(text) < SOURCE_TEXT_MAX) {
			*(const char **)((char *)values + keys[i].off) = text;
			return 0;
		}
	}
	return -ENOENT;
}

static const struct cmd_pairs pairs = { "source add params_get failed", "source add param", set_value };

/* True, or it has replied; so all that follow. */
static bool
check_names(struct session *s, const struct values *v, struct managed_options *o)
{
	o->name = v->name;
	o->descr = v->descr;
	o->file = v->file;
	o->command = v->command != NULL ? v->command : s->env->command[0] != '\0' ? s->env->command : "trace";
	o->uid = s->uid;
	if (v->name == NULL || *v->name == '\0') {
		session_reply(s, "ERR required parameter 'name' missing");
		return false;
	}
	if (v->file == NULL) {
		session_reply(s, "ERR required parameter 'file' missing");
		return false;
	}
	if (sources_has_name(s->env, v->name)) {
		session_reply(s, "ERR source '%s' already exists", v->name);
		return false;
	}
	o->out = v->outfile == NULL ? NULL : outfiles_find(&s->env->files, v->outfile);
	if (v->outfile == NULL || o->out != NULL)
		return true;
	session_reply(s, "ERR unknown outfile '%s'", v->outfile);
	return false;
}

static bool
number(struct session *s, const char *text, const char *name, uint32_t max, uint32_t otherwise, uint32_t *ret)
{
	*ret = otherwise;
	if (text == NULL || strnum_u32(text, 0, max, ret) == 0)
		return true;
	session_reply(s, "ERR %s <number gte 0>", name);
	return false;
}

static bool
check_numbers(struct session *s, const struct values *v, struct managed_options *o)
{
	static const struct word switches[] = { { "off", 0 }, { "on", 1 }, { NULL, 0 } };
	uint32_t reload = 0;

	if (!number(s, v->list_id, "list_id", UINT32_MAX, 0, &o->list_id) ||
	    !number(s, v->cycle_id, "cycle_id", UINT32_MAX, 1, &o->cycle_id) ||
	    !number(s, v->priority, "priority", SOURCE_PRIORITY_MAX, 1, &o->priority) ||
	    !number(s, v->cycles, "cycle", UINT32_MAX, 1, &o->cycles))
		return false;
	if (v->autoreload != NULL && !word_find(switches, v->autoreload, &reload)) {
		session_reply(s, "ERR autoreload <on|off>");
		return false;
	}
	o->autoreload = reload != 0;
	return true;
}

/* The state file must be able to hold it. */
static bool
has_room(const struct session_env *env, const struct managed *m, struct errbuf *why)
{
	struct buf b;
	bool ok;

	buf_init(&b, 0);
	state_source_put(&b, m);
	ok = !b.failed;
	buf_fini(&b);
	if (!ok)
		(void)errbuf_set(why, 0, "a text has both blanks and quotes: the state file cannot hold it");
	else if (env->sources.count >= SOURCES_MAX)
		(void)errbuf_set(why, 0, "there are %d sources already: delete one", SOURCES_MAX);
	return ok && env->sources.count < SOURCES_MAX;
}

static void
append(struct session_env *env, struct managed *m)
{
	struct managed **link = &env->sources.first;

	while (*link != NULL)
		link = &(*link)->next;
	*link = m;
	env->sources.count++;
}

static void
add(struct session *s, struct managed_options *o)
{
	struct session_env *env = s->env;
	struct source_view v;
	struct managed *m;

	o->by_default = o->out == NULL;
	if (o->by_default)
		o->out = sources_default_outfile(env, &s->why);
	if (o->out == NULL || managed_new(env, o, &m, &s->why) != 0) {
		/* As with outfiles, "get error" tells it. */
		log_warn("%s: source '%s': %s", s->name, o->name, s->why.text);
		session_reply(s, "ERR could not alloc source");
		return;
	}
	if (!has_room(env, m, &s->why)) {
		m->out->refs--;
		managed_free(m);
		session_reply(s, "ERR could not add source");
		return;
	}
	append(env, m);
	session_reply(s, "OK source added");
	managed_view(m, &v);
	observe_add(env, &v);
	managed_start(m);
	sources_dirty(env);
	(void)sources_commit(env);
}

void
source_add(struct session *s, char *rest)
{
	struct managed_options o = { 0 };
	struct values v = { 0 };

	if (s->env->files.dir == NULL || s->env->files.dir->fd < 0) {
		session_reply(s, "ERR no data directory: the service keeps no files");
		return;
	}
	if (cmd_pairs(s, &pairs, rest, &v) && check_names(s, &v, &o) && check_numbers(s, &v, &o))
		add(s, &o);
}

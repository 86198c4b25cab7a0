#include <errno.h>

#include "common/log.h"
#include "proto/line.h"
#include "workerd/ctl/args.h"
#include "workerd/ctl/cmd.h"
#include "workerd/ctl/restore.h"
#include "workerd/ctl/session.h"
#include "workerd/ctl/sources.h"

#define OPEN_USAGE "ERR usage: outfile open name <alias> file <path> mode <truncate|append>"

enum { MODE_TRUNCATE = 1, MODE_APPEND };

static const struct word modes[] = { { "truncate", MODE_TRUNCATE }, { "append", MODE_APPEND }, { NULL, 0 } };

struct open_values {
	const char *name;
	const char *file;
	const char *mode;
	const char *format; /* ours */
};

static int
open_set(struct session *s, void *values, const char *key, const char *text)
{
	struct open_values *v = values;
	const struct {
		const char *key;
		const char **value;
	} keys[] = { { "file", &v->file }, { "format", &v->format }, { "mode", &v->mode },
		{ "name", &v->name } };

	(void)s;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (line_word_is(keys[i].key, key)) {
			*keys[i].value = text;
			return 0;
		}
	}
	return -ENOENT;
}

static const struct cmd_pairs open_pairs = { "params_get failed", "param", open_set };

/* At once: the next start must find it so. */
static void
changed(struct session_env *env)
{
	sources_dirty(env);
	(void)sources_commit(env);
}

/* True, or it has replied. */
static bool
open_check(struct session *s, const struct open_values *v, struct outfile_options *ret)
{
	uint32_t mode;

	if (v->name == NULL || v->file == NULL || v->mode == NULL) {
		session_reply(s, OPEN_USAGE);
		return false;
	}
	if (!word_find(modes, v->mode, &mode)) {
		session_reply(s, "ERR mode must be truncate or append");
		return false;
	}
	*ret = (struct outfile_options){ .alias = v->name,
		.path = v->file,
		.truncate = mode == MODE_TRUNCATE,
		.format = outfile_format_of_path(v->file) };
	if (v->format == NULL || outfile_format_find(v->format, &ret->format))
		return true;
	session_reply(s, "ERR format must be warts, json or text, each perhaps with .gz, .bz2 or .xz");
	return false;
}

static void
outfile_open(struct session *s, char *rest)
{
	struct outfile_options o;
	struct open_values v = { 0 };
	int rc;

	if (!cmd_pairs(s, &open_pairs, rest, &v) || !open_check(s, &v, &o))
		return;
	if (!state_can_hold(v.name) || !state_can_hold(v.file))
		rc = errbuf_set(&s->why, -EINVAL,
		    "alias and path have at most %d bytes, and not both blanks and quotes",
		    SOURCE_TEXT_MAX - 1);
	else
		rc = sources_open_outfile(s->env, &o, &s->why);
	if (rc != 0) {
		/* Clients compare the reply: "get error" tells the reason. */
		log_warn("%s: outfile '%s': %s", s->name, v.name, s->why.text);
		session_reply(s, "ERR could not add outfile");
		return;
	}
	changed(s->env);
	session_reply(s, "OK");
}

static void
outfile_close(struct session *s, char *rest)
{
	struct outfile *o;

	if (*rest == '\0') {
		session_reply(s, "ERR usage: outfile close <alias>");
		return;
	}
	o = outfiles_find(&s->env->files, rest);
	if (o == NULL) {
		session_reply(s, "ERR unknown outfile '%s'", rest);
		return;
	}
	if (o->refs > 1) {
		session_reply(s, "ERR could not drop outfile: refcnt %u", o->refs);
		return;
	}
	if (sources_commit(s->env) != 0 || outfile_waits(o)) {
		session_reply(s, "ERR could not drop outfile: results wait for the disk");
		return;
	}
	(void)outfiles_close(&s->env->files, o);
	changed(s->env);
	session_reply(s, "OK");
}

/* What waits belongs to the file under which it was found. */
static void
outfile_exchange(struct session *s, char *rest)
{
	struct outfile *o[2];
	char *words[2];

	if (line_split(rest, words, 2) != 2) {
		session_reply(s, "ERR usage outfile swap <alias 1> <alias 2>");
		return;
	}
	for (int i = 0; i < 2; i++) {
		o[i] = outfiles_find(&s->env->files, words[i]);
		if (o[i] == NULL) {
			session_reply(s, "ERR unknown outfile '%s'", words[i]);
			return;
		}
	}
	if (sources_commit(s->env) != 0) {
		session_reply(s, "ERR could not swap outfiles: results wait for the disk");
		return;
	}
	if (!outfile_ready(o[0]) || !outfile_ready(o[1])) {
		session_reply(s, "ERR could not swap outfiles: '%s' is not ready, see outfile list",
		    outfile_ready(o[0]) ? o[1]->alias : o[0]->alias);
		return;
	}
	outfile_swap(o[0], o[1]);
	changed(s->env);
	session_reply(s, "OK");
}

static void
outfile_list(struct session *s, char *rest)
{
	(void)rest;
	for (const struct outfile *o = s->env->files.first; o != NULL; o = o->next) {
		struct errbuf why = { "" };
		bool bad = outfile_trouble(o, &why);

		session_reply(s, "INFO '%s' file '%s' refcnt %u%s%s%s", o->alias, outfile_path(o), o->refs,
		    bad ? " trouble '" : "", why.text, bad ? "'" : "");
	}
	session_reply(s, "OK");
}

/* Sorted. */
static const struct cmd rows[] = {
	{ "close", NULL, NULL, outfile_close },
	{ "list", NULL, NULL, outfile_list },
	{ "open", NULL, NULL, outfile_open },
	{ "swap", NULL, NULL, outfile_exchange },
};

static const struct cmd_verbs verbs = { rows, sizeof(rows) / sizeof(rows[0]),
	"outfile [close | list | open | swap]", "outfile " };

void
cmd_outfile(struct session *s, char *rest)
{
	char *tail, *word = cmd_word(rest, &tail);
	const struct cmd *verb = cmd_verb(s, &verbs, word);

	if (verb == NULL)
		return;
	if (!session_operator(s))
		session_reply(s, "ERR not permitted: outfile is for operators");
	else if ((s->env->files.dir == NULL || s->env->files.dir->fd < 0) && s->env->files.first == NULL)
		session_reply(s, "ERR no data directory: the service keeps no files");
	else
		verb->run(s, tail);
}

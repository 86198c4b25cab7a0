#include "workerd/ctl/restore.h"

#include <errno.h>
#include <string.h>

#include "common/limits.h"
#include "common/log.h"
#include "common/strnum.h"
#include "proto/line.h"
#include "workerd/ctl/managed.h"
#include "workerd/ctl/session.h"
#include "workerd/ctl/sources.h"

enum { OUTFILE_WORDS = 6, SOURCE_WORDS = 17 };

/* ---- writing ---- */

static void
put_word(struct buf *b, const char *text)
{
	buf_u8(b, ' ');
	if (line_put_word(b, text) != 0)
		b->failed = true;
}

bool
state_can_hold(const char *text)
{
	struct buf b;
	bool ok;

	buf_init(&b, 0);
	put_word(&b, text);
	ok = !b.failed && strlen(text) < SOURCE_TEXT_MAX;
	buf_fini(&b);
	return ok;
}

/* Newest first in the list, oldest first in the file. */
static void
put_outfiles(struct buf *b, const struct outfile *o)
{
	if (o == NULL)
		return;
	put_outfiles(b, o->next);
	if (outfile_given(o))
		return;
	buf_text(b, "outfile");
	put_word(b, o->alias);
	put_word(b, outfile_path(o));
	buf_printf(b, " %s %llu %llu\n", outfile_format_word(outfile_format(o)),
	    (unsigned long long)outfile_written(o), (unsigned long long)outfile_end(o));
}

void
state_source_put(struct buf *b, const struct managed *m)
{
	buf_text(b, "source");
	put_word(b, m->list.name);
	put_word(b, m->list.descr == NULL ? "" : m->list.descr);
	put_word(b, m->command);
	put_word(b, m->file);
	/* By a swap, too: the given file's alias is gone with it. */
	put_word(b, m->by_default || outfile_given(m->out) ? "" : m->out->alias);
	buf_printf(b, " %u %u %u %u %d %u %d %u", m->list.id, m->cycle.id, m->priority, m->cycles,
	    m->autoreload, (unsigned)m->uid, m->in_cycle, m->cycle.start);
	place_put(b, &m->place);
	buf_u8(b, '\n');
}

void
state_text_put(struct buf *b, const struct session_env *env)
{
	put_outfiles(b, env->files.first);
	for (const struct managed *m = env->sources.first; m != NULL; m = m->next) {
		if (!m->over && !m->deleting)
			state_source_put(b, m);
	}
}

/* ---- reading ---- */

struct saved_outfile {
	const char *alias;
	const char *path;
	struct outfile_format format;
	int64_t before;
	int64_t after;
};

static int
outfile_parse(char **words, struct saved_outfile *o)
{
	o->alias = words[1];
	o->path = words[2];
	if (!outfile_format_find(words[3], &o->format) ||
	    strnum_i64(words[4], 0, INT64_MAX, &o->before) != 0 ||
	    strnum_i64(words[5], 0, INT64_MAX, &o->after) != 0)
		return -EINVAL;
	return 0;
}

static void
outfile_restore(struct session_env *env, const struct saved_outfile *s)
{
	struct outfile_options opt = { .alias = s->alias, .path = s->path, .format = s->format };
	struct errbuf err = { "" };
	struct outfile *o;

	if (outfiles_open(&env->files, &opt, &o, &err) != 0)
		log_error("outfile '%s' is lost: %s", s->alias, err.text);
}

/* "": the default output, unless there is an outfile of that name. */
static void
find_outfile(struct session_env *env, const char *alias, struct managed_options *o, struct errbuf *err)
{
	o->out = outfiles_find(&env->files, alias);
	o->by_default = o->out == NULL && alias[0] == '\0';
	if (o->by_default)
		o->out = sources_default_outfile(env, err);
}

static void
source_restore(struct session_env *env, char **w)
{
	struct managed_options o = {
		.name = w[1], .descr = *w[2] == '\0' ? NULL : w[2], .command = w[3], .file = w[4]
	};
	struct managed *m, **link = &env->sources.first;
	struct errbuf err = { "" };
	uint32_t reload, in_cycle, start;

	find_outfile(env, w[5], &o, &err);
	if (strnum_u32(w[6], 0, UINT32_MAX, &o.list_id) != 0 ||
	    strnum_u32(w[7], 0, UINT32_MAX, &o.cycle_id) != 0 ||
	    strnum_u32(w[8], 0, 100000, &o.priority) != 0 ||
	    strnum_u32(w[9], 0, UINT32_MAX, &o.cycles) != 0 || strnum_u32(w[10], 0, 1, &reload) != 0 ||
	    strnum_u32(w[11], 0, UINT32_MAX, &o.uid) != 0 || strnum_u32(w[12], 0, 1, &in_cycle) != 0 ||
	    strnum_u32(w[13], 0, UINT32_MAX, &start) != 0 || o.out == NULL) {
		log_error("source '%s' is lost: its line in the state file, or its outfile", w[1]);
		return;
	}
	o.autoreload = reload != 0;
	if (env->sources.count >= SOURCES_MAX || managed_new(env, &o, &m, &err) != 0) {
		log_error("source '%s' is lost: %s", w[1], err.text);
		return;
	}
	while (*link != NULL)
		link = &(*link)->next;
	*link = m;
	env->sources.count++;
	m->in_cycle = in_cycle != 0;
	m->cycle.start = start;
	if (place_get(&m->place, w[14], w[15], w[16]) != 0 ||
	    listfile_seek(&m->lines, m->place.offset) != 0) {
		log_error("source '%s': its place is lost, the list begins again", w[1]);
		place_reset(&m->place);
	}
	log_info("source '%s' goes on in cycle %u at line %llu", w[1], m->cycle.id,
	    (unsigned long long)m->place.first + 1);
}

typedef void each_line(struct session_env *, char **words, int count, void *arg);

/* The text is cut in place: once only. */
static void
walk(struct session_env *env, struct buf *text, each_line *each, void *arg)
{
	char *p = (char *)text->p, *end = p + text->len, *nl;
	char *words[SOURCE_WORDS + 1];

	for (; p < end && (nl = memchr(p, '\n', (size_t)(end - p))) != NULL; p = nl + 1) {
		int n;

		*nl = '\0';
		n = line_split(p, words, SOURCE_WORDS);
		if (n > 0)
			each(env, words, n, arg);
	}
}

static bool
is_outfile(char **words, int count, struct saved_outfile *ret)
{
	return count == OUTFILE_WORDS && strcmp(words[0], "outfile") == 0 && outfile_parse(words, ret) == 0;
}

static void
open_outfile(struct session_env *env, char **words, int count, void *arg)
{
	struct saved_outfile s;

	(void)arg;
	if (is_outfile(words, count, &s))
		outfile_restore(env, &s);
}

/* The file of a line, if it is open and the line speaks of it: not of the default
 * output, which may have taken the alias. */
static struct outfile *
outfile_of_line(struct session_env *env, char **words, int count, struct saved_outfile *ret)
{
	struct outfile *o = is_outfile(words, count, ret) ? outfiles_find(&env->files, ret->alias) : NULL;

	return o == NULL || outfile_given(o) ? NULL : o;
}

/* Was the commit that this text announces cut short? Shorter than even before
 * it: that was somebody else, and the text stands. */
static void
check_outfile(struct session_env *env, char **words, int count, void *arg)
{
	struct saved_outfile s;
	const struct outfile *o = outfile_of_line(env, words, count, &s);

	if (o == NULL)
		return;
	if (outfile_written(o) < (uint64_t)s.after && outfile_written(o) >= (uint64_t)s.before)
		*(bool *)arg = true;
}

enum { CUT_AFTER, CUT_BEFORE };

/* Brings the files in step with the text that is believed. */
static void
cut_outfile(struct session_env *env, char **words, int count, void *arg)
{
	struct errbuf err = { "" };
	struct saved_outfile s;
	struct outfile *o = outfile_of_line(env, words, count, &s);

	if (o == NULL)
		return;
	if (outfile_cut(o, (uint64_t)(*(int *)arg == CUT_BEFORE ? s.before : s.after), &err) != 0)
		log_error("%s", err.text);
}

static void
open_source(struct session_env *env, char **words, int count, void *arg)
{
	(void)arg;
	if (count == SOURCE_WORDS && strcmp(words[0], "source") == 0)
		source_restore(env, words);
}

/* walk changes its text, and some are walked more than once. */
static void
walk_copy(struct session_env *env, const struct buf *text, each_line *each, void *arg)
{
	struct buf copy;

	buf_init(&copy, 0);
	buf_bytes(&copy, text->p, text->len);
	if (copy.failed)
		log_error("the state file is not read: out of memory");
	else
		walk(env, &copy, each, arg);
	buf_fini(&copy);
}

static void
restore(struct session_env *env, const struct buf *newest, const struct buf *older)
{
	bool torn = false;
	int cut;

	walk_copy(env, newest, open_outfile, NULL);
	walk_copy(env, newest, check_outfile, &torn);
	torn = torn && older->len > 0;
	cut = torn ? CUT_BEFORE : CUT_AFTER;
	walk_copy(env, newest, cut_outfile, &cut);
	if (outfiles_look(&env->files))
		sources_want(env, 0);
	walk_copy(env, torn ? older : newest, open_source, NULL);
	for (struct managed *m = env->sources.first; m != NULL; m = m->next)
		managed_start(m);
}

void
sources_restore(struct session_env *env)
{
	struct buf newest, older;
	int rc;

	if (env->files.dir == NULL || env->files.dir->fd < 0)
		return;
	buf_init(&newest, STATE_MAX + 1024);
	buf_init(&older, STATE_MAX + 1024);
	rc = state_load(&env->sources.state, &newest, &older);
	if (rc != 0)
		log_error("the state file cannot be read, managed sources do not go on: %s", strerror(-rc));
	else
		restore(env, &newest, &older);
	buf_fini(&newest);
	buf_fini(&older);
}

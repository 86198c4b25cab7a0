#include "workerd/ctl/sources.h"

#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "workerd/ctl/attach.h"
#include "workerd/ctl/managed.h"
#include "workerd/ctl/restore.h"
#include "workerd/ctl/session.h"

/* A commit at most so often; what a killed service has to do again is what it
 * did since the last. */
#define COMMIT_MS 100

/* A pipe that is full is tried again so soon. */
#define GIVEN_MS 20

#define DEFAULT_OUTFILE "default.warts"

void
sources_init(struct session_env *env)
{
	struct sources *all = &env->sources;

	*all = (struct sources){ 0 };
	state_init(&all->state, env->files.dir);
	buf_init(&all->text, STATE_MAX);
}

void
sources_want(struct session_env *env, uint32_t ms)
{
	if (env->sources.want_tick != NULL && !env->sources.stopped)
		env->sources.want_tick(env, ms);
}

void
sources_dirty(struct session_env *env)
{
	if (env->sources.dirty)
		return;
	env->sources.dirty = true;
	sources_want(env, COMMIT_MS);
}

/* Said once, until it is well again. */
static int
said(struct sources *all, const char *what, int rc)
{
	if (rc != 0 && !all->said)
		log_error("%s cannot be written, results wait: %s", what, strerror(-rc));
	all->said = rc != 0;
	return rc;
}

static int
flush(struct session_env *env)
{
	int rc = outfiles_flush(&env->files, false);

	env->sources.unflushed = rc != 0;
	return rc;
}

static bool
waits(const struct outfiles *files, bool given)
{
	for (const struct outfile *o = files->first; o != NULL; o = o->next) {
		if (outfile_given(o) == given && outfile_end(o) != outfile_written(o))
			return true;
	}
	return false;
}

/* What is not the data directory's is in no state, and holds nobody up. */
static void
flush_given(struct session_env *env)
{
	if (outfiles_flush(&env->files, true) != 0)
		sources_want(env, GIVEN_MS);
}

int
sources_commit(struct session_env *env)
{
	struct sources *all = &env->sources;
	int rc = outfiles_pack(&env->files);

	flush_given(env);
	if (env->files.dir == NULL || env->files.dir->fd < 0) {
		all->dirty = false;
		return 0;
	}
	if (rc == 0 && all->unflushed)
		rc = flush(env);
	if (rc != 0 || (!all->dirty && !waits(&env->files, false)))
		return rc;
	buf_reset(&all->text);
	state_text_put(&all->text, env);
	rc = said(all, "the state file", state_save(&all->state, &all->text));
	if (rc != 0)
		return rc;
	all->dirty = false;
	return flush(env);
}

static void
free_over(struct sources *all)
{
	struct managed **link = &all->first, *m;

	while ((m = *link) != NULL) {
		if (!m->over) {
			link = &m->next;
			continue;
		}
		*link = m->next;
		all->count--;
		managed_free(m);
	}
}

void
sources_tick(struct session_env *env, nsec_t now)
{
	struct sources *all = &env->sources;

	if (all->stopped)
		return;
	free_over(all);
	if (outfiles_look(&env->files))
		sources_want(env, 0);
	for (struct managed *m = all->first; m != NULL; m = m->next)
		managed_tick(m, now);
	if (sources_commit(env) != 0)
		sources_want(env, COMMIT_MS);
}

void
sources_stop(struct session_env *env)
{
	struct sources *all = &env->sources;
	struct managed *m;

	if (all->stopped)
		return;
	all->stopped = true;
	for (m = all->first; m != NULL; m = m->next)
		managed_stop(m);
	free_over(all);
	if (sources_commit(env) != 0)
		log_error(
		    "the last results of managed sources could not be written; they will be measured again");
	if (waits(&env->files, true))
		log_error("the last results for the default output could not be written");
	while ((m = all->first) != NULL) {
		all->first = m->next;
		managed_free(m);
	}
	all->count = 0;
	state_fini(&all->state);
	buf_fini(&all->text);
}

bool
sources_busy(const struct session_env *env)
{
	for (const struct managed *m = env->sources.first; m != NULL; m = m->next) {
		if (m->tasks.count > 0 || (!env->sources.flushing && !m->over && m->priority > 0))
			return true;
	}
	return false;
}

struct managed *
sources_find(const struct session_env *env, const char *name)
{
	for (struct managed *m = env->sources.first; m != NULL; m = m->next) {
		if (!m->over && !m->deleting && strcmp(m->list.name, name) == 0)
			return m;
	}
	return NULL;
}

bool
sources_has_name(const struct session_env *env, const char *name)
{
	return sources_find(env, name) != NULL || attach_find(env, name) != NULL;
}

int
sources_open_outfile(struct session_env *env, const struct outfile_options *opt, struct errbuf *reterr)
{
	struct outfile *o;
	int rc = outfiles_open(&env->files, opt, &o, reterr);

	if (rc != 0)
		return rc;
	/* Most are short: what is wrong with them is found while the client waits. */
	if (outfiles_look(&env->files))
		sources_want(env, 0);
	if (outfile_ready(o) || !outfile_failed(o, reterr))
		return 0;
	(void)outfiles_close(&env->files, o);
	return -EBADMSG;
}

struct outfile *
sources_default_outfile(struct session_env *env, struct errbuf *reterr)
{
	struct outfile *o = env->files.given;
	struct outfile_options opt = { .alias = DEFAULT_OUTFILE, .path = DEFAULT_OUTFILE };

	if (o == NULL)
		o = outfiles_find(&env->files, DEFAULT_OUTFILE);
	if (o != NULL || sources_open_outfile(env, &opt, reterr) != 0)
		return o;
	return outfiles_find(&env->files, DEFAULT_OUTFILE);
}

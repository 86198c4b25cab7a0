#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/log.h"
#include "workerd/ctl/managed_priv.h"
#include "workerd/ctl/session.h"
#include "workerd/slice/slice.h"

/* From lines of a list to tasks, and their results to the file. */

/* Lines looked at for one task before others come first. */
#define TAKE_LINES 64

static struct managed *
managed_of(struct source *src)
{
	return (struct managed *)((char *)src - offsetof(struct managed, source));
}

static void
skip(struct managed *m, uint64_t number, const char *why)
{
	if (m->bad++ < MANAGED_BAD_SAID)
		log_warn("source '%s': line %llu is skipped: %s", m->list.name,
		    (unsigned long long)number + 1, why);
	place_done(&m->place, number);
}

static void
on_finished(struct source *src, struct task *t)
{
	struct managed *m = managed_of(src);
	struct meas *meas = (struct meas *)t;
	uint64_t number = m->place.first + (uint32_t)(t->id - (uint32_t)m->place.first);

	if (!m->discard) {
		managed_written(m, "a result",
		    outfile_record(&m->env->files, m->out, meas->type->record, meas->type->result(meas),
			&m->cycle));
		place_done(&m->place, number);
		sources_dirty(m->env);
	}
	idtab_del(&m->tasks, t->id);
	meas->type->free(meas);
	if (m->crowded)
		managed_wake(m);
	managed_settle(m);
}

/* Files get whole results alone. */
static void
on_progress(struct source *src, struct task *t)
{
	(void)src;
	(void)t;
}

/* The task of this line, or NULL: it has been skipped. */
static struct task *
make_task(struct managed *m, const char *target, uint64_t number)
{
	char text[SOURCE_TEXT_MAX + LIST_LINE_MAX + 2];
	size_t options = strlen(m->options), len = strlen(target);
	struct meas_env *env = &m->env->envs[m->type_index];
	struct errbuf err = { "" };
	struct meas *meas = NULL;

	memcpy(text, m->options, options);
	text[options] = ' ';
	memcpy(text + options + 1, target, len + 1);
	env->owner = m->entry.slice->conf->name;
	if (m->type->parse(m->type, env, text + (options == 0), &meas, &err) != 0) {
		skip(m, number, err.text);
		return NULL;
	}
	meas->task.id = (uint32_t)number;
	meas->task.engine = m->source.engine;
	meas->task.source = &m->source;
	if (idtab_put(&m->tasks, meas->task.id, meas) == 0) {
		if (session_env_preclaim(meas) == 0)
			return &meas->task;
		idtab_del(&m->tasks, meas->task.id);
	}
	m->type->free(meas);
	skip(m, number, "out of memory");
	return NULL;
}

/* One line. True: no more of them now. */
static bool
take_line(struct managed *m, struct task **ret)
{
	const char *target = "";
	uint32_t bytes;
	uint64_t number;
	int rc = listfile_next(&m->lines, &target, &bytes);

	if (rc == -EAGAIN) {
		m->starved = true;
		return true;
	}
	if (rc != 1 && rc != -EINVAL) {
		if (rc != 0)
			log_error("source '%s': the list ends here: %s", m->list.name, strerror(-rc));
		m->read_all = true;
		return true;
	}
	number = place_take(&m->place, bytes);
	if (rc == -EINVAL)
		skip(m, number, "no text, or too long");
	else if (*target == '\0' || place_was_done(&m->place, number))
		place_done(&m->place, number);
	else
		*ret = make_task(m, target, number);
	return *ret != NULL;
}

/* No file takes more now, or the default output is behind with its copies. */
static bool
held_up(const struct managed *m)
{
	const struct outfiles *files = &m->env->files;
	const struct outfile *copy = files->copy ? files->given : NULL;

	return outfile_full(m->out) || (copy != NULL && outfile_ready(copy) && outfile_full(copy));
}

static struct task *
on_take(struct source *src)
{
	struct managed *m = managed_of(src);
	struct task *t = NULL;

	if (!m->in_cycle || m->read_all || m->deleting || m->discard || m->priority == 0 ||
	    m->env->sources.flushing)
		return NULL;
	m->starved = held_up(m);
	for (int i = 0; i < TAKE_LINES && !m->starved; i++) {
		m->crowded = place_reserve(&m->place) != 0;
		if (m->crowded || take_line(m, &t))
			break;
		m->starved = i == TAKE_LINES - 1;
	}
	/* A file that is looked through wants ticks of its own; a lost one none. */
	if (m->starved && outfile_ready(m->out))
		sources_want(m->env, held_up(m) ? 100 : 0);
	if (t != NULL)
		m->taken++;
	managed_settle(m);
	return t;
}

const struct source_ops managed_source_ops = {
	.take = on_take, .finished = on_finished, .progress = on_progress
};

#include "workerd/ctl/managed.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "workerd/ctl/managed_priv.h"
#include "workerd/ctl/session.h"
#include "workerd/slice/slice.h"

/* From one cycle to the next, at least: a list of which nothing can be run, for
 * ever, must not keep the service busy, nor fill a disk with empty cycles. */
#define CYCLE_GAP_NS (10 * NSEC_PER_MSEC)
#define EMPTY_GAP_NS NSEC_PER_SEC

void
managed_wake(struct managed *m)
{
	m->starved = m->crowded = false;
	source_wake(&m->source);
	m->env->cfg.wake(m->env->cfg.ctx);
}

/* ---- cycles ---- */

/* What cannot be written is in no file, and that is all that can be done; a full
 * disk must not fill the log too. */
void
managed_written(struct managed *m, const char *what, int rc)
{
	if (rc != 0 && m->lost++ == 0)
		log_error("source '%s': %s is lost, and perhaps more of this cycle: %s", m->list.name, what,
		    strerror(-rc));
}

static int
list_open(struct managed *m, struct errbuf *reterr)
{
	struct dir_file f;
	int rc = dir_file_open(m->env->files.dir, m->file, DIR_READ, &f, reterr);

	if (rc == 0)
		listfile_use(&m->lines, f.fd);
	return rc;
}

/* With autoreload, what the name stands for now; else the same file again. */
static void
list_rewind(struct managed *m)
{
	struct errbuf err = { "" };

	if (m->autoreload && list_open(m, &err) != 0)
		log_warn("source '%s': the list as it was is used again: %s", m->list.name, err.text);
	if (listfile_seek(&m->lines, 0) != 0)
		log_error("source '%s': the list cannot be read again", m->list.name);
}

static void
cycle_begin(struct managed *m)
{
	m->cycle.start = clock_wall_seconds();
	m->cycle.stop = 0;
	m->in_cycle = true;
	m->read_all = false;
	m->taken = m->bad = m->lost = 0;
	list_rewind(m);
	managed_written(m, "the start of a cycle", outfile_cycle_start(&m->env->files, m->out, &m->cycle));
	observe_event(m->env, m->uid, "cycle '%s' id %u", m->list.name, m->cycle.id);
	sources_dirty(m->env);
	managed_wake(m);
}

static void
end(struct managed *m)
{
	m->over = true;
	m->out->refs--;
	observe_event(m->env, m->uid, "%s '%s'", m->deleting ? "delete" : "finish", m->list.name);
	sources_dirty(m->env);
	sources_want(m->env, 0);
}

static void
cycle_end(struct managed *m)
{
	bool more = m->cycles != 1;

	m->cycle.stop = clock_wall_seconds();
	m->in_cycle = false;
	place_reset(&m->place);
	managed_written(m, "the end of a cycle", outfile_cycle_stop(&m->env->files, m->out, &m->cycle));
	if (m->bad > MANAGED_BAD_SAID)
		log_warn("source '%s': %u lines of this cycle were skipped", m->list.name, m->bad);
	if (m->lost > 1)
		log_error("source '%s': %u records of this cycle were lost", m->list.name, m->lost);
	sources_dirty(m->env);
	if (m->deleting || !more) {
		end(m);
		return;
	}
	if (m->cycles > 0)
		m->cycles--;
	m->cycle.id++;
	m->next_cycle = clock_mono() + (m->taken == 0 ? EMPTY_GAP_NS : CYCLE_GAP_NS);
	sources_want(m->env, 10);
}

void
managed_settle(struct managed *m)
{
	if (m->over || m->discard || m->tasks.count > 0)
		return;
	if (m->in_cycle && (m->read_all || m->deleting))
		cycle_end(m);
	else if (m->deleting)
		end(m);
}

/* ---- in the roster ---- */

/* Its list may be long: what is in it is not known before it is read. */
static uint32_t
on_queued(const struct roster_entry *r)
{
	(void)r;
	return 0;
}

/* At the next tick; these count as finished, and say that they were halted. */
static uint32_t
on_halt(struct roster_entry *r)
{
	struct managed *m = (struct managed *)((char *)r - offsetof(struct managed, entry));

	m->to_halt = m->tasks.count;
	sources_want(m->env, 0);
	return m->to_halt;
}

/* Operators alone add one, who may be such by a group that is not known later. */
static struct slice *
on_reslice(struct roster_entry *r)
{
	const struct managed *m = (struct managed *)((char *)r - offsetof(struct managed, entry));

	return slices_of_operators(m->env->slices);
}

static const struct roster_ops managed_roster_ops = {
	.queued = on_queued,
	.halt = on_halt,
	.reslice = on_reslice,
};

static void
halt_some(struct managed *m)
{
	struct task *t;

	for (uint32_t n = 0; m->to_halt > 0 && n < CTL_DROP_BATCH; n++) {
		t = idtab_any(&m->tasks);
		m->to_halt = t == NULL ? 0 : m->to_halt - 1;
		if (t != NULL)
			engine_halt(m->source.engine, t);
	}
	if (m->to_halt > 0)
		sources_want(m->env, 0);
}

/* ---- life ---- */

static int
copy_texts(struct managed *m, const struct managed_options *o)
{
	const struct session_env *env = m->env;
	const char *from[5] = { o->name, o->descr, o->command, o->file,
		env->monitor[0] != '\0' ? env->monitor : env->cfg.hostname };

	for (int i = 0; i < 5; i++) {
		m->text[i] = from[i] == NULL ? NULL : strdup(from[i]);
		if (from[i] != NULL && m->text[i] == NULL)
			return -ENOMEM;
	}
	m->list = (struct list_record){
		.id = o->list_id, .name = m->text[0], .descr = m->text[1], .monitor = m->text[4]
	};
	m->command = m->text[2];
	m->file = m->text[3];
	return 0;
}

static int
find_command(struct managed *m, struct errbuf *reterr)
{
	size_t len = strcspn(m->command, " ");

	m->type_index = session_env_type(m->env, m->command, len);
	if (m->type_index < 0)
		return errbuf_set(reterr, -EINVAL, "'%.*s' is no measurement", (int)len, m->command);
	m->type = m->env->cfg.types[m->type_index];
	m->options = m->command + len + strspn(m->command + len, " ");
	return 0;
}

int
managed_new(
    struct session_env *env, const struct managed_options *o, struct managed **ret, struct errbuf *reterr)
{
	struct managed *m = calloc(1, sizeof(*m));
	int rc;

	if (m == NULL)
		return errbuf_set(reterr, -ENOMEM, "out of memory");
	m->env = env;
	listfile_init(&m->lines);
	place_init(&m->place);
	idtab_init(&m->tasks);
	source_init(&m->source, env->engine, &managed_source_ops, o->priority == 0 ? 1 : o->priority);
	m->uid = o->uid;
	m->priority = o->priority;
	m->cycles = o->cycles;
	m->autoreload = o->autoreload;
	m->by_default = o->by_default;
	m->out = o->out;
	rc = copy_texts(m, o) != 0 ? errbuf_set(reterr, -ENOMEM, "out of memory") : find_command(m, reterr);
	if (rc == 0)
		rc = list_open(m, reterr);
	if (rc != 0) {
		managed_free(m);
		return rc;
	}
	m->out->refs++;
	m->entry = (struct roster_entry){ .ops = &managed_roster_ops,
		.source = &m->source,
		.name = m->list.name,
		.list = m->list.name,
		.slice = slices_of_operators(env->slices),
		.uid = o->uid };
	roster_add(env, &m->entry);
	m->cycle =
	    (struct cycle_record){ .list = &m->list, .id = o->cycle_id, .hostname = env->cfg.hostname };
	*ret = m;
	return 0;
}

void
managed_free(struct managed *m)
{
	if (m == NULL)
		return;
	source_drop(&m->source);
	roster_remove(m->env, &m->entry);
	listfile_fini(&m->lines);
	place_fini(&m->place);
	idtab_fini(&m->tasks);
	for (int i = 0; i < 5; i++)
		free(m->text[i]);
	free(m);
}

void
managed_start(struct managed *m)
{
	if (m->priority == 0 || m->over)
		return;
	if (m->in_cycle)
		managed_wake(m);
	else if (outfile_ready(m->out))
		cycle_begin(m);
}

void
managed_tick(struct managed *m, nsec_t now)
{
	halt_some(m);
	if (m->over || m->deleting || m->priority == 0 || m->env->sources.flushing)
		return;
	if (!m->in_cycle && now < m->next_cycle)
		sources_want(m->env, (uint32_t)((m->next_cycle - now) / NSEC_PER_MSEC) + 1);
	else if (!m->in_cycle && outfile_ready(m->out))
		cycle_begin(m);
	else if (m->in_cycle && m->starved)
		managed_wake(m);
}

void
managed_stop(struct managed *m)
{
	struct task *t;

	m->discard = true;
	while ((t = idtab_any(&m->tasks)) != NULL)
		engine_halt(m->source.engine, t);
}

void
managed_delete(struct managed *m)
{
	m->deleting = true;
	managed_settle(m);
}

void
managed_set_priority(struct managed *m, uint32_t priority)
{
	m->priority = priority;
	if (priority == 0)
		return;
	m->source.priority = priority;
	if (m->source.burst > priority)
		m->source.burst = priority;
	managed_start(m);
}

void
managed_view(const struct managed *m, struct source_view *ret)
{
	*ret = (struct source_view){ .name = m->list.name,
		.descr = m->list.descr,
		.list_id = m->list.id,
		.cycle_id = m->cycle.id,
		.priority = m->priority,
		.outfile = m->out->alias,
		.file = m->file,
		.cycles = m->cycles,
		.autoreload = m->autoreload,
		.uid = m->uid };
}

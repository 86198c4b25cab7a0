#ifndef VANTAGE_WORKERD_PROBE_ENGINE_PRIV_H
#define VANTAGE_WORKERD_PROBE_ENGINE_PRIV_H

#include "workerd/probe/engine.h"
#include "workerd/probe/match.h"

/* What the files of the engine share; nobody outside workerd/probe includes it. */

#define BATCH_MAX 64
#define BATCH_BYTES (128 * 1024) /* at least two packets of the largest size */

struct engine {
	struct engine_config cfg;
	struct engine_io io;
	struct engine_stats stats;
	struct match match;
	struct wheel wheel;
	struct pace pace;
	struct instant now;   /* of the callback that is running */
	struct share own;     /* of sources that are nobody else's */
	struct share *shares; /* those with active sources */
	uint64_t weights;     /* of all shares */
	uint64_t clock;       /* of the share that had the last slot, before it */
	uint32_t running;
	bool idle;                       /* nothing wanted a slot when engine_run last returned */
	uint32_t (*chosen_until)[65536]; /* by protocol class: seconds (mono) until which a chosen
					  * port stays reserved; UINT32_MAX: in use */
	uint32_t batch_count;
	uint32_t batch_bytes;
	struct engine_packet batch[BATCH_MAX];
	struct task *batch_task[BATCH_MAX];
	uint8_t batch_mem[BATCH_BYTES];
};

/* The time that a task is told. */
static inline struct instant
task_now(const struct engine *e, const struct task *t)
{
	return (struct instant){ .mono = e->now.mono, .wall = e->now.mono + t->ahead };
}

/* After a callback of a task: end it if it is done, or if it asked for nothing. */
void engine_settle(struct engine *, struct task *);
/* Claims and port holds of a task, all of them: 0, -EBUSY with the owner of an
 * overlapping claim, or the negative errno of the port hold. */
int claims_take(struct engine *, struct task *, struct task **ret_blocker);
void claims_drop(struct engine *, struct task *);
/* Nothing of this task may be sent any more. */
void batch_forget(struct engine *, const struct task *);
/* Puts a source where engine_run looks. */
void source_activate(struct source *);

/* share.c: */

/* Among those with work, and not. */
void share_list(struct engine *, struct share *);
void share_unlist(struct engine *, struct share *);
/* The share whose turn it is, or NULL when none can use a slot in this run. */
struct share *share_pick(const struct engine *);
/* It cannot use one. */
void share_pass(const struct engine *, struct share *);
/* It uses one. */
void share_charge(struct engine *, struct share *);
/* May another of its tasks begin? */
bool share_window_open(const struct engine *, const struct share *);

#endif

#ifndef VANTAGE_WORKERD_CTL_ATTACH_PRIV_H
#define VANTAGE_WORKERD_CTL_ATTACH_PRIV_H

#include "workerd/ctl/attach.h"
#include "workerd/ctl/idtab.h"
#include "workerd/ctl/observe.h"
#include "workerd/ctl/roster.h"
#include "workerd/probe/engine.h"

/* What attach.c, attach_line.c and attach_list.c share; nobody else includes it. */

/*
 * A task is in ids from its OK to its result. Until the engine takes it, it is
 * in the queue too, by task.next and task.prev, and task.engine is NULL.
 */
struct attach {
	struct session *session;
	struct source source;
	struct roster_entry entry;
	struct sink sink;
	struct list_record list;
	struct cycle_record cycle;
	char *name;
	char *descr;
	char *monitor;
	struct idtab ids;
	struct task *head;
	struct task *tail;
	uint32_t queued;
	uint32_t next_id;
	struct attach *next; /* of all that have begun */
	struct attach *prev;
	uint32_t mark; /* marked: ids from here on are the next cycle's */
	bool marked;
	bool listed;
	uint32_t to_halt; /* of those in ids, by a halt of the source */
	bool full;        /* the queue is, or was and has not yet halved */
	bool fresh;       /* commands came since the engine was last woken */
	bool ending;      /* no further commands */
	bool dropping;    /* results have nowhere to go */
	bool starved;     /* the engine was refused tasks: too much output waits */
	bool uncopied;    /* a result was not copied, which has been said */
};

/* In the queue, last; it has its id. */
void attach_enqueue(struct attach *, struct task *);
/* Queued or running: its result follows. */
void attach_halt_task(struct attach *, struct task *);

/* In the list of all sources, from its beginning to its end; observers are told. */
void attach_enlist(struct attach *);
void attach_delist(struct attach *);

/* A cycle's end was asked for, and what is left is the next one's. */
bool attach_at_mark(const struct attach *);
/* Ends that cycle and begins the next, if nothing of it runs any more. */
bool attach_turn(struct attach *);

#endif

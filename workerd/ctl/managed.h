#ifndef VANTAGE_WORKERD_CTL_MANAGED_H
#define VANTAGE_WORKERD_CTL_MANAGED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/nsec.h"
#include "proto/record/list.h"
#include "workerd/ctl/idtab.h"
#include "workerd/ctl/listfile.h"
#include "workerd/ctl/observe.h"
#include "workerd/ctl/place.h"
#include "workerd/ctl/roster.h"
#include "workerd/out/outfile.h"
#include "workerd/probe/engine.h"

/*
 * A managed source (control.md section 3): runs its command on each line of a
 * list file, cycle by cycle. A cycle begins when all of the one before has
 * ended, so that a place in the list and a cycle say all about where it is.
 */
struct meas_type;
struct session_env;

struct managed_options {
	const char *name;
	const char *descr; /* NULL: none */
	const char *command;
	const char *file;
	struct outfile *out;
	uint32_t list_id;
	uint32_t cycle_id;
	uint32_t priority; /* 0: does not run */
	uint32_t cycles;   /* 0: for ever */
	bool autoreload;
	bool by_default; /* out is the default output, which another start may have elsewhere */
	uid_t uid;
};

struct managed {
	struct managed *next;
	struct session_env *env;
	struct source source;
	struct roster_entry entry;
	struct list_record list;
	struct cycle_record cycle;
	char *text[5]; /* what list and the next three point at */
	const char *command;
	const char *options; /* the command's, behind its word */
	const char *file;
	const struct meas_type *type;
	int type_index;
	struct outfile *out;
	struct listfile lines;
	struct place place;
	struct idtab tasks; /* that have begun and not ended, by line number */
	uid_t uid;
	uint32_t priority;
	uint32_t cycles;   /* to come, with the running one; 0: for ever */
	uint32_t taken;    /* tasks of this cycle */
	uint32_t bad;      /* lines of this cycle that were skipped */
	uint32_t lost;	 /* records of this cycle that no file took */
	uint32_t to_halt;  /* of tasks, by a halt of the source */
	nsec_t next_cycle; /* not before (mono) */
	bool autoreload;
	bool by_default;
	bool in_cycle;
	bool read_all; /* the list's end was seen in this cycle */
	bool starved;  /* wake it at the next tick */
	bool crowded;  /* wake it when a task ends */
	bool deleting;
	bool over;    /* to be freed at the next tick */
	bool discard; /* tasks end unfinished: the service does */
};

/* -EINVAL: no such measurement; -ENOENT and others: the list cannot be read;
 * -ENOMEM. */
int managed_new(
    struct session_env *, const struct managed_options *, struct managed **ret, struct errbuf *reterr);
void managed_free(struct managed *);

/* Begins, or goes on in the cycle of its place. */
void managed_start(struct managed *);
void managed_tick(struct managed *, nsec_t now);
/* Ends all its tasks; they count as never begun. */
void managed_stop(struct managed *);
/* Once its running tasks have ended. */
void managed_delete(struct managed *);
void managed_set_priority(struct managed *, uint32_t priority);

void managed_view(const struct managed *, struct source_view *ret);

#endif

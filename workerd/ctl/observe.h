#ifndef VANTAGE_WORKERD_CTL_OBSERVE_H
#define VANTAGE_WORKERD_CTL_OBSERVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"

/* What is told of a source: in lists and in events (control.md 3.1 and 5). */
struct source_view {
	const char *name;
	const char *descr; /* NULL: none */
	uint32_t list_id;
	uint32_t cycle_id;
	uint32_t priority;
	const char *outfile; /* NULL: none */
	const char *file;    /* NULL: a control source */
	uint32_t cycles;
	bool autoreload;
	uid_t uid; /* whose it is */
};

struct session;
struct session_env;

void source_view_put(struct buf *, const struct source_view *);

/* To every observer who may see that user's sources; the text follows
 * "EVENT <time> source ". */
void observe_event(struct session_env *, uid_t owner, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void observe_add(struct session_env *, const struct source_view *);

/* Operators see all, others their own. */
bool observe_may(const struct session *, uid_t owner);
void observe_begin(struct session *);
void observe_end(struct session *);

#endif

#ifndef VANTAGE_CLIENT_CROWD_H
#define VANTAGE_CLIENT_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/nsec.h"

/*
 * Commands that were refused because as many as may run do: right ones, whose
 * time comes when another ends. They are kept in their order and sent again, and
 * no more are out at once than have been let in; now and then one more is
 * tried, for the others of the slice may have left. Owner: crowd_init, crowd_fini.
 */
struct crowd {
	struct buf lines; /* struct of crowd.c and the command, each */
	size_t at;        /* the first that waits */
	uint32_t max;     /* out at once; 0: nothing has been refused */
	nsec_t grown;     /* mono: when max last changed */
	nsec_t closed;    /* mono: nothing is sent before */
};

void crowd_init(struct crowd *);
void crowd_fini(struct crowd *);

/* Is that why? */
bool crowd_is_reason(const char *refusal);

/* The command with its newline, running: ours that do. False without memory. */
bool crowd_put(struct crowd *, uint64_t line, const void *command, size_t len, uint64_t running, nsec_t now);
/* One of ours has ended. */
void crowd_ended(struct crowd *);

/* May one more be sent, with so many out? */
bool crowd_open(struct crowd *, uint64_t out, nsec_t now);
/* When to ask that again, if nothing ends before; INT64_MAX: never. */
nsec_t crowd_wake(const struct crowd *);
/* Appends the first that waits to out; false: none does. */
bool crowd_take(struct crowd *, struct buf *out, uint64_t *ret_line);

#endif

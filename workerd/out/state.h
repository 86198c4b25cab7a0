#ifndef VANTAGE_WORKERD_OUT_STATE_H
#define VANTAGE_WORKERD_OUT_STATE_H

#include <stdint.h>

#include "common/buf.h"
#include "workerd/out/dir.h"

/*
 * A small text that survives whatever is killed when: two files take turns, so
 * that the one being written is never the only one. Each begins with its
 * number, length and check sum; what does not add up is not there.
 */
struct state {
	const struct dir *dir; /* borrowed */
	int fd[2];             /* -1: not open */
	uint64_t number;       /* of the newest */
};

void state_init(struct state *, const struct dir *);
void state_fini(struct state *);

/* Both texts, newest first; empty when there is none. 0 or a negative errno. */
int state_load(struct state *, struct buf *newest, struct buf *older);
int state_save(struct state *, const struct buf *);

#endif

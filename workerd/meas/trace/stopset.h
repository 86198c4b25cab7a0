#ifndef VANTAGE_WORKERD_MEAS_TRACE_STOPSET_H
#define VANTAGE_WORKERD_MEAS_TRACE_STOPSET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"

/* A set of addresses: open addressing, grows up to max. */
struct addr_set {
	struct addr *slot; /* family NONE: free */
	uint32_t cap;      /* a power of two, or 0 */
	uint32_t count;
	uint32_t max;
};

void addr_set_init(struct addr_set *, uint32_t max);
void addr_set_fini(struct addr_set *);
void addr_set_clear(struct addr_set *);
bool addr_set_has(const struct addr_set *, const struct addr *);
/* 0; -EEXIST; -ENOSPC when it is full; -ENOMEM. */
int addr_set_add(struct addr_set *, const struct addr *);

struct stopsets;

/* A local stop set of doubletree: shared by all traces of its owner that name
 * it, and outlives them. */
struct stopset {
	struct stopset *next;
	struct stopsets *all;
	char *owner;
	char *name;
	struct addr_set addrs;
};

/* 0; -EEXIST; -ENOSPC when its owner's sets are full; -ENOMEM. */
int stopset_add(struct stopset *, const struct addr *);

/* All local stop sets of the process. */
void *stopsets_new(void);
void stopsets_free(void *);
/* Found or made; the name in any case. NULL without memory, or when the owner
 * has too many. */
struct stopset *stopsets_get(struct stopsets *, const char *owner, const char *name);
/* Empties all sets of that name; -ENOENT when there is none. */
int stopsets_clear(void *, const char *name);

#endif

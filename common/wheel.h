#ifndef VANTAGE_COMMON_WHEEL_H
#define VANTAGE_COMMON_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/nsec.h"

/*
 * Hashed hierarchical deadline wheel: insert, cancel and expire are O(1). One
 * tick is WHEEL_TICK_NS; a node fires in the tick that holds its deadline or
 * the one after, never before its deadline. Nodes are embedded in their owner
 * and belong to it; zero-initialised is "not in the wheel".
 */
#define WHEEL_TICK_NS (250 * NSEC_PER_USEC)
#define WHEEL_BITS 12 /* the lowest level holds a second */
#define WHEEL_SLOTS (1u << WHEEL_BITS)
#define WHEEL_LEVELS 4 /* 2^48 ticks, two thousand years: no clock gets there */

struct wheel_node {
	struct wheel_node *next;
	struct wheel_node **prev; /* NULL: not in the wheel */
	nsec_t deadline;
};

struct wheel {
	uint64_t tick; /* ticks fully expired */
	nsec_t origin;
	uint32_t count;
	uint32_t used[WHEEL_LEVELS][WHEEL_SLOTS / 32]; /* which slots hold nodes */
	struct wheel_node *due; /* expired, not yet popped; cancel works on them too */
	struct wheel_node *slot[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *, nsec_t now);
void wheel_add(struct wheel *, struct wheel_node *, nsec_t deadline);
void wheel_cancel(struct wheel *, struct wheel_node *);

/* Moves every node whose deadline is at or before now to the due list. */
void wheel_advance(struct wheel *, nsec_t now);

/* Takes one node off the due list, or NULL. A callback may add and cancel any
 * node, its due siblings too, between two calls. */
struct wheel_node *wheel_pop(struct wheel *);

/* The earliest instant at which wheel_advance may find something; a lower
 * bound, never late. INT64_MAX when the wheel is empty. */
nsec_t wheel_next(const struct wheel *);

static inline bool
wheel_armed(const struct wheel_node *n)
{
	return n->prev != NULL;
}

#endif

#ifndef VANTAGE_WORKERD_PROBE_MATCH_H
#define VANTAGE_WORKERD_PROBE_MATCH_H

#include <stdint.h>

#include "workerd/probe/task.h"

/*
 * Whose reply is it: a hash table of claims, keyed by remote address, protocol
 * and our own port or ICMP id. Nodes are embedded in tasks and owned by them;
 * the table (open addressing) only points at them. All is O(1); the table
 * doubles as it fills.
 */
struct match_slot;
struct match {
	struct match_slot *slot;
	uint64_t mask;
	uint64_t count;
	uint64_t seed;
};

int match_init(struct match *, uint64_t seed); /* 0 or -ENOMEM */
void match_fini(struct match *);

/* The task that owns a claim overlapping this one, or NULL. */
struct task *match_conflict(const struct match *, const struct claim *);

int match_add(struct match *, struct claim_node *); /* 0 or -ENOMEM */
void match_remove(struct match *, struct claim_node *);
/* Soon to be removed: the table is larger than the caches. */
void match_fetch(const struct match *, const struct claim_node *);

/* The task that a packet between these ends belongs to, or NULL. A remote port
 * of MATCH_ANY_PORT fits every claim: what is known of a later fragment. */
#define MATCH_ANY_PORT UINT32_MAX
struct task *match_find(const struct match *, const struct addr *remote, uint8_t proto, uint16_t local_port,
    uint32_t remote_port);

#endif

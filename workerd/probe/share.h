#ifndef VANTAGE_WORKERD_PROBE_SHARE_H
#define VANTAGE_WORKERD_PROBE_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/nsec.h"
#include "workerd/probe/pace.h"

/*
 * One tenant's part of the engine. Its sources take turns among themselves, and
 * the shares among each other: each has a clock that goes on by 1/weight for
 * every slot that it is given, and the next slot goes to whose clock is
 * behind. Who does not want a slot saves nothing up: its clock is set forward
 * when it comes back, and what it left the others have used.
 *
 * A slot costs a look at each share that has work now; a share that has none
 * costs nothing.
 */
struct source;

/* Counts, and knows the rate of the last whole second. */
struct meter {
	uint64_t total;
	uint64_t mark; /* total when this second began */
	nsec_t since;  /* mono: this second's begin */
	uint32_t rate; /* of the second before */
};

void meter_roll(struct meter *, nsec_t now);

static inline void
meter_add(struct meter *m, nsec_t now)
{
	if (now - m->since >= NSEC_PER_SEC)
		meter_roll(m, now);
	m->total++;
}

struct share_config {
	uint32_t weight; /* 1 .. 10000 */
	uint32_t pps;    /* at most, also when others are idle; 0: no limit */
	uint32_t window; /* tasks running at once; 0: no limit */
	/* Which default source port and ICMP id its tasks have, counted from the
	 * program's: two tasks with one port and one target wait for each other,
	 * and tenants must not. */
	uint32_t ports;
};

struct share {
	struct share_config cfg;
	struct share *next;  /* of those with work */
	struct source *ring; /* active sources, circular; the one before whose turn it is */
	uint32_t active;     /* in the ring */
	uint32_t running;
	uint64_t clock;
	uint64_t step;     /* of the clock, for a slot */
	struct pace pace;  /* when cfg.pps is not 0 */
	struct meter sent; /* probes */
	uint64_t done;     /* tasks */
	bool listed;       /* among those with work */
	bool passed;       /* could not use a slot in this run */
};

/* Its default port or ICMP id, where the program's is first. */
uint16_t share_port(const struct share *, uint16_t first);

#endif

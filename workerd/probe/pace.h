#ifndef VANTAGE_WORKERD_PROBE_PACE_H
#define VANTAGE_WORKERD_PROBE_PACE_H

#include "common/nsec.h"

/*
 * A pace: slots on a grid of 1/pps. Slots that a late wake-up missed may be
 * made up for, but never more than PACE_BURST_NS of them (or one, when the
 * interval is longer): a stall makes us slower, never a burst.
 */
#define PACE_BURST_NS (2 * NSEC_PER_MSEC)

/* Above this many slots a second, slots are used in groups once per
 * PACE_GROUP_NS, because a wake-up costs more than a probe. */
#define PACE_GROUP_NS NSEC_PER_MSEC

struct pace {
	nsec_t interval; /* 0: no limit */
	nsec_t next;	 /* when the next slot begins (mono) */
	nsec_t group;	 /* no slot before, though it may be due */
};

void pace_set(struct pace *, uint32_t pps);

/* Call before asking for slots: forgets what idleness or a stall saved up.
 * idle: nothing wanted a slot since the last call. */
void pace_settle(struct pace *, nsec_t now, int idle);

static inline int
pace_due(const struct pace *p, nsec_t now)
{
	return p->next <= now && p->group <= now;
}

static inline void
pace_take(struct pace *p)
{
	p->next += p->interval;
}

/* All slots that were due have been used or were not wanted. */
void pace_close_group(struct pace *, nsec_t now);

/* When to look again, if slots are wanted. */
nsec_t pace_wake(const struct pace *, nsec_t now);

#endif

#ifndef VANTAGE_WORKERD_PROBE_PACE_H
#define VANTAGE_WORKERD_PROBE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/nsec.h"

/*
 * A pace: slots on a grid of 1/pps. Slots that a late wake-up missed are made
 * up for, but gently: a gate lets slots through at no more than five quarters
 * of the rate and, at once, no more than a group (of PACE_GROUP_MIN_NS at
 * least) and what comes with a wake-up that is late by PACE_LATE_NS. So in any
 * two milliseconds there are no more than four milliseconds' worth, even after a
 * stall. A backlog beyond PACE_BACKLOG_NS (control.md 8.1) is forgotten.
 */
#define PACE_LATE_NS (500 * NSEC_PER_USEC)
#define PACE_BACKLOG_NS (250 * NSEC_PER_MSEC)

/*
 * Slots are used in groups, because a wake-up costs more than several probes: a
 * group is as long as so many slots take, within these bounds. A pace of a slot
 * a millisecond or less has no groups.
 */
#define PACE_GROUP_SLOTS 20
#define PACE_GROUP_MIN_NS NSEC_PER_MSEC
#define PACE_GROUP_MAX_NS (2 * NSEC_PER_MSEC)

/* Between the end of a group and one that is opened early. */
#define PACE_OPEN_GAP_NS (50 * NSEC_PER_USEC)

struct pace {
	nsec_t interval; /* 0: no limit */
	nsec_t next;     /* when the next slot begins (mono) */
	nsec_t gate;     /* no slot before, though it may have begun */
	nsec_t length;   /* of a group; 0: no groups */
	nsec_t group;    /* nor before this one's end */
	nsec_t closed;   /* when it was used up */
};

void pace_set(struct pace *, uint32_t pps);

/* Before asking for slots: forgets what idleness or a stall saved up. idle:
 * nothing wanted a slot since the last call. */
void pace_settle(struct pace *, nsec_t now, bool idle);

static inline bool
pace_due(const struct pace *p, nsec_t now)
{
	return p->next <= now && p->gate <= now && p->group <= now;
}

static inline void
pace_take(struct pace *p)
{
	p->next += p->interval;
	p->gate += p->interval - p->interval / 5;
}

/* All slots that were due have been used or were not wanted. */
void pace_close_group(struct pace *, nsec_t now);

/* Somebody waits for a slot who cannot ask for more before it is used: the next
 * group begins early. */
void pace_open_group(struct pace *);

/* When to look again, if slots are wanted. */
nsec_t pace_wake(const struct pace *, nsec_t now);

#endif

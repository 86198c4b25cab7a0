#ifndef VANTAGE_COMMON_CLOCK_H
#define VANTAGE_COMMON_CLOCK_H

#include <time.h>

#include "common/nsec.h"

/* The clocks, for who runs a loop or waits. What is told the time by its caller
 * does not ask here: measurements may not (tests/lint/includes). */

static inline nsec_t
clock_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (nsec_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static inline nsec_t
clock_mono(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* As records and events have it. */
static inline uint32_t
clock_wall_seconds(void)
{
	return (uint32_t)(clock_ns(CLOCK_REALTIME) / NSEC_PER_SEC);
}

#endif

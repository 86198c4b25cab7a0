#ifndef VANTAGE_COMMON_NSEC_H
#define VANTAGE_COMMON_NSEC_H

#include <stdint.h>

/* Nanoseconds. Which clock is said where it is used: "mono" is CLOCK_MONOTONIC,
 * for deadlines and pacing; "wall" is CLOCK_REALTIME, for stamps in records. */
typedef int64_t nsec_t;

#define NSEC_PER_USEC 1000LL
#define NSEC_PER_MSEC 1000000LL
#define NSEC_PER_SEC 1000000000LL

/* One instant on both clocks, read together once per wake-up of the loop. */
struct instant {
	nsec_t mono;
	nsec_t wall;
};

#endif

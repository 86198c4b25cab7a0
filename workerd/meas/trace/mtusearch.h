#ifndef VANTAGE_WORKERD_MEAS_TRACE_MTUSEARCH_H
#define VANTAGE_WORKERD_MEAS_TRACE_MTUSEARCH_H

#include <stdint.h>

/* Where to look for an MTU that nobody announces (commands.md section 3.7).
 * Pure: sizes in, the next size to try out. */

/* The first guess below a size that was too big; 0 when there is none. */
uint16_t mtu_first_guess(uint16_t upper);

/* Between a size that fits and one that does not; 0 when they are neighbours. */
uint16_t mtu_next_guess(uint16_t lower, uint16_t upper);

#endif

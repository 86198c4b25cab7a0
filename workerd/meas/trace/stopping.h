#ifndef VANTAGE_WORKERD_MEAS_TRACE_STOPPING_H
#define VANTAGE_WORKERD_MEAS_TRACE_STOPPING_H

#include <stdint.h>

#define STOPPING_N_MAX 99

/* Probes with which, if all have shown at most n - 1 interfaces, the n-th is
 * excluded with a confidence of 95 or 99 percent (commands.md section 12).
 * n is brought into 2 .. STOPPING_N_MAX. */
uint16_t stopping_point(uint8_t confidence, uint32_t n);

#endif

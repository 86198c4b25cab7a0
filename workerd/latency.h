#ifndef VANTAGE_WORKERD_LATENCY_H
#define VANTAGE_WORKERD_LATENCY_H

/* Asks the scheduler for short slices, so that a wake-up for the pace is not
 * kept waiting by programs that only compute. Best effort: Linux 6.12 and
 * later heed it; no privilege is needed, none is used. */
void latency_want(void);

#endif

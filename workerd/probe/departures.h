#ifndef VANTAGE_WORKERD_PROBE_DEPARTURES_H
#define VANTAGE_WORKERD_PROBE_DEPARTURES_H

#include <stdint.h>

#include "proto/priv/departure.h"
#include "workerd/probe/engine.h"

/*
 * When our probes left, by the kernel's word (proto/priv/departure.h): read
 * without a system call, and nobody is woken for them. Where one was written
 * over before it was read, its probe keeps the time at which it was handed to
 * the kernel.
 */
struct departures_rx {
	const struct departures *map;
	uint32_t next; /* departure to read */
};

/* Maps them; from now on, not what was before. 0, or a negative errno; the
 * descriptor is taken either way. */
int departures_init(struct departures_rx *, int fd);

/* Tells the engine of all that there are. */
void departures_drain(struct departures_rx *, struct engine *);

#endif

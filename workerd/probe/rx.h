#ifndef VANTAGE_WORKERD_PROBE_RX_H
#define VANTAGE_WORKERD_PROBE_RX_H

#include <stdbool.h>
#include <stdint.h>

#include "workerd/probe/departures.h"
#include "workerd/probe/engine.h"
#include "workerd/probe/route.h"

/*
 * The packet ring: what its locked filter lets through, replies to us, with the
 * kernel's stamps. The ring (TPACKET_V2, cooked) was made by privd; here it is
 * only mapped and read. Beside it the departures of our own probes.
 */
struct rx {
	int fd; /* owned */
	uint8_t *ring;
	uint32_t frame_size;
	uint32_t frame_count;
	uint32_t next;    /* frame to look at */
	uint64_t dropped; /* frames that the kernel had no room for */
	struct departures_rx departures;
};

/* Maps the ring. 0, or a negative errno; the descriptor is taken either way. */
int rx_init(struct rx *, int fd, uint32_t frame_size, uint32_t frame_count);

/* Hands all departures and at most RX_BATCH packets to the engine; more than a
 * run of the engine can cause, so that input never falls behind. True when
 * there may be more. */
#define RX_BATCH 256
bool rx_drain(struct rx *, struct engine *, struct routes *, const struct instant *now);

#endif

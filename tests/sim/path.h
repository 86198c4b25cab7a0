#ifndef VANTAGE_TESTS_SIM_PATH_H
#define VANTAGE_TESTS_SIM_PATH_H

#include "common/nsec.h"
#include "common/packet/pkt.h"
#include "topo.h"

/* What becomes of a packet in the simulated network. */

struct path_out {
	void *ctx;
	/* A packet comes back after this time. */
	void (*arrive)(void *ctx, nsec_t after, const uint8_t *bytes, size_t len);
	uint32_t (*random)(void *ctx);
};

void path_walk(
    struct topo *, const struct pkt *, const uint8_t *bytes, size_t len, nsec_t now, const struct path_out *);

#endif

#ifndef VANTAGE_TESTS_UNIT_ENGINE_NET_H
#define VANTAGE_TESTS_UNIT_ENGINE_NET_H

#include <stdint.h>

#include "workerd/probe/engine.h"

#define NET_SOURCES 16

/*
 * A network that only counts. The second octet of a destination says which
 * source sent it.
 */
struct net {
	uint32_t sent;
	uint32_t of_source[NET_SOURCES];
	struct addr last;
	int refuse;          /* errno for every packet, 0: sent */
	uint32_t full_after; /* the kernel's queue: EAGAIN beyond this many a call; 0: never */
	int hold_error;      /* for every port, 0: held */
	int holds;
	uint32_t rng;
};

/* What an engine asks, answered by the net, which stays the caller's. */
struct engine_io net_io(struct net *);

#endif

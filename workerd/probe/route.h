#ifndef VANTAGE_WORKERD_PROBE_ROUTE_H
#define VANTAGE_WORKERD_PROBE_ROUTE_H

#include <stdint.h>

#include "workerd/probe/task.h"

/*
 * Where a probe would go: source address, interface and its MTU, by
 * asking the kernel over a routing socket that privd opened in the host's
 * network. One question costs more than sending a probe, so when the rules are
 * the plain ones (main table only) an answer is kept for its whole route until
 * the kernel tells of a change.
 */
struct routes;

/* Takes the descriptor. mark: the packet mark of our probes, which policy
 * rules may look at. NULL without memory. */
struct routes *routes_new(int fd, uint32_t mark);

/* The descriptor is readable: changes. Never blocks. */
void routes_changed(struct routes *);

/* 0, or a negative errno: -ENETUNREACH, -EHOSTUNREACH ... */
int routes_get(struct routes *, const struct addr *dst, const struct addr *via, struct route *ret);

/* Name of an interface; the text lives as long as r. NULL when unknown. */
const char *routes_ifname(struct routes *, uint32_t ifindex);

#endif

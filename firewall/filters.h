#ifndef VANTAGE_FIREWALL_FILTERS_H
#define VANTAGE_FIREWALL_FILTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "proto/priv/pp.h"

/*
 * What the packet ring may see: an eBPF program, loaded once while we may,
 * that looks ports up in a byte map which only we can write. Reserving a port
 * is one store into memory shared with the kernel. Neither that map nor the
 * program ever leaves this process: whoever holds the map could open every port.
 * Of our own probes it keeps the departures (proto/priv/departure.h), and shows
 * the ring nothing.
 */
struct filter {
	int prog_fd;
	int departures_fd; /* whoever is given it can only read */
	volatile uint8_t *ports; /* [pp_proto - 1][65536], eight bytes each; 1: reserved */
};

int filter_init(struct filter *, uint32_t mark_tx, struct errbuf *reterr);
void filter_port_set(struct filter *, const struct pp_port *, bool on);

/* Attach and lock: nobody who holds the socket later can detach either. */
int filter_attach_ring(const struct filter *, int sock);
int filter_attach_drop_all(int sock);

#endif

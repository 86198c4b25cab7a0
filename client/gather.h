#ifndef VANTAGE_CLIENT_GATHER_H
#define VANTAGE_CLIENT_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/nsec.h"

/*
 * The results of many tasks are left to gather, as many as fit into the socket:
 * to wake up costs more than to take in a dozen of them. Zeroed: nothing has been
 * received.
 */
struct gather {
	nsec_t received; /* mono: when something was read last */
	nsec_t until;    /* mono: nothing is read before */
};

/* So many bytes have just been read, while so many tasks run. hungry: the next
 * word may be that the service has nothing more to begin. */
void gather_received(struct gather *, size_t bytes, uint64_t running, bool hungry, nsec_t now);

#endif

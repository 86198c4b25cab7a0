#ifndef VANTAGE_WORKERD_PROBE_PORTS_H
#define VANTAGE_WORKERD_PROBE_PORTS_H

#include <stdint.h>

#define PORTS_TENANTS 64

/*
 * Source ports and ICMP identifiers that tasks use, counted; privd is asked
 * when the first wants one and told when the last has gone.
 */
struct ports {
	/* privcli_reserve_port and its mirror image; 0 or a negative errno. */
	int (*reserve)(void *ctx, uint8_t proto, uint16_t port);
	int (*release)(void *ctx, uint8_t proto, uint16_t port);
	void *ctx;
	uint32_t max; /* that privd lets us hold */
	uint32_t held;
	uint32_t held_by[PORTS_TENANTS];
	uint32_t users[3][65536];  /* tcp, udp, icmp */
	uint8_t tenant[3][65536]; /* who was first, and pays until the last has gone */
};

/* -EDQUOT: nobody gets more than three quarters of what the others leave. */
int ports_hold(struct ports *, uint32_t tenant, uint8_t proto, uint16_t port);
void ports_release(struct ports *, uint8_t proto, uint16_t port);

#endif

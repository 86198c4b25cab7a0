#ifndef VANTAGE_WORKERD_PROBE_PORTS_H
#define VANTAGE_WORKERD_PROBE_PORTS_H

#include <stdint.h>

/*
 * Source ports and ICMP identifiers that tasks use, counted; privd is asked
 * when the first wants one and told when the last has gone.
 */
struct ports {
	/* privcli_reserve_port and its mirror image; 0 or a negative errno. */
	int (*reserve)(void *ctx, uint8_t proto, uint16_t port);
	int (*release)(void *ctx, uint8_t proto, uint16_t port);
	void *ctx;
	uint32_t users[3][65536]; /* tcp, udp, icmp */
};

int ports_hold(struct ports *, uint8_t proto, uint16_t port);
void ports_release(struct ports *, uint8_t proto, uint16_t port);

#endif

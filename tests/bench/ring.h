#ifndef VANTAGE_TESTS_BENCH_RING_H
#define VANTAGE_TESTS_BENCH_RING_H

#include <stdint.h>

struct tpacket3_hdr;

/* A TPACKET_V3 receive ring on one interface, for the bench's own tools. */
struct ring {
	int fd;
	uint8_t *map;
	uint32_t block; /* the next to be read */
};

/* Opens a ring for one ethertype (host order; ETH_P_ALL sees what is sent, too).
 * 0 or a negative errno. */
int ring_open(struct ring *, const char *interface, uint16_t ethertype);

/* Calls each for every packet of the blocks that are ready, waiting up to
 * wait_ms for the first. The number of packets, or a negative errno. */
int ring_read(struct ring *, int wait_ms, void (*each)(void *, const struct tpacket3_hdr *), void *);

/* Packets that found no room, since the last call. */
uint32_t ring_lost(const struct ring *);

#endif

#include "ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_BYTES (1u << 18)
#define BLOCKS 256u
#define FRAME_BYTES 2048u
#define BLOCK_WAIT_MS 1u

static int
ring_map(struct ring *r)
{
	struct tpacket_req3 req = { .tp_block_size = BLOCK_BYTES, .tp_block_nr = BLOCKS,
		.tp_frame_size = FRAME_BYTES, .tp_frame_nr = BLOCK_BYTES / FRAME_BYTES * BLOCKS,
		.tp_retire_blk_tov = BLOCK_WAIT_MS };
	int version = TPACKET_V3;

	if (setsockopt(r->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) != 0 ||
	    setsockopt(r->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) != 0)
		return -errno;
	r->map = mmap(NULL, (size_t)BLOCK_BYTES * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	return r->map == MAP_FAILED ? -errno : 0;
}

int
ring_open(struct ring *r, const char *interface, uint16_t ethertype)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ethertype),
		.sll_ifindex = (int)if_nametoindex(interface) };
	int rc;

	*r = (struct ring){ .fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) };
	if (r->fd < 0)
		return -errno;
	rc = ring_map(r);
	if (rc == 0 && bind(r->fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		rc = -errno;
	if (rc != 0)
		(void)close(r->fd);
	return rc;
}

static struct tpacket_block_desc *
ring_ready(const struct ring *r)
{
	struct tpacket_block_desc *d = (void *)(r->map + (size_t)r->block * BLOCK_BYTES);

	if ((__atomic_load_n(&d->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0)
		return NULL;
	return d;
}

static int
block_walk(struct tpacket_block_desc *d, void (*each)(void *, const struct tpacket3_hdr *), void *arg)
{
	const struct tpacket3_hdr *h = (void *)((uint8_t *)d + d->hdr.bh1.offset_to_first_pkt);
	uint32_t n = d->hdr.bh1.num_pkts;

	for (uint32_t i = 0; i < n; i++) {
		each(arg, h);
		h = (const void *)((const uint8_t *)h + h->tp_next_offset);
	}
	__atomic_store_n(&d->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	return (int)n;
}

int
ring_read(struct ring *r, int wait_ms, void (*each)(void *, const struct tpacket3_hdr *), void *arg)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };
	struct tpacket_block_desc *d;
	int total = 0;

	if (wait_ms != 0 && ring_ready(r) == NULL && poll(&p, 1, wait_ms) < 0)
		return -errno;
	while ((d = ring_ready(r)) != NULL) {
		total += block_walk(d, each, arg);
		r->block = (r->block + 1) % BLOCKS;
	}
	return total;
}

uint32_t
ring_lost(const struct ring *r)
{
	struct tpacket_stats_v3 s = { 0 };
	socklen_t len = sizeof(s);

	if (getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &s, &len) != 0)
		return UINT32_MAX;
	return s.tp_drops;
}

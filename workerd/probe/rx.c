#include "workerd/probe/rx.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* A frame does not lie in the ring for longer; nor does a drain last longer, in
 * which some come that are younger than its now. */
#define STAMP_AGE_MAX_NS (60 * NSEC_PER_SEC)

int
rx_init(struct rx *rx, int fd, uint32_t frame_size, uint32_t frame_count)
{
	size_t bytes = (size_t)frame_size * frame_count;
	void *ring;

	*rx = (struct rx){ .fd = fd, .frame_size = frame_size, .frame_count = frame_count };
	/* Written too: a frame goes back to the kernel by its status word. */
	ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		return -errno;
	rx->ring = ring;
	return 0;
}

/* The kernel counts drops since the last time it was asked. */
static void
count_drops(struct rx *rx)
{
	struct tpacket_stats st;
	socklen_t len = sizeof(st);

	if (getsockopt(rx->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0)
		rx->dropped += st.tp_drops;
}

/* The kernel's stamp on the monotonic clock. Where the wall clock was set between
 * the stamp and now, now has to do. */
static nsec_t
stamp_mono(const struct tpacket2_hdr *h, const struct instant *now)
{
	nsec_t age = now->wall - ((nsec_t)h->tp_sec * NSEC_PER_SEC + h->tp_nsec);

	return age < -STAMP_AGE_MAX_NS || age > STAMP_AGE_MAX_NS ? now->mono : now->mono - age;
}

static void
rx_frame(
    struct rx *rx, const uint8_t *frame, struct engine *e, struct routes *routes, const struct instant *now)
{
	struct tpacket2_hdr h;
	struct sockaddr_ll ll;

	/* The frame lies in kernel-shared memory: take one copy, check that. */
	memcpy(&h, frame, sizeof(h));
	memcpy(&ll, frame + TPACKET_ALIGN(sizeof(h)), sizeof(ll));
	if (h.tp_net > rx->frame_size || h.tp_snaplen > rx->frame_size - h.tp_net)
		return;
	if ((h.tp_status & TP_STATUS_LOSING) != 0)
		count_drops(rx);
	engine_input(e, frame + h.tp_net, h.tp_snaplen, stamp_mono(&h, now),
	    routes_ifname(routes, (uint32_t)ll.sll_ifindex), now);
}

/* Where the next frame but one will be read: its header, address and packet.
 * The ring is larger than the caches, and fetching ahead hides most of that. */
static void
fetch_ahead(const struct rx *rx)
{
	uint32_t ahead = rx->next + 2 < rx->frame_count ? rx->next + 2 : 0;
	const uint8_t *frame = rx->ring + (size_t)ahead * rx->frame_size;

	__builtin_prefetch(frame);
	__builtin_prefetch(frame + 64);
	__builtin_prefetch(frame + 128);
}

bool
rx_drain(struct rx *rx, struct engine *e, struct routes *routes, const struct instant *now)
{
	for (int i = 0; i < RX_BATCH; i++) {
		uint8_t *frame = rx->ring + (size_t)rx->next * rx->frame_size;
		_Atomic uint32_t *status = (_Atomic uint32_t *)(void *)frame;
		bool more = (atomic_load_explicit(status, memory_order_acquire) & TP_STATUS_USER) != 0;

		/* After the look at the frame: what it answers left before. */
		departures_drain(&rx->departures, e);
		if (!more)
			return false;
		fetch_ahead(rx);
		rx_frame(rx, frame, e, routes, now);
		atomic_store_explicit(status, TP_STATUS_KERNEL, memory_order_release);
		rx->next = rx->next + 1 == rx->frame_count ? 0 : rx->next + 1;
	}
	return true;
}

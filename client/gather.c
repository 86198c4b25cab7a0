#include "client/gather.h"

#define GATHER_TASKS 64
#define GATHER_BYTES 49152
#define GATHER_MIN_NS (2 * NSEC_PER_MSEC)
#define GATHER_MAX_NS (40 * NSEC_PER_MSEC)
#define GATHER_HUNGRY_NS (4 * NSEC_PER_MSEC)

/* So long as it takes to fill the socket, at the rate of late. */
void
gather_received(struct gather *g, size_t bytes, uint64_t running, bool hungry, nsec_t now)
{
	nsec_t since = now - g->received, max = hungry ? GATHER_HUNGRY_NS : GATHER_MAX_NS, wait = max;

	/* Of what came after a long silence nothing can be told, nor multiplied. */
	if (since < NSEC_PER_SEC && bytes > GATHER_BYTES / 16)
		wait = since * GATHER_BYTES / (nsec_t)bytes;
	g->received = now;
	if (running >= GATHER_TASKS && wait >= GATHER_MIN_NS)
		g->until = now + (wait < max ? wait : max);
}

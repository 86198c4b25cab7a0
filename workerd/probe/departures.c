#include "workerd/probe/departures.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint32_t
load(const uint32_t *shared)
{
	return atomic_load_explicit((const _Atomic uint32_t *)shared, memory_order_acquire);
}

int
departures_init(struct departures_rx *rx, int fd)
{
	void *map = mmap(NULL, sizeof(*rx->map), PROT_READ, MAP_SHARED, fd, 0);
	int rc = map == MAP_FAILED ? -errno : 0;

	(void)close(fd); /* the mapping keeps it */
	if (rc != 0)
		return rc;
	*rx = (struct departures_rx){ .map = map };
	rx->next = load(&rx->map->count);
	return 0;
}

/* A copy that nobody writes to, or false: there is none yet, or it is lost. */
static bool
take(struct departures_rx *rx, struct departure *ret)
{
	const struct departure *d = &rx->map->slot[rx->next % DEPARTURES];
	uint32_t ahead;

	if (load(&d->seq) == rx->next + 1) {
		memcpy(ret, d, sizeof(*ret));
		atomic_thread_fence(memory_order_acquire);
	} else if (load(&rx->map->count) - rx->next <= DEPARTURES) {
		return false;
	}
	ahead = load(&rx->map->count) - rx->next;
	if (ahead <= DEPARTURES) {
		rx->next++;
		return true;
	}
	/* Lost; and some more, to be ahead of who is writing now. */
	rx->next += ahead - DEPARTURES / 2;
	return false;
}

void
departures_drain(struct departures_rx *rx, struct engine *e)
{
	struct departure d;

	while (take(rx, &d)) {
		size_t len = d.len < sizeof(d.bytes) ? d.len : sizeof(d.bytes);

		engine_departed(e, d.bytes, len, (nsec_t)d.mono);
	}
}

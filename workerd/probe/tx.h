#ifndef VANTAGE_WORKERD_PROBE_TX_H
#define VANTAGE_WORKERD_PROBE_TX_H

#include <stdint.h>

#include "workerd/probe/engine.h"

/* Two raw sockets (IPPROTO_RAW, complete headers), one per family, opened and
 * marked by privd; owned here. */
struct tx {
	int fd4;
	int fd6;
};

/* engine_io.send: whole batches by sendmmsg. What the policy refuses (EPERM)
 * is skipped and reported, the rest goes on. */
void tx_send(struct tx *, struct engine_packet *, uint32_t count);

#endif

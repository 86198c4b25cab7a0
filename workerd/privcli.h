#ifndef VANTAGE_WORKERD_PRIVCLI_H
#define VANTAGE_WORKERD_PRIVCLI_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"
#include "proto/priv/pp.h"
#include "proto/priv/ring.h"

/*
 * Asking privd: one request, one answer, synchronous (about 10 microseconds
 * each; the ring takes 16 ms). One function for each op; before and after the
 * sandbox. All return 0 or a negative errno, which is privd's refusal, or:
 *   -EPIPE   privd is gone: end, every promise depends on it
 *   -EPROTO  what answered is not our privd
 */
struct privcli {
	int fd;	   /* privd never speaks unasked: readable or hung up is its end */
	bool lost; /* it has ended, or lied: every question is -EPIPE from now on */
};

/* The shape of the ring. */
#define PRIVCLI_RING_FRAME_SIZE RING_FRAME_BYTES
#define PRIVCLI_RING_FRAMES RING_FRAMES
#define PRIVCLI_LISTENERS_MAX PP_LISTENERS_MAX
#define PRIVCLI_PORTS_MAX PP_PORTS_MAX

/* What privd's policy allows, so that a refusal can be foretold politely. */
struct privcli_facts {
	uint32_t max_pps;
	uint32_t listeners;
	bool has_client; /* serve it, then end */
	bool spoof;      /* sources that are not this host's may be used */
	bool local;      /* this host's own addresses may be probed */
};

/* The socket of a running privd, or the channel that it left us as fd. */
int privcli_connect(struct privcli *, const char *path, struct errbuf *reterr);
int privcli_init(struct privcli *, int fd, struct errbuf *reterr);
void privcli_close(struct privcli *);

int privcli_hello(struct privcli *, struct privcli_facts *ret, struct errbuf *reterr);

/* Descriptors are non-blocking and close-on-exec. */
int privcli_open_raw(struct privcli *, enum addr_family, int *ret_fd);
int privcli_open_ring(struct privcli *, int *ret_fd);
int privcli_open_departures(struct privcli *, int *ret_fd); /* proto/priv/departure.h, read-only */
int privcli_open_route(struct privcli *, int *ret_fd); /* rtnetlink: may look, not change */
int privcli_open_listener(struct privcli *, uint32_t index, int *ret_fd); /* -ENOENT: no more */
int privcli_open_client(struct privcli *, int *ret_fd);                   /* -ENOENT: none, or taken */

/* Not counted: reserving twice is once. ipproto: IPPROTO_TCP, UDP, ICMP or
 * ICMPV6 (one space for both). -EADDRINUSE: another program of the host has it. */
int privcli_reserve_port(struct privcli *, uint8_t ipproto, uint16_t port);
int privcli_release_port(struct privcli *, uint8_t ipproto, uint16_t port);

#endif

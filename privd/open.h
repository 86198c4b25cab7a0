#ifndef VANTAGE_PRIVD_OPEN_H
#define VANTAGE_PRIVD_OPEN_H

#include <stdint.h>

#include "firewall/filters.h"
#include "proto/priv/pp.h"

/* Sockets for the worker. Every option that takes a privilege is set before
 * they leave, and none can be changed after. A descriptor, or -errno. */
int open_raw(enum pp_family, uint32_t mark);
int open_ring(const struct filter *, uint32_t mark);
int open_route(void);

#endif

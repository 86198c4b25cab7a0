#ifndef VANTAGE_PRIVD_PORTS_H
#define VANTAGE_PRIVD_PORTS_H

#include <stdint.h>

#include "common/conf.h"
#include "common/err.h"
#include "firewall/filters.h"
#include "proto/priv/pp.h"

/* Each but an ICMP identifier is a descriptor of ours: the unit's LimitNOFILE
 * must allow PP_PORTS_MAX of them. */
struct hold {
	int fd; /* -1 for an ICMP identifier */
	struct pp_port of;
};

/*
 * Who reserves a port gets its packets (the ring's filter) and keeps every
 * other program of the host from it (a bound socket).
 */
struct ports {
	struct filter *filter;
	uint32_t count;
	struct hold hold[PP_PORTS_MAX];
	struct hold offered[CONF_PORTS_MAX]; /* bound at the start, handed over on request */
	uint32_t offered_count;
};

void ports_init(struct ports *, struct filter *);

/* 0 (also when it is ours already), -EADDRINUSE, -EDQUOT, ... */
int ports_reserve(struct ports *, const struct pp_port *);
int ports_release(struct ports *, const struct pp_port *); /* -ENOENT */
void ports_release_all(struct ports *);

/* Binds a configured port, marked so that the policy rules what it sends. */
int ports_offer(struct ports *, const struct conf_port *, uint32_t mark, struct errbuf *reterr);
/* A borrowed descriptor of it, or -EACCES: not configured. */
int ports_offered(const struct ports *, const struct pp_port *);

#endif

#ifndef VANTAGE_WORKERD_CTL_RECONF_H
#define VANTAGE_WORKERD_CTL_RECONF_H

#include "common/err.h"

/*
 * Another configuration for a service that runs. All of it holds at once, or
 * nothing does; nobody's measurements are disturbed. Clients and sources belong
 * to the slices that the new one gives them; a slice that keeps its name keeps
 * its counts.
 */
struct conf;
struct session_env;

/* Settled already: names are numbers, rates what privd allows. -EINVAL with the
 * sentence; -ENOMEM. */
int reconf_apply(struct session_env *, const struct conf *, struct errbuf *reterr);

#endif

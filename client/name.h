#ifndef VANTAGE_CLIENT_NAME_H
#define VANTAGE_CLIENT_NAME_H

#include <stdbool.h>

#include "client/opts.h"
#include "common/err.h"

/* Could this be a host's name? Not what looks like a short form of an address,
 * which the resolver would take for one. */
bool name_is_host(const char *text);

/* "vantage ping NAME": the last word, if it is no address, becomes the first
 * address that this host's resolver has for it. 0, or an exit status. */
int name_resolve(struct opts *, struct errbuf *reterr);

#endif

#ifndef VANTAGE_CLIENT_SERVE_H
#define VANTAGE_CLIENT_SERVE_H

#include "client/opts.h"

/*
 * "vantage -U PATH", "-P [ip:]port": as root without the service, a private
 * pair that stays up and serves whoever connects, as existing scripts expect;
 * with -D in the background. Returns the exit status.
 */
int serve_main(const struct opts *);

#endif

#ifndef VANTAGE_CLIENT_RUN_H
#define VANTAGE_CLIENT_RUN_H

#include "client/opts.h"

/* One run: targets to the service, results to the output. Returns the exit
 * status (client/status.h); what went wrong has been said. */
int run_main(const struct opts *);

/* "vantage dump": records of warts files, as JSON lines or text. */
int dump_main(const struct opts *);

#endif

#ifndef VANTAGE_CLIENT_HELP_H
#define VANTAGE_CLIENT_HELP_H

#include "client/opts.h"

/* --help: of a measurement what the service says, else our own. An exit
 * status. */
int help_main(const struct opts *);

#endif

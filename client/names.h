#ifndef VANTAGE_CLIENT_NAMES_H
#define VANTAGE_CLIENT_NAMES_H

#include <stdbool.h>

#include "client/opts.h"

/*
 * "trace -O ptr" asks a name server for the names of hops, and where there is none
 * it goes without: whoever wants names is told.
 */

/* Does this command want names? */
bool names_wanted(const char *command);
/* May one of this run's? Those of a file are not known yet. */
bool names_may_be_wanted(const struct opts *);

#endif

#ifndef VANTAGE_CLIENT_SERVE_OUTPUT_H
#define VANTAGE_CLIENT_SERVE_OUTPUT_H

#include "client/opts.h"
#include "client/private.h"
#include "common/err.h"

/*
 * The default output of a pair that serves: opened here, with our rights, and
 * written by the worker, which could not open it.
 */

/* 0, or an exit status; ret->fd -1: the pair is to have none. */
int serve_output_open(const struct opts *, struct private_output *ret, struct errbuf *reterr);

/* The worker has been killed, perhaps in the midst of a record: cuts a file of
 * -o back to its last whole one. */
void serve_output_mend(const struct opts *, const struct private_output *);

#endif

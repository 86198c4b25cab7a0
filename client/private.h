#ifndef VANTAGE_CLIENT_PRIVATE_H
#define VANTAGE_CLIENT_PRIVATE_H

#include <sys/types.h>

#include "client/opts.h"
#include "common/err.h"

/*
 * A pair of our own for one command, when root has no service: vantage-privd,
 * found beside our own executable and nowhere else, gets our end's twin and
 * starts its worker. It ends when we close our end.
 */

/* *ret_fd is connected to it. 0, or a negative errno. */
int private_start(const struct opts *, int *ret_fd, pid_t *ret_pid, struct errbuf *reterr);

/* After our end was closed: wait for it, and end it if it does not by itself.
 * Its exit status, or 128 and the signal that ended it. */
int private_wait(pid_t pid);

#endif

#ifndef VANTAGE_CLIENT_PRIVATE_H
#define VANTAGE_CLIENT_PRIVATE_H

#include <limits.h>
#include <sys/types.h>

#include "client/opts.h"
#include "common/err.h"

/*
 * A pair of our own for one command, when root has no service: vantage-privd,
 * found beside our own executable and nowhere else, gets our end's twin and
 * starts its worker. It ends when we close our end.
 */

/* The pair's default output; its text is that of vantage-workerd --output. */
struct private_output {
	int fd; /* -1: none */
	char text[PATH_MAX + 32];
};

/* *ret_fd is connected to it; output may be NULL. 0, or a negative errno. */
int private_start(const struct opts *, const struct private_output *, int *ret_fd, pid_t *ret_pid,
    struct errbuf *reterr);

/* After our end was closed: wait for it, and end it if it does not by itself.
 * Its exit status, or 128 and the signal that ended it. */
int private_wait(pid_t pid);

#endif

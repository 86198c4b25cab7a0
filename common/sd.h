#ifndef VANTAGE_COMMON_SD_H
#define VANTAGE_COMMON_SD_H

#include <stdint.h>

#include "common/err.h"

/* What we exchange with a service manager, as sd_notify(3), sd_listen_fds(3) and
 * sd_watchdog_enabled(3) document it. Without one, all do nothing. */

#define SD_LISTEN_FDS_START 3

/* How many descriptors were passed, from SD_LISTEN_FDS_START on; each is made
 * close-on-exec. 0 when none are for this process; a negative errno when the
 * variables lie. */
int sd_listen_fds(uint32_t max, struct errbuf *reterr);

/* The way to the manager, opened before the sandbox. Afterwards it takes
 * sendto and read alone. */
struct sd {
	int notify;   /* -1: no manager */
	int watchdog; /* readable: sd_ping is due; -1: nobody watches */
};

/* 0, or a negative errno with the sentence when the variables lie. */
int sd_open(struct sd *, struct errbuf *reterr);

/* Sends "READY=1" and the like. 0, or a negative errno; 0 without a manager. */
int sd_notify(const struct sd *, const char *text);

/* We live: what a manager that watches wants to hear, from the loop that might
 * be stuck; and a line for people, or NULL. */
void sd_ping(const struct sd *, const char *status);

#endif

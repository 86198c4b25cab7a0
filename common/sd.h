#ifndef VANTAGE_COMMON_SD_H
#define VANTAGE_COMMON_SD_H

#include <stdint.h>

#include "common/err.h"

/* The two words that we exchange with a service manager, as sd_notify(3) and
 * sd_listen_fds(3) document them. Without one, both do nothing. */

#define SD_LISTEN_FDS_START 3

/* How many descriptors were passed, from SD_LISTEN_FDS_START on; each is made
 * close-on-exec. 0 when none are for this process; a negative errno when the
 * variables lie. */
int sd_listen_fds(uint32_t max, struct errbuf *reterr);

/* Sends "READY=1" and the like. 0, or a negative errno; 0 without a manager. */
int sd_notify(const char *text);

#endif

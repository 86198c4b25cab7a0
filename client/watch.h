#ifndef VANTAGE_CLIENT_WATCH_H
#define VANTAGE_CLIENT_WATCH_H

#include <stddef.h>

#include "client/opts.h"
#include "client/session.h"
#include "common/err.h"

/* Asking a running service how it is, again and again. */
struct watch {
	struct session session;
	char *reply;
};

/* What a status may be long: bounded by the service's limits, and by us. */
#define WATCH_REPLY_MAX (512 * 1024)

/* 0, or an exit status with the sentence; watch_close in any case. */
int watch_open(struct watch *, const struct opts *, struct errbuf *reterr);
void watch_close(struct watch *);

/* *ret is the JSON, valid until the next call. */
int watch_status(struct watch *, const char **ret, struct errbuf *reterr);
/* Ends what a source has; the answer, for a person, is in reply either way. */
int watch_halt(struct watch *, const char *source, char *reply, size_t cap);

/* "vantage status", "vantage top": the exit status. */
int status_main(const struct opts *);
int top_main(const struct opts *);

#endif

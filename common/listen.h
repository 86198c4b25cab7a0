#ifndef VANTAGE_COMMON_LISTEN_H
#define VANTAGE_COMMON_LISTEN_H

#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/users.h"

/* A listening stream socket: of the UNIX kind, with a name that everybody may
 * connect to, or of TCP. */
struct listener {
	int fd;
	int dir; /* where its name is, to take it away at the end; -1: not ours to take */
	char name[108];
};

/*
 * Makes the directory when it is not there, for the owner, so that it can take
 * the name away later; takes over a name that the dead left; -EADDRINUSE when
 * somebody answers there, -EEXIST when it is no socket.
 */
int listener_open(struct listener *, const char *path, const struct ids *owner, struct errbuf *reterr);

/* At one address of this host. 0 or a negative errno with the sentence. */
int listener_open_tcp(struct listener *, const struct addr *, uint16_t port, struct errbuf *reterr);

/* Takes the name away: one unlinkat(2), no heap. 0 or a negative errno. */
int listener_remove_name(const struct listener *);

#endif

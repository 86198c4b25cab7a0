#ifndef VANTAGE_CLIENT_SERVICE_H
#define VANTAGE_CLIENT_SERVICE_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/opts.h"
#include "client/session.h"
#include "common/err.h"

/*
 * Finding somebody who measures for us: the running service, or as root a
 * private pair when there is none.
 */
struct service {
	int fd;
	pid_t pid;     /* of the private pair; 0: the service is not ours */
	bool nameless; /* names may be wanted, and it has no name server */
};

/* 0 and a connection; else an exit status with the sentence. */
int service_connect(const struct opts *, struct service *ret, struct errbuf *reterr);

/* Settings and attach, one question at a time. 0, or an exit status. */
int service_attach(struct service *, const struct opts *, struct session *, struct errbuf *reterr);

/* A service that runs, only to talk to it: no pair is started. 0 with the
 * connection, or an exit status with the sentence. */
int service_reach(const struct opts *, int *ret_fd, struct errbuf *reterr);

#endif

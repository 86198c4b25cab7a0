#ifndef VANTAGE_PRIVD_PRIVD_H
#define VANTAGE_PRIVD_PRIVD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/conf.h"
#include "common/listen.h"
#include "common/sd.h"
#include "common/users.h"
#include "firewall/filters.h"
#include "firewall/firewall.h"
#include "privd/ports.h"
#include "privd/serve.h"

/* Everything there is, in one place; main has the only one. */
struct privd {
	struct conf conf;
	struct firewall_policy policy;
	struct firewall firewall;
	struct filter filter;
	struct ports ports;
	struct listener listener[PP_LISTENERS_MAX];
	uint32_t listeners;
	struct session session;
	struct sd sd;
	int accepting; /* systemd's socket for the worker; -1: we start our own */
	const char *data; /* the worker's directory; NULL: the usual one, if there */
	const char *output; /* for the worker: what its descriptor PP_OUTPUT_FD is; NULL: none */
	int alone;     /* who else starts here connects to it; -1: not ours */
	int client;    /* the one client of a single command; -1 */
	int echo;      /* what ECHO passes: nothing can be done with it */
	int signals;
	int worker_dead; /* readable when the session's process is gone; -1 */
	pid_t worker;    /* our child; 0 */
	struct ids worker_ids;
	struct ids ids; /* ours, after the drop */
};

extern const struct op privd_ops[PP_MSG_MAX];

/* loop.c: serves until told to stop or until nothing is left to do. An exit code. */
int privd_loop(struct privd *);

/* start.c: what needs more privilege than we keep. */
int start_users(struct privd *, struct errbuf *reterr);
int start_alone(struct privd *, struct errbuf *reterr);
int start_worker(
    struct privd *, const char *program, const char *conf_path, bool debug, struct errbuf *reterr);

/* sandbox.c */
int sandbox_drop(const struct privd *, struct errbuf *reterr);
int sandbox_enter(struct errbuf *reterr);
void sandbox_print(void);

#endif

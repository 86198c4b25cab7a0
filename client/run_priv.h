#ifndef VANTAGE_CLIENT_RUN_PRIV_H
#define VANTAGE_CLIENT_RUN_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "client/crowd.h"
#include "client/feed.h"
#include "client/gather.h"
#include "client/idset.h"
#include "client/opts.h"
#include "client/output.h"
#include "client/results.h"
#include "client/service.h"
#include "client/session.h"
#include "client/ui.h"
#include "common/nsec.h"

/* What run.c (its beginning and its end) and run_loop.c (what happens between)
 * share; nobody else includes it. */

enum run_state {
	RUN_FEED,  /* commands are being sent */
	RUN_WAIT,  /* all are; results come. Behind "done" nothing can be halted */
	RUN_HALT,  /* ^C: tasks are being halted */
	RUN_DRAIN, /* "done" is sent, the cycle's end comes */
	RUN_OVER,
};

struct run {
	const struct opts *opts;
	struct ui ui;
	struct service service;
	struct session session;
	struct results results;
	struct output output;
	struct feed feed;
	struct crowd crowd;
	struct gather gather;
	struct idset running;
	enum run_state state;
	int sigfd;
	int signal;       /* the first that came */
	bool input_waits; /* the feed wants its descriptor readable */
	bool done_ok;
	bool broken;       /* what went wrong with the service has been said */
	bool write_failed; /* and this too */
	bool aborted;      /* a second signal: do not wait for anybody */
	uint64_t finished;
	uint64_t refused;
	uint64_t limited; /* of these, for a limit */
	uint64_t packets_drawn;
	uint32_t halt_next;
	nsec_t started;
	nsec_t halted;
	nsec_t drawn;
	nsec_t flushed;
};

/* What answers and results mean; the context is the run. */
extern const struct session_ops run_session_ops;

/* Until it is over. */
void run_loop(struct run *);
/* What output there is, now; a failure is said, once. */
void run_flush(struct run *);
/* The number of a signal that came, or 0. */
int run_take_signal(const struct run *);

#endif

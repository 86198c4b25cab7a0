#ifndef VANTAGE_PRIVD_SERVE_H
#define VANTAGE_PRIVD_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "proto/priv/pp.h"

struct privd;

/* One request while it is served. */
struct call {
	union pp_body request;
	union pp_body answer;
	int fd;    /* that goes with the answer; -1: none */
	bool lent; /* it is ours and stays open */
};

struct op {
	int (*run)(struct privd *, struct call *);
	uint32_t quota; /* in one worker's life; 0: as often as it likes */
};

/* The worker's session: one at a time. */
struct session {
	int sock; /* -1: nobody */
	uint32_t answered[PP_MSG_MAX];
};

/*
 * One request in, one op, one answer out. 0; -EPIPE: the worker is gone;
 * anything else: it broke the rules and its session must end.
 */
int serve_one(struct session *, const struct op ops[PP_MSG_MAX], struct privd *, struct errbuf *reterr);

#endif

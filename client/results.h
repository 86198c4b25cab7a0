#ifndef VANTAGE_CLIENT_RESULTS_H
#define VANTAGE_CLIENT_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/opts.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/record/warts_rd.h"

/*
 * DATA blocks to output. Warts is passed on as it came, after a look at its
 * frame; text is made from the decoded records; JSON is asked of the service,
 * since warts cannot carry unanswered probes. Owner: results_init, results_fini.
 */
struct ui;

struct results {
	enum out_format format;
	bool count_packets; /* somebody watches the progress */
	struct ui *ui;      /* where a result's error is told, set by the owner; NULL: nowhere */
	bool began;         /* the cycle-start has been seen */
	bool ended;         /* the cycle-stop */
	bool halting;       /* set by the owner: what was halted before it sent anything is left out */
	uint32_t cycle;     /* its id in the stream */
	uint64_t blocks;
	uint64_t packets;      /* sent for the results so far, from samples of them */
	struct buf raw;        /* one decoded block */
	struct buf start_line; /* JSON's cycle-start */
	struct warts_memory memory;
	struct warts_reader *reader;
};

int results_init(struct results *, enum out_format, bool count_packets);
void results_fini(struct results *);

/* Appends what one block means to out: whole records only. 0; 1: this one is
 * left out; a negative errno with a sentence: the peer is not to be trusted
 * further. */
int results_add(struct results *, const char *bytes, size_t len, struct buf *out, struct errbuf *reterr);

/* The service will not end the cycle any more: do it for it, once. */
void results_end_cycle(struct results *, uint32_t now, struct buf *out);

#endif

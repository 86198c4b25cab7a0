#ifndef VANTAGE_CLIENT_FEED_H
#define VANTAGE_CLIENT_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/input.h"
#include "client/methods.h"
#include "client/opts.h"
#include "client/prefix.h"
#include "client/target.h"
#include "client/ui.h"
#include "common/buf.h"
#include "common/err.h"

/*
 * The commands of a run, one at a time: from the operands, or from a file or
 * standard input as it is read. Bad lines are reported and counted here, and
 * the next one is taken. Owner: feed_init, feed_fini.
 */
enum feed_status {
	FEED_COMMAND,
	FEED_WAIT, /* more when input.fd is readable: feed_fill */
	FEED_END,
};

struct feed {
	const struct opts *opts; /* borrowed */
	struct ui *ui;           /* borrowed */
	enum target_form form;
	bool from_file;
	bool ended;
	bool nameless; /* set by the owner: say so when a command wants names */
	struct input input;
	uint32_t operand; /* next one */
	uint64_t commands;
	uint64_t bad;
	struct methods methods;
	struct prefix_set dnp;
};

/* 0, or an exit status with its sentence. */
int feed_init(struct feed *, const struct opts *, struct ui *, struct errbuf *reterr);
void feed_fini(struct feed *);

/* Appends a command and its newline to out; *ret_line is its line number. */
enum feed_status feed_next(struct feed *, struct buf *out, uint64_t *ret_line);

/* After FEED_WAIT, when there is something to read. 0, or a negative errno
 * (which has been reported and ends the input). */
int feed_fill(struct feed *);

/* The service refused the command of that line. */
void feed_refused(struct feed *, uint64_t line, const char *command, const char *reason);

/* Commands in all, extrapolated while a file is being read; 0: not known. */
uint64_t feed_total(const struct feed *, bool *ret_estimated);

#endif

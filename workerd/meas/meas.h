#ifndef VANTAGE_WORKERD_MEAS_MEAS_H
#define VANTAGE_WORKERD_MEAS_MEAS_H

#include "common/err.h"
#include "proto/record/record.h"
#include "workerd/ctl/args.h"
#include "workerd/probe/task.h"

/*
 * A kind of measurement, as a plug-in: one folder below workerd/meas, one
 * record in proto/record, one word in meas_names of workerd/meas/meson.build.
 * A measurement is allocated by parse and starts with a struct meas; free is
 * given it in whatever state it is.
 */
struct meas_type;

/* State that all measurements of a type share (local stop sets of trace);
 * made by shared_new once, NULL when the type has none. */
struct meas_env {
	void *shared;	   /* of the type that is being parsed */
	const char *owner; /* the slice that asks: what is shared, is among its own */
};

struct meas {
	struct task task; /* first: the engine's handle is the measurement */
	const struct meas_type *type;
};

struct meas_type {
	const char *name;	     /* the command word */
	const struct arg_spec *args; /* options: parsing, help and man page */
	const struct record_type *record;

	/* Options and target text to a measurement that has not begun. 0, or a
	 * negative errno with the reason, worded as in commands.md. */
	int (*parse)(const struct meas_type *, struct meas_env *, const char *options_and_target,
	    struct meas **ret, struct errbuf *reterr);

	/* What replies it could take, for claims known before it starts: writes
	 * at most max, returns the count. The caller has set task.engine, which
	 * knows the default source port and ICMP id. */
	uint32_t (*claims)(const struct meas *, struct claim *ret, uint32_t max);

	/* The record inside the measurement; valid until free. */
	const void *(*result)(const struct meas *);

	void (*free)(struct meas *); /* NULL is fine */

	void *(*shared_new)(void);    /* may be NULL */
	void (*shared_free)(void *); /* may be NULL */
	/* Empties the parts of it that have this name, every owner's (lss-clear):
	 * 0, or -ENOENT. */
	int (*shared_clear)(void *, const char *name); /* may be NULL */
};

/* The registry, sorted by name, NULL at the end; made by meson from meas_names. */
extern const struct meas_type *const meas_types[];

#endif

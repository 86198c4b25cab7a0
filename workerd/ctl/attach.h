#ifndef VANTAGE_WORKERD_CTL_ATTACH_H
#define VANTAGE_WORKERD_CTL_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "workerd/out/sink.h"

/*
 * The attached state of a session (control.md section 6): it is a source of
 * measurements for the engine, and their results go back to the client.
 */
struct attach;
struct session;
struct source_view;

struct attach_options {
	const char *name;  /* borrowed until attach_new returns */
	const char *descr; /* NULL: none */
	const char *monitor;
	uint32_t list_id;
	uint32_t cycle_id;
	uint32_t priority;
	uint32_t pps;	 /* of this session; 0: only the worker's */
	uint32_t window; /* likewise */
	enum sink_format format;
	bool with_id;
};

/* NULL without memory. */
struct attach *attach_new(struct session *, const struct attach_options *);
/* Says MORE and begins the list. */
void attach_begin(struct attach *);
/* No task is left, or attach_drop said so; NULL is fine. */
void attach_free(struct attach *);

/* All attached sessions, and what is told of one. */
struct session_env;
struct attach *attach_next(const struct attach *);
struct attach *attach_find(const struct session_env *, const char *name);
void attach_view(const struct attach *, struct source_view *ret);
void attach_set_priority(struct attach *, uint32_t priority);
/* The cycle ends behind what has been sent so far, and a new one begins. False:
 * one such end is still to come. */
bool attach_cycle(struct attach *);

/* A line of the client's. It may be changed. */
void attach_line(struct attach *, char *line, size_t len);
/* After a batch of lines: let the engine have what they brought. */
void attach_wake(struct attach *);
/* Like "done", without the OK. */
void attach_end(struct attach *);
/* The same, and what has not begun is dropped without a result. */
void attach_flush(struct attach *);
bool attach_ending(const struct attach *);
/* The queue is full: read no more until it has been used. */
bool attach_full(const struct attach *);
/* Output has left. */
void attach_drained(struct attach *);
/* Ends some of the tasks that a halt of the whole source asked for; true when
 * there are more. */
bool attach_work(struct attach *);
/* The client is gone: end at most max of its tasks; true when none is left. */
bool attach_drop(struct attach *, uint32_t max);

#endif

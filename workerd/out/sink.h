#ifndef VANTAGE_WORKERD_OUT_SINK_H
#define VANTAGE_WORKERD_OUT_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "proto/record/record.h"

/*
 * Where the records of one source go: the DATA blocks of a control connection
 * (control.md section 6.4), appended to its output. One list and one cycle
 * bracket the results; decoded and concatenated, the blocks are a warts file.
 * Everything here is borrowed from the connection.
 */
enum sink_format {
	SINK_WARTS = 0, /* uuencoded */
	SINK_JSON,	/* plain lines */
};

struct sink {
	struct buf *out;
	struct buf *scratch; /* one record, before its length is known */
	enum sink_format format;
	bool with_id; /* DATA headers name the task */
	struct record_refs refs;
};

/* Each: 0, or -ENOMEM, -EMSGSIZE as the writers; the output is then as before,
 * unless out has failed, which sticks. */

/* The list and the beginning of the cycle. */
int sink_begin(struct sink *, const struct cycle_record *);
/* Another cycle of the same list, after sink_end. */
int sink_cycle(struct sink *, const struct cycle_record *);
int sink_result(struct sink *, const struct record_type *, const void *rec, uint32_t id, bool inprogress);
int sink_end(struct sink *, const struct cycle_record *);

#endif

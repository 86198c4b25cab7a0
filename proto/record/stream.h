#ifndef VANTAGE_PROTO_RECORD_STREAM_H
#define VANTAGE_PROTO_RECORD_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "proto/record/record.h"
#include "proto/record/warts_rd.h"

/*
 * One warts stream being written, a file or a connection: which lists and
 * cycles it has, and under which numbers. Those that a record needs are
 * written before it. Lists and cycles are known by what they say, not by where
 * they are in memory, so they may come from many readers. Owner:
 * warts_stream_init, warts_stream_fini.
 */
struct warts_stream_list;
struct warts_stream_cycle;

struct warts_stream {
	struct warts_stream_list *lists; /* [0] is number 1 */
	struct warts_stream_cycle *cycles;
	uint32_t list_count;
	uint32_t list_cap;
	uint32_t cycle_count;
	uint32_t cycle_cap;
};

void warts_stream_init(struct warts_stream *);
void warts_stream_fini(struct warts_stream *);

/* The numbers of a cycle and list in this stream (cycle NULL: only the list;
 * both NULL: none), after whatever records out needs to define them. 0 or
 * -ENOMEM; on failure out is as before. The monitor is list's. */
int warts_stream_refs(struct warts_stream *, struct buf *out, const struct list_record *list,
    const struct cycle_record *cycle, struct record_refs *ret);

/* A cycle begins or ends here. Ending one that the stream does not have
 * writes nothing. */
int warts_stream_start(struct warts_stream *, struct buf *out, const struct cycle_record *);
int warts_stream_stop(struct warts_stream *, struct buf *out, const struct cycle_record *);

/* A record, after what it needs. */
int warts_stream_write(struct warts_stream *, struct buf *out, const struct record_type *, const void *rec,
    const struct list_record *list, const struct cycle_record *cycle);

/* An item from any reader, renumbered into this stream; how files are joined. */
int warts_stream_item(struct warts_stream *, struct buf *out, const struct warts_item *);

/* What is in a file that will be appended to already, item by item, into a fresh
 * stream: its lists and cycles. 0 or -ENOMEM. */
int warts_stream_learn(struct warts_stream *, const struct warts_item *);

#endif

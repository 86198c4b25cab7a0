#ifndef VANTAGE_PROTO_RECORD_RECORD_H
#define VANTAGE_PROTO_RECORD_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "proto/record/list.h"

/*
 * A kind of record: its fields, once. The warts writer and reader and the JSON
 * writer walk the table and know no measurement; see field.h for its shape.
 */
struct record_type {
	uint16_t warts_type;              /* 6 trace, 7 ping, ... */
	const char *name;                 /* the measurement's word */
	size_t size;                      /* of the record struct */
	const struct record_block *block; /* the tables (field.h) */
	void (*text)(struct buf *, const void *rec);
	void (*fini)(void *rec);
};

extern const struct record_type ping_record_type;
extern const struct record_type trace_record_type;

/* By warts type; NULL when we do not know it. */
const struct record_type *record_type_find(uint16_t warts_type);

/* What the stream around a record knows: warts ids of its list and cycle in
 * that stream (0: none), and the list's monitor name. */
struct record_refs {
	uint32_t list_id;
	uint32_t cycle_id;
	const char *monitor;
};

/* Each appends one whole record (JSON: one line with its newline; text: its
 * lines). 0; -EMSGSIZE when the format cannot hold it; -ENOMEM; for warts
 * -EINVAL when hops are not sorted or one is above hop_count. On failure the
 * buffer is as before. */
int warts_write(struct buf *, const struct record_type *, const void *rec, const struct record_refs *);
int json_write(struct buf *, const struct record_type *, const void *rec, const struct record_refs *);
int text_write(struct buf *, const struct record_type *, const void *rec);

/* Records of types 1 to 4. The caller counts the stream's warts ids. */
void warts_write_list(struct buf *, const struct list_record *, uint32_t warts_list_id);
void warts_write_cycle_start(
    struct buf *, const struct cycle_record *, uint32_t warts_cycle_id, uint32_t warts_list_id);
void warts_write_cycle_def(struct buf *, const struct cycle_record *, uint32_t warts_cycle_id,
    uint32_t warts_list_id); /* type 3: the cycle began before this stream did */
void warts_write_cycle_stop(struct buf *, const struct cycle_record *, uint32_t warts_cycle_id);
void json_write_cycle(struct buf *, const struct cycle_record *, bool stop);

#endif

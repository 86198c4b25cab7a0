#ifndef VANTAGE_PROTO_RECORD_TRACE_PRIV_H
#define VANTAGE_PROTO_RECORD_TRACE_PRIV_H

#include <stdbool.h>

#include "proto/record/codec.h"
#include "proto/record/field.h"
#include "proto/record/trace.h"

/* Between the files of the trace record. */

/* What a reply is; the record's destination gives the family. */
bool trace_reply_is_icmp(const struct trace_reply *);
bool trace_reply_quotes(const struct trace_record *, const struct trace_reply *);
bool trace_reply_is_toobig(const struct trace_record *, const struct trace_reply *);

/* The TTL that the probe of a reply had; the first reply to a probe of that
 * TTL (the leg is sorted), or NULL. */
uint8_t trace_reply_ttl(const struct trace_leg *, const struct trace_reply *);
const struct trace_reply *trace_first_reply(const struct trace_leg *, uint8_t ttl);

/* The highest TTL that counts: hops beyond it are extra. */
uint8_t trace_last_hop(const struct trace_record *);

extern const struct record_block trace_hop_block;

/* Hop records of a leg, as warts and as JSON. */
int trace_put_hop(
    struct warts_put *, const struct field_ctx *outer, const struct trace_leg *, const struct trace_reply *);
int trace_get_hops(struct warts_get *, const struct field_ctx *outer, struct trace_leg *, uint16_t count);
void trace_json_hop(
    struct buf *, const struct field_ctx *outer, const struct trace_leg *, const struct trace_reply *);
void trace_json_silent(struct buf *, const struct field_ctx *outer, const struct trace_probe *);

/* Attributes behind the hops, warts.md section 9.3. */
int trace_put_attrs(struct warts_put *, const struct field_ctx *outer);
int trace_get_attrs(struct warts_get *, const struct field_ctx *outer);

/* The hop that each PMTUD note belongs to; -1: cannot be said. */
void trace_note_dists(const struct trace_record *, int16_t ret_dists[UINT8_MAX]);

void trace_json_pmtud(struct buf *, const struct field_ctx *);
void trace_text(struct buf *, const void *rec);

#endif

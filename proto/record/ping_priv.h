#ifndef VANTAGE_PROTO_RECORD_PING_PRIV_H
#define VANTAGE_PROTO_RECORD_PING_PRIV_H

#include "proto/record/field.h"
#include "proto/record/ping.h"

/* Between ping.c, ping_reply.c and ping_text.c. */
extern const struct record_block ping_reply_block;

/* The context of one reply inside that of its record. */
struct field_ctx ping_reply_ctx(const struct field_ctx *outer, const struct ping_reply *);

/* Not so when it ended before there was a route: files then hold a zero address
 * as its source, which readers insist on. */
bool ping_has_source(const struct ping_record *);

void ping_json_responses(struct buf *, const struct field_ctx *);
void ping_json_no_responses(struct buf *, const struct field_ctx *);
void ping_json_statistics(struct buf *, const struct field_ctx *);
void ping_text(struct buf *, const void *rec);

#endif

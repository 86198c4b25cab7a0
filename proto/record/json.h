#ifndef VANTAGE_PROTO_RECORD_JSON_H
#define VANTAGE_PROTO_RECORD_JSON_H

#include "common/addr.h"
#include "proto/record/field.h"

/* Inside proto/record: pieces of JSON for the rows that write their own. */

/* A comma unless the object or array has just been opened. */
void json_sep(struct buf *);
void json_key(struct buf *, const char *key); /* ,"key": */
void json_number(struct buf *, const char *key, uint64_t);
void json_addr(struct buf *, const struct addr *);
void json_time(struct buf *, int64_t wall_ns); /* {"sec":S,"usec":U} */
void json_ms(struct buf *, uint64_t us);       /* with three decimals */

/* Quoted; quotes and backslashes escaped; cut at the first byte that is not
 * printable ASCII (text-json.md section 2). */
void json_string(struct buf *, const char *);

void json_hex(struct buf *, const uint8_t *bytes, uint16_t n); /* quoted */

/* An object by its table, braces included. */
void json_block(struct buf *, const struct record_block *, const struct field_ctx *);

#endif

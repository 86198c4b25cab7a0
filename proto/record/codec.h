#ifndef VANTAGE_PROTO_RECORD_CODEC_H
#define VANTAGE_PROTO_RECORD_CODEC_H

#include "common/buf.h"
#include "common/err.h"
#include "common/rd.h"
#include "proto/record/dict.h"
#include "proto/record/field.h"

/* Inside proto/record: what the walks over the tables share. */

#define WARTS_MAGIC 0x1205
#define WARTS_HEADER 8 /* magic, type, length of what follows */
#define WARTS_LIST 1
#define WARTS_CYCLE_START 2
#define WARTS_CYCLE_DEF 3
#define WARTS_CYCLE_STOP 4
#define WARTS_ADDR 5

#define WARTS_IFNAMES 254 /* names a record's table holds, warts.md section 5 */

/* A record being written. */
struct warts_put {
	struct buf *out;
	struct addr_dict addrs;
	uint32_t ifname_count;
	const char *ifnames[WARTS_IFNAMES]; /* borrowed from the record */
};

/* One parameter block. 0, -EMSGSIZE, -ENOMEM (also through out->failed). */
int warts_put_block(struct warts_put *, const struct record_block *, const struct field_ctx *);
void warts_put_addr(struct warts_put *, const struct addr *);
void warts_put_time(struct warts_put *, int64_t wall_ns);

/* What outlives one record of a file: made by the reader, lent to warts_get. */
struct warts_names;         /* interface names seen, ifname.h */
struct warts_globals {      /* address records, warts.md section 8 */
	struct addr *addrs; /* [0] is number 1 */
	uint32_t count;
	uint32_t cap;
};

/* A record being read. */
struct warts_get {
	struct rd rd;
	struct addr_dict addrs;
	uint32_t ifname_count;
	const char *ifnames[UINT8_MAX];
	struct warts_names *names;
	const struct warts_globals *globals;
	struct errbuf *err;
};

/* One parameter block; unknown parameters are skipped. *ret_seen has bit p for
 * each parameter p that was read. 0 or -EBADMSG, -ENOMEM with the sentence. */
int warts_get_block(
    struct warts_get *, const struct record_block *, const struct field_ctx *, uint64_t *ret_seen);
int warts_get_addr(struct warts_get *, struct addr *ret);
int warts_get_time(struct warts_get *, int64_t *ret_wall_ns);

/* Decodes one record's body; the caller owns what is in rec, also on failure. */
int warts_get_record(struct warts_get *, const struct record_type *, void *rec, struct record_refs *ret_refs);

#define SEEN(param) (UINT64_C(1) << (param))

#endif

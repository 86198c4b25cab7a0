#ifndef VANTAGE_COMMON_BUF_H
#define VANTAGE_COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Growable byte buffer for what we produce: records, reply lines, output
 * queues. Owner calls buf_init and buf_fini. Running out of memory, or growing
 * past max, sets failed, which sticks until buf_reset; writes are then dropped.
 * Integers go in network order.
 */
struct buf {
	uint8_t *p;
	size_t len;
	size_t cap;
	size_t max; /* 0: no bound */
	bool failed;
};

void buf_init(struct buf *, size_t max);
void buf_fini(struct buf *);
void buf_reset(struct buf *); /* empties, keeps the memory */

/* Room for n bytes at the end, counted as written; NULL on failure. */
uint8_t *buf_room(struct buf *, size_t n);
void buf_bytes(struct buf *, const void *, size_t n);
void buf_text(struct buf *, const char *);
void buf_printf(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_u8(struct buf *, uint8_t);
void buf_u16(struct buf *, uint16_t);
void buf_u32(struct buf *, uint32_t);
void buf_dec(struct buf *, uint64_t); /* decimal digits, without printf's cost */

/* Overwrite at an offset already written. */
void buf_patch16(struct buf *, size_t off, uint16_t);
void buf_patch32(struct buf *, size_t off, uint32_t);

/* Drop n bytes from the front (n <= len). */
void buf_consume(struct buf *, size_t n);

#endif

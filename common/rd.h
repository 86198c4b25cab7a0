#ifndef VANTAGE_COMMON_RD_H
#define VANTAGE_COMMON_RD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bounded reader of foreign bytes. A read past the end returns zero (or NULL)
 * and sets bad, which sticks: read a whole structure, then check bad once.
 * The bytes are borrowed. Integers are in network order on the wire.
 */
struct rd {
	const uint8_t *p;
	const uint8_t *end;
	bool bad;
};

static inline void
rd_init(struct rd *r, const void *bytes, size_t len)
{
	r->p = bytes;
	r->end = r->p + len;
	r->bad = false;
}

static inline size_t
rd_left(const struct rd *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->p);
}

static inline const uint8_t *
rd_take(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || n > (size_t)(r->end - p)) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	return p;
}

static inline uint8_t
rd_u8(struct rd *r)
{
	const uint8_t *p = rd_take(r, 1);

	return p == NULL ? 0 : p[0];
}

static inline uint16_t
rd_u16(struct rd *r)
{
	const uint8_t *p = rd_take(r, 2);

	return p == NULL ? 0 : (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
rd_u32(struct rd *r)
{
	const uint8_t *p = rd_take(r, 4);

	return p == NULL ? 0 :
	    (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

#endif

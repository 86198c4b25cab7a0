#ifndef VANTAGE_COMMON_WR_H
#define VANTAGE_COMMON_WR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Bounded writer into a fixed buffer, the mirror image of rd.h: a write that
 * does not fit writes nothing and sets bad, which sticks. Lengths and
 * checksums are patched afterwards with wr_patch16 at a remembered offset.
 */
struct wr {
	uint8_t *start;
	uint8_t *p;
	uint8_t *end;
	bool bad;
};

static inline void
wr_init(struct wr *w, void *buf, size_t cap)
{
	w->start = w->p = buf;
	w->end = w->p + cap;
	w->bad = false;
}

static inline size_t
wr_len(const struct wr *w)
{
	return (size_t)(w->p - w->start);
}

/* Room for n bytes, not initialised; NULL when they do not fit. */
static inline uint8_t *
wr_room(struct wr *w, size_t n)
{
	uint8_t *p = w->p;

	if (w->bad || n > (size_t)(w->end - p)) {
		w->bad = true;
		return NULL;
	}
	w->p += n;
	return p;
}

static inline void
wr_u8(struct wr *w, uint8_t v)
{
	uint8_t *p = wr_room(w, 1);

	if (p != NULL)
		p[0] = v;
}

static inline void
wr_u16(struct wr *w, uint16_t v)
{
	uint8_t *p = wr_room(w, 2);

	if (p != NULL) {
		p[0] = (uint8_t)(v >> 8);
		p[1] = (uint8_t)v;
	}
}

static inline void
wr_u32(struct wr *w, uint32_t v)
{
	wr_u16(w, (uint16_t)(v >> 16));
	wr_u16(w, (uint16_t)v);
}

static inline void
wr_bytes(struct wr *w, const void *bytes, size_t n)
{
	uint8_t *p = wr_room(w, n);

	if (p != NULL && n > 0)
		memcpy(p, bytes, n);
}

static inline void
wr_zeros(struct wr *w, size_t n)
{
	uint8_t *p = wr_room(w, n);

	if (p != NULL)
		memset(p, 0, n);
}

/* Overwrite two bytes at an offset that has been written already. */
static inline void
wr_patch16(struct wr *w, size_t off, uint16_t v)
{
	if (w->bad || wr_len(w) < 2 || off > wr_len(w) - 2) {
		w->bad = true;
		return;
	}
	w->start[off] = (uint8_t)(v >> 8);
	w->start[off + 1] = (uint8_t)v;
}

#endif

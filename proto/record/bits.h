#ifndef VANTAGE_PROTO_RECORD_BITS_H
#define VANTAGE_PROTO_RECORD_BITS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* One bit for each of the probes that a sixteen-bit index can name; only those
 * of the first n are made zero, as most measurements have few. */
#define BITS_UNSET __attribute__((uninitialized)) /* bits_init follows */

struct bits {
	uint8_t b[(UINT16_MAX + 1) / 8];
};

static inline void
bits_init(struct bits *s, uint32_t n)
{
	memset(s->b, 0, (n + 7) / 8);
}

static inline void
bits_set(struct bits *s, uint16_t i)
{
	s->b[i / 8] |= (uint8_t)(1 << i % 8);
}

static inline bool
bits_has(const struct bits *s, uint16_t i)
{
	return (s->b[i / 8] & 1 << i % 8) != 0;
}

#endif

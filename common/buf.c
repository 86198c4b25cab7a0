#include "common/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST 512

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

static bool
grow(struct buf *b, size_t need)
{
	size_t cap = b->cap == 0 ? BUF_FIRST : b->cap;
	uint8_t *p;

	while (cap < need) {
		if (cap > SIZE_MAX / 4)
			return false;
		cap *= 2;
	}
	p = realloc(b->p, cap + 1); /* one to spare, for vsnprintf's terminator */
	if (p == NULL)
		return false;
	b->p = p;
	b->cap = cap;
	return true;
}

uint8_t *
buf_room(struct buf *b, size_t n)
{
	size_t need;

	if (b->failed)
		return NULL;
	if (__builtin_add_overflow(b->len, n, &need) || (b->max != 0 && need > b->max) ||
	    (need > b->cap && !grow(b, need))) {
		b->failed = true;
		return NULL;
	}
	b->len = need;
	return b->p + need - n;
}

void
buf_bytes(struct buf *b, const void *bytes, size_t n)
{
	uint8_t *p = buf_room(b, n);

	if (p != NULL && n > 0)
		memcpy(p, bytes, n);
}

void
buf_text(struct buf *b, const char *text)
{
	buf_bytes(b, text, strlen(text));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char small[256];
	uint8_t *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if ((size_t)n < sizeof(small)) {
		buf_bytes(b, small, (size_t)n);
		return;
	}
	p = buf_room(b, (size_t)n);
	if (p == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf((char *)p, (size_t)n + 1, fmt, ap);
	va_end(ap);
}

void
buf_u8(struct buf *b, uint8_t v)
{
	uint8_t *p = buf_room(b, 1);

	if (p != NULL)
		p[0] = v;
}

void
buf_u16(struct buf *b, uint16_t v)
{
	uint8_t *p = buf_room(b, 2);

	if (p != NULL) {
		p[0] = (uint8_t)(v >> 8);
		p[1] = (uint8_t)v;
	}
}

void
buf_u32(struct buf *b, uint32_t v)
{
	uint8_t *p = buf_room(b, 4);

	if (p != NULL) {
		p[0] = (uint8_t)(v >> 24);
		p[1] = (uint8_t)(v >> 16);
		p[2] = (uint8_t)(v >> 8);
		p[3] = (uint8_t)v;
	}
}

void
buf_dec(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	buf_bytes(b, digits + i, sizeof(digits) - i);
}

void
buf_patch16(struct buf *b, size_t off, uint16_t v)
{
	if (b->failed)
		return;
	assert(off + 2 <= b->len);
	b->p[off] = (uint8_t)(v >> 8);
	b->p[off + 1] = (uint8_t)v;
}

void
buf_patch32(struct buf *b, size_t off, uint32_t v)
{
	buf_patch16(b, off, (uint16_t)(v >> 16));
	buf_patch16(b, off + 2, (uint16_t)v);
}

void
buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->len -= n;
	if (b->len > 0 && n > 0)
		memmove(b->p, b->p + n, b->len);
}

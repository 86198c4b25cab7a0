#include "workerd/ctl/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"
#include "common/strnum.h"

void
place_init(struct place *p)
{
	*p = (struct place){ 0 };
}

void
place_fini(struct place *p)
{
	free(p->ring);
	free(p->before);
	place_init(p);
}

static void
forget_before(struct place *p)
{
	free(p->before);
	p->before = NULL;
	p->bits_before = 0;
}

void
place_reset(struct place *p)
{
	forget_before(p);
	p->offset = p->first = 0;
	p->count = p->head = 0;
}

static uint32_t *
at(const struct place *p, uint32_t i)
{
	return &p->ring[(p->head + i) & (p->cap - 1)];
}

static int
grow(struct place *p)
{
	uint32_t cap = p->cap == 0 ? 64 : p->cap * 2;
	uint32_t *ring;

	if (p->cap >= SOURCE_SPAN_MAX)
		return -ENOSPC;
	ring = malloc(cap * sizeof(*ring));
	if (ring == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->count; i++)
		ring[i] = *at(p, i);
	free(p->ring);
	p->ring = ring;
	p->cap = cap;
	p->head = 0;
	return 0;
}

int
place_reserve(struct place *p)
{
	return p->count == p->cap ? grow(p) : 0;
}

uint64_t
place_take(struct place *p, uint32_t bytes)
{
	*at(p, p->count) = bytes << 1;
	return p->first + p->count++;
}

void
place_done(struct place *p, uint64_t number)
{
	*at(p, (uint32_t)(number - p->first)) |= 1;
	while (p->count > 0 && (*at(p, 0) & 1) != 0) {
		p->offset += *at(p, 0) >> 1;
		p->first++;
		p->head = (p->head + 1) & (p->cap - 1);
		p->count--;
	}
	if (p->before != NULL && p->first >= p->first_before + p->bits_before)
		forget_before(p);
}

bool
place_was_done(const struct place *p, uint64_t number)
{
	uint64_t i = number - p->first_before;

	return p->before != NULL && number >= p->first_before && i < p->bits_before &&
	       (p->before[i / 8] >> (i % 8) & 1) != 0;
}

/* Also when it has not yet been taken again. */
static bool
is_done(const struct place *p, uint32_t i)
{
	return i < p->count ? (*at(p, i) & 1) != 0 : place_was_done(p, p->first + i);
}

void
place_put(struct buf *b, const struct place *p)
{
	uint64_t end = p->before == NULL ? 0 : p->first_before + p->bits_before;
	uint32_t n = end > p->first + p->count ? (uint32_t)(end - p->first) : p->count;

	buf_printf(b, " %llu %llu ", (unsigned long long)p->offset, (unsigned long long)p->first);
	if (n == 0)
		buf_text(b, "-");
	for (uint32_t i = 0; i < n; i += 8) {
		uint8_t bits = 0;

		for (uint32_t k = 0; k < 8 && i + k < n; k++)
			bits = (uint8_t)(bits | is_done(p, i + k) << k);
		buf_u8(b, (uint8_t) "0123456789abcdef"[bits >> 4]);
		buf_u8(b, (uint8_t) "0123456789abcdef"[bits & 15]);
	}
}

int
place_get(struct place *p, const char *offset, const char *first, const char *bits)
{
	int64_t off, number;
	uint32_t len = 0;
	uint8_t *before;

	if (strnum_i64(offset, 0, INT64_MAX, &off) != 0 || strnum_i64(first, 0, INT64_MAX, &number) != 0)
		return -EINVAL;
	place_reset(p);
	p->offset = (uint64_t)off;
	p->first = p->first_before = (uint64_t)number;
	if (strcmp(bits, "-") == 0)
		return 0;
	before = malloc(SOURCE_SPAN_MAX / 8);
	if (before == NULL)
		return -ENOMEM;
	if (strnum_hex(bits, before, SOURCE_SPAN_MAX / 8, &len) != 0) {
		free(before);
		return -EINVAL;
	}
	p->before = before;
	p->bits_before = len * 8;
	return 0;
}

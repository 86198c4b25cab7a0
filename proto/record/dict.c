#include "proto/record/dict.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_MORE 64

void
addr_dict_init(struct addr_dict *d)
{
	d->count = 0;
	d->cap = 0;
	d->slot_count = 0;
	d->slots = NULL;
	d->more = NULL;
}

void
addr_dict_fini(struct addr_dict *d)
{
	free(d->more);
	free(d->slots);
	addr_dict_init(d);
}

const struct addr *
addr_dict_get(const struct addr_dict *d, uint32_t index)
{
	if (index >= d->count)
		return NULL;
	return index < DICT_INSIDE ? &d->inside[index] : &d->more[index - DICT_INSIDE];
}

static void
slot_set(struct addr_dict *d, uint32_t index)
{
	uint32_t mask = d->slot_count - 1;
	uint32_t i = (uint32_t)addr_hash(addr_dict_get(d, index), 0) & mask;

	while (d->slots[i] != 0)
		i = (i + 1) & mask;
	d->slots[i] = index + 1;
}

static void
slots_fill(struct addr_dict *d)
{
	memset(d->slots, 0, d->slot_count * sizeof(*d->slots));
	for (uint32_t i = 0; i < d->count; i++)
		slot_set(d, i);
}

static int
grow(struct addr_dict *d)
{
	uint32_t cap = d->cap == 0 ? FIRST_MORE : d->cap * 2;
	struct addr *more;

	if (cap > UINT32_MAX / 8)
		return -ENOMEM;
	more = realloc(d->more, cap * sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	d->more = more;
	d->cap = cap;
	return 0;
}

int
addr_dict_add(struct addr_dict *d, const struct addr *a)
{
	if (d->count < DICT_INSIDE) {
		d->inside[d->count++] = *a;
		return 0;
	}
	if (d->count - DICT_INSIDE == d->cap && grow(d) < 0)
		return -ENOMEM;
	d->more[d->count++ - DICT_INSIDE] = *a;
	if (d->slot_count > 0 && d->count * 2 <= d->slot_count)
		slot_set(d, d->count - 1);
	else
		d->slot_count = 0; /* too full: made anew when next asked */
	return 0;
}

/* Only a writer asks for indexes, so only then is there a table: at least half
 * of its slots free. */
static bool
slots_make(struct addr_dict *d)
{
	uint32_t n = FIRST_MORE * 4;
	uint32_t *p;

	while (n < d->count * 4)
		n *= 2;
	p = realloc(d->slots, n * sizeof(*p));
	if (p == NULL)
		return false;
	d->slots = p;
	d->slot_count = n;
	slots_fill(d);
	return true;
}

int64_t
addr_dict_find(struct addr_dict *d, const struct addr *a)
{
	uint32_t mask;

	if (d->count <= DICT_INSIDE || (d->slot_count == 0 && !slots_make(d))) {
		for (uint32_t i = 0; i < d->count; i++) {
			if (addr_equal(addr_dict_get(d, i), a))
				return i;
		}
		return -1;
	}
	mask = d->slot_count - 1;
	for (uint32_t i = (uint32_t)addr_hash(a, 0) & mask; d->slots[i] != 0; i = (i + 1) & mask) {
		if (addr_equal(addr_dict_get(d, d->slots[i] - 1), a))
			return d->slots[i] - 1;
	}
	return -1;
}

void
addr_dict_cut(struct addr_dict *d, uint32_t count)
{
	if (count >= d->count)
		return;
	d->count = count;
	if (d->slot_count > 0)
		slots_fill(d);
}

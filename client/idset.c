#include "client/idset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
idset_fini(struct idset *s)
{
	free(s->words);
	memset(s, 0, sizeof(*s));
}

/* Words that are empty at the front are given up, when it is worth the move. */
static void
slide(struct idset *s)
{
	size_t n = 0;

	while (n < s->len && s->words[n] == 0)
		n++;
	if (n < s->len / 4)
		return;
	memmove(s->words, s->words + n, (s->len - n) * sizeof(*s->words));
	s->len -= n;
	s->base += (uint32_t)n * 64;
}

static int
grow(struct idset *s, size_t words)
{
	uint64_t *p;
	size_t cap = s->cap == 0 ? 64 : s->cap;

	if (words <= s->cap)
		return 0;
	while (cap < words)
		cap *= 2;
	p = reallocarray(s->words, cap, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	s->words = p;
	s->cap = cap;
	return 0;
}

int
idset_add(struct idset *s, uint32_t id)
{
	size_t word;

	if (s->count == 0) {
		s->len = 0;
		s->base = id & ~63u;
	}
	if (id < s->base || id - s->base >= IDSET_SPAN_MAX)
		return -ERANGE;
	word = (id - s->base) / 64;
	if (word >= s->cap && s->len > 0 && s->words[0] == 0) {
		slide(s);
		word = (id - s->base) / 64;
	}
	if (grow(s, word + 1) != 0)
		return -ENOMEM;
	while (s->len <= word)
		s->words[s->len++] = 0;
	if ((s->words[word] >> (id % 64) & 1) != 0)
		return -EEXIST;
	s->words[word] |= UINT64_C(1) << (id % 64);
	s->count++;
	return 0;
}

bool
idset_remove(struct idset *s, uint32_t id)
{
	size_t word = id < s->base ? s->len : (id - s->base) / 64;

	if (word >= s->len || (s->words[word] >> (id % 64) & 1) == 0)
		return false;
	s->words[word] &= ~(UINT64_C(1) << (id % 64));
	s->count--;
	return true;
}

uint32_t
idset_next(const struct idset *s, uint32_t from)
{
	uint32_t id = from < s->base ? s->base : from;

	while ((id - s->base) / 64 < s->len) {
		uint64_t bits = s->words[(id - s->base) / 64] >> (id % 64);

		if (bits != 0)
			return id + (uint32_t)__builtin_ctzll(bits);
		id = (id | 63) + 1;
	}
	return 0;
}

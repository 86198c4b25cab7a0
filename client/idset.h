#ifndef VANTAGE_CLIENT_IDSET_H
#define VANTAGE_CLIENT_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which task ids have no result yet: a bit each, in a window that slides as the
 * oldest end. Zeroed is empty.
 */
#define IDSET_SPAN_MAX (1u << 27) /* between the oldest and the newest: 16 MiB of bits */

struct idset {
	uint64_t *words;
	size_t cap;    /* of words */
	size_t len;    /* words in use */
	uint32_t base; /* first id of words[0], a multiple of 64 */
	uint64_t count;
};

void idset_fini(struct idset *);

/* 0; -EEXIST; -ERANGE: too far from the oldest; -ENOMEM. */
int idset_add(struct idset *, uint32_t id);
/* Was it there? */
bool idset_remove(struct idset *, uint32_t id);
/* The smallest id >= from, or 0. */
uint32_t idset_next(const struct idset *, uint32_t from);

#endif

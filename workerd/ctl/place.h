#ifndef VANTAGE_WORKERD_CTL_PLACE_H
#define VANTAGE_WORKERD_CTL_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

/*
 * How far a list has been worked through: where its first unfinished line
 * begins, and which of the lines behind it, of those that were taken, have
 * finished already. Lines are numbered from 0 in each cycle.
 */
struct place {
	uint64_t offset; /* of the first unfinished line */
	uint64_t first;  /* its number */
	uint32_t count;  /* lines taken from there on */
	uint32_t cap;    /* of ring: a power of two, or 0 */
	uint32_t head;   /* first's place in ring */
	uint32_t *ring;  /* bytes of each line, doubled; odd: finished */
	uint8_t *before; /* finished in an earlier life, a bit for each line from first_before on */
	uint64_t first_before;
	uint32_t bits_before;
};

void place_init(struct place *);
void place_fini(struct place *);
/* To the beginning of the list. */
void place_reset(struct place *);

/* Room for one more line: 0; -ENOSPC when too many behind the first unfinished
 * are taken; -ENOMEM. */
int place_reserve(struct place *);
/* The next line, of so many bytes, is taken, after place_reserve; its number. */
uint64_t place_take(struct place *, uint32_t bytes);
void place_done(struct place *, uint64_t number);
/* It was finished before the restart. */
bool place_was_done(const struct place *, uint64_t number);

/* The state as words, and back: offset, number, bits in hex. -EINVAL. */
void place_put(struct buf *, const struct place *);
int place_get(struct place *, const char *offset, const char *first, const char *bits);

#endif

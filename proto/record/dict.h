#ifndef VANTAGE_PROTO_RECORD_DICT_H
#define VANTAGE_PROTO_RECORD_DICT_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

/*
 * The addresses that one warts record has spelled out so far, in order
 * (warts.md section 4.1). The first few live inside; a record with more gets
 * heap memory, and for finding an index a hash table, so that a record of
 * 65535 strangers is not quadratic.
 */
#define DICT_INSIDE 24

struct addr_dict {
	uint32_t count;
	uint32_t cap;        /* of more */
	uint32_t slot_count; /* power of two, 0: no table yet */
	uint32_t *slots;     /* index + 1, 0: free */
	struct addr *more;   /* entries from DICT_INSIDE on */
	struct addr inside[DICT_INSIDE];
};

void addr_dict_init(struct addr_dict *);
void addr_dict_fini(struct addr_dict *);

/* 0, or -ENOMEM. */
int addr_dict_add(struct addr_dict *, const struct addr *);

/* The entry, or NULL. */
const struct addr *addr_dict_get(const struct addr_dict *, uint32_t index);

/* The index of an equal entry, or -1. */
int64_t addr_dict_find(struct addr_dict *, const struct addr *);

/* Forgets the entries from count on. */
void addr_dict_cut(struct addr_dict *, uint32_t count);

#endif

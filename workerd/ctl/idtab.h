#ifndef VANTAGE_WORKERD_CTL_IDTAB_H
#define VANTAGE_WORKERD_CTL_IDTAB_H

#include <stdint.h>

/*
 * From id-<n> to its task, in constant time. Ids rise by one and mostly end in
 * about that order, so they live in pages of IDTAB_PAGE; a page goes when its
 * last id ends. That costs about nine bytes per running task, where a plain
 * hash table would cost thirty and an array would hold its place for every id
 * since the oldest.
 */
#define IDTAB_PAGE 32

struct idtab_page;

struct idtab {
	struct idtab_page **buckets;
	uint32_t bucket_count; /* a power of two, or 0 */
	uint32_t pages;
	uint32_t count; /* ids in the table */
	uint32_t sweep; /* the bucket where idtab_any looks first */
	struct idtab_page *last; /* of the newest id; stays when it is empty */
};

void idtab_init(struct idtab *);
/* The entries belong to the caller. */
void idtab_fini(struct idtab *);

/* 0; -EEXIST; -ENOMEM. */
int idtab_put(struct idtab *, uint32_t id, void *);
void *idtab_get(const struct idtab *, uint32_t id); /* NULL: not there */
void idtab_del(struct idtab *, uint32_t id);
/* Any one entry, or NULL when it is empty: for taking everything out. */
void *idtab_any(struct idtab *);

#endif

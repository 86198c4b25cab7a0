#include "workerd/ctl/idtab.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define FIRST_BUCKETS 8

struct idtab_page {
	struct idtab_page *next; /* in the bucket */
	uint32_t number;	 /* id / IDTAB_PAGE */
	uint32_t used;
	void *slot[IDTAB_PAGE];
};

void
idtab_init(struct idtab *t)
{
	*t = (struct idtab){ 0 };
}

void
idtab_fini(struct idtab *t)
{
	for (uint32_t i = 0; i < t->bucket_count; i++) {
		struct idtab_page *p = t->buckets[i], *next;

		for (; p != NULL; p = next) {
			next = p->next;
			free(p);
		}
	}
	free(t->buckets);
	idtab_init(t);
}

/* Page numbers of one connection run in sequence: their low bits spread best. */
static struct idtab_page **
bucket_of(const struct idtab *t, uint32_t number)
{
	return &t->buckets[number & (t->bucket_count - 1)];
}

static struct idtab_page *
page_find(const struct idtab *t, uint32_t number)
{
	struct idtab_page *p;

	if (t->last != NULL && t->last->number == number)
		return t->last;
	if (t->bucket_count == 0)
		return NULL;
	for (p = *bucket_of(t, number); p != NULL && p->number != number; p = p->next)
		;
	return p;
}

static int
grow(struct idtab *t)
{
	uint32_t old_count = t->bucket_count;
	struct idtab_page **old = t->buckets, **grown, *next;

	t->bucket_count = old_count == 0 ? FIRST_BUCKETS : old_count * 2;
	t->sweep = 0;
	grown = calloc(t->bucket_count, sizeof(struct idtab_page *));
	if (grown == NULL) {
		t->bucket_count = old_count;
		return -ENOMEM;
	}
	t->buckets = grown;
	for (uint32_t i = 0; i < old_count; i++) {
		for (struct idtab_page *p = old[i]; p != NULL; p = next) {
			struct idtab_page **b = bucket_of(t, p->number);

			next = p->next;
			p->next = *b;
			*b = p;
		}
	}
	free(old);
	return 0;
}

static void
page_free(struct idtab *t, struct idtab_page *page)
{
	struct idtab_page **p = bucket_of(t, page->number);

	while (*p != page)
		p = &(*p)->next;
	*p = page->next;
	t->pages--;
	free(page);
}

static struct idtab_page *
page_new(struct idtab *t, uint32_t number)
{
	struct idtab_page *p, **b;

	if (t->pages >= t->bucket_count && grow(t) != 0)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->number = number;
	b = bucket_of(t, number);
	p->next = *b;
	*b = p;
	t->pages++;
	if (t->last != NULL && t->last->used == 0)
		page_free(t, t->last);
	t->last = p;
	return p;
}

int
idtab_put(struct idtab *t, uint32_t id, void *entry)
{
	struct idtab_page *p = page_find(t, id / IDTAB_PAGE);

	if (p == NULL)
		p = page_new(t, id / IDTAB_PAGE);
	if (p == NULL)
		return -ENOMEM;
	if (p->slot[id % IDTAB_PAGE] != NULL)
		return -EEXIST;
	p->slot[id % IDTAB_PAGE] = entry;
	p->used++;
	t->count++;
	return 0;
}

void *
idtab_get(const struct idtab *t, uint32_t id)
{
	const struct idtab_page *p = page_find(t, id / IDTAB_PAGE);

	return p == NULL ? NULL : p->slot[id % IDTAB_PAGE];
}

void
idtab_del(struct idtab *t, uint32_t id)
{
	struct idtab_page *p = page_find(t, id / IDTAB_PAGE);

	if (p == NULL || p->slot[id % IDTAB_PAGE] == NULL)
		return;
	p->slot[id % IDTAB_PAGE] = NULL;
	t->count--;
	if (--p->used == 0 && p != t->last)
		page_free(t, p);
}

void *
idtab_any(struct idtab *t)
{
	for (uint32_t i = 0; t->count > 0 && i < t->bucket_count; i++) {
		const struct idtab_page *p = t->buckets[t->sweep];

		for (; p != NULL; p = p->next) {
			for (uint32_t k = 0; p->used > 0 && k < IDTAB_PAGE; k++) {
				if (p->slot[k] != NULL)
					return p->slot[k];
			}
		}
		t->sweep = (t->sweep + 1) & (t->bucket_count - 1);
	}
	return NULL;
}

#include "workerd/meas/trace/stopset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Sets are named by clients, so they are numbered for each owner; together they
 * are as large as the routers near one host are many. */
#define OWNER_SETS_MAX 64
#define OWNER_ADDRS_MAX (1u << 20)
#define SET_FIRST 16

void
addr_set_init(struct addr_set *s, uint32_t max)
{
	*s = (struct addr_set){ .max = max };
}

void
addr_set_fini(struct addr_set *s)
{
	free(s->slot);
	addr_set_init(s, s->max);
}

void
addr_set_clear(struct addr_set *s)
{
	addr_set_fini(s);
}

/* Members are chosen by a client or by the network it measures; crowding a
 * bucket costs time linear in the set, which is bounded. */
static uint32_t
find_slot(const struct addr_set *s, const struct addr *a)
{
	uint32_t i = (uint32_t)addr_hash(a, (uintptr_t)s) & (s->cap - 1);

	while (s->slot[i].family != ADDR_NONE && !addr_equal(&s->slot[i], a))
		i = (i + 1) & (s->cap - 1);
	return i;
}

bool
addr_set_has(const struct addr_set *s, const struct addr *a)
{
	return s->cap != 0 && s->slot[find_slot(s, a)].family != ADDR_NONE;
}

static int
grow(struct addr_set *s)
{
	struct addr_set old = *s;

	s->cap = old.cap == 0 ? SET_FIRST : old.cap * 2;
	s->slot = calloc(s->cap, sizeof(*s->slot));
	if (s->slot == NULL) {
		*s = old;
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < old.cap; i++) {
		if (old.slot[i].family != ADDR_NONE)
			s->slot[find_slot(s, &old.slot[i])] = old.slot[i];
	}
	free(old.slot);
	return 0;
}

int
addr_set_add(struct addr_set *s, const struct addr *a)
{
	if (addr_set_has(s, a))
		return -EEXIST;
	if (s->count >= s->max)
		return -ENOSPC;
	if (s->count * 2 >= s->cap && grow(s) != 0)
		return -ENOMEM;
	s->slot[find_slot(s, a)] = *a;
	s->count++;
	return 0;
}

struct stopsets {
	struct stopset *head;
};

void *
stopsets_new(void)
{
	return calloc(1, sizeof(struct stopsets));
}

static void
stopset_free(struct stopset *s)
{
	addr_set_fini(&s->addrs);
	free(s->owner);
	free(s->name);
	free(s);
}

void
stopsets_free(void *p)
{
	struct stopsets *all = p;
	struct stopset *next;

	if (all == NULL)
		return;
	for (struct stopset *s = all->head; s != NULL; s = next) {
		next = s->next;
		stopset_free(s);
	}
	free(all);
}

/* The owner's sets, and addresses in them. */
static uint32_t
count_owned(const struct stopsets *all, const char *owner, uint32_t *ret_addrs)
{
	uint32_t sets = 0;

	*ret_addrs = 0;
	for (const struct stopset *s = all->head; s != NULL; s = s->next) {
		if (strcmp(s->owner, owner) != 0)
			continue;
		sets++;
		*ret_addrs += s->addrs.count;
	}
	return sets;
}

int
stopset_add(struct stopset *s, const struct addr *a)
{
	uint32_t addrs;

	(void)count_owned(s->all, s->owner, &addrs);
	return addrs < OWNER_ADDRS_MAX ? addr_set_add(&s->addrs, a) : -ENOSPC;
}

static struct stopset *
make(struct stopsets *all, const char *owner, const char *name)
{
	struct stopset *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	addr_set_init(&s->addrs, OWNER_ADDRS_MAX);
	s->all = all;
	s->owner = strdup(owner);
	s->name = strdup(name);
	if (s->owner == NULL || s->name == NULL) {
		stopset_free(s);
		return NULL;
	}
	s->next = all->head;
	all->head = s;
	return s;
}

struct stopset *
stopsets_get(struct stopsets *all, const char *owner, const char *name)
{
	uint32_t addrs;

	for (struct stopset *s = all->head; s != NULL; s = s->next) {
		if (strcmp(s->owner, owner) == 0 && strcasecmp(s->name, name) == 0)
			return s;
	}
	return count_owned(all, owner, &addrs) < OWNER_SETS_MAX ? make(all, owner, name) : NULL;
}

int
stopsets_clear(void *p, const char *name)
{
	const struct stopsets *all = p;
	int rc = -ENOENT;

	for (struct stopset *s = all->head; s != NULL; s = s->next) {
		if (strcasecmp(s->name, name) != 0)
			continue;
		addr_set_clear(&s->addrs);
		rc = 0;
	}
	return rc;
}

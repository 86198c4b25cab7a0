#include "workerd/meas/trace/stopset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A set is as large as the routers near one host are many; sets are named by
 * clients. */
#define STOPSETS_MAX 256
#define STOPSET_ADDRS_MAX (1u << 20)
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
	uint32_t count;
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

static struct stopset *
find_name(const struct stopsets *all, const char *name)
{
	struct stopset *s = all->head;

	while (s != NULL && strcasecmp(s->name, name) != 0)
		s = s->next;
	return s;
}

struct stopset *
stopsets_get(struct stopsets *all, const char *name)
{
	struct stopset *s = find_name(all, name);

	if (s != NULL || all->count >= STOPSETS_MAX)
		return s;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->name = strdup(name);
	if (s->name == NULL) {
		free(s);
		return NULL;
	}
	addr_set_init(&s->addrs, STOPSET_ADDRS_MAX);
	s->next = all->head;
	all->head = s;
	all->count++;
	return s;
}

int
stopsets_clear(void *p, const char *name)
{
	struct stopset *s = find_name(p, name);

	if (s == NULL)
		return -ENOENT;
	addr_set_clear(&s->addrs);
	return 0;
}

#include "workerd/probe/match.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define MATCH_FIRST 1024

/* One place of the table. The tag is the whole hash of the claim's key, so that
 * a claim's own memory, long cold, is only touched when it is the one. */
struct match_slot {
	uint64_t tag;
	struct claim_node *node; /* NULL: free */
};

int
match_init(struct match *m, uint64_t seed)
{
	*m = (struct match){ .mask = MATCH_FIRST - 1, .seed = seed };
	m->slot = calloc(MATCH_FIRST, sizeof(*m->slot));
	return m->slot == NULL ? -ENOMEM : 0;
}

void
match_fini(struct match *m)
{
	free(m->slot);
	m->slot = NULL;
}

static uint64_t
tag_of(const struct match *m, const struct addr *remote, uint8_t proto, uint16_t local_port)
{
	return addr_hash(remote, m->seed + ((uint64_t)proto << 16 | local_port) * 0x9e3779b97f4a7c15ULL);
}

static uint64_t
tag_of_claim(const struct match *m, const struct claim *c)
{
	return tag_of(m, &c->remote, c->proto, c->local_port);
}

static bool
same_key(const struct claim *c, const struct addr *remote, uint8_t proto, uint16_t local_port)
{
	return c->local_port == local_port && c->proto == proto && addr_equal(&c->remote, remote);
}

static bool
overlaps(const struct claim *a, const struct claim *b)
{
	return same_key(a, &b->remote, b->proto, b->local_port) && a->remote_lo <= b->remote_hi &&
	       b->remote_lo <= a->remote_hi;
}

struct task *
match_conflict(const struct match *m, const struct claim *c)
{
	uint64_t tag = tag_of_claim(m, c);

	for (uint64_t i = tag & m->mask; m->slot[i].node != NULL; i = (i + 1) & m->mask) {
		if (m->slot[i].tag == tag && overlaps(&m->slot[i].node->claim, c))
			return m->slot[i].node->task;
	}
	return NULL;
}

static void
place(struct match *m, const struct match_slot *what)
{
	uint64_t i = what->tag & m->mask;

	while (m->slot[i].node != NULL)
		i = (i + 1) & m->mask;
	m->slot[i] = *what;
}

/* Twice the places. */
static int
grow(struct match *m)
{
	struct match_slot *old = m->slot;
	uint64_t old_mask = m->mask;
	struct match_slot *fresh = calloc((old_mask + 1) * 2, sizeof(*fresh));

	if (fresh == NULL)
		return -ENOMEM;
	m->slot = fresh;
	m->mask = old_mask * 2 + 1;
	for (uint64_t i = 0; i <= old_mask; i++) {
		if (old[i].node != NULL)
			place(m, &old[i]);
	}
	free(old);
	return 0;
}

int
match_add(struct match *m, struct claim_node *n)
{
	struct match_slot s = { tag_of_claim(m, &n->claim), n };

	/* At most half full: a search ends after a place or two. */
	if (m->count > m->mask / 2 && grow(m) != 0)
		return -ENOMEM;
	place(m, &s);
	m->count++;
	return 0;
}

/* Those behind a place that becomes free move up, each unless it would come to
 * lie before where its search begins. */
static void
close_gap(struct match *m, uint64_t gap)
{
	for (uint64_t i = (gap + 1) & m->mask; m->slot[i].node != NULL; i = (i + 1) & m->mask) {
		uint64_t home = m->slot[i].tag & m->mask;

		if (((i - home) & m->mask) < ((i - gap) & m->mask))
			continue;
		m->slot[gap] = m->slot[i];
		gap = i;
	}
	m->slot[gap].node = NULL;
}

void
match_remove(struct match *m, struct claim_node *n)
{
	uint64_t i = tag_of_claim(m, &n->claim) & m->mask;

	for (; m->slot[i].node != NULL; i = (i + 1) & m->mask) {
		if (m->slot[i].node == n) {
			close_gap(m, i);
			m->count--;
			return;
		}
	}
}

void
match_fetch(const struct match *m, const struct claim_node *n)
{
	__builtin_prefetch(&m->slot[tag_of_claim(m, &n->claim) & m->mask]);
}

struct task *
match_find(const struct match *m, const struct addr *remote, uint8_t proto, uint16_t local_port,
    uint32_t remote_port)
{
	uint64_t tag = tag_of(m, remote, proto, local_port);

	for (uint64_t i = tag & m->mask; m->slot[i].node != NULL; i = (i + 1) & m->mask) {
		const struct claim *c = &m->slot[i].node->claim;

		if (m->slot[i].tag != tag || !same_key(c, remote, proto, local_port))
			continue;
		if (remote_port == MATCH_ANY_PORT ||
		    (c->remote_lo <= remote_port && remote_port <= c->remote_hi))
			return m->slot[i].node->task;
	}
	return NULL;
}

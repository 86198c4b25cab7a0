#include "workerd/probe/match.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define MATCH_FIRST 1024

int
match_init(struct match *m, uint64_t seed)
{
	*m = (struct match){ .mask = MATCH_FIRST - 1, .seed = seed };
	m->bucket = calloc(MATCH_FIRST, sizeof(struct claim_node *));
	return m->bucket == NULL ? -ENOMEM : 0;
}

void
match_fini(struct match *m)
{
	free(m->bucket);
	m->bucket = NULL;
}

static struct claim_node **
bucket_of(const struct match *m, const struct addr *remote, uint8_t proto, uint16_t local_port)
{
	uint64_t seed = m->seed + ((uint64_t)proto << 16 | local_port) * 0x9e3779b97f4a7c15ULL;

	return &m->bucket[addr_hash(remote, seed) & m->mask];
}

static bool
same_key(const struct claim *c, const struct addr *remote, uint8_t proto, uint16_t local_port)
{
	return c->local_port == local_port && c->proto == proto && addr_equal(&c->remote, remote);
}

struct task *
match_conflict(const struct match *m, const struct claim *c)
{
	const struct claim_node *n = *bucket_of(m, &c->remote, c->proto, c->local_port);

	for (; n != NULL; n = n->next) {
		if (same_key(&n->claim, &c->remote, c->proto, c->local_port) &&
		    n->claim.remote_lo <= c->remote_hi && c->remote_lo <= n->claim.remote_hi)
			return n->task;
	}
	return NULL;
}

static void
link_node(struct match *m, struct claim_node *n)
{
	struct claim_node **b = bucket_of(m, &n->claim.remote, n->claim.proto, n->claim.local_port);

	n->next = *b;
	*b = n;
}

/* Twice the buckets. Without memory the chains just grow longer. */
static void
grow(struct match *m)
{
	struct claim_node **old = m->bucket;
	uint32_t old_size = m->mask + 1;
	struct claim_node **fresh = calloc((size_t)old_size * 2, sizeof(struct claim_node *));

	if (fresh == NULL)
		return;
	m->bucket = fresh;
	m->mask = old_size * 2 - 1;
	for (uint32_t i = 0; i < old_size; i++) {
		struct claim_node *next;

		for (struct claim_node *n = old[i]; n != NULL; n = next) {
			next = n->next;
			link_node(m, n);
		}
	}
	free(old);
}

void
match_add(struct match *m, struct claim_node *n)
{
	if (m->count > m->mask)
		grow(m);
	link_node(m, n);
	m->count++;
}

void
match_remove(struct match *m, struct claim_node *n)
{
	struct claim_node **p = bucket_of(m, &n->claim.remote, n->claim.proto, n->claim.local_port);

	for (; *p != NULL; p = &(*p)->next) {
		if (*p == n) {
			*p = n->next;
			n->next = NULL;
			m->count--;
			return;
		}
	}
}

struct task *
match_find(const struct match *m, const struct addr *remote, uint8_t proto, uint16_t local_port,
    uint32_t remote_port)
{
	const struct claim_node *n = *bucket_of(m, remote, proto, local_port);

	for (; n != NULL; n = n->next) {
		if (!same_key(&n->claim, remote, proto, local_port))
			continue;
		if (remote_port == MATCH_ANY_PORT ||
		    (n->claim.remote_lo <= remote_port && remote_port <= n->claim.remote_hi))
			return n->task;
	}
	return NULL;
}

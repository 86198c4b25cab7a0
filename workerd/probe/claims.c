#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "workerd/probe/engine_priv.h"

/* What replies a task may take, and the source ports behind that. */

/* Where ports that the engine chooses come from: the upper half, as the
 * default source port. */
#define PORT_FIRST 0x8000u
#define PORT_COUNT 0x8000u
#define PORT_TRIES 64

static int
proto_class(uint8_t proto)
{
	return proto == IPPROTO_UDP ? 0 : proto == IPPROTO_TCP ? 1 : 2;
}

static int
claim_hold(struct engine *e, const struct task *t, const struct claim *c)
{
	return e->io.port_hold(e->io.ctx, t->source->share->cfg.ports, c->proto, c->local_port);
}

static void
claim_release(struct engine *e, const struct claim_node *n)
{
	const struct claim *c = &n->claim;

	e->io.port_release(e->io.ctx, c->proto, c->local_port);
	if (n->chosen)
		e->chosen_until[proto_class(c->proto)][c->local_port] =
		    (uint32_t)(e->now.mono / NSEC_PER_SEC) + e->cfg.hold_s + 1;
}

static int
claim_take(struct engine *e, struct task *t, struct claim_node *n, struct task **ret_blocker)
{
	int rc;

	*ret_blocker = match_conflict(&e->match, &n->claim);
	if (*ret_blocker != NULL)
		return -EBUSY;
	rc = claim_hold(e, t, &n->claim);
	if (rc != 0)
		return rc;
	rc = match_add(&e->match, n);
	if (rc != 0) {
		e->io.port_release(e->io.ctx, n->claim.proto, n->claim.local_port);
		return rc;
	}
	n->task = t;
	return 0;
}

static void
claim_undo(struct engine *e, struct claim_node *n)
{
	if (n->task == NULL)
		return;
	match_remove(&e->match, n);
	claim_release(e, n);
	n->task = NULL;
}

static void
undo_all(struct engine *e, struct task *t)
{
	for (struct claim_node *n = &t->first_claim; n != NULL; n = n->other)
		claim_undo(e, n);
}

int
claims_take(struct engine *e, struct task *t, struct task **ret_blocker)
{
	*ret_blocker = NULL;
	for (struct claim_node *n = &t->first_claim; n != NULL; n = n->other) {
		int rc;

		if (n->claim.remote.family == ADDR_NONE)
			continue; /* none was given before the start */
		rc = claim_take(e, t, n, ret_blocker);
		if (rc != 0) {
			undo_all(e, t);
			return rc;
		}
	}
	return 0;
}

void
claims_drop(struct engine *e, struct task *t)
{
	struct claim_node *next;

	undo_all(e, t);
	for (struct claim_node *n = t->first_claim.other; n != NULL; n = next) {
		next = n->other;
		free(n);
	}
	t->first_claim.other = NULL;
}

/* An empty node of the task for one more claim, or NULL without memory. */
static struct claim_node *
spare_node(struct task *t)
{
	struct claim_node *n;

	if (t->first_claim.claim.remote.family == ADDR_NONE)
		return &t->first_claim;
	n = calloc(1, sizeof(*n));
	if (n != NULL) {
		n->other = t->first_claim.other;
		t->first_claim.other = n;
	}
	return n;
}

int
task_preclaim(struct task *t, const struct claim *claims, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct claim_node *n = spare_node(t);

		if (n == NULL)
			return -ENOMEM;
		n->claim = claims[i];
	}
	return 0;
}

bool
task_claimed_port(const struct task *t, uint16_t *ret)
{
	const struct claim *first = &t->first_claim.claim;

	if (first->remote.family == ADDR_NONE)
		return false;
	*ret = first->local_port;
	return true;
}

int
task_claim(struct task *t, const struct claim *c)
{
	struct engine *e = t->engine;
	struct task *blocker = match_conflict(&e->match, c);
	struct claim_node *n;
	int rc;

	if (blocker == t)
		return 0;
	if (blocker != NULL)
		return -EBUSY;
	rc = claim_hold(e, t, c);
	if (rc != 0)
		return rc;
	n = spare_node(t);
	if (n == NULL) {
		e->io.port_release(e->io.ctx, c->proto, c->local_port);
		return -ENOMEM;
	}
	n->claim = *c;
	rc = match_add(&e->match, n);
	if (rc != 0) {
		n->claim = (struct claim){ .proto = 0 }; /* spare again */
		e->io.port_release(e->io.ctx, c->proto, c->local_port);
		return rc;
	}
	n->task = t;
	n->chosen =
	    e->chosen_until != NULL && e->chosen_until[proto_class(c->proto)][c->local_port] == UINT32_MAX;
	return 0;
}

int
task_free_port(struct task *t, uint8_t proto, uint16_t *ret)
{
	struct engine *e = t->engine;
	uint32_t now_s = (uint32_t)(e->now.mono / NSEC_PER_SEC);
	uint32_t *until;
	int rc;

	if (e->chosen_until == NULL) {
		e->chosen_until = calloc(3, sizeof(e->chosen_until[0]));
		if (e->chosen_until == NULL)
			return -ENOMEM;
	}
	until = e->chosen_until[proto_class(proto)];
	for (int i = 0; i < PORT_TRIES; i++) {
		struct claim c = { .proto = proto };

		c.local_port = (uint16_t)(PORT_FIRST + task_random(t) % PORT_COUNT);

		if (until[c.local_port] > now_s)
			continue;
		/* Another program may have it: held here only to find out. */
		rc = claim_hold(e, t, &c);
		if (rc == -EDQUOT)
			return rc;
		if (rc != 0)
			continue;
		e->io.port_release(e->io.ctx, proto, c.local_port);
		until[c.local_port] = UINT32_MAX;
		*ret = c.local_port;
		return 0;
	}
	return -EADDRNOTAVAIL;
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workerd/probe/match.h"

#define NODES 3000
#define STEPS 200000

/* Few addresses and ports, so that keys collide and ranges overlap. */
static struct claim
claim_make(uint32_t r)
{
	struct claim c = { .remote = { ADDR_IP4, { 192, 0, 2, (uint8_t)(r & 63) } },
		.proto = (r & 64) != 0 ? 17 : 6,
		.local_port = (uint16_t)(r >> 7 & 7) };

	c.remote_lo = (uint16_t)((r >> 10 & 15) * 16);
	c.remote_hi = (uint16_t)(c.remote_lo + (r >> 14 & 15));
	return c;
}

static int
same_ends(const struct claim *a, const struct claim *b)
{
	return addr_equal(&a->remote, &b->remote) && a->proto == b->proto && a->local_port == b->local_port;
}

struct model {
	struct claim_node node[NODES];
	struct task task[NODES];
	int in[NODES];
};

static struct task *
model_conflict(const struct model *m, const struct claim *c)
{
	for (int i = 0; i < NODES; i++) {
		if (m->in[i] && same_ends(&m->node[i].claim, c) && m->node[i].claim.remote_lo <= c->remote_hi &&
		    c->remote_lo <= m->node[i].claim.remote_hi)
			return m->node[i].task;
	}
	return NULL;
}

static void
step(struct match *t, struct model *m, uint32_t r)
{
	int i = (int)(random() % NODES);
	struct claim c = claim_make(r);

	if (m->in[i]) {
		match_remove(t, &m->node[i]);
		m->in[i] = 0;
		return;
	}
	/* At most one claim of the model can be in the way: they never overlap. */
	assert_int_equal(match_conflict(t, &c) == NULL, model_conflict(m, &c) == NULL);
	assert_ptr_equal(match_find(t, &c.remote, c.proto, c.local_port, c.remote_lo),
	    model_conflict(m, &(struct claim){ c.remote, c.proto, c.local_port, c.remote_lo, c.remote_lo }));
	if (model_conflict(m, &c) != NULL)
		return;
	m->node[i].claim = c;
	m->node[i].task = &m->task[i];
	assert_int_equal(match_add(t, &m->node[i]), 0);
	m->in[i] = 1;
}

static void
a_table_agrees_with_a_plain_list(void **state)
{
	struct model *m = calloc(1, sizeof(*m));
	struct match t;
	uint64_t left = 0;

	(void)state;
	srandom(1);
	assert_int_equal(match_init(&t, 42), 0);
	for (int n = 0; n < STEPS; n++)
		step(&t, m, (uint32_t)random());
	for (int i = 0; i < NODES; i++) {
		left += (uint64_t)m->in[i];
		if (m->in[i])
			match_remove(&t, &m->node[i]);
	}
	assert_true(left > 1000); /* it has grown */
	assert_int_equal(t.count, 0);
	assert_null(match_conflict(&t, &(struct claim){ .remote = { ADDR_IP4, { 192, 0, 2, 1 } } }));
	match_fini(&t);
	free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_table_agrees_with_a_plain_list) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "workerd/probe/ports.h"

#define MAX 4096

static int
on_reserve(void *ctx, uint8_t proto, uint16_t port)
{
	(void)proto;
	(void)port;
	++*(int *)ctx;
	return 0;
}

static int
on_release(void *ctx, uint8_t proto, uint16_t port)
{
	(void)proto;
	(void)port;
	--*(int *)ctx;
	return 0;
}

static struct ports *
ports_make(int *held)
{
	struct ports *p = calloc(1, sizeof(*p));

	*held = 0;
	p->reserve = on_reserve;
	p->release = on_release;
	p->ctx = held;
	p->max = MAX;
	return p;
}

/* As many as a tenant gets, from a port on. */
static uint32_t
take_all(struct ports *p, uint32_t tenant, uint16_t first)
{
	uint32_t n = 0;

	while (ports_hold(p, tenant, IPPROTO_UDP, (uint16_t)(first + n)) == 0)
		n++;
	return n;
}

static void
a_greedy_tenant_leaves_a_quarter(void **state)
{
	int held;
	struct ports *p = ports_make(&held);

	(void)state;
	assert_int_equal(take_all(p, 1, 10000), MAX / 4 * 3);
	assert_int_equal(ports_hold(p, 1, IPPROTO_TCP, 9), -EDQUOT);
	assert_int_equal(take_all(p, 2, 20000), MAX / 16 * 3);
	assert_true(take_all(p, 3, 30000) > 100);
	ports_release(p, IPPROTO_UDP, 10000);
	assert_int_equal(ports_hold(p, 1, IPPROTO_UDP, 9), -EDQUOT); /* the others leave less by now */
	free(p);
}

/* What somebody holds already costs nothing, and stays until the last has gone. */
static void
a_port_is_reserved_once_and_paid_by_the_first(void **state)
{
	int held;
	struct ports *p = ports_make(&held);

	(void)state;
	assert_int_equal(ports_hold(p, 1, IPPROTO_ICMP, 7), 0);
	assert_int_equal(ports_hold(p, 2, IPPROTO_ICMPV6, 7), 0);
	assert_int_equal(held, 1);
	assert_int_equal(p->held_by[1], 1);
	assert_int_equal(p->held_by[2], 0);
	ports_release(p, IPPROTO_ICMP, 7);
	assert_int_equal(held, 1);
	ports_release(p, IPPROTO_ICMPV6, 7);
	assert_int_equal(held, 0);
	assert_int_equal(p->held_by[1], 0);
	free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_greedy_tenant_leaves_a_quarter),
		cmocka_unit_test(a_port_is_reserved_once_and_paid_by_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

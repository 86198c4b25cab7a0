#include "tests/unit/engine/net.h"

#include <errno.h>

static void
net_send(void *ctx, struct engine_packet *p, uint32_t count)
{
	struct net *net = ctx;

	for (uint32_t i = 0; i < count; i++) {
		p[i].err = net->full_after != 0 && i >= net->full_after ? EAGAIN : net->refuse;
		if (p[i].err == 0) {
			net->sent++;
			net->last = p[i].to;
			net->of_source[p[i].to.b[1] % NET_SOURCES]++;
		}
	}
}

static int
net_route(void *ctx, const struct addr *dst, const struct addr *via, struct route *ret)
{
	(void)ctx;
	(void)dst;
	(void)via;
	*ret = (struct route){ .mtu = 1500 };
	return 0;
}

static int
net_hold(void *ctx, uint32_t tenant, uint8_t proto, uint16_t port)
{
	struct net *net = ctx;

	(void)tenant;
	(void)proto;
	(void)port;
	net->holds += net->hold_error == 0;
	return net->hold_error;
}

static void
net_release(void *ctx, uint8_t proto, uint16_t port)
{
	struct net *net = ctx;

	(void)proto;
	(void)port;
	net->holds--;
}

static uint32_t
net_random(void *ctx)
{
	struct net *net = ctx;

	return net->rng = net->rng * 1664525u + 1013904223u;
}

struct engine_io
net_io(struct net *net)
{
	return (struct engine_io){ net, net_send, net_route, net_hold, net_release, net_random };
}

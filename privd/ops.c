#include "privd/privd.h"

#include <errno.h>

#include "privd/open.h"

static int
give(struct call *call, int fd, bool lent)
{
	if (fd < 0)
		return fd;
	call->fd = fd;
	call->lent = lent;
	return 0;
}

static int
op_hello(struct privd *privd, struct call *call)
{
	const struct firewall_policy *policy = &privd->policy;
	struct pp_hello_answer *hello = &call->answer.hello_answer;

	hello->flags = (policy->spoof ? PP_HELLO_SPOOF : 0u) | (policy->local ? PP_HELLO_LOCAL : 0u) |
		       (privd->client >= 0 ? PP_HELLO_CLIENT : 0u);
	hello->max_pps = policy->max_pps;
	hello->listeners = privd->listeners;
	return 0;
}

static int
op_open_raw(struct privd *privd, struct call *call)
{
	return give(call,
	    open_raw((enum pp_family)call->request.open_raw.family, privd->policy.mark | MARK_KIND_TX),
	    false);
}

static int
op_open_ring(struct privd *privd, struct call *call)
{
	return give(call, open_ring(&privd->filter, privd->policy.mark | MARK_KIND_RX), false);
}

static int
op_open_departures(struct privd *privd, struct call *call)
{
	return give(call, privd->filter.departures_fd, true);
}

static int
op_open_route(struct privd *privd, struct call *call)
{
	(void)privd;
	return give(call, open_route(), false);
}

static int
op_open_listener(struct privd *privd, struct call *call)
{
	uint32_t index = call->request.open_listener.index;

	return index >= privd->listeners ? -ENOENT : give(call, privd->listener[index].fd, true);
}

static int
op_open_client(struct privd *privd, struct call *call)
{
	int fd = privd->client;

	privd->client = -1; /* handed over: the worker's end of it is the end of it */
	return fd < 0 ? -ENOENT : give(call, fd, false);
}

static int
op_open_port(struct privd *privd, struct call *call)
{
	return give(call, ports_offered(&privd->ports, &call->request.port), true);
}

static int
op_reserve_port(struct privd *privd, struct call *call)
{
	return ports_reserve(&privd->ports, &call->request.port);
}

static int
op_release_port(struct privd *privd, struct call *call)
{
	return ports_release(&privd->ports, &call->request.port);
}

static int
op_echo(struct privd *privd, struct call *call)
{
	call->answer.echo = call->request.echo;
	return give(call, privd->echo, true);
}

/* A ring is 16 MiB of kernel memory; descriptors are many but not endless. */
const struct op privd_ops[PP_MSG_MAX] = {
	[PP_HELLO] = { op_hello, 4 },
	[PP_OPEN_RAW] = { op_open_raw, 16 },
	[PP_OPEN_RING] = { op_open_ring, 2 },
	[PP_OPEN_ROUTE] = { op_open_route, 8 },
	[PP_OPEN_LISTENER] = { op_open_listener, 2 * PP_LISTENERS_MAX },
	[PP_OPEN_CLIENT] = { op_open_client, 2 },
	[PP_OPEN_PORT] = { op_open_port, 64 },
	[PP_RESERVE_PORT] = { op_reserve_port, 0 },
	[PP_RELEASE_PORT] = { op_release_port, 0 },
	[PP_ECHO] = { op_echo, 0 },
	[PP_OPEN_DEPARTURES] = { op_open_departures, 2 },
};

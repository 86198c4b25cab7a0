#include "privd/privd.h"

#include <errno.h>
#include <unistd.h>

#include "privd/open.h"

static int
give(struct op_answer *answer, int fd, bool lent)
{
	if (fd < 0)
		return fd;
	answer->fd = fd;
	answer->lent = lent;
	return 0;
}

static int
op_hello(struct privd *privd, const union pp_body *request, struct op_answer *answer)
{
	const struct firewall_policy *policy = &privd->policy;
	struct pp_hello_answer *hello = &answer->body.hello_answer;

	(void)request;
	hello->flags = (policy->spoof ? PP_HELLO_SPOOF : 0u) | (policy->local ? PP_HELLO_LOCAL : 0u) |
	    (privd->client >= 0 ? PP_HELLO_CLIENT : 0u) |
	    (privd->firewall.egress ? PP_HELLO_EGRESS_GUARD : 0u);
	hello->max_pps = policy->max_pps;
	hello->listeners = privd->listeners;
	return 0;
}

static int
op_open_raw(struct privd *privd, const union pp_body *request, struct op_answer *answer)
{
	return give(answer,
	    open_raw((enum pp_family)request->open_raw.family, privd->policy.mark | MARK_KIND_TX), false);
}

static int
op_open_ring(struct privd *privd, const union pp_body *request, struct op_answer *answer)
{
	(void)request;
	return give(answer, open_ring(&privd->filter, privd->policy.mark | MARK_KIND_RX), false);
}

static int
op_open_route(struct privd *privd, const union pp_body *request, struct op_answer *answer)
{
	(void)privd;
	(void)request;
	return give(answer, open_route(), false);
}

static int
op_open_listener(struct privd *privd, const union pp_body *request, struct op_answer *answer)
{
	if (request->open_listener.index >= privd->listeners)
		return -ENOENT;
	return give(answer, privd->listener[request->open_listener.index].fd, true);
}

static int
op_open_client(struct privd *privd, const union pp_body *request, struct op_answer *answer)
{
	int fd = privd->client;

	(void)request;
	privd->client = -1; /* handed over: the worker's end of it is the end of it */
	return fd < 0 ? -ENOENT : give(answer, fd, false);
}

static int
op_open_port(struct privd *privd, const union pp_body *request, struct op_answer *answer)
{
	return give(answer,
	    ports_offered(&privd->ports, (enum pp_proto)request->port.proto, (uint16_t)request->port.port),
	    true);
}

static int
op_reserve_port(struct privd *privd, const union pp_body *request, struct op_answer *answer)
{
	(void)answer;
	return ports_reserve(
	    &privd->ports, (enum pp_proto)request->port.proto, (uint16_t)request->port.port);
}

static int
op_release_port(struct privd *privd, const union pp_body *request, struct op_answer *answer)
{
	(void)answer;
	return ports_release(
	    &privd->ports, (enum pp_proto)request->port.proto, (uint16_t)request->port.port);
}

static int
op_echo(struct privd *privd, const union pp_body *request, struct op_answer *answer)
{
	answer->body.echo = request->echo;
	return give(answer, privd->echo, true);
}

/* A ring is 32 MiB of kernel memory; descriptors are many but not endless. */
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
};

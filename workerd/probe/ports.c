#include "workerd/probe/ports.h"

#include <netinet/in.h>

static uint32_t *
users_of(struct ports *p, uint8_t proto, uint16_t port)
{
	int class = proto == IPPROTO_TCP ? 0 : proto == IPPROTO_UDP ? 1 : 2;

	return &p->users[class][port];
}

/* privd knows one identifier space for ICMP and ICMPv6, as the kernel does. */
static uint8_t
wire_proto(uint8_t proto)
{
	return proto == IPPROTO_ICMPV6 ? IPPROTO_ICMP : proto;
}

int
ports_hold(struct ports *p, uint8_t proto, uint16_t port)
{
	uint32_t *users = users_of(p, proto, port);

	if (*users == 0) {
		int rc = p->reserve(p->ctx, wire_proto(proto), port);

		if (rc != 0)
			return rc;
	}
	(*users)++;
	return 0;
}

void
ports_release(struct ports *p, uint8_t proto, uint16_t port)
{
	uint32_t *users = users_of(p, proto, port);

	if (--*users == 0)
		(void)p->release(p->ctx, wire_proto(proto), port);
}

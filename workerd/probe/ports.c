#include "workerd/probe/ports.h"

#include <errno.h>
#include <netinet/in.h>

static int
class_of(uint8_t proto)
{
	return proto == IPPROTO_TCP ? 0 : proto == IPPROTO_UDP ? 1 : 2;
}

/* privd knows one identifier space for ICMP and ICMPv6, as the kernel does. */
static uint8_t
wire_proto(uint8_t proto)
{
	return proto == IPPROTO_ICMPV6 ? IPPROTO_ICMP : proto;
}

static int
reserve(struct ports *p, uint32_t tenant, uint8_t proto, uint16_t port)
{
	uint32_t own = p->held_by[tenant], others = p->held - own;
	int rc;

	if (own >= (p->max - others) / 4 * 3)
		return -EDQUOT;
	rc = p->reserve(p->ctx, wire_proto(proto), port);
	if (rc != 0)
		return rc;
	p->tenant[class_of(proto)][port] = (uint8_t)tenant;
	p->held_by[tenant]++;
	p->held++;
	return 0;
}

int
ports_hold(struct ports *p, uint32_t tenant, uint8_t proto, uint16_t port)
{
	uint32_t *users = &p->users[class_of(proto)][port];
	int rc = *users == 0 ? reserve(p, tenant % PORTS_TENANTS, proto, port) : 0;

	if (rc == 0)
		(*users)++;
	return rc;
}

void
ports_release(struct ports *p, uint8_t proto, uint16_t port)
{
	int class = class_of(proto);

	if (--p->users[class][port] > 0)
		return;
	(void)p->release(p->ctx, wire_proto(proto), port);
	p->held_by[p->tenant[class][port]]--;
	p->held--;
}

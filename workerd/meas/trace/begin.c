#include <errno.h>
#include <netinet/in.h>

#include "workerd/meas/trace/trace.h"

/* From a parsed command to the first room. */

/* As often as ports are tried that turn out to be in use (-s 0). */
#define PORT_TRIES 5

/* With UDP every probe has a destination port of its own, counting up from -d;
 * beyond the last port it begins again at 0, and all are claimed. */
static void
udp_ports(const struct trace_record *rec, struct claim *c)
{
	uint32_t ports = rec->confidence != 0 ? TRACE_PROBES_MAX : TRACE_UDP_PORTS;
	uint32_t last = rec->dport + ports;

	c->remote_lo = last > UINT16_MAX ? 0 : rec->dport;
	c->remote_hi = last > UINT16_MAX ? UINT16_MAX : (uint16_t)last;
}

void
trace_claim(const struct trace_record *rec, uint16_t local_port, struct claim *ret)
{
	*ret = (struct claim){ .remote = rec->dst,
		.proto = trace_proto(rec),
		.local_port = local_port,
		.remote_lo = rec->dport,
		.remote_hi = rec->dport };
	if (rec->method == TRACE_UDP) {
		udp_ports(rec, ret);
	} else if (ret->proto == IPPROTO_ICMP || ret->proto == IPPROTO_ICMPV6) {
		ret->remote_lo = 0;
		ret->remote_hi = UINT16_MAX;
	}
}

static int
choose_port(struct trace *t)
{
	int rc = -EADDRNOTAVAIL;

	for (int i = 0; i < PORT_TRIES; i++) {
		struct claim c;

		rc = task_free_port(&t->meas.task, trace_proto(&t->rec), &t->rec.sport);
		if (rc != 0)
			return rc;
		trace_claim(&t->rec, t->rec.sport, &c);
		rc = task_claim(&t->meas.task, &c);
		if (rc != -EBUSY && rc != -EADDRINUSE)
			return rc;
	}
	return rc;
}

static int
take_port(struct trace *t)
{
	struct claim c;

	if (t->choose_port)
		return choose_port(t);
	if (task_claimed_port(&t->meas.task, &t->rec.sport))
		return 0;
	if (t->rec.sport == 0)
		t->rec.sport = task_default_sport(&t->meas.task);
	trace_claim(&t->rec, t->rec.sport, &c);
	return task_claim(&t->meas.task, &c);
}

/* -S, or what the route says. */
static int
take_source(struct trace *t)
{
	const struct trace_rare *rare = t->rec.rare;
	const struct addr *via = rare != NULL && rare->router.family != ADDR_NONE ? &rare->router : NULL;
	struct route route;
	int rc;

	if (t->rec.src.family != ADDR_NONE)
		return task_owns_address(&t->meas.task, &t->rec.src) ? 0 : -EADDRNOTAVAIL;
	rc = task_route(&t->meas.task, &t->rec.dst, via, &route);
	if (rc == 0)
		t->rec.src = route.src;
	return rc;
}

static enum trace_state
first_room(const struct trace *t)
{
	if ((t->rec.flags & TRACE_FLAG_DOUBLETREE) != 0)
		return TR_FIRST;
	return t->rec.squeries > 1 || (t->rec.flags & TRACE_FLAG_BACK) != 0 ? TR_PARALLEL : TR_FORWARD;
}

void
trace_begin(struct task *task, const struct instant *now)
{
	struct trace *t = (struct trace *)task;
	int rc = take_source(t);

	t->rec.start = now->wall;
	t->ttl = t->rec.firsthop;
	if (rc != 0) {
		trace_fail(t, rc,
		    rc == -EADDRNOTAVAIL ? "the source address is not one of this host's"
					 : "no route to the destination",
		    now);
		return;
	}
	rc = take_port(t);
	if (rc != 0) {
		trace_fail(t, rc, task_refusal(-rc, true), now);
		return;
	}
	if (t->default_csum)
		t->rec.dport = task_default_sport(task);
	trace_goto(t, first_room(t), now);
}

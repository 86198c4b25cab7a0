#include "workerd/probe/pace.h"

void
pace_set(struct pace *p, uint32_t pps)
{
	p->interval = pps == 0 ? 0 : NSEC_PER_SEC / (nsec_t)pps;
}

void
pace_settle(struct pace *p, nsec_t now, int idle)
{
	nsec_t credit = p->interval > PACE_BURST_NS ? p->interval : PACE_BURST_NS;

	if (idle)
		credit = 0;
	if (p->next < now - credit)
		p->next = now - credit;
}

void
pace_close_group(struct pace *p, nsec_t now)
{
	if (p->interval > 0 && p->interval < PACE_GROUP_NS)
		p->group = now + PACE_GROUP_NS;
}

nsec_t
pace_wake(const struct pace *p, nsec_t now)
{
	nsec_t when = p->next > p->group ? p->next : p->group;

	return when > now ? when : now;
}

#include "workerd/probe/pace.h"

void
pace_set(struct pace *p, uint32_t pps)
{
	p->interval = pps == 0 ? 0 : NSEC_PER_SEC / (nsec_t)pps;
}

static nsec_t
later(nsec_t a, nsec_t b)
{
	return a > b ? a : b;
}

void
pace_settle(struct pace *p, nsec_t now, bool idle)
{
	nsec_t backlog = idle ? 0 : later(PACE_BACKLOG_NS, p->interval);
	nsec_t burst = idle ? 0 : PACE_BURST_NS;

	p->next = later(p->next, now - backlog);
	p->gate = later(p->gate, now - burst);
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
	return later(later(p->next, p->gate), later(p->group, now));
}

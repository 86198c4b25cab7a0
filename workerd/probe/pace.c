#include "workerd/probe/pace.h"

static nsec_t
later(nsec_t a, nsec_t b)
{
	return a > b ? a : b;
}

void
pace_set(struct pace *p, uint32_t pps)
{
	p->interval = pps == 0 ? 0 : NSEC_PER_SEC / (nsec_t)pps;
	p->length = later(p->interval * PACE_GROUP_SLOTS, PACE_GROUP_MIN_NS);
	if (p->length > PACE_GROUP_MAX_NS)
		p->length = PACE_GROUP_MAX_NS;
	if (p->interval == 0 || p->interval >= PACE_GROUP_MIN_NS)
		p->length = 0;
}

void
pace_settle(struct pace *p, nsec_t now, bool idle)
{
	nsec_t backlog = idle ? 0 : later(PACE_BACKLOG_NS, p->interval);
	/* A slot of the gate is four fifths of a slot. */
	nsec_t burst = idle ? 0 : (later(p->length, PACE_GROUP_MIN_NS) + PACE_LATE_NS) * 4 / 5;

	p->next = later(p->next, now - backlog);
	p->gate = later(p->gate, now - burst);
}

/* On a grid of their own, or each group would begin later by a wake-up's delay
 * and the slots that it kept back would come as a burst. */
void
pace_close_group(struct pace *p, nsec_t now)
{
	if (p->length > 0)
		p->group = later(p->group + p->length, now + p->length / 2);
	p->closed = now;
}

void
pace_open_group(struct pace *p)
{
	nsec_t opens = p->closed + PACE_OPEN_GAP_NS;

	if (p->group > opens)
		p->group = opens;
}

nsec_t
pace_wake(const struct pace *p, nsec_t now)
{
	return later(later(p->next, p->gate), later(p->group, now));
}

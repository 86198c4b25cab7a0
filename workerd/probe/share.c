#include "workerd/probe/share.h"

#include "workerd/probe/engine_priv.h"

/* A slot's worth of a share of weight 1. */
#define CLOCK_ONE (UINT64_C(1) << 32)

void
meter_roll(struct meter *m, nsec_t now)
{
	nsec_t passed = now - m->since;

	if (passed < NSEC_PER_SEC)
		return;
	/* After a silence of seconds the count tells of no second in particular. */
	m->rate = passed < 2 * NSEC_PER_SEC
		      ? (uint32_t)((m->total - m->mark) * (uint64_t)NSEC_PER_SEC / (uint64_t)passed)
		      : 0;
	m->mark = m->total;
	m->since = now;
}

void
share_init(struct share *sh, struct engine *e, uint32_t weight)
{
	*sh = (struct share){ .cfg.weight = weight, .step = CLOCK_ONE / weight };
	e->weights += weight;
}

void
share_fini(struct share *sh, struct engine *e)
{
	e->weights -= sh->cfg.weight;
}

void
share_inherit(struct share *sh, const struct share *from)
{
	sh->clock = from->clock;
	sh->sent = from->sent;
	sh->done = from->done;
}

struct share *
engine_share(struct engine *e)
{
	return &e->own;
}

void
share_configure(struct engine *e, struct share *sh, const struct share_config *cfg)
{
	e->weights += cfg->weight - sh->cfg.weight;
	sh->cfg = *cfg;
	sh->step = CLOCK_ONE / cfg->weight;
	pace_set(&sh->pace, cfg->pps);
}

/* Far enough from the next tenant's for a few ports that count up; the upper
 * half of the ports is kept. */
uint16_t
share_port(const struct share *sh, uint16_t first)
{
	return (uint16_t)((first & 0x8000u) | ((first + 1009u * sh->cfg.ports) & 0x7fffu));
}

static uint32_t
part_of(const struct engine *e, const struct share *sh, uint32_t whole)
{
	return (uint32_t)((uint64_t)whole * sh->cfg.weight / e->weights);
}

uint32_t
share_part(const struct engine *e, const struct share *sh)
{
	uint32_t part = part_of(e, sh, e->cfg.pps);

	return sh->cfg.pps != 0 && sh->cfg.pps < part ? sh->cfg.pps : part;
}

bool
share_window_open(const struct engine *e, const struct share *sh)
{
	if (sh->cfg.window != 0 && sh->running >= sh->cfg.window)
		return false;
	if (e->cfg.window == 0 || e->running < e->cfg.window)
		return true;
	/* Others may fill the window while we are away, and their tasks may take
	 * hours: our part of it is ours whenever we come. */
	return e->weights != sh->cfg.weight && sh->running < part_of(e, sh, e->cfg.window);
}

static void
catch_up(const struct engine *e, struct share *sh)
{
	if (sh->clock < e->clock)
		sh->clock = e->clock;
}

void
share_list(struct engine *e, struct share *sh)
{
	sh->listed = true;
	sh->passed = false;
	catch_up(e, sh);
	pace_set(&sh->pace, sh->cfg.pps);
	pace_settle(&sh->pace, e->now.mono, true);
	sh->next = e->shares;
	e->shares = sh;
}

void
share_unlist(struct engine *e, struct share *sh)
{
	struct share **at = &e->shares;

	while (*at != sh)
		at = &(*at)->next;
	*at = sh->next;
	sh->next = NULL;
	sh->listed = false;
}

void
share_pass(const struct engine *e, struct share *sh)
{
	sh->passed = true;
	catch_up(e, sh);
}

struct share *
share_pick(const struct engine *e)
{
	struct share *best = NULL;

	for (struct share *sh = e->shares; sh != NULL; sh = sh->next) {
		if (!sh->passed && (best == NULL || sh->clock < best->clock))
			best = sh;
	}
	return best;
}

void
share_charge(struct engine *e, struct share *sh)
{
	e->clock = sh->clock;
	sh->clock += sh->step;
}

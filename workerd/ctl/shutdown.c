#include "workerd/ctl/attach.h"
#include "workerd/ctl/ctl_priv.h"

/*
 * The end of the service by a client's word (control.md 2.4). Existing programs
 * exit without draining their sockets; here whoever is owed a reply, a result
 * or the end of a cycle gets it, and has this long to take it.
 */
#define LAST_WORDS_MS 2000

static void
stop(struct ctl *ctl)
{
	ctl->env.shutdown = SHUTDOWN_NONE;
	ctl->env.cfg.stop(ctl->env.cfg.ctx);
}

static void
on_late(uv_timer_t *h)
{
	stop(h->data);
}

/* What is queued goes, what runs is finished, then the cycles end. */
static void
flush(struct ctl *ctl)
{
	for (struct conn *c = ctl->conns; c != NULL; c = c->next) {
		if (c->session.attach != NULL)
			attach_flush(c->session.attach);
	}
	ctl->env.sources.flushing = true;
	ctl->flushed = true;
}

static bool
has_work(const struct ctl *ctl)
{
	for (const struct conn *c = ctl->conns; c != NULL; c = c->next) {
		if (c->session.attach != NULL && !c->session.closing && !c->session.cut)
			return true;
	}
	return sources_busy(&ctl->env);
}

/* Connections close once they have sent what they hold. */
static void
close_all(struct ctl *ctl)
{
	for (struct conn *c = ctl->conns; c != NULL; c = c->next) {
		c->session.closing = true;
		ctl_attend(ctl, c);
	}
	(void)uv_timer_start(&ctl->late, on_late, LAST_WORDS_MS, 0);
	ctl->closing_all = true;
}

void
shutdown_step(struct ctl *ctl)
{
	if (ctl->env.shutdown == SHUTDOWN_NONE || ctl->stopping)
		return;
	if (ctl->env.shutdown == SHUTDOWN_FLUSH && !ctl->flushed)
		flush(ctl);
	if (!ctl->closing_all && (ctl->env.shutdown == SHUTDOWN_NOW || !has_work(ctl)))
		close_all(ctl);
	if (ctl->closing_all && ctl->conn_count == 0)
		stop(ctl);
}

void
shutdown_asked(struct ctl *ctl)
{
	if (!ctl->closing_all) {
		ctl->flushed = ctl->env.sources.flushing = false;
		sources_want(&ctl->env, 0);
	}
	ctl_settle(ctl);
}

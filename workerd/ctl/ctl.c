#include "workerd/ctl/ctl.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "workerd/ctl/ctl_priv.h"

static void
free_all(struct ctl *ctl)
{
	session_env_fini(&ctl->env);
	free(ctl);
}

void
ctl_handle_closed(struct ctl *ctl)
{
	if (--ctl->handles == 0)
		free_all(ctl);
}

static void
on_handle_closed(uv_handle_t *h)
{
	ctl_handle_closed(h->data);
}

/* An idle handle keeps the loop from sleeping, and its callback comes before
 * the poll: all that one wake-up brought goes out in one write a connection.
 * Who has more to do, and whom the time does not suffice for, comes in the next
 * run of the loop. */
static void
on_idle(uv_idle_t *h)
{
	struct ctl *ctl = h->data;
	nsec_t end = (nsec_t)uv_hrtime() + CTL_TURNS_NS;

	(void)uv_idle_stop(&ctl->idle);
	for (uint32_t n = ctl->turns.count; n > 0 && !ctl->stopping; n--) {
		struct conn *c = turns_take(&ctl->turns);
		enum conn_next next = conn_attend(c);

		if (next != CONN_GONE)
			c->attending = false;
		if (next == CONN_AGAIN)
			ctl_attend(ctl, c);
		if ((nsec_t)uv_hrtime() >= end)
			break;
	}
	ctl->spent = 0;
	if (ctl->turns.count > 0)
		ctl_settle(ctl);
	shutdown_step(ctl);
}

void
ctl_settle(struct ctl *ctl)
{
	if (!ctl->stopping)
		(void)uv_idle_start(&ctl->idle, on_idle);
}

static void
on_tick(uv_timer_t *h)
{
	struct ctl *ctl = h->data;

	sources_tick(&ctl->env, clock_mono());
	shutdown_step(ctl);
}

/* Never 0: libuv would call a timer that its own callback sets so again, before
 * anything else. */
static void
want_tick(struct session_env *env, uint32_t ms)
{
	struct ctl *ctl = (struct ctl *)((char *)env - offsetof(struct ctl, env));

	ms = ms == 0 ? 1 : ms;
	if (!uv_is_active((uv_handle_t *)&ctl->tick) || uv_timer_get_due_in(&ctl->tick) > ms)
		(void)uv_timer_start(&ctl->tick, on_tick, ms, 0);
}

int
ctl_output(struct ctl *ctl, int fd, const char *text, struct errbuf *reterr)
{
	return outfiles_give(&ctl->env.files, fd, text, reterr);
}

void
ctl_restore(struct ctl *ctl)
{
	sources_restore(&ctl->env);
}

static void
on_shutdown(struct session_env *env)
{
	shutdown_asked((struct ctl *)((char *)env - offsetof(struct ctl, env)));
}

static void
on_slices(struct session_env *env)
{
	struct ctl *ctl = (struct ctl *)((char *)env - offsetof(struct ctl, env));

	for (struct conn *c = ctl->conns; c != NULL; c = c->next)
		conn_reidentify(c);
}

void
ctl_attend(struct ctl *ctl, struct conn *c)
{
	if (c->attending || ctl->stopping)
		return;
	c->attending = true;
	turns_add(&ctl->turns, c->session.peer, c);
	ctl_settle(ctl);
}

static void
on_drain(uv_timer_t *h)
{
	struct ctl *ctl = h->data;
	nsec_t now = (nsec_t)uv_hrtime();
	bool some = false;

	for (struct conn *c = ctl->conns; c != NULL; c = c->next)
		some |= conn_drains(c, now);
	if (some)
		ctl_watch_drain(ctl);
}

void
ctl_watch_drain(struct ctl *ctl)
{
	if (!uv_is_active((uv_handle_t *)&ctl->drain))
		(void)uv_timer_start(&ctl->drain, on_drain, ctl->drain_ms / 4, 0);
}

struct ctl *
ctl_new(uv_loop_t *loop, const struct ctl_config *cfg, struct engine *engine)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));

	if (ctl == NULL)
		return NULL;
	if (session_env_init(&ctl->env, cfg, engine) != 0) {
		free(ctl);
		return NULL;
	}
	ctl->loop = loop;
	ctl->env.on_shutdown = on_shutdown;
	ctl->env.on_slices = on_slices;
	ctl->env.sources.want_tick = want_tick;
	/* None of them can fail (uv_idle_init, uv_timer_init). */
	(void)uv_idle_init(loop, &ctl->idle);
	(void)uv_timer_init(loop, &ctl->retry);
	(void)uv_timer_init(loop, &ctl->late);
	(void)uv_timer_init(loop, &ctl->tick);
	(void)uv_timer_init(loop, &ctl->drain);
	ctl->idle.data = ctl->retry.data = ctl->late.data = ctl->tick.data = ctl->drain.data = ctl;
	ctl->handles = 5;
	ctl->drain_ms = CTL_DRAIN_MS;
	ctl->drain_attached_ms = CTL_DRAIN_ATTACHED_MS;
	return ctl;
}

int
ctl_client(struct ctl *ctl, int fd)
{
	char name[CTL_NAME_MAX];
	struct conn *c;
	int rc;

	(void)snprintf(name, sizeof(name), "client:%u", ctl->privates++);
	rc = conn_new(ctl, fd, name, &c);
	if (rc != 0)
		return rc;
	c->private = true;
	conn_identify(c);
	return 0;
}

void
ctl_stop(struct ctl *ctl)
{
	struct listener *l, *next;

	if (ctl->stopping)
		return;
	ctl->stopping = true;
	ctl->turns = (struct turns){ 0 };
	while (ctl->conns != NULL)
		conn_kill(ctl->conns);
	for (l = ctl->listeners; l != NULL; l = next) {
		next = l->next;
		listener_close(l);
	}
	ctl->listeners = NULL;
	sources_stop(&ctl->env);
	uv_close((uv_handle_t *)&ctl->idle, on_handle_closed);
	uv_close((uv_handle_t *)&ctl->retry, on_handle_closed);
	uv_close((uv_handle_t *)&ctl->late, on_handle_closed);
	uv_close((uv_handle_t *)&ctl->tick, on_handle_closed);
	uv_close((uv_handle_t *)&ctl->drain, on_handle_closed);
}

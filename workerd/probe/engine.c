#include "workerd/probe/engine.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "workerd/probe/engine_priv.h"

struct engine *
engine_new(const struct engine_config *cfg, const struct engine_io *io, const struct instant *now)
{
	struct engine *e = calloc(1, sizeof(*e));
	uint64_t seed;

	if (e == NULL)
		return NULL;
	e->io = *io;
	e->now = *now;
	e->idle = true;
	seed = (uint64_t)io->random(io->ctx) << 32 | io->random(io->ctx);
	if (match_init(&e->match, seed) != 0) {
		free(e);
		return NULL;
	}
	wheel_init(&e->wheel, now->mono);
	e->pace.next = now->mono;
	share_init(&e->own, e, 1);
	engine_configure(e, cfg);
	return e;
}

void
engine_free(struct engine *e)
{
	if (e == NULL)
		return;
	match_fini(&e->match);
	free(e->chosen_until);
	free(e);
}

void
engine_configure(struct engine *e, const struct engine_config *cfg)
{
	e->cfg = *cfg;
	pace_set(&e->pace, cfg->pps);
}

const struct engine_config *
engine_config_get(const struct engine *e)
{
	return &e->cfg;
}

const struct engine_stats *
engine_stats_get(const struct engine *e)
{
	return &e->stats;
}

uint32_t
engine_running(const struct engine *e)
{
	return e->running;
}

/* ---- what tasks ask for ---- */

void
task_init(struct task *t, const struct task_ops *ops, uint32_t id)
{
	memset(t, 0, sizeof(*t));
	t->ops = ops;
	t->id = id;
}

void
task_want_probe(struct task *t)
{
	struct source *s = t->source;

	if (t->ready || t->state != TASK_RUNNING)
		return;
	t->ready = true;
	t->next = NULL;
	t->prev = s->ready_tail;
	if (t->prev == NULL)
		s->ready_head = t;
	else
		t->prev->next = t;
	s->ready_tail = t;
	source_activate(s);
}

void
task_wait(struct task *t, nsec_t mono)
{
	wheel_add(&t->engine->wheel, &t->timer, mono);
}

void
task_unwait(struct task *t)
{
	wheel_cancel(&t->engine->wheel, &t->timer);
}

void
task_done(struct task *t)
{
	t->state = TASK_DONE;
}

int
task_route(struct task *t, const struct addr *dst, const struct addr *via, struct route *ret)
{
	return t->engine->io.route(t->engine->io.ctx, dst, via, ret);
}

bool
task_owns_address(struct task *t, const struct addr *a)
{
	struct route to;

	return task_route(t, a, NULL, &to) == 0 && to.local;
}

const char *
task_refusal(int err, bool at_start)
{
	static const struct {
		int err;
		bool at_start;
		const char *why;
	} known[] = {
		{ EPERM, false, "forbidden by the host's policy, see vantage.conf(5)" },
		{ EADDRINUSE, true, "the source port is in use" },
		{ EACCES, true, "source ports below 1024 are the host's own" },
		{ EDQUOT, true, "all source ports that may be held at once are in use" },
	};
	const char *why = strerrordesc_np(err);

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].err == err && known[i].at_start == at_start)
			return known[i].why;
	}
	return why != NULL ? why : "error";
}

uint16_t
task_default_sport(const struct task *t)
{
	return t->source == NULL ? t->engine->cfg.sport : share_port(t->source->share, t->engine->cfg.sport);
}

uint16_t
task_default_icmp_id(const struct task *t)
{
	return t->source == NULL ? t->engine->cfg.icmp_id : share_port(t->source->share, t->engine->cfg.icmp_id);
}

uint32_t
task_random(struct task *t)
{
	return t->engine->io.random(t->engine->io.ctx);
}

const struct addr *
task_nameserver(const struct task *t)
{
	return &t->engine->cfg.nameserver;
}

void
task_progress(struct task *t)
{
	t->source->ops->progress(t->source, t);
}

/* ---- the end of a task ---- */

static void
unready(struct task *t)
{
	struct source *s = t->source;

	if (t->prev == NULL)
		s->ready_head = t->next;
	else
		t->prev->next = t->next;
	if (t->next == NULL)
		s->ready_tail = t->prev;
	else
		t->next->prev = t->prev;
	t->ready = false;
	t->next = t->prev = NULL;
}

/* Those who waited for this task's claims may try again. They were pushed at
 * the front as they came; pushed once more they are in their order. */
static void
release_held(struct task *t)
{
	struct task *next, *ordered = NULL;

	for (struct task *h = t->held; h != NULL; h = next) {
		next = h->next;
		h->next = ordered;
		ordered = h;
	}
	t->held = NULL;
	for (struct task *h = ordered; h != NULL; h = next) {
		struct source *s = h->source;

		next = h->next;
		h->state = TASK_NEW;
		h->next = NULL;
		h->link = NULL;
		s->held--;
		if (s->released_tail == NULL)
			s->released = h;
		else
			s->released_tail->next = h;
		s->released_tail = h;
		source_activate(s);
	}
}

static void
finish(struct engine *e, struct task *t, bool ran)
{
	struct source *s = t->source;

	wheel_cancel(&e->wheel, &t->timer);
	if (t->ready)
		unready(t);
	batch_forget(e, t);
	claims_drop(e, t);
	release_held(t);
	if (ran) {
		e->running--;
		s->running--;
		s->share->running--;
	}
	e->stats.tasks_done++;
	s->share->done++;
	/* Its window slot is free: the source may have more. */
	if (s->hungry || s->released != NULL)
		source_activate(s);
	s->ops->finished(s, t);
}

void
engine_settle(struct engine *e, struct task *t)
{
	if (t->state == TASK_DONE) {
		finish(e, t, true);
		return;
	}
	if (t->state == TASK_RUNNING && !t->ready && !wheel_armed(&t->timer)) {
		struct instant now = task_now(e, t);

		log_error("task %u asked for nothing and would hang: ended", t->id);
		t->ops->halt(t, &now);
		finish(e, t, true);
	}
}

/* Takes t off a list; returns the one before it, for the owner of a tail. */
static struct task *
unlist(struct task **list, const struct task *t)
{
	struct task *before = NULL;

	for (; *list != NULL; before = *list, list = &(*list)->next) {
		if (*list == t) {
			*list = t->next;
			break;
		}
	}
	return before;
}

void
engine_halt(struct engine *e, struct task *t)
{
	bool ran = t->state == TASK_RUNNING;
	struct instant now;

	if (t->state == TASK_HELD) {
		*t->link = t->next;
		if (t->next != NULL)
			t->next->link = t->link;
		t->link = NULL;
		t->source->held--;
	} else if (!ran) {
		struct task *before = unlist(&t->source->released, t);

		if (t->source->released_tail == t)
			t->source->released_tail = before;
	}
	if (!ran)
		t->ahead = e->now.wall - e->now.mono;
	now = task_now(e, t);
	t->ops->halt(t, &now);
	finish(e, t, ran);
}

/* ---- replies ---- */

static uint16_t
local_port(const struct pkt *p)
{
	return p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP ? p->sport : p->icmp.id;
}

static uint16_t
remote_port(const struct pkt *p)
{
	return p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP ? p->dport : 0;
}

/* The task that sent this packet: one of ours as it left, or as quoted. */
static struct task *
find_sender(const struct engine *e, const struct pkt *p)
{
	if (p->l4)
		return match_find(&e->match, &p->dst, p->proto, local_port(p), remote_port(p));
	/* A later fragment has no ports: our own carry the source port in the
	 * upper half of the identification (trace with an offset). */
	if (p->frag && p->frag_off != 0)
		return match_find(&e->match, &p->dst, p->proto, (uint16_t)(p->ip_id >> 16), MATCH_ANY_PORT);
	return NULL;
}

static struct task *
find_asker(const struct engine *e, const struct pkt *p)
{
	if (!p->l4)
		return NULL;
	if (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP)
		return match_find(&e->match, &p->src, p->proto, p->dport, p->sport);
	if (p->icmp.kind == ICMP_KIND_ECHO_REPLY || p->icmp.kind == ICMP_KIND_TIME_REPLY)
		return match_find(&e->match, &p->src, p->proto, p->icmp.id, 0);
	return NULL;
}

static bool
is_icmp(const struct pkt *p)
{
	return p->l4 && (p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6);
}

void
engine_departed(struct engine *e, const uint8_t *bytes, size_t len, nsec_t stamp)
{
	struct pkt p;
	struct task *t;

	if (pkt_parse(&p, bytes, len) != PKT_OK)
		return;
	t = find_sender(e, &p);
	if (t != NULL && t->state == TASK_RUNNING)
		t->ops->sent(t, &p, stamp + t->ahead);
}

void
engine_input(struct engine *e, const uint8_t *bytes, size_t len, nsec_t stamp, const char *ifname,
    const struct instant *now)
{
	struct pkt p, q;
	struct reply r = { .pkt = &p, .ifname = ifname, .bytes = bytes, .len = (uint16_t)len };
	struct instant at;
	struct task *t;

	e->now = *now;
	e->stats.received++;
	if (pkt_parse(&p, bytes, len) != PKT_OK) {
		e->stats.malformed++;
		return;
	}
	if (is_icmp(&p) && p.icmp.quote != NULL) {
		if (pkt_parse_quote(&q, &p) != PKT_OK) {
			e->stats.malformed++;
			return;
		}
		r.quoted = &q;
		t = find_sender(e, &q);
	} else {
		t = find_asker(e, &p);
	}
	if (t == NULL || t->state != TASK_RUNNING) {
		e->stats.unmatched++;
		return;
	}
	e->stats.matched++;
	r.rx = stamp + t->ahead;
	at = task_now(e, t);
	t->ops->reply(t, &r, &at);
	engine_settle(e, t);
}

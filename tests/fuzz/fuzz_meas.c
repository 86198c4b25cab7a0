#include "fuzz_meas.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "common/buf.h"
#include "proto/record/record.h"

#define ICMP4_TIME 13

static struct world *world; /* there is one at a time, and the engine's calls name none */

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
	must(t->state == TASK_RUNNING);
	world->ready = true;
}

void
task_wait(struct task *t, nsec_t mono)
{
	must(t->state == TASK_RUNNING);
	world->armed = true;
	world->deadline = mono;
}

void
task_unwait(struct task *t)
{
	(void)t;
	world->armed = false;
}

void
task_done(struct task *t)
{
	must(t->state == TASK_RUNNING);
	t->state = TASK_DONE;
}

bool
task_claimed_port(const struct task *t, uint16_t *ret)
{
	(void)t;
	(void)ret;
	return false;
}

int
task_claim(struct task *t, const struct claim *c)
{
	(void)t;
	(void)c;
	return 0;
}

int
task_route(struct task *t, const struct addr *dst, const struct addr *via, struct route *ret)
{
	(void)t;
	(void)via;
	*ret = (struct route){ .src = { dst->family, { 1 } }, .mtu = world->random % 2 ? 1500 : 65536 };
	return 0;
}

bool
task_owns_address(struct task *t, const struct addr *a)
{
	(void)t;
	return a->b[0] % 2 == 0;
}

const char *
task_refusal(int err, bool at_start)
{
	(void)err;
	(void)at_start;
	return "no";
}

uint16_t
task_default_sport(const struct task *t)
{
	(void)t;
	return 40000;
}

uint16_t
task_default_icmp_id(const struct task *t)
{
	(void)t;
	return 40000;
}

int
task_free_port(struct task *t, uint8_t proto, uint16_t *ret)
{
	(void)t;
	(void)proto;
	*ret = 50000;
	return 0;
}

uint32_t
task_random(struct task *t)
{
	(void)t;
	return world->random++;
}

const struct addr *
task_nameserver(const struct task *t)
{
	static const struct addr server = { ADDR_IP4, { 192, 0, 2, 53 } };

	(void)t;
	return &server;
}

void
task_progress(struct task *t)
{
	world->kind->check_progress(world->kind->type->result((struct meas *)t));
}

/* ---- events ---- */

static void
event_probe(struct world *w)
{
	struct probe p;
	struct wr wr;

	if (!w->ready)
		return;
	memset(&p, 0, sizeof(p));
	w->ready = false;
	if (!w->task->ops->probe(w->task, &p, &w->now))
		return;
	wr_init(&wr, w->packet, sizeof(w->packet));
	must(probe_build(&wr, &p) == 0);
	must(p.ttl >= 1);
	p.payload = NULL;
	w->sent[w->sent_count++ % KEPT] = p;
	if (rd_u8(&w->in) % 16 == 0 && w->task->state == TASK_RUNNING)
		w->task->ops->refused(w->task, rd_u8(&w->in) % 2 ? EPERM : EMSGSIZE, &w->now);
}

static void
event_timeout(struct world *w)
{
	if (!w->armed)
		return;
	w->armed = false;
	if (w->deadline > w->now.mono) {
		w->now.wall += w->deadline - w->now.mono;
		w->now.mono = w->deadline;
	}
	w->task->ops->timeout(w->task, &w->now);
}

bool
fuzz_some_probe(struct world *w, struct pkt *ret)
{
	uint32_t kept = w->sent_count < KEPT ? w->sent_count : KEPT;
	const struct probe *p;

	if (kept == 0)
		return false;
	p = &w->sent[rd_u8(&w->in) % kept];
	*ret = (struct pkt){ .src = p->src,
		.dst = p->dst,
		.proto = p->proto,
		.ttl = 1,
		.l4 = true,
		.frag = p->frag,
		.frag_off = p->frag_off,
		.ip_id = p->frag ? p->frag_id : p->ip_id,
		.flow = p->flow,
		.sport = p->sport,
		.dport = p->dport,
		.ip_len = (uint16_t)probe_size(p) };
	if (p->proto == IPPROTO_UDP) {
		ret->udp.csum = p->csum;
	} else if (p->proto != IPPROTO_TCP) {
		ret->icmp.kind = p->icmp_type == ICMP4_TIME ? ICMP_KIND_TIME : ICMP_KIND_ECHO;
		ret->icmp.seq = p->icmp_seq;
	}
	if (rd_u8(&w->in) % 8 == 0) {
		ret->ip_id = rd_u16(&w->in);
		ret->dport = rd_u16(&w->in);
	}
	return true;
}

static void
event_error(struct world *w)
{
	static const struct {
		uint8_t kind, type4, type6;
	} errors[] = { { ICMP_KIND_EXCEEDED, 11, 3 }, { ICMP_KIND_UNREACH, 3, 1 },
		{ ICMP_KIND_TOO_BIG, 3, 2 }, { ICMP_KIND_PARAM, 12, 4 } };
	struct pkt quoted, p = { .l4 = true, .ttl = 60, .ip_len = 56 };
	struct reply r = { .pkt = &p, .quoted = &quoted };
	uint8_t which = rd_u8(&w->in);

	if (!fuzz_some_probe(w, &quoted))
		return;
	p.src = quoted.dst;
	if (which % 4 != 3)
		p.src.b[0] = rd_u8(&w->in) % 32;
	p.proto = p.src.family == ADDR_IP6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	p.icmp.kind = errors[which / 4 % 4].kind;
	p.icmp.type = p.src.family == ADDR_IP6 ? errors[which / 4 % 4].type6 : errors[which / 4 % 4].type4;
	p.icmp.code = p.icmp.kind == ICMP_KIND_TOO_BIG && p.src.family == ADDR_IP4 ? 4 : rd_u8(&w->in) % 16;
	p.icmp.nhmtu = which >= 128 ? rd_u16(&w->in) : rd_u32(&w->in);
	r.rx = w->now.wall + (int32_t)rd_u32(&w->in);
	w->task->ops->reply(w->task, &r, &w->now);
}

static void
event_sent(struct world *w)
{
	struct pkt p;

	if (fuzz_some_probe(w, &p))
		w->task->ops->sent(w->task, &p, w->now.wall - rd_u16(&w->in));
}

static void
event_later(struct world *w)
{
	nsec_t by = rd_u32(&w->in);

	w->now.mono += by;
	w->now.wall += by;
}

static void
event_direct(struct world *w)
{
	w->kind->direct(w);
}

static void
run(struct world *w)
{
	static void (*const events[])(struct world *) = { event_probe, event_timeout, event_error,
		event_direct, event_sent, event_later, event_probe, event_error };

	w->task->state = TASK_RUNNING;
	w->task->ops->start(w->task, &w->now);
	for (int i = 0; i < EVENTS_MAX && w->task->state == TASK_RUNNING && rd_left(&w->in) > 0; i++) {
		must(w->ready || w->armed); /* or it would hang */
		events[rd_u8(&w->in) % 8](w);
	}
	must(w->task->state == TASK_DONE || w->ready || w->armed);
	if (w->task->state == TASK_RUNNING)
		w->task->ops->halt(w->task, &w->now);
	must(w->task->state == TASK_DONE);
}

static void
check_written(const struct meas_type *type, const void *rec)
{
	struct buf out;

	buf_init(&out, 64 << 20);
	must(warts_write(&out, type->record, rec, NULL) == 0);
	buf_fini(&out);
}

static void
run_to_the_end(struct world *w, struct meas *m)
{
	const struct meas_type *type = w->kind->type;

	w->task = &m->task;
	run(w);
	w->kind->check(type->result(m));
	check_written(type, type->result(m));
	type->free(m);
}

int
fuzz_meas(const struct fuzz_meas *kind, const uint8_t *data, size_t size)
{
	static struct world w;
	const struct meas_type *type = kind->type;
	struct meas_env env = { .owner = "fuzz" };
	const uint8_t *nul = size == 0 ? NULL : memchr(data, 0, size);
	struct meas *m = NULL;
	struct errbuf err;

	if (nul == NULL)
		return 0;
	if (type->shared_new != NULL && (env.shared = type->shared_new()) == NULL)
		return 0;
	w.kind = kind;
	w.now = (struct instant){ 1000 * NSEC_PER_SEC, 1700000000 * NSEC_PER_SEC };
	w.ready = w.armed = false;
	w.sent_count = 0;
	w.random = (uint32_t)size;
	world = &w;
	if (type->parse(type, &env, (const char *)data, &m, &err) == 0) {
		rd_init(&w.in, nul + 1, (size_t)(data + size - nul) - 1);
		run_to_the_end(&w, m);
	}
	if (type->shared_free != NULL)
		type->shared_free(env.shared);
	return 0;
}

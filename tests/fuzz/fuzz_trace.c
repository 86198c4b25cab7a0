#include "fuzz.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "common/packet/probe.h"
#include "common/rd.h"
#include "proto/record/trace.h"
#include "workerd/meas/meas.h"

/*
 * A trace, and a network that does what the input says. Up to the first NUL it
 * is the command; then come events, one byte and what they need. The engine is
 * this file: it owns no socket, so every order of events can be tried.
 */

extern const struct meas_type trace_type;

#define KEPT 32        /* probes that may be quoted */
#define EVENTS_MAX 400 /* in one run */

struct world {
	struct task *task;
	struct instant now;
	struct rd in;
	struct probe sent[KEPT];
	uint32_t sent_count;
	bool ready;
	bool armed;
	nsec_t deadline;
	uint32_t random;
	uint8_t packet[66000];
};

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
	const struct trace_record *rec = trace_type.result((struct meas *)t);

	must(rec->stop_reason == TRACE_STOP_INPROGRESS);
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

/* The packet of a probe as it was, or nearly. */
static bool
some_probe(struct world *w, struct pkt *ret)
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
		ret->icmp.kind = ICMP_KIND_ECHO;
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

	if (!some_probe(w, &quoted))
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
event_direct(struct world *w)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6 };
	const struct trace_record *rec = trace_type.result((struct meas *)w->task);
	struct pkt p = {
		.l4 = true, .ttl = 60, .ip_len = 40, .src = rec->dst, .proto = protos[rd_u8(&w->in) % 4]
	};
	struct reply r = { .pkt = &p, .rx = w->now.wall };

	if (p.proto == IPPROTO_UDP && rd_u8(&w->in) % 2) {
		p.src = *task_nameserver(w->task);
		p.sport = 53;
		p.dport = 50000;
		p.payload_len = rd_u8(&w->in);
		p.payload = rd_take(&w->in, p.payload_len);
		p.payload_len = p.payload == NULL ? 0 : p.payload_len;
	} else if (p.proto != IPPROTO_TCP) {
		p.icmp.kind = ICMP_KIND_ECHO_REPLY;
		p.icmp.seq = rd_u8(&w->in);
	}
	w->task->ops->reply(w->task, &r, &w->now);
}

static void
event_sent(struct world *w)
{
	struct pkt p;

	if (some_probe(w, &p))
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
check_leg(const struct trace_leg *leg)
{
	for (uint16_t i = 0; i < leg->reply_count; i++)
		must(leg->replies[i].probe < leg->probe_count);
	for (uint16_t i = 0; i < leg->probe_count; i++)
		must(leg->probes[i].ttl > 0);
}

static void
check_record(const struct trace_record *rec)
{
	must(rec->stop_reason > TRACE_STOP_NONE && rec->stop_reason < TRACE_STOP_INPROGRESS);
	check_leg(&rec->leg);
	for (uint16_t i = 0; i < rec->leg.reply_count; i++)
		must(rec->leg.probes[rec->leg.replies[i].probe].ttl <= rec->hop_count);
	if (rec->rare == NULL || rec->rare->pmtud == NULL)
		return;
	check_leg(&rec->rare->pmtud->leg);
	for (uint8_t i = 0; i < rec->rare->pmtud->note_count; i++)
		must(rec->rare->pmtud->notes[i].reply == TRACE_NOTE_NO_REPLY ||
		     rec->rare->pmtud->notes[i].reply < rec->rare->pmtud->leg.reply_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	struct meas_env env = { .owner = "fuzz" };
	const uint8_t *nul = size == 0 ? NULL : memchr(data, 0, size);
	struct meas *m = NULL;
	struct errbuf err;

	if (nul == NULL)
		return 0;
	env.shared = trace_type.shared_new();
	w.now = (struct instant){ 1000 * NSEC_PER_SEC, 1700000000 * NSEC_PER_SEC };
	w.ready = w.armed = false;
	w.sent_count = 0;
	w.random = (uint32_t)size;
	world = &w;
	if (env.shared != NULL && trace_type.parse(&trace_type, &env, (const char *)data, &m, &err) == 0) {
		rd_init(&w.in, nul + 1, (size_t)(data + size - nul) - 1);
		w.task = &m->task;
		run(&w);
		check_record(trace_type.result(m));
		trace_type.free(m);
	}
	trace_type.shared_free(env.shared);
	return 0;
}

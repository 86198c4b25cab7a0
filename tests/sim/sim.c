#include "sim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "path.h"
#include "topo.h"

/* An arbitrary instant: a simulation is the same today and tomorrow. */
#define START_WALL (1700000000LL * NSEC_PER_SEC + 123456789)
#define START_MONO (1000 * NSEC_PER_SEC)
/* A probe is seen leaving so long after it was handed over. */
#define TX_LAG (5 * NSEC_PER_USEC)
#define IFNAME "sim0"

#define SPORT 40000
#define ICMP_ID 0x1234

/* No measurement takes longer, nor makes so many wake-ups. */
#define TIME_MAX (48 * 3600 * NSEC_PER_SEC)
#define TYPES_MAX 32

enum event_kind {
	EVENT_PACKET,
	EVENT_SENT,
	EVENT_HALT,
};

struct event {
	nsec_t at; /* mono */
	uint64_t order;
	enum event_kind kind;
	uint8_t *bytes;
	size_t len;
};

struct sim {
	struct topo topo;
	struct engine *engine;
	struct source source;
	nsec_t now; /* since the beginning */
	nsec_t set; /* by how much the wall clock was */
	uint64_t rng;
	/* events: a heap by time, then order */
	struct event *heap;
	uint32_t heap_count;
	uint32_t heap_cap;
	uint64_t order;
	/* what left */
	struct sim_packet *sent;
	uint32_t sent_count;
	uint32_t sent_cap;
	uint32_t tries; /* sends asked for, for "refuse" */
	/* measurements: added, taken, ended */
	struct meas **queue;
	uint32_t queue_count;
	uint32_t queue_cap;
	uint32_t taken;
	struct meas **ended;
	uint32_t ended_count;
	uint32_t ended_cap;
	void *shared[TYPES_MAX];
	uint32_t progress;
	int32_t ports_held;
	struct addr via;
	sim_hook hook;
	void *hook_ctx;
	struct buf json;
	char field[256];
	struct errbuf refusal;
};

/* Room for one more in an array that doubles. */
static void *
grown(void *p, uint32_t count, uint32_t *cap, size_t size)
{
	if (count < *cap)
		return p;
	*cap = *cap == 0 ? 16 : *cap * 2;
	p = realloc(p, *cap * size);
	assert_non_null(p);
	return p;
}

static struct instant
instant(const struct sim *s)
{
	return (struct instant){ .mono = START_MONO + s->now, .wall = START_WALL + s->now + s->set };
}

/* ---- events ---- */

static bool
earlier(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void
event_add(struct sim *s, nsec_t at, enum event_kind kind, const uint8_t *bytes, size_t len)
{
	struct event e = { .at = at, .order = s->order++, .kind = kind, .len = len };
	uint32_t i;

	if (len > 0) {
		e.bytes = malloc(len);
		assert_non_null(e.bytes);
		memcpy(e.bytes, bytes, len);
	}
	s->heap = grown(s->heap, s->heap_count, &s->heap_cap, sizeof(e));
	for (i = s->heap_count++; i > 0 && earlier(&e, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = e;
}

static struct event
event_take(struct sim *s)
{
	struct event first = s->heap[0], last = s->heap[--s->heap_count];
	uint32_t i = 0, child;

	for (; (child = 2 * i + 1) < s->heap_count; i = child) {
		if (child + 1 < s->heap_count && earlier(&s->heap[child + 1], &s->heap[child]))
			child++;
		if (!earlier(&s->heap[child], &last))
			break;
		s->heap[i] = s->heap[child];
	}
	s->heap[i] = last;
	return first;
}

/* ---- the engine's way out ---- */

static uint32_t
io_random(void *ctx)
{
	struct sim *s = ctx;

	s->rng ^= s->rng << 13;
	s->rng ^= s->rng >> 7;
	s->rng ^= s->rng << 17;
	return (uint32_t)(s->rng >> 16);
}

static void
arrive(void *ctx, nsec_t after, const uint8_t *bytes, size_t len)
{
	struct sim *s = ctx;

	event_add(s, s->now + TX_LAG + after, EVENT_PACKET, bytes, len);
}

static void
packet_leaves(struct sim *s, const struct engine_packet *p)
{
	const struct path_out out = { .ctx = s, .arrive = arrive, .random = io_random };
	struct sim_packet *k;

	s->sent = grown(s->sent, s->sent_count, &s->sent_cap, sizeof(*s->sent));
	k = &s->sent[s->sent_count++];
	*k = (struct sim_packet){ .to = p->to, .at = s->now, .len = p->len, .bytes = malloc(p->len) };
	assert_non_null(k->bytes);
	memcpy(k->bytes, p->bytes, p->len);
	assert_int_equal(pkt_parse(&k->pkt, k->bytes, k->len), PKT_OK);
	assert_int_equal(k->pkt.ip_len, k->len);
	if (!s->topo.notx)
		event_add(s, s->now + TX_LAG, EVENT_SENT, k->bytes, k->len);
	if (s->hook == NULL || s->hook(s->hook_ctx, s, k))
		path_walk(&s->topo, &k->pkt, k->bytes, k->len, START_WALL + s->now, &out);
}

static int
send_error(struct sim *s, const struct engine_packet *p)
{
	uint32_t nth = ++s->tries;

	for (uint32_t i = 0; i < s->topo.refusal_count; i++) {
		if (s->topo.refusal[i].nth == nth || s->topo.refusal[i].nth == 0)
			return s->topo.refusal[i].err;
	}
	return p->len > s->topo.mtu ? EMSGSIZE : 0;
}

static void
io_send(void *ctx, struct engine_packet *p, uint32_t count)
{
	struct sim *s = ctx;

	for (uint32_t i = 0; i < count; i++) {
		p[i].err = send_error(s, &p[i]);
		if (p[i].err == 0)
			packet_leaves(s, &p[i]);
	}
}

static int
io_route(void *ctx, const struct addr *dst, const struct addr *via, struct route *ret)
{
	struct sim *s = ctx;

	s->via = via != NULL ? *via : (struct addr){ 0 };
	if (s->topo.noroute != 0)
		return -s->topo.noroute;
	*ret =
	    (struct route){ .src = s->topo.here[topo_family(dst->family)], .ifindex = 1, .mtu = s->topo.mtu };
	ret->local = addr_equal(dst, &ret->src);
	return 0;
}

static int
io_hold(void *ctx, uint32_t tenant, uint8_t proto, uint16_t port)
{
	struct sim *s = ctx;

	(void)tenant;
	(void)proto;
	for (uint32_t i = 0; i < s->topo.busy_count; i++) {
		if (s->topo.busy[i] == port)
			return -EADDRINUSE;
	}
	s->ports_held++;
	return 0;
}

static void
io_release(void *ctx, uint8_t proto, uint16_t port)
{
	struct sim *s = ctx;

	(void)proto;
	(void)port;
	s->ports_held--;
}

/* ---- the owner of measurements ---- */

static struct sim *
sim_of(struct source *source)
{
	return (struct sim *)((char *)source - offsetof(struct sim, source));
}

static struct task *
take(struct source *source)
{
	struct sim *s = sim_of(source);
	struct claim claims[8];
	struct meas *m;
	uint32_t n;

	if (s->taken == s->queue_count)
		return NULL;
	m = s->queue[s->taken++];
	m->task.engine = s->engine;
	m->task.source = source;
	n = m->type->claims(m, claims, 8);
	assert_in_range(n, 0, 8);
	assert_int_equal(task_preclaim(&m->task, claims, n), 0);
	return &m->task;
}

static void
finished(struct source *source, struct task *t)
{
	struct sim *s = sim_of(source);

	s->ended = grown(s->ended, s->ended_count, &s->ended_cap, sizeof(struct meas *));
	s->ended[s->ended_count++] = (struct meas *)t;
}

static void
progress(struct source *source, struct task *t)
{
	(void)t;
	sim_of(source)->progress++;
}

/* ---- life ---- */

struct sim *
sim_new(const char *topology)
{
	static const struct source_ops ops = { take, finished, progress };
	struct sim *s = calloc(1, sizeof(*s));
	struct engine_io io = { .ctx = s,
		.send = io_send,
		.route = io_route,
		.port_hold = io_hold,
		.port_release = io_release,
		.random = io_random };
	struct engine_config cfg = { .sport = SPORT, .icmp_id = ICMP_ID };
	struct instant now;

	assert_non_null(s);
	topo_parse(&s->topo, topology);
	s->rng = 0x9e3779b97f4a7c15ULL * (s->topo.seed + 1ULL) | 1;
	cfg.pps = s->topo.pps;
	cfg.hold_s = s->topo.hold_s;
	cfg.nameserver = s->topo.nameserver;
	now = instant(s);
	s->engine = engine_new(&cfg, &io, &now);
	assert_non_null(s->engine);
	source_init(&s->source, s->engine, &ops, 1);
	buf_init(&s->json, 0);
	return s;
}

static uint32_t
type_index(const struct meas_type *type)
{
	uint32_t i = 0;

	while (meas_types[i] != type)
		i++;
	assert_in_range(i, 0, TYPES_MAX - 1);
	return i;
}

void
sim_free(struct sim *s)
{
	for (uint32_t i = 0; i < s->ended_count; i++)
		s->ended[i]->type->free(s->ended[i]);
	for (uint32_t i = 0; i < s->sent_count; i++)
		free(s->sent[i].bytes);
	for (uint32_t i = 0; i < s->heap_count; i++)
		free(s->heap[i].bytes);
	for (uint32_t i = 0; meas_types[i] != NULL; i++) {
		if (s->shared[i] != NULL)
			meas_types[i]->shared_free(s->shared[i]);
	}
	assert_int_equal(engine_running(s->engine), 0);
	assert_int_equal(s->ports_held, 0);
	source_drop(&s->source);
	engine_free(s->engine);
	free(s->ended);
	free(s->queue);
	free(s->sent);
	free(s->heap);
	buf_fini(&s->json);
	free(s);
}

/* ---- running ---- */

/* The method word, as a client's line has it, in front of the options. */
static int
parse(struct sim *s, const char *command, struct meas **ret)
{
	size_t n = strcspn(command, " ");

	for (uint32_t i = 0; meas_types[i] != NULL; i++) {
		const struct meas_type *type = meas_types[i];
		struct meas_env env = { .owner = "sim" };

		if (strlen(type->name) != n || strncmp(type->name, command, n) != 0)
			continue;
		if (s->shared[type_index(type)] == NULL && type->shared_new != NULL)
			s->shared[type_index(type)] = type->shared_new();
		env.shared = s->shared[type_index(type)];
		return type->parse(type, &env, command + n, ret, &s->refusal);
	}
	fail_msg("no measurement in '%s'", command);
	return -EINVAL;
}

void
sim_add(struct sim *s, const char *command)
{
	struct meas *m = NULL;
	int rc = parse(s, command, &m);

	if (rc != 0)
		fail_msg("'%s' was refused: %s", command, s->refusal.text);
	m->task.id = s->queue_count + 1;
	s->queue = grown(s->queue, s->queue_count, &s->queue_cap, sizeof(struct meas *));
	s->queue[s->queue_count++] = m;
	source_wake(&s->source);
}

const char *
sim_refusal(struct sim *s, const char *command)
{
	struct meas *m = NULL;

	s->refusal.text[0] = '\0';
	if (parse(s, command, &m) == 0)
		m->type->free(m);
	return s->refusal.text;
}

/* Ends everything that runs or waits, as a client that vanished would. */
static void
halt_all(struct sim *s)
{
	for (uint32_t i = 0; i < s->taken; i++) {
		struct meas *m = s->queue[i];

		if (m->task.state != TASK_DONE)
			engine_halt(s->engine, &m->task);
	}
}

static void
event_run(struct sim *s, const struct event *e)
{
	struct instant now = instant(s);

	if (e->kind == EVENT_HALT)
		halt_all(s);
	else if (e->kind == EVENT_SENT)
		engine_departed(s->engine, e->bytes, e->len, now.mono);
	else
		engine_input(s->engine, e->bytes, e->len, now.mono, IFNAME, &now);
	free(e->bytes);
}

/* The next instant at which something happens. */
static void
step(struct sim *s)
{
	struct instant now = instant(s);
	nsec_t wake = engine_run(s->engine, &now);

	if (s->ended_count == s->queue_count)
		return;
	wake = wake == INT64_MAX ? INT64_MAX : wake - START_MONO;
	if (s->heap_count > 0 && s->heap[0].at <= wake) {
		struct event e = event_take(s);

		s->now = e.at > s->now ? e.at : s->now;
		event_run(s, &e);
		return;
	}
	if (wake == INT64_MAX)
		fail_msg("the engine sleeps for ever with measurements that have not ended");
	s->now = wake > s->now ? wake : s->now;
}

void
sim_go(struct sim *s)
{
	nsec_t end = s->now + TIME_MAX;

	while (s->ended_count < s->queue_count) {
		if (s->now > end)
			fail_msg("still running after two days");
		step(s);
	}
}

void
sim_run(struct sim *s, const char *command)
{
	sim_add(s, command);
	sim_go(s);
}

/* ---- what came of it ---- */

uint32_t
sim_ended(const struct sim *s)
{
	return s->ended_count;
}

const void *
sim_result(const struct sim *s, uint32_t n)
{
	assert_in_range(n, 0, s->ended_count - 1);
	return s->ended[n]->type->result(s->ended[n]);
}

const void *
sim_record(const struct sim *s)
{
	return sim_result(s, s->ended_count - 1);
}

const char *
sim_json(struct sim *s)
{
	const struct record_refs refs = { 0 };

	buf_reset(&s->json);
	assert_int_equal(
	    json_write(&s->json, s->ended[s->ended_count - 1]->type->record, sim_record(s), &refs), 0);
	buf_u8(&s->json, 0);
	return (const char *)s->json.p;
}

const char *
sim_field(struct sim *s, const char *key)
{
	char name[64];
	const char *p;
	size_t n;

	(void)snprintf(name, sizeof(name), "\"%s\":", key);
	p = strstr(sim_json(s), name);
	if (p == NULL)
		return NULL;
	p += strlen(name);
	n = *p == '"' ? strcspn(++p, "\"") : *p == '[' ? strcspn(p, "]") + 1 : strcspn(p, ",}");
	(void)snprintf(s->field, sizeof(s->field), "%.*s", (int)n, p);
	return s->field;
}

uint32_t
sim_sent(const struct sim *s)
{
	return s->sent_count;
}

const struct sim_packet *
sim_packet(const struct sim *s, uint32_t n)
{
	if (n >= s->sent_count)
		fail_msg("packet %u of %u", n, s->sent_count);
	return &s->sent[n];
}

nsec_t
sim_now(const struct sim *s)
{
	return s->now;
}

uint32_t
sim_progress(const struct sim *s)
{
	return s->progress;
}

const struct addr *
sim_route_via(const struct sim *s)
{
	return &s->via;
}

uint32_t
sim_ports_held(const struct sim *s)
{
	return (uint32_t)s->ports_held;
}

void
sim_halt_at(struct sim *s, nsec_t at)
{
	event_add(s, at, EVENT_HALT, NULL, 0);
}

void
sim_inject(struct sim *s, nsec_t at, const uint8_t *bytes, uint16_t len)
{
	event_add(s, at, EVENT_PACKET, bytes, len);
}

void
sim_set_clock(struct sim *s, nsec_t by)
{
	s->set += by;
}

void
sim_default_ports(struct sim *s, uint32_t ports)
{
	const struct share_config cfg = { .weight = 1, .ports = ports };

	share_configure(s->engine, engine_share(s->engine), &cfg);
}

void
sim_on_send(struct sim *s, sim_hook hook, void *ctx)
{
	s->hook = hook;
	s->hook_ctx = ctx;
}

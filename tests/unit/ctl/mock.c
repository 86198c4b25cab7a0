#include "tests/unit/ctl/mock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/strnum.h"
#include "proto/record/ping.h"

enum mock_kind { MOCK_NOW, MOCK_WAIT, MOCK_STEP };

struct mock {
	struct meas m;
	struct ping_record rec;
	enum mock_kind kind;
	uint32_t steps;
};

int mock_alive;

static struct mock *
mock_of(struct task *t)
{
	return (struct mock *)t;
}

static void
end(struct task *t, uint8_t reason)
{
	mock_of(t)->rec.stop_reason = reason;
	task_unwait(t);
	task_done(t);
}

static void
on_start(struct task *t, const struct instant *now)
{
	struct mock *k = mock_of(t);

	k->rec.start = now->wall;
	if (k->kind == MOCK_NOW)
		end(t, PING_STOP_COMPLETED);
	else if (k->kind == MOCK_WAIT)
		task_wait(t, now->mono + 3600 * NSEC_PER_SEC);
	else
		task_want_probe(t);
}

static bool
on_probe(struct task *t, struct probe *p, const struct instant *now)
{
	struct mock *k = mock_of(t);

	(void)now;
	(void)p;
	if (k->steps == 0) {
		end(t, PING_STOP_COMPLETED);
		return false;
	}
	k->steps--;
	k->rec.stop_reason = PING_STOP_INPROGRESS;
	task_progress(t);
	task_want_probe(t);
	return false;
}

static void
on_timeout(struct task *t, const struct instant *now)
{
	(void)now;
	end(t, PING_STOP_COMPLETED);
}

static void
on_refused(struct task *t, int err, const struct instant *now)
{
	(void)now;
	mock_of(t)->rec.stop_data = (uint8_t)err;
	end(t, PING_STOP_ERROR);
}

static void
on_halt(struct task *t, const struct instant *now)
{
	(void)now;
	end(t, PING_STOP_HALTED);
}

static const struct task_ops ops = {
	.start = on_start, .probe = on_probe, .timeout = on_timeout, .refused = on_refused, .halt = on_halt
};

static int
parse(const struct meas_type *type, enum mock_kind kind, uint32_t steps, const char *target,
    struct meas **ret, struct errbuf *err)
{
	struct mock *k;
	struct addr dst;

	if (*target == '\0')
		return errbuf_set(err, -EINVAL, "expected address to %s", type->name);
	if (addr_parse(target, &dst) != 0)
		return errbuf_set(err, -EINVAL, "invalid destination address");
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return errbuf_set(err, -ENOMEM, "out of memory");
	task_init(&k->m.task, &ops, 0);
	k->m.type = type;
	k->kind = kind;
	k->steps = steps;
	k->rec.dst = k->rec.src = dst;
	mock_alive++;
	*ret = &k->m;
	return 0;
}

static int
parse_now(const struct meas_type *type, struct meas_env *env, const char *text, struct meas **ret,
    struct errbuf *err)
{
	(void)env;
	return parse(type, MOCK_NOW, 0, text, ret, err);
}

static int
parse_wait(const struct meas_type *type, struct meas_env *env, const char *text, struct meas **ret,
    struct errbuf *err)
{
	(void)env;
	return parse(type, MOCK_WAIT, 0, text, ret, err);
}

static int
parse_step(const struct meas_type *type, struct meas_env *env, const char *text, struct meas **ret,
    struct errbuf *err)
{
	size_t n = strspn(text, "0123456789");
	char digits[8];
	uint32_t steps;

	(void)env;
	if (n >= sizeof(digits) || text[n] != ' ')
		return errbuf_set(err, -EINVAL, "could not parse step command");
	memcpy(digits, text, n);
	digits[n] = '\0';
	if (strnum_u32(digits, 0, 100, &steps) != 0)
		return errbuf_set(err, -EINVAL, "steps must be within 0 - 100");
	return parse(type, MOCK_STEP, steps, text + n + 1, ret, err);
}

static const struct meas_type type_hold;

static uint32_t
claims(const struct meas *m, struct claim *ret, uint32_t max)
{
	const struct mock *k = (const struct mock *)m;

	/* All of one target take each other's replies. */
	if (max == 0)
		return 0;
	*ret = (struct claim){ .remote = k->rec.dst, .proto = IPPROTO_ICMP, .local_port = 1, .remote_hi = 65535 };
	return m->type == &type_hold ? 1 : 0;
}

static const void *
result(const struct meas *m)
{
	return &((const struct mock *)m)->rec;
}

static void
mock_free(struct meas *m)
{
	if (m == NULL)
		return;
	mock_alive--;
	ping_record_fini(&((struct mock *)m)->rec);
	free(m);
}

static const struct arg_spec no_args[] = { { 0 } };

static const struct meas_type type_hold = { .name = "hold", .args = no_args, .record = &ping_record_type,
	.parse = parse_wait, .claims = claims, .result = result, .free = mock_free };
/* One shared set, of the name "set". */
static void *
shared_new(void)
{
	return malloc(1);
}

static int
shared_clear(void *shared, const char *name)
{
	(void)shared;
	return strcmp(name, "set") == 0 ? 0 : -ENOENT;
}

static const struct meas_type type_now = { .name = "now", .args = no_args, .record = &ping_record_type,
	.parse = parse_now, .claims = claims, .result = result, .free = mock_free, .shared_new = shared_new,
	.shared_free = free, .shared_clear = shared_clear };
static const struct meas_type type_step = { .name = "step", .args = no_args, .record = &ping_record_type,
	.parse = parse_step, .claims = claims, .result = result, .free = mock_free };
static const struct meas_type type_wait = { .name = "wait", .args = no_args, .record = &ping_record_type,
	.parse = parse_wait, .claims = claims, .result = result, .free = mock_free };

const struct meas_type *const mock_types[] = { &type_hold, &type_now, &type_step, &type_wait, NULL };

/* ---- the network ---- */

static void
net_send(void *ctx, struct engine_packet *p, uint32_t count)
{
	struct mock_net *net = ctx;

	for (uint32_t i = 0; i < count; i++)
		p[i].err = 0;
	net->sent += count;
}

static int
net_route(void *ctx, const struct addr *dst, const struct addr *via, struct route *ret)
{
	(void)ctx;
	(void)via;
	*ret = (struct route){ .src = *dst, .ifindex = 1, .mtu = 1500 };
	return 0;
}

static int
net_port_hold(void *ctx, uint32_t tenant, uint8_t proto, uint16_t port)
{
	(void)ctx;
	(void)tenant;
	(void)proto;
	(void)port;
	return 0;
}

static void
net_port_release(void *ctx, uint8_t proto, uint16_t port)
{
	(void)ctx;
	(void)proto;
	(void)port;
}

static uint32_t
net_random(void *ctx)
{
	struct mock_net *net = ctx;

	net->seed = net->seed * 1664525 + 1013904223;
	return net->seed;
}

int
mock_net_init(struct mock_net *net, uint32_t pps)
{
	struct engine_config cfg = { .pps = pps, .sport = 40000, .icmp_id = 7 };
	struct engine_io io = { net, net_send, net_route, net_port_hold, net_port_release, net_random };

	*net = (struct mock_net){ .now = { 1000 * NSEC_PER_SEC, 1700000000 * NSEC_PER_SEC } };
	net->engine = engine_new(&cfg, &io, &net->now);
	return net->engine == NULL ? -ENOMEM : 0;
}

void
mock_net_fini(struct mock_net *net)
{
	engine_free(net->engine);
}

void
mock_net_run(struct mock_net *net, nsec_t advance)
{
	net->now.mono += advance;
	net->now.wall += advance;
	for (int i = 0; i < 10000 && engine_run(net->engine, &net->now) <= net->now.mono; i++)
		;
}

void
mock_lines(char *to, size_t cap, const char *line)
{
	size_t len = strlen(line), at = 0;

	for (; cap - at > len; at += len)
		memcpy(to + at, line, len);
	to[at] = '\0';
}

void
mock_net_wake(void *ctx)
{
	((struct mock_net *)ctx)->wakes++;
}

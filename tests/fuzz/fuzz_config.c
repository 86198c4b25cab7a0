#include "fuzz.h"

#include <stddef.h>
#include <string.h>

#include "common/conf.h"
#include "tests/unit/ctl/mock.h"
#include "workerd/ctl/session.h"
#include "workerd/probe/engine.h"
#include "workerd/slice/slice.h"

/*
 * An operator's session, which hands configurations over while others measure.
 * The first byte says how many of those there are. Property: whatever holds in
 * the end, each client is counted in one slice, and each task where its client
 * is; nothing that was there before is looked at any more.
 */

#define OTHERS 4
#define TASKS 3

struct crowd {
	struct mock_net net;
	struct conf conf;
	struct session_env env;
	struct session s[OTHERS + 1]; /* 0: the operator */
	uint32_t count;
};

static void
on_attend(struct session *s)
{
	(void)s;
}

static void
on_slices(struct session_env *env)
{
	struct crowd *c = (struct crowd *)((char *)env - offsetof(struct crowd, env));

	for (uint32_t i = 0; i < c->count; i++)
		session_identify(&c->s[i], i == 0 ? 0 : (uid_t)i, (const gid_t[]){ 10 }, 1);
}

static void
say(struct session *s, const char *text, size_t len)
{
	char *bytes = malloc(len + 1);
	size_t used = 0;

	must(bytes != NULL);
	memcpy(bytes, text, len);
	while (used < len && !s->cut && !s->closing) {
		size_t n = session_input(s, bytes + used, len - used);

		session_sent(s, session_unsent(s));
		if (n == 0)
			break;
		used += n;
	}
	free(bytes);
}

static void
enter(struct crowd *c)
{
	static const char work[] = "attach\nwait 192.0.2.1\nwait 192.0.2.2\nwait 192.0.2.3\n";
	struct session *s = &c->s[c->count++];

	session_init(s, &c->env, "fuzz");
	s->attend = on_attend;
	session_identify(s, c->count == 1 ? 0 : (uid_t)(c->count - 1), (const gid_t[]){ 10 }, 1);
	if (c->count > 1)
		say(s, work, sizeof(work) - 1);
}

static void
check(struct crowd *c)
{
	uint32_t clients = 0, running = 0, parts = 0;

	for (uint32_t i = 0; i < slices_count(c->env.slices); i++) {
		const struct slice *s = slices_get(c->env.slices, i);
		const struct share *sh = session_env_share(&c->env, s);

		must(s->number == i && sh->cfg.weight == s->conf->share);
		must(sh->running <= s->running);
		parts += share_part(c->net.engine, sh);
		clients += s->clients;
		running += s->running;
	}
	must(clients == c->count);
	must(running == (c->count - 1) * TASKS);
	must(parts <= engine_config_get(c->net.engine)->pps);
}

static void
leave(struct crowd *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		while (!session_drop(&c->s[i], 100))
			;
		session_fini(&c->s[i]);
	}
	must(mock_alive == 0);
	must(engine_running(c->net.engine) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct crowd c;
	struct ctl_config cfg = { .types = mock_types, .version = "1", .hostname = "h", .pid = 1, .uid = 990,
		.wake = mock_net_wake, .ctx = &c.net, .conf = &c.conf };

	if (size == 0)
		return 0;
	if (c.net.engine == NULL)
		must(mock_net_init(&c.net, 100000) == 0);
	conf_init(&c.conf);
	c.count = 0;
	must(session_env_init(&c.env, &cfg, c.net.engine) == 0);
	c.env.on_slices = on_slices;
	for (uint32_t i = 0; i <= data[0] % (OTHERS + 1); i++)
		enter(&c);
	mock_net_run(&c.net, NSEC_PER_MSEC);
	say(&c.s[0], (const char *)data + 1, size - 1);
	/* "attach" and "shutdown" are an operator's words as well. */
	mock_net_run(&c.net, NSEC_PER_MSEC);
	if (c.s[0].attach == NULL)
		check(&c);
	leave(&c);
	session_env_fini(&c.env);
	return 0;
}

#include "fuzz.h"

#include <string.h>

#include "proto/line.h"
#include "tests/unit/ctl/mock.h"
#include "workerd/ctl/session.h"

/*
 * A whole session: what a client sends, in pieces, against an engine that
 * answers at once. The first byte says how large the pieces are and whether the
 * client reads between them. Property: no crash; what comes back is well-formed
 * and bounded; every accepted id gets exactly one result, or the session is cut.
 */

struct client {
	struct mock_net *net;
	struct session_env env;
	struct session s;
	uint32_t accepted;
	uint32_t results;
	bool ids; /* each block of a result has named its task */
};

static void
on_attend(struct session *s)
{
	(void)s;
}

/* One line of what the session says; returns where the next begins. */
static const char *
hear_line(struct client *c, const char *p, const char *end)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p));
	char line[1024];
	struct reply_line r;

	must(nl != NULL && (size_t)(nl - p) < sizeof(line));
	memcpy(line, p, (size_t)(nl - p));
	line[nl - p] = '\0';
	must(reply_parse(line, &r) == 0);
	if (r.kind == REPLY_LINE_OK && r.id != 0)
		must(r.id == ++c->accepted);
	if (r.kind != REPLY_LINE_DATA)
		return nl + 1;
	must(r.length > 0 && r.length <= (size_t)(end - nl - 1));
	must(nl[r.length] == '\n');
	if (r.id != 0) {
		must(r.id <= c->accepted);
		c->ids = true;
		c->results += !r.inprogress;
	}
	return nl + 1 + r.length;
}

static void
hear(struct client *c)
{
	struct session *s = &c->s;
	const char *p = (const char *)s->out.p + s->sent, *end = p + session_unsent(s);

	if (s->cut || session_unsent(s) == 0)
		return;
	while (p < end)
		p = hear_line(c, p, end);
	session_sent(s, session_unsent(s));
}

static void
feed(struct client *c, const uint8_t *data, size_t size)
{
	size_t piece = size == 0 ? 1 : 1 + (data[0] & 0x7f) * 4u, have = 0, used;
	bool reads = size == 0 || (data[0] & 0x80) == 0;
	char *bytes = malloc(size + 1);

	for (size_t at = 1; bytes != NULL && at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		memcpy(bytes + have, data + at, n);
		used = session_input(&c->s, bytes, have + n);
		must(used <= have + n);
		have = have + n - used;
		memmove(bytes, bytes + used, have);
		mock_net_run(c->net, NSEC_PER_MSEC);
		must(c->s.out.len <= CTL_OUT_MAX);
		if (reads)
			hear(c);
	}
	free(bytes);
}

/* All that still runs ends by itself within the hour; what waits for it then
 * runs for an hour, too. */
static void
finish(struct client *c)
{
	for (int i = 0; i < 10000 && mock_alive > 0 && !c->s.cut; i++) {
		mock_net_run(c->net, 3601 * NSEC_PER_SEC);
		hear(c);
	}
	hear(c);
	if (!c->s.cut) {
		must(mock_alive == 0);
		must(!c->ids || c->results == c->accepted);
	}
	while (!session_drop(&c->s, 100))
		;
	must(mock_alive == 0);
	must(engine_running(c->net->engine) == 0);
}

/* An engine is large, and each run leaves it empty: it serves many. Not for
 * ever, because every run is an hour of its clock. */
static struct mock_net *
some_net(void)
{
	static struct mock_net net;
	static uint32_t runs;

	if (runs++ % 1024 == 0) {
		mock_net_fini(&net);
		must(mock_net_init(&net, 100000) == 0);
	}
	return &net;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client c = { .net = some_net() };
	struct ctl_config cfg = { .types = mock_types, .version = "1", .hostname = "h", .pid = 1, .uid = 1,
		.wake = mock_net_wake, .ctx = c.net };

	must(session_env_init(&c.env, &cfg, c.net->engine) == 0);
	session_init(&c.s, &c.env, "fuzz:0");
	c.s.attend = on_attend;
	c.s.with_id = true;
	feed(&c, data, size);
	finish(&c);
	session_fini(&c.s);
	session_env_fini(&c.env);
	return 0;
}

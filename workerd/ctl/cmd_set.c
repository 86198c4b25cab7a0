#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/addr.h"
#include "common/log.h"
#include "common/strnum.h"
#include "workerd/ctl/cmd.h"
#include "workerd/ctl/session.h"
#include "workerd/probe/engine.h"

#define PPS_MAX 1000000
#define WINDOW_MAX 65535
#define HOLDTIME_MAX 60

/* A number in its range, or the reply that says what is wrong. */
static bool
number(struct session *s, const char *name, const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	int64_t v;

	if (*text == '\0') {
		session_reply(s, "ERR set %s requires argument", name);
		return false;
	}
	switch (strnum_i64(text, min, max, &v)) {
	case 0:
		*ret = (uint32_t)v;
		return true;
	case -ERANGE:
		session_reply(s, "ERR %s: %s out of range (%u, %u)", name, text, min, max);
		return false;
	default:
		session_reply(s, "ERR set %s argument is not an integer", name);
		return false;
	}
}

static void
apply(struct session *s, const struct engine_config *cfg)
{
	engine_configure(s->env->engine, cfg);
	s->env->cfg.wake(s->env->cfg.ctx);
}

/* The form of DATA headers for whoever connects from now on and does not ask for
 * one at attach. */
static void
set_data(struct session *s, char *rest)
{
	if (strcmp(rest, "id") != 0 && strcmp(rest, "plain") != 0) {
		session_reply(s, "ERR data must be id or plain");
		return;
	}
	s->env->with_id = strcmp(rest, "id") == 0;
	session_reply(s, "OK data %s", rest);
}

static void
set_pps(struct session *s, char *rest)
{
	struct engine_config cfg = *engine_config_get(s->env->engine);
	uint32_t max = s->env->cfg.max_pps != 0 ? s->env->cfg.max_pps : PPS_MAX;

	/* More than the kernel lets through would only be lost. */
	if (!number(s, "pps", rest, 1, max, &cfg.pps))
		return;
	apply(s, &cfg);
	session_reply(s, "OK pps %u", cfg.pps);
}

static void
set_window(struct session *s, char *rest)
{
	struct engine_config cfg = *engine_config_get(s->env->engine);

	if (!number(s, "window", rest, 0, WINDOW_MAX, &cfg.window))
		return;
	apply(s, &cfg);
	session_reply(s, "OK window %u", cfg.window);
}

static void
set_holdtime(struct session *s, char *rest)
{
	struct engine_config cfg = *engine_config_get(s->env->engine);

	if (!number(s, "holdtime", rest, 0, HOLDTIME_MAX, &cfg.hold_s))
		return;
	apply(s, &cfg);
	session_reply(s, "OK holdtime %u", cfg.hold_s);
}

static void
set_text(struct session *s, const char *name, char *to, size_t cap, const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len >= cap) {
		session_reply(s, "ERR could not set %s", name);
		return;
	}
	memcpy(to, text, len + 1);
	session_reply(s, "OK");
}

static void
set_command(struct session *s, char *rest)
{
	set_text(s, "command", s->env->command, sizeof(s->env->command), rest);
}

/* Without a text there is none again, as existing programs have it. */
static void
set_monitorname(struct session *s, char *rest)
{
	if (*rest == '\0') {
		s->env->monitor[0] = '\0';
		session_reply(s, "OK");
		return;
	}
	set_text(s, "monitorname", s->env->monitor, sizeof(s->env->monitor), rest);
}

static void
set_nameserver(struct session *s, char *rest)
{
	struct engine_config cfg = *engine_config_get(s->env->engine);

	if (addr_parse_host(rest, &cfg.nameserver, NULL) != 0) {
		session_reply(s, "ERR could not set nameserver");
		return;
	}
	apply(s, &cfg);
	session_reply(s, "OK");
}

/* Sorted. */
static const struct cmd rows[] = {
	{ "command", NULL, NULL, set_command },
	{ "data", NULL, NULL, set_data },
	{ "holdtime", NULL, NULL, set_holdtime },
	{ "monitorname", NULL, NULL, set_monitorname },
	{ "nameserver", NULL, NULL, set_nameserver },
	{ "pps", NULL, NULL, set_pps },
	{ "window", NULL, NULL, set_window },
};

static const struct cmd_verbs verbs = { rows, sizeof(rows) / sizeof(rows[0]),
	"set [command | monitorname | pps | window]", "set " };

void
cmd_set(struct session *s, char *rest)
{
	char *tail, *word = cmd_word(rest, &tail);
	const struct cmd *set = cmd_verb(s, &verbs, word);

	if (set == NULL)
		return;
	if (!session_operator(s))
		session_reply(s, "ERR not permitted: set %s is for operators", word);
	else
		set->run(s, tail);
}

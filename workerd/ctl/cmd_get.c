#include "common/addr.h"
#include "workerd/ctl/cmd.h"
#include "workerd/ctl/session.h"
#include "workerd/probe/engine.h"

static void
get_text(struct session *s, const char *name, const char *value)
{
	if (value[0] == '\0')
		session_reply(s, "OK null %s", name);
	else
		session_reply(s, "OK %s %s", name, value);
}

static const struct engine_config *
engine_cfg(const struct session *s)
{
	return engine_config_get(s->env->engine);
}

static void
get_command(struct session *s, char *rest)
{
	(void)rest;
	get_text(s, "command", s->env->command);
}

/* Replies that existing clients compare do not say it. */
static void
get_error(struct session *s, char *rest)
{
	(void)rest;
	get_text(s, "error", s->why.text);
}

static void
get_holdtime(struct session *s, char *rest)
{
	(void)rest;
	session_reply(s, "OK holdtime %u", engine_cfg(s)->hold_s);
}

static void
get_monitorname(struct session *s, char *rest)
{
	(void)rest;
	get_text(s, "monitorname", s->env->monitor);
}

static void
get_nameserver(struct session *s, char *rest)
{
	char text[ADDR_STRLEN];

	(void)rest;
	get_text(s, "nameserver", addr_format(&engine_cfg(s)->nameserver, text));
}

static void
get_pid(struct session *s, char *rest)
{
	(void)rest;
	session_reply(s, "OK pid %ld", (long)s->env->cfg.pid);
}

static void
get_pps(struct session *s, char *rest)
{
	(void)rest;
	session_reply(s, "OK pps %u", engine_cfg(s)->pps);
}

static void
get_sport(struct session *s, char *rest)
{
	(void)rest;
	session_reply(s, "OK sport %u", share_port(session_share(s), engine_cfg(s)->sport));
}

static void
get_version(struct session *s, char *rest)
{
	(void)rest;
	session_reply(s, "OK version %s", s->env->cfg.version);
}

static void
get_window(struct session *s, char *rest)
{
	(void)rest;
	/* How busy others are is theirs. */
	session_reply(s, "OK window %u/%u",
	    session_operator(s) ? engine_running(s->env->engine) : session_share(s)->running,
	    engine_cfg(s)->window);
}

/* Sorted. */
static const struct cmd rows[] = {
	{ "command", NULL, NULL, get_command },
	{ "error", NULL, NULL, get_error },
	{ "holdtime", NULL, NULL, get_holdtime },
	{ "monitorname", NULL, NULL, get_monitorname },
	{ "nameserver", NULL, NULL, get_nameserver },
	{ "pid", NULL, NULL, get_pid },
	{ "pps", NULL, NULL, get_pps },
	{ "sport", NULL, NULL, get_sport },
	{ "version", NULL, NULL, get_version },
	{ "window", NULL, NULL, get_window },
};

static const struct cmd_verbs verbs = { rows, sizeof(rows) / sizeof(rows[0]),
	"get [command | holdtime | monitorname | nameserver | pid | pps | sport | version | window]",
	"get " };

void
cmd_get(struct session *s, char *rest)
{
	/* One word and nothing behind it: what follows belongs to the name. */
	const struct cmd *get = cmd_verb(s, &verbs, rest);

	if (get != NULL)
		get->run(s, rest);
}

#include "workerd/ctl/cmd.h"
#include "workerd/ctl/session.h"

static void
ask(struct session *s, enum shutdown_mode mode)
{
	if (!session_operator(s)) {
		session_reply(s, "ERR not permitted: shutdown is for operators");
		return;
	}
	session_reply(s, "OK");
	s->env->shutdown = mode;
	if (s->env->on_shutdown != NULL)
		s->env->on_shutdown(s->env);
}

static void
on_cancel(struct session *s, char *rest)
{
	(void)rest;
	ask(s, SHUTDOWN_NONE);
}

static void
on_done(struct session *s, char *rest)
{
	(void)rest;
	ask(s, SHUTDOWN_DONE);
}

static void
on_flush(struct session *s, char *rest)
{
	(void)rest;
	ask(s, SHUTDOWN_FLUSH);
}

static void
on_now(struct session *s, char *rest)
{
	(void)rest;
	ask(s, SHUTDOWN_NOW);
}

/* Sorted. */
static const struct cmd rows[] = {
	{ "cancel", NULL, NULL, on_cancel },
	{ "done", NULL, NULL, on_done },
	{ "flush", NULL, NULL, on_flush },
	{ "now", NULL, NULL, on_now },
};

static const struct cmd_verbs verbs = { rows, sizeof(rows) / sizeof(rows[0]), "[cancel | done | flush | now]",
	"" };

void
cmd_shutdown(struct session *s, char *rest)
{
	const struct cmd *mode = cmd_verb(s, &verbs, rest);

	if (mode != NULL)
		mode->run(s, rest);
}

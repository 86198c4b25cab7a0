#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "workerd/ctl/cmd.h"
#include "workerd/ctl/session.h"

static void
help_all(struct session *s)
{
	const struct meas_type *const *t;

	for (size_t i = 0; i < cmd_count; i++)
		session_reply(s, "INFO %-9s %s", cmds[i].name, cmds[i].help);
	for (t = s->env->cfg.types; *t != NULL; t++)
		session_reply(s, "INFO %-9s a measurement, for an attached session: help %s", (*t)->name, (*t)->name);
	session_reply(s, "OK");
}

/* The options' help, each of its lines behind INFO. */
static void
help_meas(struct session *s, const struct meas_type *type)
{
	struct buf text;
	char *p, *nl;

	buf_init(&text, 0);
	args_help(&text, type->args);
	buf_u8(&text, '\0');
	session_reply(s, "INFO %s [OPTION]... TARGET", type->name);
	for (p = text.failed ? NULL : (char *)text.p; p != NULL && (nl = strchr(p, '\n')) != NULL; p = nl + 1) {
		*nl = '\0';
		session_reply(s, "INFO %s", p);
	}
	session_reply(s, text.failed ? "ERR internal error" : "OK");
	buf_fini(&text);
}

void
cmd_help(struct session *s, char *rest)
{
	char *tail, *word = cmd_word(rest, &tail);
	const struct meas_type *const *t = s->env->cfg.types;
	const struct cmd *cmd = cmd_find(word);

	if (*word == '\0') {
		help_all(s);
		return;
	}
	if (cmd != NULL) {
		session_reply(s, "INFO %s%s%s: %s", cmd->name, cmd->usage[0] == '\0' ? "" : " ", cmd->usage, cmd->help);
		session_reply(s, "OK");
		return;
	}
	while (*t != NULL && strcasecmp((*t)->name, word) != 0)
		t++;
	if (*t == NULL)
		session_reply(s, "ERR unhandled command '%s'", word);
	else
		help_meas(s, *t);
}

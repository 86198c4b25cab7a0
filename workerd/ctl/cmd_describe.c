#include <strings.h>

#include "common/buf.h"
#include "workerd/ctl/cmd.h"
#include "workerd/ctl/session.h"

/*
 * The tables that parse, as JSON: one object a line behind INFO, so that
 * programs need no parser for help texts.
 */

static void
describe_cmd(struct session *s, const struct cmd *cmd)
{
	/* Our own texts: nothing in them needs an escape; a test looks. */
	session_reply(s, "INFO {\"command\":\"%s\",\"kind\":\"control\",\"usage\":\"%s\",\"help\":\"%s\"}",
	    cmd->name, cmd->usage, cmd->help);
}

/* Longer than a reply line may be. */
static void
describe_meas(struct session *s, const struct meas_type *type)
{
	buf_printf(&s->out, "INFO {\"command\":\"%s\",\"kind\":\"measurement\",\"options\":", type->name);
	args_describe(&s->out, type->args);
	buf_text(&s->out, "}\n");
}

void
cmd_describe(struct session *s, char *rest)
{
	const struct meas_type *const *t = s->env->cfg.types;
	char *tail, *word = cmd_word(rest, &tail);
	bool all = *word == '\0', found = all;

	for (size_t i = 0; i < cmd_count; i++) {
		if (!all && strcasecmp(cmds[i].name, word) != 0)
			continue;
		describe_cmd(s, &cmds[i]);
		found = true;
	}
	for (; *t != NULL; t++) {
		if (!all && strcasecmp((*t)->name, word) != 0)
			continue;
		describe_meas(s, *t);
		found = true;
	}
	if (found)
		session_reply(s, "OK");
	else
		session_reply(s, "ERR unhandled command '%s'", word);
}

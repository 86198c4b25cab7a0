#include "workerd/ctl/cmd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/line.h"
#include "workerd/ctl/session.h"

const struct cmd cmds[] = {
	{ "attach", "[KEY VALUE]...", "send measurements and get their results", cmd_attach },
	{ "config", "abort|begin|commit|set WORD VALUE",
	    "another configuration, word by word and in force at once (operators; vantage reload)", cmd_config },
	{ "describe", "[COMMAND|MEASUREMENT]", "the same as help, as JSON for programs", cmd_describe },
	{ "exit", "", "close this connection", cmd_exit },
	{ "get", "command|error|holdtime|monitorname|nameserver|pid|pps|sport|version|window", "show a setting",
	    cmd_get },
	{ "halt", "SOURCE", "end what a source of one's own has now", cmd_halt },
	{ "help", "[COMMAND|MEASUREMENT]", "list the commands, or explain one", cmd_help },
	{ "lss-clear", "NAME", "empty a local stop set of trace (operators)", cmd_lss_clear },
	{ "observe", "sources", "be told of sources that come, change and go", cmd_observe },
	{ "outfile", "close ALIAS|list|open name ALIAS file PATH mode truncate|append [format warts|json|text[.gz|.bz2|.xz]]|swap A B",
	    "output files in the data directory (operators)", cmd_outfile },
	{ "set", "command|data|holdtime|monitorname|nameserver|pps|window VALUE", "change a setting (operators)",
	    cmd_set },
	{ "shutdown", "cancel|done|flush|now", "end the service, or not after all (operators)", cmd_shutdown },
	{ "source", "add KEY VALUE...|cycle NAME|delete NAME|list [NAME]|update NAME KEY VALUE...",
	    "what measurements come from: attached clients, and lists of targets", cmd_source },
	{ "status", "", "what one's slice and sources do, as a line of JSON; operators see all", cmd_status },
};

const size_t cmd_count = sizeof(cmds) / sizeof(cmds[0]);

static int
compare(const void *key, const void *row)
{
	return strcasecmp(key, ((const struct cmd *)row)->name);
}

const struct cmd *
cmd_find(const char *name)
{
	return bsearch(name, cmds, cmd_count, sizeof(cmds[0]), compare);
}

const struct cmd *
cmd_verb(struct session *s, const struct cmd_verbs *verbs, const char *name)
{
	const struct cmd *verb = bsearch(name, verbs->rows, verbs->count, sizeof(verbs->rows[0]), compare);

	if (*name == '\0')
		session_reply(s, "ERR usage: %s", verbs->usage);
	else if (verb == NULL)
		session_reply(s, "ERR unhandled %scommand '%s'", verbs->command, name);
	return verb;
}

char *
cmd_word(char *line, char **ret_rest)
{
	char *end = line + strcspn(line, " ");

	*ret_rest = end;
	if (*end == ' ') {
		*end = '\0';
		*ret_rest = end + 1 + strspn(end + 1, " ");
	}
	return line;
}

/* More than any command has keys. */
#define PAIR_WORDS_MAX 64

bool
cmd_pairs(struct session *s, const struct cmd_pairs *p, char *rest, void *values)
{
	char *words[PAIR_WORDS_MAX];
	int n = line_split(rest, words, PAIR_WORDS_MAX);

	if (n < 0) {
		session_reply(s, "ERR %s", p->unsplit);
		return false;
	}
	for (int i = 0; i < n; i += 2) {
		int rc = i + 1 == n ? -ENOENT : p->set(s, values, words[i], words[i + 1]);

		if (rc == -ENOENT)
			session_reply(s, "ERR %s '%s' failed", p->param, words[i]);
		if (rc != 0)
			return false;
	}
	return true;
}

void
cmd_run(struct session *s, char *line)
{
	char *rest, *word = cmd_word(line, &rest);
	const struct cmd *cmd = cmd_find(word);

	if (cmd == NULL)
		session_reply(s, "ERR unhandled command '%s'", word);
	else
		cmd->run(s, rest);
}

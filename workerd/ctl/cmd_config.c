#include <inttypes.h>
#include <stdlib.h>

#include "common/conf.h"
#include "common/escape.h"
#include "common/log.h"
#include "workerd/ctl/cmd.h"
#include "workerd/ctl/reconf.h"
#include "workerd/ctl/session.h"

/*
 * Another configuration, handed over word by word by who may read the file. It
 * is the session's own until "commit", which takes all of it or nothing; words
 * that were not set have their defaults, as in a file. Users and groups are
 * numbers: no name can be looked up in here.
 */

static void
end(struct session *s)
{
	free(s->staged);
	s->staged = NULL;
}

static void
config_abort(struct session *s, char *rest)
{
	(void)rest;
	end(s);
	session_reply(s, "OK");
}

static void
config_begin(struct session *s, char *rest)
{
	(void)rest;
	if (s->staged == NULL)
		s->staged = malloc(sizeof(*s->staged));
	if (s->staged == NULL) {
		session_reply(s, "ERR config: out of memory");
		return;
	}
	conf_init(s->staged);
	session_reply(s, "OK");
}

static bool
has_begun(struct session *s)
{
	if (s->staged == NULL)
		session_reply(s, "ERR config: begin comes first");
	return s->staged != NULL;
}

/* Bytes that are not printable, and the backslash, come as \xHH. */
static void
config_set(struct session *s, char *rest)
{
	char *value, *word = cmd_word(rest, &value);
	struct errbuf err = { "" };
	char text[ESCAPE_BYTES(sizeof(err.text))];

	if (!has_begun(s))
		return;
	if (unescape_text(value) != 0) {
		session_reply(s, "ERR config: %s: a backslash is \\x5c, as other bytes are \\xHH", word);
		return;
	}
	if (conf_set(s->staged, word, value, &err) == 0) {
		session_reply(s, "OK");
		return;
	}
	(void)escape_text(text, sizeof(text), err.text, "");
	session_reply(s, "ERR config: %s", text);
}

static void
differs(void *ctx, const char *word)
{
	session_reply(ctx, "INFO %s: changed; takes effect after: systemctl restart vantage-privd", word);
}

/* The words that settle may change, as they were asked for. */
struct asked {
	uint32_t pps;
	uint32_t window;
	uint32_t hold_s;
	struct addr nameserver;
};

static void
tell_number(struct session *s, const char *word, uint32_t asked, uint32_t settled)
{
	if (asked != settled)
		session_reply(s,
		    "INFO %s: %" PRIu32 " holds, not %" PRIu32
		    ", by the max-pps of vantage-privd or its command line",
		    word, settled, asked);
}

static void
tell_settled(struct session *s, const struct asked *asked, const struct conf *settled)
{
	char text[ADDR_STRLEN];

	tell_number(s, "pps", asked->pps, settled->pps);
	tell_number(s, "window", asked->window, settled->window);
	tell_number(s, "holdtime", asked->hold_s, settled->hold_s);
	if (!addr_equal(&asked->nameserver, &settled->nameserver))
		session_reply(s, "INFO nameserver: %s holds, by the command line",
		    settled->nameserver.family == ADDR_NONE ? "none"
							    : addr_format(&settled->nameserver, text));
}

static void
config_commit(struct session *s, char *rest)
{
	const struct ctl_config *cfg = &s->env->cfg;
	struct errbuf err = { "" };
	struct asked asked;

	(void)rest;
	if (!has_begun(s))
		return;
	asked = (struct asked){ s->staged->pps, s->staged->window, s->staged->hold_s, s->staged->nameserver };
	if (cfg->settle != NULL)
		cfg->settle(cfg->ctx, s->staged);
	if (reconf_apply(s->env, s->staged, &err) != 0) {
		end(s);
		session_reply(s, "ERR config: %s", err.text);
		return;
	}
	log_info("%s: another configuration holds", s->name);
	tell_settled(s, &asked, s->staged);
	conf_diff(cfg->conf, s->staged, differs, s);
	conf_take_live(cfg->conf, s->staged);
	end(s);
	session_reply(s, "OK");
}

/* Sorted. */
static const struct cmd rows[] = {
	{ "abort", NULL, NULL, config_abort },
	{ "begin", NULL, NULL, config_begin },
	{ "commit", NULL, NULL, config_commit },
	{ "set", NULL, NULL, config_set },
};

static const struct cmd_verbs verbs = { rows, sizeof(rows) / sizeof(rows[0]),
	"config [abort | begin | commit | set]", "config " };

void
cmd_config(struct session *s, char *rest)
{
	char *tail, *word = cmd_word(rest, &tail);
	const struct cmd *verb = cmd_verb(s, &verbs, word);

	if (verb == NULL)
		return;
	if (!session_operator(s))
		session_reply(s, "ERR not permitted: config is for operators");
	else if (s->env->cfg.conf == NULL)
		session_reply(s, "ERR config: this service has no configuration");
	else
		verb->run(s, tail);
}

#include "client/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/service.h"
#include "client/session.h"
#include "client/status.h"
#include "client/ui.h"
#include "common/conf_check.h"
#include "common/escape.h"
#include "vantage-paths.h"

/*
 * The worker cannot open its configuration file any more, nor look users up. So
 * it is read by who wants it to be read again, with that user's rights, and
 * handed over as words, in one piece.
 */

#define ANSWER_TIMEOUT (10 * NSEC_PER_SEC)

static const char *
path_of(const struct opts *o)
{
	return o->operand_count > 0 ? o->operands[0] : VANTAGE_CONF_FILE;
}

/* As a start would read it, where the usual one may be missing; then act has it. */
static int
with_conf(const struct opts *o, int (*act)(const struct opts *, const struct conf *, struct ui *))
{
	struct conf *conf = malloc(sizeof(*conf));
	struct errbuf err = { "" };
	struct ui ui;
	int rc = conf == NULL ? errbuf_set(&err, -ENOMEM, "out of memory")
			      : conf_check(conf, path_of(o), o->operand_count == 0, &err);

	ui_init(&ui, true);
	if (rc != 0)
		ui_say(&ui, "%s", err.text);
	rc = rc == 0 ? act(o, conf, &ui) : rc == -ENOMEM ? STATUS_INTERNAL : STATUS_CONFIG;
	free(conf);
	return rc;
}

static int
check(const struct opts *o, const struct conf *conf, struct ui *ui)
{
	if (conf->pps > conf->max_pps)
		ui_say(ui, "%s: pps %u is more than max-pps: %u is what holds", path_of(o), conf->pps,
		    conf->max_pps);
	(void)printf(
	    "%s: %s\n", path_of(o), access(path_of(o), F_OK) == 0 ? "ok" : "not there: the defaults hold");
	return fflush(stdout) == 0 ? STATUS_OK : STATUS_CREATE;
}

int
check_config_main(const struct opts *o)
{
	return with_conf(o, check);
}

/* ---- reload ---- */

static int
ask(struct session *s, const char *line, int refused, struct errbuf *err)
{
	char reply[128];
	int rc = session_ask(s, line, ANSWER_TIMEOUT, reply, sizeof(reply), err);

	return rc == 0 ? 0 : (rc == -EPROTO ? refused : STATUS_AWAY);
}

/* The words of text, a line each, between begin and commit. A path may have
 * bytes that no line carries. */
static int
hand_over(struct session *s, char *text, struct errbuf *err)
{
	static const char set[] = "config set ";
	char line[LINE_MAX_BYTES + 1], *word;
	int rc = ask(s, "config begin", STATUS_PERMISSION, err);

	while (rc == 0 && (word = strsep(&text, "\n")) != NULL) {
		if (*word == '\0')
			continue;
		memcpy(line, set, sizeof(set));
		(void)escape_text(line + sizeof(set) - 1, sizeof(line) - sizeof(set), word, "\\");
		rc = ask(s, line, STATUS_CONFIG, err);
	}
	return rc != 0 ? rc : ask(s, "config commit", STATUS_CONFIG, err);
}

/* What the service has to say of a word. */
static void
on_info(void *ctx, const char *text)
{
	ui_say(ctx, "%s", text);
}

static const struct session_ops reload_ops = { .info = on_info };

static int
send_conf(const struct opts *o, const struct conf *conf, struct ui *ui, struct errbuf *err)
{
	struct session s = { .fd = -1 };
	struct buf text;
	int fd, rc = service_reach(o, &fd, err);

	if (rc != 0)
		return rc;
	s.fd = fd;
	buf_init(&text, 0);
	conf_put(conf, &text);
	buf_u8(&text, '\0');
	if (text.failed || session_init(&s, fd, &reload_ops, ui, err) != 0)
		rc = errbuf_set(err, STATUS_INTERNAL, "out of memory");
	else
		rc = hand_over(&s, (char *)text.p, err);
	buf_fini(&text);
	session_fini(&s);
	return rc;
}

static int
reload(const struct opts *o, const struct conf *conf, struct ui *ui)
{
	struct errbuf err = { "" };
	int status = send_conf(o, conf, ui, &err);

	if (status != 0)
		ui_say(ui, "%s%s", err.text,
		    status == STATUS_AWAY ? "" : "; the service keeps its configuration");
	/* Their contents are in the kernel: nobody can tell whether they are
	 * still the same. */
	else if (conf->dnp.count > 0)
		ui_say(ui,
		    "dnp: these files are read when vantage-privd starts: what has changed in them takes "
		    "effect after: systemctl restart vantage-privd");
	return status;
}

int
reload_main(const struct opts *o)
{
	return with_conf(o, reload);
}

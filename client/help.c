#include "client/help.h"

#include <stdio.h>
#include <string.h>

#include "client/service.h"
#include "client/session.h"
#include "client/status.h"

#define ANSWER_TIMEOUT (10 * NSEC_PER_SEC)

static void
print_usage(void)
{
	(void)fputs("usage: vantage [OPTION]... FILE            addresses of a file, '-' is standard input\n"
		    "       vantage [OPTION]... -i ADDRESS...   addresses\n"
		    "       vantage [OPTION]... -I COMMAND...   complete commands\n"
		    "       vantage ping|trace [ARGUMENT]...    one command; --help tells its options\n"
		    "       vantage [OPTION]... -U PATH|-P [IP:]PORT  serve clients, as root\n"
		    "       vantage dump [--json|--text] [FILE]...\n"
		    "       vantage status [--json]             how the service is\n"
		    "       vantage top                         the same, live\n"
		    "       vantage check-config [FILE]         is the configuration right?\n"
		    "       vantage reload [FILE]               give it to the running service\n\n",
	    stdout);
	for (const struct opt_spec *s = opt_specs; s->help != NULL; s++) {
		char left[64];

		if (s->kind == OPT_REFUSE)
			continue;
		(void)snprintf(left, sizeof(left), "%s%c%s%s%s %s", s->letter != 0 ? "-" : "  ",
		    s->letter != 0 ? s->letter : ' ', s->letter != 0 && s->name != NULL ? ", " : " ",
		    s->name != NULL ? "--" : "", s->name != NULL ? s->name : "",
		    s->value != NULL ? s->value : "");
		(void)printf("  %-26s %s\n", left, s->help);
	}
	(void)fputs("\nexample: vantage -c 'ping -c 3' -O json -i 192.0.2.1 2001:db8::1\n", stdout);
}

/* Only printable ASCII comes through the session. */
static void
on_info(void *ctx, const char *text)
{
	(void)ctx;
	(void)puts(text);
}

static const struct session_ops help_ops = { .info = on_info };

static int
ask_help(int fd, const char *word, struct errbuf *err)
{
	struct session s = { .fd = -1 };
	char line[32], reply[32];
	int rc = session_init(&s, fd, &help_ops, NULL, err);

	(void)snprintf(line, sizeof(line), "help %s", word);
	if (rc == 0)
		rc = session_ask(&s, line, ANSWER_TIMEOUT, reply, sizeof(reply), err);
	session_fini(&s);
	return rc;
}

/* The table of options is the worker's, so it is asked; but help is no reason to
 * start one. */
static void
print_measurement(const struct opts *o)
{
	const char *word = o->operands[0];
	struct errbuf err = { "" };
	int fd, rc = service_reach(o, &fd, &err);

	if (rc == 0)
		rc = ask_help(fd, word, &err);
	if (rc == 0)
		(void)printf("\nexample: vantage %s 192.0.2.1\nsee also: vantage(1), MEASUREMENTS\n", word);
	else
		(void)printf("vantage %s [OPTION]... ADDRESS: its options are in vantage(1), MEASUREMENTS;\n"
			     "a service that runs would tell them here: %s\n",
		    word, err.text);
}

int
help_main(const struct opts *o)
{
	if (o->mode == MODE_VERB)
		print_measurement(o);
	else
		print_usage();
	return STATUS_OK;
}

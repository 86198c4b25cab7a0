#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/config.h"
#include "client/guard.h"
#include "client/opts.h"
#include "client/run.h"
#include "client/serve.h"
#include "client/status.h"
#include "client/ui.h"
#include "client/watch.h"
#include "common/log.h"
#include "vantage-paths.h"

static void
print_usage(FILE *to)
{
	(void)fputs("usage: vantage [OPTION]... FILE            addresses of a file, '-' is standard input\n"
		    "       vantage [OPTION]... -i ADDRESS...   addresses\n"
		    "       vantage [OPTION]... -I COMMAND...   complete commands\n"
		    "       vantage ping|trace [ARGUMENT]...    one command\n"
		    "       vantage [OPTION]... -U PATH|-P [IP:]PORT  serve clients, as root\n"
		    "       vantage dump [--json|--text] [FILE]...\n"
		    "       vantage status [--json]             how the service is\n"
		    "       vantage top                         the same, live\n"
		    "       vantage check-config [FILE]         is the configuration right?\n"
		    "       vantage reload [FILE]               give it to the running service\n\n",
	    to);
	for (const struct opt_spec *s = opt_specs; s->help != NULL; s++) {
		char left[64];

		if (s->kind == OPT_REFUSE)
			continue;
		(void)snprintf(left, sizeof(left), "%s%c%s%s%s %s", s->letter != 0 ? "-" : "  ",
		    s->letter != 0 ? s->letter : ' ', s->letter != 0 && s->name != NULL ? ", " : " ",
		    s->name != NULL ? "--" : "", s->name != NULL ? s->name : "",
		    s->value != NULL ? s->value : "");
		(void)fprintf(to, "  %-26s %s\n", left, s->help);
	}
	(void)fputs("\nexample: vantage -c 'ping -c 3' -O json -i 192.0.2.1 2001:db8::1\n", to);
}

static int
open_debug(const struct opts *o, struct errbuf *err)
{
	int fd;

	if (o->debug_file == NULL)
		return STATUS_OK;
	fd = open(o->debug_file,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | (o->debug_append ? O_APPEND : O_TRUNC), 0666);
	if (fd < 0)
		return errbuf_set(
		    err, STATUS_CREATE, "cannot create '%s': %s", o->debug_file, strerror(errno));
	log_init("vantage", LOG_LEVEL_DEBUG);
	log_to(fd);
	return STATUS_OK;
}

static int
write_pid(const struct opts *o, struct errbuf *err)
{
	FILE *f;

	/* Who serves writes another process's. */
	if (o->pid_file == NULL || o->mode == MODE_SERVE)
		return STATUS_OK;
	f = fopen(o->pid_file, "we");
	if (f == NULL || fprintf(f, "%ld\n", (long)getpid()) < 0 || fclose(f) != 0)
		return errbuf_set(err, STATUS_CREATE, "cannot create '%s': %s", o->pid_file, strerror(errno));
	return STATUS_OK;
}

/* Those that are not a run. */
static int (*const mains[])(const struct opts *) = {
	[MODE_CHECK_CONFIG] = check_config_main,
	[MODE_DUMP] = dump_main,
	[MODE_RELOAD] = reload_main,
	[MODE_STATUS] = status_main,
	[MODE_TOP] = top_main,
	[MODE_SERVE] = serve_main,
};

static int
run(const struct opts *o)
{
	struct errbuf err;
	struct ui ui;
	int status;

	ui_init(&ui, true);
	log_init("vantage", LOG_LEVEL_ERROR);
	status = open_debug(o, &err);
	if (status == STATUS_OK)
		status = write_pid(o, &err);
	if (status != STATUS_OK) {
		ui_say(&ui, "%s", err.text);
		return status;
	}
	status = mains[o->mode] != NULL ? mains[o->mode](o) : run_main(o);
	if (o->pid_file != NULL)
		(void)unlink(o->pid_file);
	return status;
}

int
main(int argc, char **argv)
{
	struct errbuf err;
	struct opts opts;
	struct ui ui;
	int rc, status;

	if (argc == 2 && strcmp(argv[1], GUARD_WORD) == 0)
		return guard_main();
	tzset();
	ui_init(&ui, true);
	rc = opts_parse(argc, (const char *const *)argv, &opts, &err);
	if (rc == 0 && (opts.help || opts.version)) {
		if (opts.help)
			print_usage(stdout);
		else
			(void)printf("vantage version %s\n", VANTAGE_VERSION);
		opts_fini(&opts);
		return fflush(stdout) == 0 ? STATUS_OK : STATUS_CREATE;
	}
	if (rc == 0)
		rc = opts_check(&opts, &err);
	if (rc != 0) {
		ui_say(&ui, "%s", err.text);
		opts_fini(&opts);
		return rc == -ENOMEM ? STATUS_INTERNAL : STATUS_USAGE;
	}
	status = run(&opts);
	opts_fini(&opts);
	return status;
}

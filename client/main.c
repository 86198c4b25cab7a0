#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/config.h"
#include "client/guard.h"
#include "client/help.h"
#include "client/name.h"
#include "client/opts.h"
#include "client/run.h"
#include "client/serve.h"
#include "client/status.h"
#include "client/ui.h"
#include "client/watch.h"
#include "common/log.h"
#include "vantage-paths.h"

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
		if (!opts.help)
			(void)printf("vantage version %s\n", VANTAGE_VERSION);
		status = opts.help ? help_main(&opts) : STATUS_OK;
		opts_fini(&opts);
		return fflush(stdout) == 0 ? status : STATUS_CREATE;
	}
	if (rc == 0)
		rc = opts_check(&opts, &err);
	if (rc != 0) {
		ui_say(&ui, "%s", err.text);
		opts_fini(&opts);
		return rc == -ENOMEM ? STATUS_INTERNAL : STATUS_USAGE;
	}
	status = opts.mode == MODE_VERB ? name_resolve(&opts, &err) : STATUS_OK;
	if (status == STATUS_OK)
		status = run(&opts);
	else
		ui_say(&ui, "%s", err.text);
	opts_fini(&opts);
	return status;
}

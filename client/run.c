#include "client/run.h"

#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "client/confine.h"
#include "client/private.h"
#include "client/run_priv.h"
#include "client/status.h"
#include "common/log.h"

/* What the run's end means, worst first. */
static int
status_of(const struct run *r)
{
	if (r->broken)
		return STATUS_AWAY;
	if (r->write_failed)
		return STATUS_CREATE;
	if (r->signal != 0)
		return STATUS_SIGNAL + r->signal;
	if (r->feed.bad == 0)
		return STATUS_OK;
	if (r->feed.bad == r->limited)
		return STATUS_LIMIT;
	/* All that the command line asked for was wrong: that is usage, as a wrong
	 * option is. In a list, and beside good ones, it is bad data. */
	return r->opts->mode != MODE_FILE && r->finished == 0 ? STATUS_USAGE : STATUS_DATA;
}

static int
finish(struct run *r)
{
	if (!r->broken)
		results_end_cycle(&r->results, (uint32_t)time(NULL), &r->output.group);
	run_flush(r);
	ui_clear(&r->ui);
	if (r->output.lost > 0)
		ui_say(&r->ui, "%llu records could not be written", (unsigned long long)r->output.lost);
	log_info("run: %llu commands, %llu results, %llu bad lines", (unsigned long long)r->feed.commands,
	    (unsigned long long)r->finished, (unsigned long long)r->feed.bad);
	return status_of(r);
}

/* Stops the run from the keyboard and by kill; a pipe that closes and a file
 * that may not grow are errors of a write, not our death. */
static int
watch_signals(struct run *r)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	r->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->sigfd < 0 ? STATUS_INTERNAL : 0;
}

/* Two seconds' worth: what a ^C finds queued ends without having begun. At a rate
 * for which that is too much, fewer would run out before the first result. */
static uint64_t
queue_of(uint32_t pps)
{
	uint64_t n = (uint64_t)pps * 2;

	if (pps == 0 || n > SESSION_QUEUED_MAX)
		return UINT64_MAX;
	return n < SESSION_QUEUED_MIN ? SESSION_QUEUED_MIN : n;
}

/* The output is opened last: a run that cannot begin leaves the old file. */
static int
open_all(struct run *r, struct errbuf *err)
{
	const struct opts *o = r->opts;
	int rc;

	crowd_init(&r->crowd);
	rc = feed_init(&r->feed, o, &r->ui, err);
	if (rc != 0)
		return rc;
	if (results_init(&r->results, o->format, r->ui.progress) != 0)
		return errbuf_set(err, STATUS_INTERNAL, "out of memory");
	r->results.ui = &r->ui;
	rc = service_connect(o, &r->service, err);
	if (rc != 0)
		return rc;
	if (session_init(&r->session, r->service.fd, &run_session_ops, r, err) != 0)
		return STATUS_INTERNAL;
	r->session.wake_fd = r->sigfd;
	r->session.queued_max = queue_of(o->pps);
	rc = service_attach(&r->service, o, &r->session, err);
	if (rc != 0)
		return rc;
	r->feed.nameless = r->service.nameless;
	if (output_open(&r->output, o->output, o->format, o->comp, r->sigfd, err) != 0)
		return STATUS_CREATE;
	output_guard(&r->output);
	return confine_self(o->pid_file, err) == 0 ? 0 : STATUS_INTERNAL;
}

/* why: what is still to be said of status, or NULL. */
static int
close_all(struct run *r, int status, const char *why)
{
	struct errbuf err;
	int rc, pair = 0;

	session_fini(&r->session);
	if (r->service.pid != 0)
		pair = private_wait(r->service.pid);
	rc = output_close(&r->output);
	if (rc < 0 && status == STATUS_OK)
		status = errbuf_set(&err, STATUS_CREATE, "%s", strerror(-rc));
	results_fini(&r->results);
	feed_fini(&r->feed);
	crowd_fini(&r->crowd);
	idset_fini(&r->running);
	(void)close(r->sigfd);
	/* The pair has said why it ended; its status says more than ours. */
	if ((status == STATUS_AWAY || status == STATUS_OK) && pair >= STATUS_USAGE && pair <= STATUS_CONFIG)
		return pair;
	if (why != NULL)
		ui_say(&r->ui, "%s", why);
	return status == STATUS_OK && pair != 0 ? STATUS_INTERNAL : status;
}

int
run_main(const struct opts *o)
{
	struct run r = {
		.opts = o, .service.fd = -1, .session.fd = -1, .output.fd = -1, .feed.input.fd = -1
	};
	struct errbuf err;
	int status;

	ui_init(&r.ui, o->quiet);
	status = watch_signals(&r);
	if (status == 0)
		status = open_all(&r, &err);
	if (status != 0) {
		r.signal = run_take_signal(&r);
		return close_all(&r, r.signal != 0 ? STATUS_SIGNAL + r.signal : status, err.text);
	}
	run_loop(&r);
	return close_all(&r, finish(&r), NULL);
}

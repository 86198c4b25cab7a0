#include "client/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "client/confine.h"
#include "client/crowd.h"
#include "client/feed.h"
#include "client/idset.h"
#include "client/output.h"
#include "client/private.h"
#include "client/results.h"
#include "client/service.h"
#include "client/session.h"
#include "client/status.h"
#include "client/ui.h"
#include "common/log.h"

#define FLUSH_AFTER (10 * NSEC_PER_MSEC)
#define FLUSH_PACKED_AFTER (2 * NSEC_PER_SEC)
#define HALT_WAIT (3 * NSEC_PER_SEC) /* after ^C, for partial results */

/* The results of many tasks are left to gather, as many as fit into the socket:
 * to wake up costs more than to take in a dozen of them. */
#define GATHER_TASKS 64
#define GATHER_BYTES 49152
#define GATHER_MIN_NS (2 * NSEC_PER_MSEC)
#define GATHER_MAX_NS (16 * NSEC_PER_MSEC)

enum run_state {
	RUN_FEED,  /* commands are being sent */
	RUN_WAIT,  /* all are; results come. Behind "done" nothing can be halted */
	RUN_HALT,  /* ^C: tasks are being halted */
	RUN_DRAIN, /* "done" is sent, the cycle's end comes */
	RUN_OVER,
};

struct run {
	const struct opts *opts;
	struct ui ui;
	struct service service;
	struct session session;
	struct results results;
	struct output output;
	struct feed feed;
	struct crowd crowd;
	struct idset running;
	enum run_state state;
	int sigfd;
	int signal;       /* the first that came */
	bool input_waits; /* the feed wants its descriptor readable */
	bool done_ok;
	bool broken;       /* what went wrong with the service has been said */
	bool write_failed; /* and this too */
	bool aborted;      /* a second signal: do not wait for anybody */
	uint64_t finished;
	uint64_t refused;
	uint64_t limited; /* of these, for a limit */
	uint64_t packets_drawn;
	uint32_t halt_next;
	nsec_t started;
	nsec_t halted;
	nsec_t drawn;
	nsec_t flushed;
	nsec_t received; /* when something was read last */
	nsec_t gathered; /* nothing is read before */
};

static nsec_t
now_mono(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void
run_goto(struct run *r, enum run_state to)
{
	static const char *const names[] = { "feed", "wait", "halt", "drain", "over" };

	log_debug(
	    "run: %s -> %s, %llu running", names[r->state], names[to], (unsigned long long)r->running.count);
	r->state = to;
}

static void
flush(struct run *r)
{
	int rc = output_flush(&r->output);

	r->flushed = now_mono();
	if (rc == 0 || rc == -EINTR || r->write_failed || r->aborted)
		return;
	r->write_failed = true;
	ui_say(&r->ui, "cannot write '%s': %s; what was written is whole", r->output.path, strerror(-rc));
	if (r->output.gone)
		run_goto(r, RUN_OVER);
}

/* Kept for later, if it was refused for what passes; after ^C there is no later. */
static bool
keep(struct run *r, const struct session_pending *p, const char *reason)
{
	const struct session *s = &r->session;

	if (!crowd_is_reason(reason))
		return false;
	if (r->state == RUN_HALT)
		return true;
	if (r->crowd.max == 0)
		ui_say(&r->ui, "%s: the others wait", reason);
	if (!crowd_put(&r->crowd, p->line_no, s->out.p + s->acked, p->len, r->running.count, now_mono()))
		return false;
	if (r->state == RUN_WAIT)
		run_goto(r, RUN_FEED);
	return true;
}

static int
on_answer(void *ctx, const struct session_pending *p, const char *text, const struct reply_line *reply)
{
	struct run *r = ctx;

	switch ((enum session_ask)p->ask) {
	case ASK_COMMAND:
		if (reply->kind == REPLY_LINE_ERR && !keep(r, p, reply->text)) {
			r->refused++;
			r->limited += strstr(reply->text, LINE_LIMIT) != NULL;
			feed_refused(&r->feed, p->line_no, text, reply->text);
		} else if (reply->kind == REPLY_LINE_OK) {
			(void)idset_add(&r->running, reply->id);
		}
		return 0;
	case ASK_HALT: /* an ERR: it ended before the halt came */
		return 0;
	case ASK_DONE:
		r->done_ok = reply->kind == REPLY_LINE_OK;
		return 0;
	}
	return 0;
}

static int
on_block(void *ctx, const struct reply_line *head, const char *bytes, size_t len)
{
	struct run *r = ctx;
	struct errbuf err;
	int rc = results_add(&r->results, bytes, len, &r->output.group, &err);

	if (rc < 0) {
		ui_say(&r->ui, "%s", err.text);
		r->broken = true;
		return rc;
	}
	r->output.records++;
	if (!head->inprogress && head->id != 0 && idset_remove(&r->running, head->id)) {
		session_finished(&r->session, ++r->finished);
		crowd_ended(&r->crowd);
	}
	if (output_is_full(&r->output))
		flush(r);
	return 0;
}

static const struct session_ops run_session_ops = { on_answer, on_block };

static void
feed(struct run *r)
{
	struct session *s = &r->session;
	nsec_t now = now_mono();

	r->input_waits = false;
	while (crowd_open(&r->crowd, r->running.count + s->pending_count, now) &&
	       session_has_room_for_command(s)) {
		size_t from = s->out.len;
		uint64_t line;

		if (crowd_take(&r->crowd, &s->out, &line)) {
			session_pushed(s, from, ASK_COMMAND, line);
			continue;
		}
		switch (feed_next(&r->feed, &s->out, &line)) {
		case FEED_COMMAND:
			session_pushed(s, from, ASK_COMMAND, line);
			break;
		case FEED_WAIT:
			r->input_waits = true;
			return;
		case FEED_END:
			run_goto(r, RUN_WAIT);
			return;
		}
	}
}

static void
say_done(struct run *r)
{
	session_push(&r->session, "done", ASK_DONE);
	run_goto(r, RUN_DRAIN);
}

/* Each task that is known gets its halt; those whose commands are still on
 * their way get it when they are. Then it is done. */
static void
halt_tasks(struct run *r)
{
	while (session_has_room(&r->session)) {
		uint32_t id = idset_next(&r->running, r->halt_next);
		char line[32];

		if (id != 0) {
			(void)snprintf(line, sizeof(line), "halt %u", id);
			session_push(&r->session, line, ASK_HALT);
			r->halt_next = id + 1;
		} else {
			if (r->session.pending_count == 0)
				say_done(r);
			return;
		}
	}
}

static void
act(struct run *r)
{
	switch (r->state) {
	case RUN_FEED:
		feed(r);
		break;
	case RUN_HALT:
		halt_tasks(r);
		break;
	case RUN_WAIT:
	case RUN_DRAIN:
	case RUN_OVER:
		break;
	}
	if (r->state == RUN_WAIT && r->running.count == 0 && r->session.pending_count == 0)
		say_done(r);
}

static void
begin_halt(struct run *r)
{
	(void)session_drop_unsent(&r->session);
	r->halted = now_mono();
	ui_clear(&r->ui);
	run_goto(r, RUN_HALT);
}

/* The number of a signal that came, or 0. */
static int
take_signal(const struct run *r)
{
	struct signalfd_siginfo info;

	return read(r->sigfd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

static void
on_signal(struct run *r)
{
	int signo = take_signal(r);

	if (signo == 0)
		return;
	if (r->signal != 0) {
		/* At once: not even a slow reader is waited for. */
		r->aborted = true;
		r->output.gone = r->output.gone || !r->output.regular;
		run_goto(r, RUN_OVER);
		return;
	}
	r->signal = signo;
	if (r->state != RUN_DRAIN)
		begin_halt(r);
}

static void
service_broke(struct run *r, const char *why)
{
	if (!r->broken)
		ui_say(&r->ui, "%s", why);
	r->broken = true;
	run_goto(r, RUN_OVER);
}

/* So long as it takes to fill the socket, at the rate of late. */
static void
gather(struct run *r)
{
	nsec_t now = now_mono(), since = now - r->received, wait = GATHER_MAX_NS;

	/* Of what came after a long silence nothing can be told, nor multiplied. */
	if (since < NSEC_PER_SEC && r->session.fresh > GATHER_BYTES / 16)
		wait = since * GATHER_BYTES / (nsec_t)r->session.fresh;
	r->received = now;
	if (r->running.count >= GATHER_TASKS && wait >= GATHER_MIN_NS)
		r->gathered = now + (wait < GATHER_MAX_NS ? wait : GATHER_MAX_NS);
}

static void
receive(struct run *r)
{
	struct errbuf err;

	if (session_receive(&r->session, &err) < 0) {
		service_broke(r, err.text);
		return;
	}
	if (!r->session.eof) {
		gather(r);
		return;
	}
	if (r->done_ok && r->results.ended && r->running.count == 0)
		run_goto(r, RUN_OVER);
	else if (r->signal != 0)
		run_goto(r, RUN_OVER);
	else
		service_broke(r, "the service went away before the run was done; what was written is whole");
}

static void
draw(struct run *r, nsec_t now)
{
	struct progress p = { .done = r->finished + r->refused, .elapsed = now - r->started };
	nsec_t since = now - r->drawn;

	if (!r->ui.progress || since < NSEC_PER_SEC || r->halted != 0)
		return;
	p.total = feed_total(&r->feed, &p.estimated);
	p.rate = (r->results.packets - r->packets_drawn) * 1000 / (uint64_t)(since / NSEC_PER_MSEC);
	ui_progress(&r->ui, &p);
	r->packets_drawn = r->results.packets;
	r->drawn = now;
}

/* Until when nothing happens by itself; -1: for ever. */
static int
wait_ms(const struct run *r, nsec_t now)
{
	nsec_t flush_after = r->output.comp == COMP_NONE ? FLUSH_AFTER : FLUSH_PACKED_AFTER;
	nsec_t at = INT64_MAX;

	if (r->output.group.len > 0)
		at = r->flushed + flush_after;
	if (r->ui.progress && r->halted == 0 && at > r->drawn + NSEC_PER_SEC)
		at = r->drawn + NSEC_PER_SEC;
	if (r->halted != 0 && at > r->halted + HALT_WAIT)
		at = r->halted + HALT_WAIT;
	if (r->gathered > now && at > r->gathered)
		at = r->gathered;
	if (r->state == RUN_FEED && at > crowd_wake(&r->crowd))
		at = crowd_wake(&r->crowd);
	if (at == INT64_MAX)
		return -1;
	return at <= now ? 0 : (int)((at - now) / NSEC_PER_MSEC) + 1;
}

static void
by_the_clock(struct run *r)
{
	nsec_t now = now_mono();
	nsec_t flush_after = r->output.comp == COMP_NONE ? FLUSH_AFTER : FLUSH_PACKED_AFTER;

	if (r->output.group.len > 0 && now - r->flushed >= flush_after)
		flush(r);
	if (r->halted != 0 && now - r->halted >= HALT_WAIT)
		run_goto(r, RUN_OVER);
	draw(r, now);
}

static void
turn(struct run *r)
{
	struct pollfd pfd[3] = {
		{ r->session.fd, POLLIN, 0 },
		{ r->sigfd, POLLIN, 0 },
		{ -1, POLLIN, 0 },
	};
	nsec_t now;

	act(r);
	/* A send that fails is seen again as the end of the stream, behind the
	 * results that are still there to be read. */
	(void)session_send(&r->session);
	if (session_unsent(&r->session) > 0)
		pfd[0].events |= POLLOUT;
	if (r->state == RUN_FEED && r->input_waits)
		pfd[2].fd = r->feed.input.fd;
	now = now_mono();
	if (r->gathered > now)
		pfd[0].fd = -1;
	if (poll(pfd, 3, wait_ms(r, now)) < 0 && errno != EINTR) {
		service_broke(r, strerror(errno));
		return;
	}
	if (pfd[1].revents != 0)
		on_signal(r);
	if ((pfd[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && r->state != RUN_OVER)
		receive(r);
	if (pfd[2].revents != 0)
		(void)feed_fill(&r->feed);
	if (r->state != RUN_OVER)
		by_the_clock(r);
}

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
	flush(r);
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

/* Two seconds' worth: what a ^C finds queued ends without having begun. */
static uint64_t
queue_of(uint32_t pps)
{
	uint64_t n = (uint64_t)pps * 2;

	if (pps == 0 || pps > SESSION_QUEUED_PPS)
		return UINT64_MAX;
	return n < SESSION_QUEUED_MIN ? SESSION_QUEUED_MIN : n > SESSION_QUEUED_MAX ? SESSION_QUEUED_MAX : n;
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
		r.signal = take_signal(&r);
		return close_all(&r, r.signal != 0 ? STATUS_SIGNAL + r.signal : status, err.text);
	}
	r.started = r.drawn = r.flushed = now_mono();
	while (r.state != RUN_OVER)
		turn(&r);
	return close_all(&r, finish(&r), NULL);
}

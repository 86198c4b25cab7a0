#include "client/run_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

#define FLUSH_AFTER (10 * NSEC_PER_MSEC)
#define FLUSH_PACKED_AFTER (2 * NSEC_PER_SEC)
#define HALT_WAIT (3 * NSEC_PER_SEC) /* after ^C, for partial results */

static void
run_goto(struct run *r, enum run_state to)
{
	static const char *const names[] = { "feed", "wait", "halt", "drain", "over" };

	log_debug(
	    "run: %s -> %s, %llu running", names[r->state], names[to], (unsigned long long)r->running.count);
	r->state = to;
}

void
run_flush(struct run *r)
{
	int rc = output_flush(&r->output);

	r->flushed = clock_mono();
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
	if (!crowd_put(&r->crowd, p->line_no, s->out.p + s->acked, p->len, r->running.count, clock_mono()))
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
	r->output.records += rc == 0;
	if (!head->inprogress && head->id != 0 && idset_remove(&r->running, head->id)) {
		session_finished(&r->session, ++r->finished);
		crowd_ended(&r->crowd);
	}
	if (output_is_full(&r->output))
		run_flush(r);
	return 0;
}

const struct session_ops run_session_ops = { on_answer, on_block };

static void
feed(struct run *r)
{
	struct session *s = &r->session;
	nsec_t now = clock_mono();

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
	r->halted = clock_mono();
	r->results.halting = true;
	ui_clear(&r->ui);
	run_goto(r, RUN_HALT);
}

int
run_take_signal(const struct run *r)
{
	struct signalfd_siginfo info;

	return read(r->sigfd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

static void
on_signal(struct run *r)
{
	int signo = run_take_signal(r);

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

static void
receive(struct run *r)
{
	struct errbuf err;

	if (session_receive(&r->session, &err) < 0) {
		service_broke(r, err.text);
		return;
	}
	if (!r->session.eof) {
		bool hungry = r->state == RUN_FEED && !session_has_room_for_command(&r->session);

		gather_received(&r->gather, r->session.fresh, r->running.count, hungry, clock_mono());
		return;
	}
	if (r->done_ok && r->results.ended && r->running.count == 0)
		run_goto(r, RUN_OVER);
	else if (r->signal != 0)
		run_goto(r, RUN_OVER);
	else
		service_broke(r, "the service went away before the run was done; what was written is whole");
}

/* ---- by the clock: INT64_MAX is never ---- */

static nsec_t
flush_at(const struct run *r)
{
	nsec_t after = r->output.comp == COMP_NONE ? FLUSH_AFTER : FLUSH_PACKED_AFTER;

	return r->output.group.len > 0 ? r->flushed + after : INT64_MAX;
}

static nsec_t
draw_at(const struct run *r)
{
	return r->ui.progress && r->halted == 0 ? r->drawn + NSEC_PER_SEC : INT64_MAX;
}

/* Whoever does not end by then is not waited for. */
static nsec_t
give_up_at(const struct run *r)
{
	return r->halted != 0 ? r->halted + HALT_WAIT : INT64_MAX;
}

static void
draw(struct run *r, nsec_t now)
{
	struct progress p = { .done = r->finished + r->refused, .elapsed = now - r->started };

	p.total = feed_total(&r->feed, &p.estimated);
	p.rate =
	    (r->results.packets - r->packets_drawn) * 1000 / (uint64_t)((now - r->drawn) / NSEC_PER_MSEC);
	ui_progress(&r->ui, &p);
	r->packets_drawn = r->results.packets;
	r->drawn = now;
}

/* Until when nothing happens by itself; -1: for ever. */
static int
wait_ms(const struct run *r, nsec_t now)
{
	const nsec_t whens[] = {
		flush_at(r),
		draw_at(r),
		give_up_at(r),
		r->gather.until > now ? r->gather.until : INT64_MAX,
		r->state == RUN_FEED ? crowd_wake(&r->crowd) : INT64_MAX,
	};
	nsec_t at = INT64_MAX;

	for (size_t i = 0; i < sizeof(whens) / sizeof(whens[0]); i++)
		at = whens[i] < at ? whens[i] : at;
	if (at == INT64_MAX)
		return -1;
	return at <= now ? 0 : (int)((at - now) / NSEC_PER_MSEC) + 1;
}

static void
by_the_clock(struct run *r)
{
	nsec_t now = clock_mono();

	if (now >= flush_at(r))
		run_flush(r);
	if (now >= give_up_at(r))
		run_goto(r, RUN_OVER);
	if (now >= draw_at(r))
		draw(r, now);
}

/* ---- one turn of the loop ---- */

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
	now = clock_mono();
	if (r->gather.until > now)
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

void
run_loop(struct run *r)
{
	r->started = r->drawn = r->flushed = clock_mono();
	while (r->state != RUN_OVER)
		turn(r);
}

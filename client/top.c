#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "client/screen.h"
#include "client/status.h"
#include "client/ui.h"
#include "client/view.h"
#include "client/watch.h"
#include "common/clock.h"

#define INTERVAL NSEC_PER_SEC
#define FILTER_MAX 32

enum top_mode { TOP_WATCH, TOP_FILTER, TOP_SURE };

struct top {
	struct watch watch;
	struct screen screen;
	struct view view;
	enum top_mode mode;
	char filter[FILTER_MAX];
	char chosen[VIEW_NAME_MAX];
	char message[160];
	const char *json; /* of the watch */
	int sigfd;
	bool over;
	int status;
};

static const char keys_help[] = "q quit  / filter  up/down choose  h halt the chosen source (your own)  ? keys";

static void
say(struct top *t, const char *text)
{
	(void)snprintf(t->message, sizeof(t->message), "%s", text);
}

static void
end(struct top *t, int status)
{
	t->over = true;
	t->status = status;
}

static void
draw(struct top *t)
{
	char prompt[256];
	struct buf lines;

	(void)snprintf(prompt, sizeof(prompt), "%s%s%s",
	    t->mode == TOP_FILTER ? "filter: " : (t->mode == TOP_SURE ? "halt all of " : t->message),
	    t->mode == TOP_FILTER ? t->filter : (t->mode == TOP_SURE ? t->chosen : ""),
	    t->mode == TOP_SURE ? "? y or n" : "");
	t->view.rows = t->screen.rows;
	t->view.cols = t->screen.cols;
	t->view.message = prompt;
	buf_init(&lines, 0);
	/* A source that is asked about stays the one, wherever the list moves. */
	if (t->mode == TOP_SURE) {
		char now[VIEW_NAME_MAX];

		view_screen(&lines, &t->view, t->json, now);
	} else {
		view_screen(&lines, &t->view, t->json, t->chosen);
	}
	if (screen_draw(&t->screen, &lines) != 0)
		end(t, STATUS_CREATE);
	buf_fini(&lines);
}

static void
refresh(struct top *t)
{
	struct errbuf err = { "" };
	int rc = watch_status(&t->watch, &t->json, &err);
	struct ui ui;

	if (rc == 0)
		return;
	screen_leave(&t->screen);
	ui_init(&ui, true);
	ui_say(&ui, "%s", err.text);
	end(t, rc);
}

/* ---- keys ---- */

static void
key_filter(struct top *t, int key)
{
	size_t len = strlen(t->filter);

	if (key == '\n' || key == '\r') {
		t->mode = TOP_WATCH;
		if (t->filter[0] == '\0')
			say(t, keys_help);
		else
			(void)snprintf(t->message, sizeof(t->message), "filter: %s  (/ and Enter: all)", t->filter);
	} else if (key == 0x7f || key == '\b') {
		t->filter[len > 0 ? len - 1 : 0] = '\0';
	} else if (key >= 0x20 && key < 0x7f && len + 1 < sizeof(t->filter)) {
		t->filter[len] = (char)key;
		t->filter[len + 1] = '\0';
	}
	t->view.selected = 0;
}

static void
key_sure(struct top *t, int key)
{
	t->mode = TOP_WATCH;
	if (key != 'y' && key != 'Y') {
		say(t, "not halted");
		return;
	}
	(void)watch_halt(&t->watch, t->chosen, t->message, sizeof(t->message));
	refresh(t);
}

static void
key_watch(struct top *t, int key)
{
	switch (key) {
	case 'q':
		end(t, STATUS_OK);
		break;
	case '/':
		t->mode = TOP_FILTER;
		t->filter[0] = '\0';
		break;
	case KEY_UP:
	case 'k':
		t->view.selected -= t->view.selected > 0;
		break;
	case KEY_DOWN:
	case 'j':
		t->view.selected++;
		break;
	case 'h':
		if (t->chosen[0] != '\0')
			t->mode = TOP_SURE;
		else
			say(t, "there is no source to halt");
		break;
	default: /* any other key asks what the keys are */
		say(t, keys_help);
		break;
	}
}

static void
on_keys(struct top *t)
{
	int key = screen_key();

	if (key == KEY_END) {
		end(t, STATUS_OK);
		return;
	}
	for (; key != KEY_NONE && key != KEY_END && !t->over; key = screen_key()) {
		if (t->mode == TOP_FILTER)
			key_filter(t, key);
		else if (t->mode == TOP_SURE)
			key_sure(t, key);
		else
			key_watch(t, key);
		/* The next key is about what this one brought. */
		if (!t->over)
			draw(t);
	}
}

/* ---- signals ---- */

/* ^Z: the shell must find its terminal as it was, and we ours when we are
 * called back. */
static void
suspend(struct top *t)
{
	bool on = t->screen.on;

	screen_leave(&t->screen);
	(void)raise(SIGSTOP);
	if (on && screen_enter(&t->screen) != 0)
		end(t, STATUS_CREATE);
}

static void
on_signal(struct top *t)
{
	struct signalfd_siginfo si;

	if (read(t->sigfd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (si.ssi_signo == SIGWINCH)
		screen_measure(&t->screen);
	else if (si.ssi_signo == SIGTSTP)
		suspend(t);
	else
		end(t, STATUS_OK);
}

static int
watch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP };
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)sigaddset(&set, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- the whole ---- */

static void
print_lines(struct top *t)
{
	char when[16];
	time_t now = time(NULL);
	struct tm tm;
	struct buf text;

	(void)strftime(when, sizeof(when), "%H:%M:%S", localtime_r(&now, &tm));
	buf_init(&text, 0);
	view_plain(&text, "", t->json, when);
	if (text.failed || fwrite(text.p, 1, text.len, stdout) != text.len || fflush(stdout) != 0)
		end(t, STATUS_CREATE);
	buf_fini(&text);
}

static int
ms_until(nsec_t next)
{
	nsec_t left = next - clock_mono();

	return left < 0 ? 0 : (int)(left / NSEC_PER_MSEC) + 1;
}

static void
turn(struct top *t, nsec_t *next)
{
	struct pollfd pfd[2] = { { t->sigfd, POLLIN, 0 }, { t->screen.on ? STDIN_FILENO : -1, POLLIN, 0 } };
	int n = poll(pfd, 2, ms_until(*next));

	if (pfd[0].revents != 0)
		on_signal(t);
	if (!t->over && pfd[1].revents != 0)
		on_keys(t);
	if (n == 0 && !t->over) {
		*next = clock_mono() + INTERVAL;
		refresh(t);
		if (!t->over && !t->screen.on)
			print_lines(t);
	}
	if (!t->over && t->screen.on)
		draw(t);
}

int
top_main(const struct opts *o)
{
	struct top t = { .view.mark = true, .view.filter = t.filter };
	nsec_t next = 0;
	struct errbuf err = { "" };
	struct ui ui;
	int rc;

	ui_init(&ui, true);
	t.sigfd = watch_signals();
	rc = watch_open(&t.watch, o, &err);
	if (rc == 0)
		rc = watch_status(&t.watch, &t.json, &err);
	if (rc != 0) {
		ui_say(&ui, "%s", err.text);
		watch_close(&t.watch);
		return rc;
	}
	say(&t, keys_help);
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && screen_enter(&t.screen) != 0)
		end(&t, STATUS_CREATE);
	while (!t.over)
		turn(&t, &next);
	screen_leave(&t.screen);
	watch_close(&t.watch);
	(void)close(t.sigfd);
	return t.status;
}

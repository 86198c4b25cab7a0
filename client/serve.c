#include "client/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/private.h"
#include "client/serve_output.h"
#include "client/session.h"
#include "client/status.h"
#include "client/ui.h"
#include "common/log.h"

/* A pair may have a hundred thousand prefixes to load first. */
#define START_TIMEOUT (60 * NSEC_PER_SEC)
#define STOP_TIMEOUT (2 * NSEC_PER_SEC)

struct serve {
	const struct opts *opts;
	struct session session; /* the pair's first client: an operator */
	struct ui ui;
	struct private_output out;
	pid_t pair;
	int sigfd;
	int ready; /* where the starter waits, with -D; else -1 */
	int log;   /* what the pair has to say, with -D; else -1 */
	bool up;
};

/* ---- the background ---- */

/* In the parent: waits until the child is ready, or ends as it does. */
static _Noreturn void
wait_for(pid_t pid, int fd)
{
	int status = 0;
	char c;

	if (read(fd, &c, 1) == 1)
		_exit(STATUS_OK);
	(void)waitpid(pid, &status, 0);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_INTERNAL);
}

static int
detach(struct serve *s, struct errbuf *err)
{
	int pair[2];
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		return errbuf_set(err, STATUS_INTERNAL, "cannot go to the background: %s", strerror(errno));
	if (pid > 0) {
		(void)close(pair[1]);
		wait_for(pid, pair[0]);
	}
	(void)close(pair[0]);
	(void)setsid();
	s->ready = pair[1];
	return 0;
}

/* The starter's pipes and terminal are its own again. */
static void
tell_ready(struct serve *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
	if (null > STDERR_FILENO)
		(void)close(null);
	if (chdir("/") != 0 || write(s->ready, "", 1) != 1)
		log_warn("the starter has gone");
	(void)close(s->ready);
	s->ready = -1;
}

/* Standard output and error become that descriptor; what they were is kept. */
static void
redirect(int keep[2], int to)
{
	for (int i = 0; i < 2; i++) {
		keep[i] = fcntl(STDOUT_FILENO + i, F_DUPFD_CLOEXEC, 3);
		(void)dup2(to, STDOUT_FILENO + i);
	}
}

static void
put_back(int keep[2])
{
	for (int i = 0; i < 2; i++) {
		(void)dup2(keep[i], STDOUT_FILENO + i);
		(void)close(keep[i]);
	}
}

/* The pair has these two as long as it lives: in the background they must not be
 * the starter's. */
static int
start_pair(struct serve *s, struct errbuf *err)
{
	int pair[2], keep[2] = { -1, -1 }, fd = -1, rc;

	if (s->ready >= 0) {
		if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) != 0)
			return errbuf_set(err, STATUS_INTERNAL, "cannot make a pipe: %s", strerror(errno));
		s->log = pair[0];
		redirect(keep, pair[1]);
		(void)close(pair[1]);
	}
	rc = private_start(s->opts, &s->out, &fd, &s->pair, err);
	if (s->ready >= 0)
		put_back(keep);
	if (rc != 0)
		return rc == -ENOENT ? STATUS_AWAY : STATUS_INTERNAL;
	return session_init(&s->session, fd, NULL, NULL, err) == 0 ? 0 : STATUS_INTERNAL;
}

/* Before it is up, what the pair says is for the starter; then for the log. */
static void
pass_log(struct serve *s)
{
	char text[1024];
	ssize_t n = s->log < 0 ? -1 : read(s->log, text, sizeof(text) - 1);

	if (n == 0) {
		(void)close(s->log);
		s->log = -1;
	}
	if (n <= 0)
		return;
	text[n] = '\0';
	if (s->up)
		log_info("%s", text);
	else
		(void)!write(STDERR_FILENO, text, (size_t)n);
}

/* ---- setting up ---- */

static int
set(struct serve *s, const char *what, const char *value, struct errbuf *err)
{
	char line[LINE_MAX_BYTES + 1], reply[128];
	int rc;

	(void)snprintf(line, sizeof(line), "set %s %s", what, value);
	rc = session_ask(&s->session, line, START_TIMEOUT, reply, sizeof(reply), err);
	return rc == 0 ? 0 : (rc == -EPROTO ? STATUS_CONFIG : STATUS_AWAY);
}

static int
set_number(struct serve *s, const char *what, uint32_t value, struct errbuf *err)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", value);
	return set(s, what, text, err);
}

/* The first is in the worker's hands before any other client's word. */
static int
settle(struct serve *s, struct errbuf *err)
{
	const struct opts *o = s->opts;
	char text[ADDR_STRLEN];
	int rc = set_number(s, "pps", o->pps == 0 ? 1000000 : o->pps, err);

	if (rc == 0)
		rc = set(s, "data", o->data_id ? "id" : "plain", err);
	if (rc == 0)
		rc = set_number(s, "window", o->window, err);
	if (rc == 0)
		rc = set(s, "command", o->command, err);
	if (rc == 0 && o->monitor != NULL)
		rc = set(s, "monitorname", o->monitor, err);
	if (rc == 0 && o->hold_given)
		rc = set_number(s, "holdtime", o->hold_s, err);
	if (rc == 0 && o->nameserver.family != ADDR_NONE)
		rc = set(s, "nameserver", addr_format(&o->nameserver, text), err);
	return rc;
}

/* control.md 1.1: the id of the process without privilege. */
static int
write_pid(struct serve *s, struct errbuf *err)
{
	char reply[64];
	FILE *f;

	if (s->opts->pid_file == NULL)
		return 0;
	if (session_ask(&s->session, "get pid", START_TIMEOUT, reply, sizeof(reply), err) != 0)
		return STATUS_AWAY;
	f = fopen(s->opts->pid_file, "we");
	if (f == NULL || fprintf(f, "%s\n", reply + strlen("pid ")) < 0 || fclose(f) != 0)
		return errbuf_set(err, STATUS_CREATE, "cannot create '%s': %s", s->opts->pid_file, strerror(errno));
	return 0;
}

static int
begin(struct serve *s, struct errbuf *err)
{
	sigset_t set;
	int rc;

	if (geteuid() != 0)
		return errbuf_set(err, STATUS_PERMISSION,
		    "-U and -P start a pair of processes and need root: try sudo, or 'systemctl start "
		    "vantage.socket' for a service");
	rc = serve_output_open(s->opts, &s->out, err);
	if (rc == 0 && s->opts->daemon)
		rc = detach(s, err);
	if (rc != 0)
		return rc;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	s->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	rc = start_pair(s, err);
	if (rc != 0)
		return rc;
	s->session.wake_fd = s->sigfd;
	rc = settle(s, err);
	return rc == 0 ? write_pid(s, err) : rc;
}

/* ---- until the end ---- */

/* True when a signal asked for it; false when the pair ended by itself. */
static bool
wait_for_end(struct serve *s)
{
	for (;;) {
		struct pollfd pfd[3] = { { s->sigfd, POLLIN, 0 }, { s->session.fd, POLLIN, 0 }, { s->log, POLLIN, 0 } };

		if (poll(pfd, 3, -1) < 0 && errno != EINTR)
			return true;
		if (pfd[2].revents != 0)
			pass_log(s);
		if (pfd[0].revents != 0)
			return true;
		if (pfd[1].revents != 0)
			return false;
	}
}

static bool
signalled(const struct serve *s)
{
	struct pollfd pfd = { s->sigfd, POLLIN, 0 };

	return s->sigfd >= 0 && poll(&pfd, 1, 0) > 0;
}

/* In order: what is attached is told so, and the worker ends before its helper. */
static void
stop(struct serve *s)
{
	char reply[64];
	struct errbuf err;

	s->session.wake_fd = -1;
	if (session_ask(&s->session, "shutdown now", STOP_TIMEOUT, reply, sizeof(reply), &err) == -EPROTO)
		(void)kill(s->pair, SIGTERM);
}

/* Names that the pair, which has no right in their directory, had to leave. */
static void
remove_names(const struct opts *o)
{
	struct stat st;

	for (uint32_t i = 0; i < o->unix_count; i++) {
		if (lstat(o->unix_path[i], &st) == 0 && S_ISSOCK(st.st_mode))
			(void)unlink(o->unix_path[i]);
	}
	if (o->pid_file != NULL)
		(void)unlink(o->pid_file);
}

int
serve_main(const struct opts *o)
{
	struct serve s = { .opts = o, .out.fd = -1, .session.fd = -1, .sigfd = -1, .ready = -1, .log = -1 };
	struct errbuf err = { "" };
	bool asked = false;
	int status, pair = 0;

	ui_init(&s.ui, true);
	status = begin(&s, &err);
	if (status == 0) {
		s.up = true;
		if (s.ready >= 0)
			tell_ready(&s);
		asked = wait_for_end(&s);
	} else {
		asked = s.pair != 0 && signalled(&s);
		status = asked ? STATUS_OK : status;
	}
	if (asked)
		stop(&s);
	else if (s.pair != 0 && status != 0)
		(void)kill(s.pair, SIGTERM);
	session_fini(&s.session);
	if (s.pair != 0)
		pair = private_wait(s.pair);
	pass_log(&s);
	if (pair != 0)
		serve_output_mend(o, &s.out);
	/* The pair has said why it ended; a socket that it refused is another's. */
	if (status != 0 && pair == 0)
		ui_say(&s.ui, "%s", err.text);
	if (s.up)
		remove_names(o);
	if (status == 0 || pair != 0)
		status = asked ? STATUS_OK : pair;
	return status;
}

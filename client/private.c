#include "client/private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/priv/pp.h"

#define PRIVD "vantage-privd"
#define ARGS_MAX (18 + 2 * OPTS_DNP_MAX + 4 * OPTS_LISTEN_MAX)
#define SERVE_MAX_PPS 12000 /* vantage.conf(5) */
#define CLIENT_FD 3
#define FDS_ABOVE 16 /* out of the way while they are put in order */
#define END_WAIT_MS 5000 /* a worker halts its tasks and goes, in far less */

/*
 * Beside us in the build tree, or where it is installed. Never from PATH or the
 * environment: it is run as root.
 */
static int
find_privd(char path[PATH_MAX], struct errbuf *err)
{
	static const char *const places[] = { "../privd/" PRIVD, "../sbin/" PRIVD };
	char self[PATH_MAX / 2];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	for (size_t i = 0; slash != NULL && i < sizeof(places) / sizeof(places[0]); i++) {
		(void)snprintf(path, PATH_MAX, "%.*s/%s", (int)(slash - self), self, places[i]);
		if (access(path, X_OK) == 0)
			return 0;
	}
	return errbuf_set(err, -ENOENT, "%s is not installed beside %s", PRIVD, self);
}

struct privd_args {
	const char *argv[ARGS_MAX];
	uint32_t count;
	char fd[16];
	char pps[16];
	char *dnp[OPTS_DNP_MAX]; /* owned */
};

static void
args_fini(struct privd_args *a)
{
	for (uint32_t i = 0; i < OPTS_DNP_MAX; i++)
		free(a->dnp[i]);
}

/* privd takes full paths alone: it does not stay where we are. */
static int
full_paths(struct privd_args *a, const struct opts *o, struct errbuf *err)
{
	for (uint32_t i = 0; i < o->dnp_count; i++) {
		a->dnp[i] = realpath(o->dnp[i], NULL);
		if (a->dnp[i] == NULL)
			return errbuf_set(err, -errno, "cannot read '%s': %s", o->dnp[i], strerror(errno));
	}
	return 0;
}

static void
fill_args(struct privd_args *a, const struct opts *o, const char *path, const struct private_output *out)
{
	bool serve = o->mode == MODE_SERVE;

	(void)snprintf(a->fd, sizeof(a->fd), "%d", CLIENT_FD);
	(void)snprintf(a->pps, sizeof(a->pps), "%u", o->pps == 0 ? 1000000u : o->pps);
	a->count = 0;
	a->argv[a->count++] = path;
	a->argv[a->count++] = "--client-fd";
	a->argv[a->count++] = a->fd;
	/* Operators may set another rate while it serves. */
	if (!serve || o->pps == 0 || o->pps > SERVE_MAX_PPS) {
		a->argv[a->count++] = "--max-pps";
		a->argv[a->count++] = a->pps;
	}
	for (uint32_t i = 0; i < o->unix_count; i++) {
		a->argv[a->count++] = "--socket";
		a->argv[a->count++] = o->unix_path[i];
	}
	for (uint32_t i = 0; i < o->tcp_count; i++) {
		a->argv[a->count++] = "--listen";
		a->argv[a->count++] = o->tcp[i];
	}
	if (out != NULL && out->fd >= 0) {
		a->argv[a->count++] = "--output";
		a->argv[a->count++] = out->text;
	}
	if (o->spoof)
		a->argv[a->count++] = "--spoof";
	if (o->local)
		a->argv[a->count++] = "--local";
	for (uint32_t i = 0; i < o->dnp_count; i++) {
		a->argv[a->count++] = "--dnp";
		a->argv[a->count++] = a->dnp[i];
	}
	a->argv[a->count] = NULL;
}

/* In the child, between fork and exec. A session of its own: ^C is for us, who
 * end the run in order, not for the pair. */
static _Noreturn void
become_privd(const struct privd_args *a, int fd, int output)
{
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const env[] = { path, NULL };
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGXFSZ, SIG_DFL);
	(void)setsid();
	/* Nothing of ours but the three standard ones, the connection and the output. */
	fd = fcntl(fd, F_DUPFD, FDS_ABOVE);
	output = output < 0 ? -1 : fcntl(output, F_DUPFD, FDS_ABOVE);
	(void)syscall(SYS_close_range, 3u, FDS_ABOVE - 1u, 0u);
	if (dup2(fd, CLIENT_FD) < 0 || (output >= 0 && dup2(output, PP_OUTPUT_FD) < 0))
		_exit(70);
	(void)syscall(SYS_close_range, PP_OUTPUT_FD + 1u, ~0u, 0u);
	(void)execve(a->argv[0], (char *const *)(uintptr_t)a->argv, env);
	(void)dprintf(STDERR_FILENO, "vantage: cannot start %s: %s\n", a->argv[0], strerror(errno));
	_exit(70);
}

int
private_start(const struct opts *o, const struct private_output *out, int *ret_fd, pid_t *ret_pid,
    struct errbuf *reterr)
{
	struct privd_args args = { 0 };
	char path[PATH_MAX];
	int pair[2];
	pid_t pid;
	int rc = find_privd(path, reterr);

	if (rc == 0)
		rc = full_paths(&args, o, reterr);
	if (rc == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		rc = errbuf_set(reterr, -errno, "cannot make a socket pair: %s", strerror(errno));
	if (rc != 0) {
		args_fini(&args);
		return rc;
	}
	fill_args(&args, o, path, out);
	pid = fork();
	if (pid == 0)
		become_privd(&args, pair[1], out == NULL ? -1 : out->fd);
	(void)close(pair[1]);
	args_fini(&args);
	if (pid < 0) {
		rc = -errno;
		(void)close(pair[0]);
		return errbuf_set(reterr, rc, "cannot start %s: %s", path, strerror(-rc));
	}
	*ret_fd = pair[0];
	*ret_pid = pid;
	return 0;
}

int
private_wait(pid_t pid)
{
	static const int steps[] = { 0, SIGTERM, SIGKILL };
	int fd = pidfd_open(pid, 0), status = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		if (steps[i] != 0)
			(void)kill(pid, steps[i]);
		if (fd < 0 || poll(&pfd, 1, END_WAIT_MS) > 0)
			break;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (fd >= 0)
		(void)close(fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#include "privd/privd.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "vantage-paths.h"

int
start_users(struct privd *privd, struct errbuf *reterr)
{
	const struct conf *conf = &privd->conf;
	int rc = users_find(conf->user, conf->group, &privd->worker_ids, reterr);

	privd->ids = (struct ids){ getuid(), getgid() };
	if (rc == 0 && geteuid() == 0)
		rc = users_find(conf->privd_user, conf->privd_group, &privd->ids, reterr);
	if (rc == 0 && privd->ids.uid == privd->worker_ids.uid)
		return errbuf_set(reterr, -EINVAL, "worker and helper must not share a user");
	return rc;
}

/*
 * One privd in a network: a listening name in the abstract namespace (unix(7)),
 * which is the network namespace's own and goes with its holder, however that
 * ends. Anybody may take such a name: who has it is believed only when it is
 * root or our own user.
 */
int
start_alone(struct privd *privd, struct errbuf *reterr)
{
	const struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "\0vantage-privd" };
	const socklen_t name = offsetof(struct sockaddr_un, sun_path) + sizeof("\0vantage-privd") - 1;
	/* Who does not accept is not waited for. */
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	if (fd < 0)
		return errbuf_set(reterr, -errno, "socket: %s", strerror(errno));
	if (bind(fd, (const struct sockaddr *)&sun, name) == 0) {
		privd->alone = fd;
		return listen(fd, SOMAXCONN) < 0 ? errbuf_set(reterr, -errno, "listen: %s", strerror(errno)) : 0;
	}
	if (connect(fd, (const struct sockaddr *)&sun, name) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	    (cred.uid == 0 || cred.uid == privd->ids.uid)) {
		(void)close(fd);
		return errbuf_set(reterr, -EBUSY,
		    "another vantage-privd runs on this network (pid %d): stop it first (systemctl stop "
		    "vantage-privd, or end the other command)",
		    (int)cred.pid);
	}
	log_warn("the name that tells of a running vantage-privd is taken by another program: not checked");
	(void)close(fd);
	return 0;
}

/* Beside us when installed, in the next folder when built. Never by PATH. */
static int
worker_find(char *path, size_t cap)
{
	static const char *const places[] = { "%s/vantage-workerd", "%s/../workerd/vantage-workerd",
		VANTAGE_LIBEXECDIR "/vantage-workerd" };
	char self[512];
	const char *dir;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return -ENOENT;
	self[n] = '\0';
	dir = dirname(self); /* changes self: once only */
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *percent = strchr(places[i], '/');

		if (places[i][0] == '%')
			(void)snprintf(path, cap, "%s%s", dir, percent);
		else
			(void)snprintf(path, cap, "%s", places[i]);
		if (access(path, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

/* execve(2) takes its strings without const and leaves them alone. */
#define TEXT(s) ((char *)(uintptr_t)(s))

/* In the child: the channel is descriptor 3, standard error and the default
 * output stay, nothing else is inherited; no environment but what the log needs. */
static _Noreturn void
worker_exec(const char *program, int channel, bool output, char **argv)
{
	char *env[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		_exit(70);
	if (channel == 3 ? fcntl(3, F_SETFD, 0) < 0 : dup2(channel, 3) < 0)
		_exit(70);
	if ((output && fcntl(PP_OUTPUT_FD, F_SETFD, 0) < 0) ||
	    syscall(SYS_close_range, output ? 5 : 4, ~0u, 0) < 0)
		_exit(70);
	(void)execve(program, argv, env);
	_exit(71);
}

int
start_worker(
    struct privd *privd, const char *program, const char *conf_path, bool debug, struct errbuf *reterr)
{
	char *argv[9] = { TEXT("vantage-workerd") };
	char found[600];
	int pair[2], n = 1;

	if (program == NULL && worker_find(found, sizeof(found)) != 0)
		return errbuf_set(reterr, -ENOENT, "vantage-workerd is neither beside this program nor in %s",
		    VANTAGE_LIBEXECDIR);
	if (program == NULL)
		program = found;
	if (access(program, X_OK) < 0)
		return errbuf_set(reterr, -errno, "%s: %s", program, strerror(errno));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return errbuf_set(reterr, -errno, "socketpair: %s", strerror(errno));
	if (conf_path != NULL) {
		argv[n++] = TEXT("-c");
		argv[n++] = TEXT(conf_path);
	}
	if (debug)
		argv[n++] = TEXT("-d");
	/* For one client there is nothing to keep: its root is an empty directory. */
	if ((privd->client < 0 || privd->listeners > 0) && (privd->data != NULL || access(VANTAGE_DATA_DIR, F_OK) == 0)) {
		argv[n++] = TEXT("--root");
		argv[n++] = TEXT(privd->data != NULL ? privd->data : VANTAGE_DATA_DIR);
	}
	if (privd->output != NULL) {
		argv[n++] = TEXT("--output");
		argv[n++] = TEXT(privd->output);
	}
	privd->worker = fork();
	if (privd->worker == 0)
		worker_exec(program, pair[1], privd->output != NULL, argv);
	(void)close(pair[1]);
	if (privd->output != NULL)
		(void)close(PP_OUTPUT_FD);
	if (privd->worker < 0) {
		(void)close(pair[0]);
		return errbuf_set(reterr, -errno, "fork: %s", strerror(errno));
	}
	privd->session.sock = pair[0];
	privd->worker_dead = (int)syscall(SYS_pidfd_open, privd->worker, 0);
	return 0;
}

#include "privd/privd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"

/* How long the worker may take to end once its channel is closed. */
#define LAST_WAIT_MS 2000

enum watch { W_SIGNALS, W_EVENTS, W_LINKS, W_ALONE, W_ACCEPT, W_SESSION, W_DEAD, W_WATCHDOG, WATCHES };

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* Everything of the worker's goes with its session. */
static void
session_end(struct privd *privd)
{
	close_fd(&privd->session.sock);
	ports_release_all(&privd->ports);
	memset(privd->session.answered, 0, sizeof(privd->session.answered));
}

static int
worker_exit_code(const struct privd *privd)
{
	int status = 0;

	if (waitpid(privd->worker, &status, WNOHANG) != privd->worker)
		return -1;
	if (WIFEXITED(status)) {
		/* That it is we who went is no news to us. */
		if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != EX_UNAVAILABLE)
			log_error("the worker ended with status %d", WEXITSTATUS(status));
		return WEXITSTATUS(status);
	}
	log_error("the worker was ended by signal %d%s", WTERMSIG(status),
	    WTERMSIG(status) == SIGSYS ? " (its sandbox: a forbidden system call)" : "");
	return WTERMSIG(status) == SIGSYS ? EX_SOFTWARE : EX_UNAVAILABLE;
}

static void
session_serve(struct privd *privd)
{
	struct errbuf err = { "" };
	int rc = serve_one(&privd->session, privd_ops, privd, &err);

	if (rc == 0)
		return;
	if (rc == -EPIPE)
		log_debug("the worker is gone");
	else
		log_error("the worker broke the rules, its session ends: %s", err.text);
	session_end(privd);
}

/* One peer, and only the configured one: by the kernel's word. */
static void
session_accept(struct privd *privd)
{
	int fd = accept4(privd->accepting, NULL, NULL, SOCK_CLOEXEC);
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || cred.uid != privd->worker_ids.uid) {
		log_warn(
		    "refused a peer of uid %u: only uid %u is the worker", cred.uid, privd->worker_ids.uid);
		(void)close(fd);
	} else if (privd->session.sock >= 0 || privd->worker_dead >= 0) {
		/* Without a session one that lives still has its sockets, and we
		 * watch one process for its end. */
		log_warn("refused a second worker (pid %d)", (int)cred.pid);
		(void)close(fd);
	} else {
		close_fd(&privd->worker_dead);
		privd->worker_dead = (int)syscall(SYS_pidfd_open, cred.pid, 0);
		privd->session.sock = fd;
		log_debug("worker connected (pid %d)", (int)cred.pid);
	}
}

/* 0: go on; else stop, with *ret the exit code. */
static int
on_signal(struct privd *privd, int *ret)
{
	struct signalfd_siginfo si;

	if (read(privd->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return 0;
	if (si.ssi_signo == SIGHUP) {
		log_info("SIGHUP changes nothing; to reload: vantage reload");
		return 0;
	}
	if (si.ssi_signo != SIGCHLD) {
		*ret = EX_OK;
		return 1;
	}
	*ret = worker_exit_code(privd);
	if (*ret < 0)
		return 0;
	privd->worker = 0;
	return 1;
}

static int
on_ready(struct privd *privd, const struct pollfd watch[WATCHES], int *ret)
{
	struct errbuf err = { "" };

	*ret = EX_SOFTWARE;
	if ((watch[W_EVENTS].revents != 0 && firewall_on_events(&privd->firewall, &err) != 0) ||
	    (watch[W_LINKS].revents != 0 && firewall_on_links(&privd->firewall, &err) != 0)) {
		firewall_shut(&privd->firewall);
		log_error("%s: nothing may be sent any more, ending", err.text);
		return 1;
	}
	if (watch[W_SESSION].revents != 0)
		session_serve(privd);
	if (watch[W_DEAD].revents != 0) {
		close_fd(&privd->worker_dead);
		if (privd->session.sock >= 0)
			session_end(privd);
	}
	if (watch[W_ACCEPT].revents != 0)
		session_accept(privd);
	/* It has learned whose the name is; left in the queue it fills it up. */
	if (watch[W_ALONE].revents != 0)
		close_fd(&(int){ accept4(privd->alone, NULL, NULL, SOCK_CLOEXEC) });
	if (watch[W_WATCHDOG].revents != 0)
		sd_ping(&privd->sd, NULL);
	return watch[W_SIGNALS].revents != 0 ? on_signal(privd, ret) : 0;
}

/* True once nobody can hold a marked socket: only then may the policy go. Not by
 * SIGCHLD: other signals that still come must not hide it. */
static bool
worker_is_gone(const struct privd *privd)
{
	struct pollfd dead = { privd->worker_dead, POLLIN, 0 };

	if (privd->worker_dead < 0)
		return privd->worker == 0;
	if (poll(&dead, 1, LAST_WAIT_MS) <= 0)
		return false;
	return privd->worker == 0 || worker_exit_code(privd) >= 0;
}

int
privd_loop(struct privd *privd)
{
	int code = EX_OK, stop = 0;

	while (stop == 0) {
		struct pollfd watch[WATCHES] = { [W_SIGNALS] = { privd->signals, POLLIN, 0 },
			[W_EVENTS] = { privd->firewall.events, POLLIN, 0 },
			[W_LINKS] = { privd->firewall.links, POLLIN, 0 },
			[W_ALONE] = { privd->alone, POLLIN, 0 },
			[W_ACCEPT] = { privd->accepting, POLLIN, 0 },
			[W_SESSION] = { privd->session.sock, POLLIN, 0 },
			/* SIGCHLD tells of a worker of our own. */
			[W_DEAD] = { privd->worker > 0 ? -1 : privd->worker_dead, POLLIN, 0 },
			[W_WATCHDOG] = { privd->sd.watchdog, POLLIN, 0 } };

		if (poll(watch, WATCHES, -1) < 0) {
			if (errno == EINTR)
				continue;
			log_error("poll: %s", strerror(errno));
			code = EX_SOFTWARE;
			break;
		}
		stop = on_ready(privd, watch, &code);
	}
	(void)sd_notify(&privd->sd, "STOPPING=1");
	close_fd(&privd->accepting);
	session_end(privd);
	close_fd(&privd->client);
	for (uint32_t i = 0; i < privd->listeners; i++) {
		if (listener_remove_name(&privd->listener[i]) != 0)
			log_warn("cannot take the name %s away", privd->listener[i].name);
	}
	if (worker_is_gone(privd))
		firewall_remove(&privd->firewall);
	else
		log_warn("the worker does not end: the packet policy stays, the next start replaces it");
	return code;
}

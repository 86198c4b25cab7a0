#include "common/sd.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/strnum.h"

int
sd_listen_fds(uint32_t max, struct errbuf *reterr)
{
	const char *pid_text = getenv("LISTEN_PID"), *count_text = getenv("LISTEN_FDS");
	uint32_t pid, count;

	if (pid_text == NULL || count_text == NULL)
		return 0;
	if (strnum_u32(pid_text, 1, INT32_MAX, &pid) != 0 || strnum_u32(count_text, 0, max, &count) != 0)
		return errbuf_set(
		    reterr, -EINVAL, "LISTEN_PID or LISTEN_FDS: no number, or more than %u", max);
	if ((pid_t)pid != getpid())
		return 0; /* meant for a parent of ours */
	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + (int)count; fd++) {
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return errbuf_set(
			    reterr, -errno, "LISTEN_FDS: descriptor %d: %s", fd, strerror(errno));
	}
	return (int)count;
}

/* Connected now, so that a process without a right to any socket can send. */
static int
notify_open(struct errbuf *reterr)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = path == NULL ? 0 : strlen(path);
	int fd;

	if (len == 0)
		return -1;
	if ((path[0] != '/' && path[0] != '@') || len >= sizeof(sun.sun_path))
		return errbuf_set(reterr, -EINVAL, "NOTIFY_SOCKET: '%s' is no path", path);
	memcpy(sun.sun_path, path, len);
	if (path[0] == '@')
		sun.sun_path[0] = '\0'; /* unix(7): the abstract namespace */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun,
			   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
		return fd;
	(void)errbuf_set(reterr, -errno, "NOTIFY_SOCKET: %s: %s", path, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return -EINVAL;
}

/* Twice in the time that the manager gives us (sd_watchdog_enabled(3)); -1 when
 * it does not watch this process. */
static int
watchdog_open(struct errbuf *reterr)
{
	const char *usec_text = getenv("WATCHDOG_USEC"), *pid_text = getenv("WATCHDOG_PID");
	struct itimerspec its = { 0 };
	int64_t usec, pid;
	int fd;

	if (usec_text == NULL)
		return -1;
	if (strnum_i64(usec_text, 1, INT64_MAX, &usec) != 0 ||
	    (pid_text != NULL && strnum_i64(pid_text, 1, INT32_MAX, &pid) != 0))
		return errbuf_set(reterr, -EINVAL, "WATCHDOG_USEC or WATCHDOG_PID: no number");
	if (pid_text != NULL && pid != getpid())
		return -1;
	its.it_interval.tv_sec = usec / 2000000;
	its.it_interval.tv_nsec = usec / 2 % 1000000 * 1000 + 1;
	its.it_value = its.it_interval;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0 || timerfd_settime(fd, 0, &its, NULL) < 0)
		return errbuf_set(reterr, -errno, "watchdog timer: %s", strerror(errno));
	return fd;
}

int
sd_open(struct sd *sd, struct errbuf *reterr)
{
	sd->notify = notify_open(reterr);
	sd->watchdog = sd->notify < 0 ? -1 : watchdog_open(reterr);
	return sd->notify < -1 || sd->watchdog < -1 ? -EINVAL : 0;
}

int
sd_notify(const struct sd *sd, const char *text)
{
	if (sd->notify < 0)
		return 0;
	/* A manager that does not read is not waited for. */
	return send(sd->notify, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

void
sd_ping(const struct sd *sd, const char *status)
{
	char text[256];
	uint64_t times;

	if (read(sd->watchdog, &times, sizeof(times)) != (ssize_t)sizeof(times))
		return;
	(void)snprintf(text, sizeof(text), "WATCHDOG=1%s%s", status != NULL ? "\nSTATUS=" : "",
	    status != NULL ? status : "");
	(void)sd_notify(sd, text);
}

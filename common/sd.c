#include "common/sd.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

int
sd_notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = path == NULL ? 0 : strlen(path), text_len = strlen(text);
	ssize_t n;
	int fd, rc;

	if (len == 0)
		return 0;
	if ((path[0] != '/' && path[0] != '@') || len >= sizeof(sun.sun_path))
		return -EINVAL;
	memcpy(sun.sun_path, path, len);
	if (path[0] == '@')
		sun.sun_path[0] = '\0'; /* unix(7): the abstract namespace */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	n = sendto(fd, text, text_len, MSG_NOSIGNAL, (struct sockaddr *)&sun,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	rc = n < 0 ? -errno : 0;
	(void)close(fd);
	return rc;
}

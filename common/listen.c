#include "common/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 512

/* A name left by the dead is taken over, one that answers is not. */
static int
name_clear(const struct sockaddr_un *sun, struct errbuf *reterr)
{
	struct stat st;
	int fd, rc = 0;

	if (lstat(sun->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return errbuf_set(reterr, -EEXIST, "%s: exists and is no socket", sun->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errbuf_set(reterr, -errno, "%s: %s", sun->sun_path, strerror(errno));
	/* Alive as well: one whose queue is full, and another kind of socket. */
	if (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 || errno != ECONNREFUSED)
		rc = errbuf_set(reterr, -EADDRINUSE, "%s: a service listens there already", sun->sun_path);
	else if (unlink(sun->sun_path) < 0)
		rc = errbuf_set(reterr, -errno, "%s: %s", sun->sun_path, strerror(errno));
	(void)close(fd);
	return rc;
}

/*
 * What is made here is born with its mode, which a umask like 077 would spoil,
 * and it is given its owner by descriptor: who owns the directory above could lead
 * a name to another file.
 */
static int
directory_open(const char *dir, const struct ids *owner, struct errbuf *reterr)
{
	mode_t before = umask(022);
	bool made = mkdir(dir, 0755) == 0;
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC | (made ? O_NOFOLLOW : 0)), rc = -errno;

	(void)umask(before);
	if (fd < 0)
		return errbuf_set(reterr, rc, "%s: %s", dir, strerror(-rc));
	if (!made || fchownat(fd, "", owner->uid, owner->gid, AT_EMPTY_PATH) == 0)
		return fd;
	rc = errbuf_set(reterr, -errno, "%s: %s", dir, strerror(errno));
	(void)close(fd);
	return rc;
}

static int
bind_for_all(int fd, const struct sockaddr_un *sun)
{
	mode_t before = umask(0111);
	int rc = bind(fd, (const struct sockaddr *)sun, sizeof(*sun));

	(void)umask(before);
	return rc;
}

int
listener_open(struct listener *l, const char *path, const struct ids *owner, struct errbuf *reterr)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *slash = strrchr(path, '/');
	char dir[sizeof(sun.sun_path)] = "/";
	int rc;

	if (path[0] != '/' || slash[1] == '\0' || strlen(path) >= sizeof(sun.sun_path))
		return errbuf_set(reterr, -EINVAL, "socket '%s': a full path of at most %zu bytes", path,
		    sizeof(sun.sun_path) - 1);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	memcpy(l->name, slash + 1, strlen(slash));
	if (slash > path) {
		memcpy(dir, path, (size_t)(slash - path));
		dir[slash - path] = '\0';
	}
	l->dir = directory_open(dir, owner, reterr);
	if (l->dir < 0)
		return l->dir;
	rc = name_clear(&sun, reterr);
	if (rc != 0)
		return rc;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Who may connect is everybody; who it was, the kernel tells. */
	if (l->fd < 0 || bind_for_all(l->fd, &sun) < 0 || lchown(path, owner->uid, owner->gid) < 0 ||
	    listen(l->fd, BACKLOG) < 0)
		return errbuf_set(reterr, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

int
listener_open_tcp(struct listener *l, const struct addr *addr, uint16_t port, struct errbuf *reterr)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	bool v4 = addr->family == ADDR_IP4;
	const struct sockaddr *sa = v4 ? (const struct sockaddr *)&in : (const struct sockaddr *)&in6;
	const int one = 1;
	char text[ADDR_STRLEN];

	memcpy(v4 ? (void *)&in.sin_addr : (void *)&in6.sin6_addr, addr->b, addr_len(addr->family));
	l->dir = -1;
	l->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* REUSEADDR: a client's connection that lingers must not keep the next
	 * start from listening. NODELAY, which connections inherit: a client that
	 * sends a command for each MORE would wait for its own delayed ACK. */
	if (l->fd < 0 || setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    bind(l->fd, sa, v4 ? sizeof(in) : sizeof(in6)) < 0 || listen(l->fd, BACKLOG) < 0)
		return errbuf_set(reterr, -errno, "TCP %s port %u: %s", addr_format(addr, text), port, strerror(errno));
	return 0;
}

int
listener_remove_name(const struct listener *l)
{
	if (l->dir < 0 || unlinkat(l->dir, l->name, 0) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}

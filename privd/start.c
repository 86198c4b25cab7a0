#include "privd/privd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "vantage-paths.h"

#define USERS_HINT "run 'systemd-sysusers' or './start' to create it"

static int
user_find(const char *user, const char *group, uid_t *ret_uid, gid_t *ret_gid, struct errbuf *reterr)
{
	const struct passwd *pw = getpwnam(user);
	const struct group *gr = getgrnam(group);

	if (pw == NULL)
		return errbuf_set(reterr, -ENOENT, "no user '%s': " USERS_HINT, user);
	if (gr == NULL)
		return errbuf_set(reterr, -ENOENT, "no group '%s': " USERS_HINT, group);
	if (pw->pw_uid == 0 || gr->gr_gid == 0)
		return errbuf_set(reterr, -EINVAL, "user '%s' must not be root", user);
	*ret_uid = pw->pw_uid;
	*ret_gid = gr->gr_gid;
	return 0;
}

int
start_users(struct privd *privd, struct errbuf *reterr)
{
	const struct conf *conf = &privd->conf;
	int rc = user_find(conf->user, conf->group, &privd->worker_uid, &privd->worker_gid, reterr);

	if (rc != 0)
		return rc;
	if (geteuid() == 0) {
		rc = user_find(conf->privd_user, conf->privd_group, &privd->uid, &privd->gid, reterr);
	} else {
		privd->uid = getuid();
		privd->gid = getgid();
	}
	if (rc == 0 && privd->uid == privd->worker_uid)
		return errbuf_set(reterr, -EINVAL, "worker and helper must not share a user");
	return rc;
}

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
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errbuf_set(reterr, -errno, "%s: %s", sun->sun_path, strerror(errno));
	if (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0)
		rc = errbuf_set(reterr, -EADDRINUSE, "%s: a service listens there already", sun->sun_path);
	else if (unlink(sun->sun_path) < 0)
		rc = errbuf_set(reterr, -errno, "%s: %s", sun->sun_path, strerror(errno));
	(void)close(fd);
	return rc;
}

/* The directory, made when it is not there and then given to our later self,
 * which has to take the socket's name away at the end. */
static int
directory_open(const struct privd *privd, const char *path, struct errbuf *reterr)
{
	char copy[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const char *dir;
	int fd;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	dir = dirname(copy);
	if (mkdir(dir, 0755) == 0 && chown(dir, privd->uid, privd->gid) < 0)
		return errbuf_set(reterr, -errno, "%s: %s", dir, strerror(errno));
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? errbuf_set(reterr, -errno, "%s: %s", dir, strerror(errno)) : fd;
}

int
start_listen(struct privd *privd, const char *path, struct errbuf *reterr)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct listener *l = &privd->listener[privd->listeners];
	char copy[sizeof(sun.sun_path)];
	int rc;

	if (strlen(path) >= sizeof(sun.sun_path) || path[0] != '/')
		return errbuf_set(reterr, -EINVAL, "socket '%s': an absolute path of at most %zu bytes", path,
		    sizeof(sun.sun_path) - 1);
	if (privd->listeners == PP_LISTENERS_MAX)
		return errbuf_set(reterr, -E2BIG, "more than %d control sockets", PP_LISTENERS_MAX);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	memcpy(copy, path, strlen(path) + 1);
	(void)snprintf(l->name, sizeof(l->name), "%s", basename(copy));
	l->dir = directory_open(privd, path, reterr);
	if (l->dir < 0)
		return l->dir;
	rc = name_clear(&sun, reterr);
	if (rc != 0)
		return rc;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Who may connect is everybody; who it was, the kernel tells the worker. */
	if (l->fd < 0 || bind(l->fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0 || chmod(path, 0666) < 0 ||
	    lchown(path, privd->uid, privd->gid) < 0 || listen(l->fd, 512) < 0)
		return errbuf_set(reterr, -errno, "%s: %s", path, strerror(errno));
	privd->listeners++;
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

/* In the child: the channel is descriptor 3, standard error stays, nothing
 * else is inherited; no environment but what the log needs. */
static _Noreturn void
worker_exec(const char *program, int channel, char **argv)
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
	if (syscall(SYS_close_range, 4, ~0u, 0) < 0)
		_exit(70);
	(void)execve(program, argv, env);
	_exit(71);
}

int
start_worker(struct privd *privd, const char *program, const char *conf_path, bool debug, struct errbuf *reterr)
{
	char *argv[7] = { TEXT("vantage-workerd") };
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
	if (privd->client < 0 && access(VANTAGE_DATA_DIR, F_OK) == 0) {
		argv[n++] = TEXT("--root");
		argv[n++] = TEXT(VANTAGE_DATA_DIR);
	}
	privd->worker = fork();
	if (privd->worker == 0)
		worker_exec(program, pair[1], argv);
	(void)close(pair[1]);
	if (privd->worker < 0) {
		(void)close(pair[0]);
		return errbuf_set(reterr, -errno, "fork: %s", strerror(errno));
	}
	privd->session.sock = pair[0];
	return 0;
}

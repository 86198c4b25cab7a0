#include "workerd/out/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

int
dir_open(struct dir *d, const char *path, struct errbuf *reterr)
{
	size_t len = path == NULL ? 0 : strlen(path);

	*d = (struct dir){ .fd = -1 };
	if (path == NULL)
		return 0;
	while (len > 1 && path[len - 1] == '/')
		len--;
	if (path[0] != '/' || len >= sizeof(d->path))
		return errbuf_set(reterr, -EINVAL, "data directory '%s': a full path of at most %d bytes",
		    path, DIR_PATH_MAX - 1);
	memcpy(d->path, path, len);
	d->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return d->fd >= 0 ? 0 : errbuf_set(reterr, -errno, "data directory %s: %s", path, strerror(errno));
}

void
dir_close(struct dir *d)
{
	if (d->fd >= 0)
		(void)close(d->fd);
	d->fd = -1;
}

/* What follows the directory's own name, or NULL: it leaves the directory. */
static const char *
relative(const struct dir *d, const char *name)
{
	size_t len = strlen(d->path);

	if (name[0] != '/')
		return name;
	if (strncmp(name, d->path, len) != 0 || name[len] != '/')
		return NULL;
	return name + len + strspn(name + len, "/");
}

/* Ours, "." and "..". */
static bool
has_dot_name(const char *name)
{
	if (name[0] == '.')
		return true;
	for (; (name = strchr(name, '/')) != NULL; name++) {
		if (name[1] == '.')
			return true;
	}
	return false;
}

static int
name_check(const struct dir *d, const char **name, bool own, struct errbuf *reterr)
{
	const char *rel;

	if (d->fd < 0)
		return errbuf_set(reterr, -ENOENT, "there is no data directory");
	rel = relative(d, *name);
	if (rel == NULL)
		return errbuf_set(reterr, -EXDEV, "'%s' is not in the data directory", *name);
	if (rel[0] == '\0' || strlen(rel) >= DIR_PATH_MAX)
		return errbuf_set(reterr, -EINVAL, "a name has 1 to %d bytes", DIR_PATH_MAX - 1);
	if (has_dot_name(rel) != own)
		return errbuf_set(reterr, -EACCES, "'%s': names that begin with a dot are refused", *name);
	*name = rel;
	return 0;
}

/* O_NONBLOCK: a FIFO must not hold us up before we know what it is. */
static int
beneath(const struct dir *d, const char *name, enum dir_mode mode)
{
	static const uint64_t flags[] = {
		[DIR_READ] = O_RDONLY,
		[DIR_APPEND] = O_RDWR | O_APPEND | O_CREAT,
		[DIR_TRUNCATE] = O_RDWR | O_APPEND | O_CREAT,
		[DIR_OWN] = O_RDWR | O_CREAT,
	};
	struct open_how how = { .flags = flags[mode] | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.mode = mode == DIR_READ ? 0 : 0640,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, d->fd, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int
file_check(struct dir_file *f, const char *name, enum dir_mode mode, struct errbuf *reterr)
{
	struct statx st = { 0 };

	if (statx(f->fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE | STATX_INO, &st) < 0)
		return errbuf_set(reterr, -errno, "%s: %s", name, strerror(errno));
	if (!S_ISREG(st.stx_mode))
		return errbuf_set(reterr, -EINVAL, "%s: is no regular file", name);
	if (mode == DIR_TRUNCATE && ftruncate(f->fd, 0) < 0)
		return errbuf_set(reterr, -errno, "%s: %s", name, strerror(errno));
	f->size = mode == DIR_TRUNCATE ? 0 : st.stx_size;
	f->ino = st.stx_ino;
	f->dev = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
	return 0;
}

int
dir_file_open(
    const struct dir *d, const char *name, enum dir_mode mode, struct dir_file *ret, struct errbuf *reterr)
{
	struct dir_file f = { .fd = -1 };
	int rc = name_check(d, &name, mode == DIR_OWN, reterr);

	if (rc != 0)
		return rc;
	f.fd = beneath(d, name, mode);
	if (f.fd < 0)
		return errbuf_set(reterr, f.fd, "%s: %s", name, strerror(-f.fd));
	rc = file_check(&f, name, mode, reterr);
	if (rc != 0)
		(void)close(f.fd);
	else
		*ret = f;
	return rc;
}

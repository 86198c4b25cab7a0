#include "client/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

static int
open_file(const char *path, bool *ret_owned)
{
	*ret_owned = path != NULL;
	if (path == NULL)
		return STDOUT_FILENO;
	return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
}

int
output_check_terminal(int fd, enum out_format format, enum out_comp comp, struct errbuf *reterr)
{
	if ((format != FORMAT_WARTS && comp == COMP_NONE) || !isatty(fd))
		return 0;
	return errbuf_set(reterr, -ENOTTY, "%s is not for a terminal: give a file with -o",
	    comp != COMP_NONE ? "compressed output" : "warts");
}

int
output_open(struct output *o, const char *path, enum out_format format, enum out_comp comp, int wake_fd,
    struct errbuf *reterr)
{
	struct stat st;
	off_t at;

	memset(o, 0, sizeof(*o));
	buf_init(&o->group, 0);
	buf_init(&o->packed, 0);
	o->wake_fd = wake_fd;
	o->comp = comp;
	o->path = path == NULL ? "-" : path;
	o->fd = open_file(path, &o->owned);
	if (o->fd < 0 || fstat(o->fd, &st) != 0)
		return errbuf_set(reterr, -errno, "cannot create '%s': %s", o->path, strerror(errno));
	if (output_check_terminal(o->fd, format, comp, reterr) != 0)
		return -ENOTTY;
	/* Standard output may be a file that others wrote before us ("{ a; b; } >f"),
	 * or append to: what is before our first byte is not ours to cut. */
	at = lseek(o->fd, 0, (fcntl(o->fd, F_GETFL) & O_APPEND) != 0 ? SEEK_END : SEEK_CUR);
	o->regular = S_ISREG(st.st_mode) && at >= 0;
	o->size = at > 0 ? (uint64_t)at : 0;
	return 0;
}

void
output_guard(struct output *o)
{
	int rc = o->owned && o->regular ? guard_start(&o->guard, o->fd, o->size) : 0;

	if (rc < 0)
		log_debug("output: no guard: %s", strerror(-rc));
}

bool
output_is_full(const struct output *o)
{
	return o->group.len >= (o->comp == COMP_NONE ? OUTPUT_GROUP_BYTES : OUTPUT_PACKED_BYTES);
}

/* A file: all or nothing. */
static int
write_regular(struct output *o, const struct buf *b)
{
	size_t done = 0;

	while (done < b->len) {
		ssize_t n = write(o->fd, b->p + done, b->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int rc = -errno;

			if (done > 0 && ftruncate(o->fd, (off_t)o->size) == 0)
				(void)lseek(o->fd, (off_t)o->size, SEEK_SET);
			return rc;
		}
		done += (size_t)n;
	}
	o->size += b->len;
	guard_move(&o->guard, o->size);
	return 0;
}

/* A pipe or terminal may make us wait; ^C must end that. PIPE_BUF bytes go
 * through at once when poll says that there is room. */
static int
write_slow(struct output *o, struct buf *b)
{
	size_t done = 0;
	int rc = 0;

	while (rc == 0 && done < b->len) {
		size_t part = b->len - done < PIPE_BUF ? b->len - done : PIPE_BUF;
		struct pollfd pfd[2] = { { o->fd, POLLOUT, 0 }, { o->wake_fd, POLLIN, 0 } };
		ssize_t n;

		if (poll(pfd, o->wake_fd < 0 ? 1 : 2, -1) < 0 && errno == EINTR)
			continue;
		if (pfd[1].revents != 0 && pfd[0].revents == 0) {
			rc = -EINTR;
			break;
		}
		n = write(o->fd, b->p + done, part);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			rc = -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	buf_consume(b, done);
	return rc;
}

enum zfile_kind
output_pack_kind(enum out_comp comp)
{
	static const enum zfile_kind kinds[] = {
		[COMP_NONE] = ZFILE_NONE,
		[COMP_GZIP] = ZFILE_GZIP,
		[COMP_BZIP2] = ZFILE_BZIP2,
		[COMP_XZ] = ZFILE_XZ,
	};

	return kinds[comp];
}

/* Packed once; a wait that was cut short goes on with what is left. */
static int
pack_group(struct output *o)
{
	int rc;

	if (o->group.len == 0)
		return 0;
	rc = zfile_pack(output_pack_kind(o->comp), o->group.p, o->group.len, &o->packed);
	buf_reset(&o->group);
	return rc;
}

static int
write_group(struct output *o)
{
	struct buf *b = &o->group;
	int rc;

	if (o->group.failed)
		return -ENOMEM;
	if (o->comp != COMP_NONE) {
		rc = pack_group(o);
		if (rc < 0)
			return rc;
		b = &o->packed;
	}
	rc = o->regular ? write_regular(o, b) : write_slow(o, b);
	return rc;
}

int
output_flush(struct output *o)
{
	int rc;

	if (o->group.len == 0 && o->packed.len == 0 && !o->group.failed)
		return 0;
	rc = o->gone ? -EPIPE : write_group(o);
	if (rc == -EINTR)
		return rc;
	if (rc < 0) {
		o->lost += o->records;
		o->error = o->error == 0 ? -rc : o->error;
		o->gone = o->gone || rc == -EPIPE;
	}
	o->records = 0;
	buf_reset(&o->group);
	buf_reset(&o->packed);
	return rc;
}

int
output_close(struct output *o)
{
	int rc = output_flush(o);

	guard_end(&o->guard);
	if (o->owned && o->fd >= 0 && close(o->fd) != 0 && rc == 0)
		rc = -errno;
	o->fd = -1;
	buf_fini(&o->group);
	buf_fini(&o->packed);
	return rc;
}

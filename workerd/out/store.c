#include "workerd/out/store.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/log.h"
#include "proto/record/scan.h"

/* ---- life ---- */

void
store_init(struct store *d, const char *path, struct outfile_format format)
{
	size_t len = strlen(path);

	*d = (struct store){ .fd = -1, .format = format };
	/* dir_file_open refuses longer ones. */
	memcpy(d->path, path, len < sizeof(d->path) ? len : sizeof(d->path) - 1);
	buf_init(&d->wait, OUTFILE_WAIT_MAX);
	buf_init(&d->packed, OUTFILE_WAIT_MAX);
	warts_stream_init(&d->stream);
}

void
store_fini(struct store *d)
{
	if (d->fd >= 0)
		(void)close(d->fd);
	scan_free(d->scan);
	warts_stream_fini(&d->stream);
	buf_fini(&d->wait);
	buf_fini(&d->packed);
}

static int
scan_begin(struct store *d)
{
	if (d->size == 0)
		return 0;
	d->scan = scan_new(d->fd, d->format, &d->stream);
	return d->scan == NULL ? -ENOMEM : 0;
}

int
store_use(struct store *d, const struct dir_file *f)
{
	d->fd = f->fd;
	d->size = f->size;
	d->ino = f->ino;
	d->dev = f->dev;
	return scan_begin(d);
}

int
store_use_given(struct store *d, int fd, bool empty, struct errbuf *reterr)
{
	struct stat st;

	d->given = true;
	if (fstat(fd, &st) != 0 || (empty && S_ISREG(st.st_mode) && ftruncate(fd, 0) != 0))
		return errbuf_set(reterr, -errno, "%s: descriptor %d: %s", d->path, fd, strerror(errno));
	d->fd = fd;
	d->flows = !S_ISREG(st.st_mode);
	d->size = d->flows || empty ? 0 : (uint64_t)st.st_size;
	d->ino = st.st_ino;
	d->dev = (uint64_t)major(st.st_dev) << 32 | minor(st.st_dev);
	return 0;
}

bool
store_ready(const struct store *d)
{
	return d->scan == NULL && !d->lost;
}

/* ---- looking through ---- */

static int
give_up(struct store *d, int rc, const char *why)
{
	(void)errbuf_set(&d->why, 0, "%.90s: %.160s", d->path, why);
	log_error("%s", d->why.text);
	scan_free(d->scan);
	d->scan = NULL;
	d->lost = true;
	return rc;
}

/* What is damaged goes. Of a compressed file more has been learnt than stays: 1,
 * it is to be looked through again. */
static int
mend(struct store *d, uint64_t whole, const char *why)
{
	if (d->size - whole > OUTFILE_MEND_MAX) {
		struct errbuf err;

		return give_up(d,
		    errbuf_set(&err, -EFBIG,
			"%.80s; with %llu bytes from there on it is not cut: begin a new file", why,
			(unsigned long long)(d->size - whole)),
		    err.text);
	}
	log_warn("%s: %llu bytes behind the last whole record are cut: %s", d->path,
	    (unsigned long long)(d->size - whole), why);
	if (ftruncate(d->fd, (off_t)whole) < 0)
		return give_up(d, -errno, strerror(errno));
	d->size = whole;
	scan_free(d->scan);
	d->scan = NULL;
	if (d->format.pack == ZFILE_NONE)
		return 0;
	warts_stream_fini(&d->stream);
	if (d->mended || lseek(d->fd, 0, SEEK_SET) < 0 || scan_begin(d) != 0)
		return give_up(d, -EIO, "cannot be mended");
	d->mended = true;
	return d->scan != NULL;
}

int
store_look(struct store *d, uint64_t bytes)
{
	struct errbuf why = { "its last record is cut" };
	int rc;

	if (d->scan == NULL)
		return d->lost ? -EIO : 0;
	rc = scan_step(d->scan, bytes, &why);
	if (rc == -EBADMSG) {
		rc = mend(d, scan_whole(d->scan), why.text);
		return rc > 0 ? store_look(d, bytes) : rc;
	}
	if (rc < 0)
		return give_up(d, rc, why.text);
	if (rc == 0) {
		scan_free(d->scan);
		d->scan = NULL;
	}
	return rc;
}

int
store_cut(struct store *d, uint64_t size, struct errbuf *reterr)
{
	if (size >= d->size)
		return 0;
	log_warn("%s: cut from %llu to %llu bytes, where the state file says it ended", d->path,
	    (unsigned long long)d->size, (unsigned long long)size);
	if (ftruncate(d->fd, (off_t)size) < 0)
		return errbuf_set(reterr, -errno, "%s: %s", d->path, strerror(errno));
	d->size = size;
	return 0;
}

/* ---- records ---- */

/* The buffer has failed only if nothing of this piece is in it. */
static int
settled(struct store *d, size_t before, int rc)
{
	if (rc == 0 && !d->wait.failed)
		return 0;
	d->wait.len = before;
	d->wait.failed = false;
	return rc != 0 ? rc : -ENOMEM;
}

static int
closed(const struct store *d)
{
	return d->lost ? -EIO : d->scan != NULL ? -EBUSY : 0;
}

int
store_cycle_start(struct store *d, const struct cycle_record *cycle)
{
	size_t before = d->wait.len;
	int rc = closed(d);

	if (rc == 0 && d->format.form == OUTFILE_WARTS)
		rc = warts_stream_start(&d->stream, &d->wait, cycle);
	else if (rc == 0 && d->format.form == OUTFILE_JSON)
		json_write_cycle(&d->wait, cycle, false);
	return settled(d, before, rc);
}

int
store_cycle_stop(struct store *d, const struct cycle_record *cycle)
{
	size_t before = d->wait.len;
	int rc = closed(d);

	if (rc == 0 && d->format.form == OUTFILE_WARTS)
		rc = warts_stream_stop(&d->stream, &d->wait, cycle);
	else if (rc == 0 && d->format.form == OUTFILE_JSON)
		json_write_cycle(&d->wait, cycle, true);
	return settled(d, before, rc);
}

int
store_record(
    struct store *d, const struct record_type *type, const void *rec, const struct cycle_record *cycle)
{
	struct record_refs refs = { .monitor = cycle->list->monitor };
	size_t before = d->wait.len;
	int rc = closed(d);

	if (rc == 0 && d->format.form == OUTFILE_WARTS)
		rc = warts_stream_write(&d->stream, &d->wait, type, rec, cycle->list, cycle);
	else if (rc == 0 && d->format.form == OUTFILE_JSON)
		rc = json_write(&d->wait, type, rec, &refs);
	else if (rc == 0)
		rc = text_write(&d->wait, type, rec);
	return settled(d, before, rc);
}

/* ---- writing ---- */

/* Of a plain file the records themselves. */
static struct buf *
outgoing(struct store *d)
{
	return d->format.pack == ZFILE_NONE ? &d->wait : &d->packed;
}

size_t
store_waiting(const struct store *d)
{
	return d->wait.len + d->packed.len;
}

uint64_t
store_end(const struct store *d)
{
	return d->size + (d->format.pack == ZFILE_NONE ? d->wait.len : d->packed.len);
}

int
store_pack(struct store *d)
{
	int rc;

	if (d->format.pack == ZFILE_NONE || d->wait.len == 0)
		return 0;
	rc = zfile_pack(d->format.pack, d->wait.p, d->wait.len, &d->packed);
	if (rc == 0)
		buf_reset(&d->wait);
	return rc;
}

/* A failed write says so once, until one succeeds. A pipe that is only full is no
 * failure. */
static int
stuck(struct store *d, int err)
{
	if (err == EAGAIN && d->flows)
		return -EAGAIN;
	if (d->why.text[0] == '\0')
		log_error("%s: cannot be written, records wait: %s", d->path, strerror(err));
	return errbuf_set(&d->why, -err, "%s", strerror(err));
}

/* Who read it has gone, and nobody else can come. */
static int
abandon(struct store *d)
{
	buf_reset(&d->wait);
	buf_reset(&d->packed);
	return give_up(d, -EPIPE, "nobody reads it any more");
}

/* All or nothing; of what flows away what there is room for. */
static int
failed(struct store *d, struct buf *b, size_t done, int err)
{
	if (d->flows && err == EPIPE)
		return abandon(d);
	if (d->flows) {
		d->size += done;
		buf_consume(b, done);
	} else if (done > 0 && ftruncate(d->fd, (off_t)d->size) < 0) {
		log_error("%s: %s", d->path, strerror(errno));
	}
	return stuck(d, err);
}

int
store_flush(struct store *d)
{
	struct buf *b = outgoing(d);
	size_t done = 0;

	while (done < b->len) {
		ssize_t n = write(d->fd, b->p + done, b->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return failed(d, b, done, n < 0 ? errno : EIO);
		done += (size_t)n;
	}
	d->size += done;
	if (done > 0)
		d->why.text[0] = '\0';
	buf_reset(b);
	return 0;
}

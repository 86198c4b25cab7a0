#include "workerd/out/outfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/log.h"
#include "proto/record/stream.h"

struct outfile_data {
	int fd;
	uint64_t size; /* of whole records in the file */
	uint64_t ino;
	uint64_t dev;
	struct buf wait;
	struct warts_stream stream;
	enum outfile_format format;
	bool stuck; /* the last write failed, and that has been said */
	char path[DIR_PATH_MAX];
};

/* ---- files ---- */

static void
data_free(struct outfile_data *d)
{
	if (d == NULL)
		return;
	if (d->fd >= 0)
		(void)close(d->fd);
	warts_stream_fini(&d->stream);
	buf_fini(&d->wait);
	free(d);
}

static struct outfile_data *
data_new(const struct outfile_options *o)
{
	struct outfile_data *d = calloc(1, sizeof(*d));
	size_t len = strlen(o->path);

	if (d == NULL)
		return NULL;
	d->fd = -1;
	d->format = o->format;
	/* dir_file_open refuses longer ones. */
	memcpy(d->path, o->path, len < sizeof(d->path) ? len : sizeof(d->path) - 1);
	buf_init(&d->wait, OUTFILE_WAIT_MAX);
	warts_stream_init(&d->stream);
	return d;
}

static ssize_t
read_fd(void *arg, void *p, size_t n)
{
	const struct outfile_data *d = arg;
	ssize_t got = read(d->fd, p, n);

	return got < 0 ? -errno : got;
}

/* The end of the last whole line. */
static int
scan_lines(struct outfile_data *d, uint64_t *ret_end)
{
	uint64_t at = 0;
	char chunk[16384];
	ssize_t n;

	while ((n = read_fd(d, chunk, sizeof(chunk))) > 0) {
		const char *nl = memrchr(chunk, '\n', (size_t)n);

		if (nl != NULL)
			*ret_end = at + (uint64_t)(nl - chunk) + 1;
		at += (uint64_t)n;
	}
	return (int)n;
}

/* A first record that was cut is damage; another program's file is not. */
static bool
begins_like_ours(const struct outfile_data *d)
{
	static const char *const begins[] = {
		[OUTFILE_WARTS] = "\x12\x05", [OUTFILE_JSON] = "{\"", [OUTFILE_TEXT] = ""
	};
	const char *want = begins[d->format];
	char got[2] = "";
	ssize_t n;

	if (lseek(d->fd, 0, SEEK_SET) < 0)
		return false;
	n = read(d->fd, got, strlen(want));
	return n > 0 && memcmp(got, want, (size_t)n) == 0;
}

/* Where to go on: behind what a reader takes as whole. */
static int
mend(struct outfile_data *d, struct errbuf *reterr)
{
	struct errbuf why = { "its last line has no end" };
	uint64_t end = 0;
	int rc = d->format == OUTFILE_WARTS ? warts_stream_scan(&d->stream, read_fd, d, &end, &why)
					    : scan_lines(d, &end);

	if (rc != 0 && rc != -EBADMSG)
		return errbuf_set(reterr, rc, "%s: cannot be read: %s", d->path, why.text);
	if (end == 0 && d->size > 0 && !begins_like_ours(d))
		return errbuf_set(reterr, -EBADMSG, "%s: holds something else", d->path);
	if (end == d->size)
		return 0;
	log_warn("%s: %llu bytes behind the last whole record are cut: %s", d->path,
	    (unsigned long long)(d->size - end), why.text);
	if (ftruncate(d->fd, (off_t)end) < 0)
		return errbuf_set(reterr, -errno, "%s: %s", d->path, strerror(errno));
	d->size = end;
	return 0;
}

static bool
is_open(const struct outfiles *all, const struct outfile_data *d)
{
	for (const struct outfile *o = all->first; o != NULL; o = o->next) {
		if (o->data->ino == d->ino && o->data->dev == d->dev)
			return true;
	}
	return false;
}

/* Looked at before it is emptied: it may be another alias's. */
static int
data_open(struct outfile_data *d, const struct outfiles *all, const struct outfile_options *o,
    struct errbuf *reterr)
{
	struct dir_file f;
	int rc = dir_file_open(all->dir, o->path, DIR_APPEND, &f, reterr);

	if (rc != 0)
		return rc;
	d->fd = f.fd;
	d->size = f.size;
	d->ino = f.ino;
	d->dev = f.dev;
	if (is_open(all, d))
		return errbuf_set(reterr, -EEXIST, "%s: is open already", o->path);
	if (o->truncate) {
		d->size = 0;
		return ftruncate(d->fd, 0) == 0
			   ? 0
			   : errbuf_set(reterr, -errno, "%s: %s", o->path, strerror(errno));
	}
	if (o->scan_max != 0 && d->size > o->scan_max)
		return errbuf_set(reterr, -EFBIG, "%s: longer than %llu bytes: begin a new file", o->path,
		    (unsigned long long)o->scan_max);
	return mend(d, reterr);
}

/* ---- aliases ---- */

void
outfiles_init(struct outfiles *all, const struct dir *dir)
{
	*all = (struct outfiles){ .dir = dir };
}

static void
outfile_free(struct outfile *o)
{
	data_free(o->data);
	free(o);
}

void
outfiles_fini(struct outfiles *all)
{
	struct outfile *o;

	while ((o = all->first) != NULL) {
		all->first = o->next;
		outfile_free(o);
	}
	all->count = 0;
}

struct outfile *
outfiles_find(const struct outfiles *all, const char *alias)
{
	for (struct outfile *o = all->first; o != NULL; o = o->next) {
		if (strcmp(o->alias, alias) == 0)
			return o;
	}
	return NULL;
}

int
outfiles_open(
    struct outfiles *all, const struct outfile_options *opt, struct outfile **ret, struct errbuf *reterr)
{
	size_t len = strlen(opt->alias) + 1;
	struct outfile *o;
	int rc;

	if (outfiles_find(all, opt->alias) != NULL)
		return errbuf_set(reterr, -EEXIST, "there is an outfile '%s'", opt->alias);
	if (all->count >= OUTFILES_MAX)
		return errbuf_set(reterr, -E2BIG, "at most %d outfiles", OUTFILES_MAX);
	o = calloc(1, sizeof(*o) + len);
	if (o == NULL)
		return errbuf_set(reterr, -ENOMEM, "out of memory");
	memcpy(o->alias, opt->alias, len);
	o->refs = 1;
	o->data = data_new(opt);
	rc = o->data == NULL ? errbuf_set(reterr, -ENOMEM, "out of memory")
			     : data_open(o->data, all, opt, reterr);
	if (rc != 0) {
		outfile_free(o);
		return rc;
	}
	o->next = all->first;
	all->first = o;
	all->count++;
	*ret = o;
	return 0;
}

int
outfiles_close(struct outfiles *all, struct outfile *o)
{
	struct outfile **link = &all->first;

	if (o->refs > 1)
		return -EBUSY;
	while (*link != o)
		link = &(*link)->next;
	*link = o->next;
	all->count--;
	outfile_free(o);
	return 0;
}

void
outfile_swap(struct outfile *a, struct outfile *b)
{
	struct outfile_data *d = a->data;

	a->data = b->data;
	b->data = d;
}

const char *
outfile_path(const struct outfile *o)
{
	return o->data->path;
}

enum outfile_format
outfile_format(const struct outfile *o)
{
	return o->data->format;
}

/* ---- writing ---- */

/* A failed write says so once, until one succeeds. */
static int
stuck(struct outfile_data *d, int err)
{
	if (!d->stuck)
		log_error("%s: cannot be written, records wait: %s", d->path, strerror(err));
	d->stuck = true;
	return -err;
}

static int
data_flush(struct outfile_data *d)
{
	size_t done = 0;

	while (done < d->wait.len) {
		ssize_t n = write(d->fd, d->wait.p + done, d->wait.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int err = n < 0 ? errno : EIO;

			if (ftruncate(d->fd, (off_t)d->size) < 0)
				log_error("%s: %s", d->path, strerror(errno));
			return stuck(d, err);
		}
		done += (size_t)n;
	}
	d->size += done;
	d->stuck = false;
	buf_reset(&d->wait);
	return 0;
}

int
outfiles_flush(struct outfiles *all)
{
	int first = 0;

	for (struct outfile *o = all->first; o != NULL; o = o->next) {
		int rc = data_flush(o->data);

		first = first == 0 ? rc : first;
	}
	return first;
}

uint64_t
outfile_written(const struct outfile *o)
{
	return o->data->size;
}

uint64_t
outfile_end(const struct outfile *o)
{
	return o->data->size + o->data->wait.len;
}

bool
outfile_full(const struct outfile *o)
{
	return o->data->wait.len > OUTFILE_WAIT_MARK;
}

int
outfile_cut(struct outfile *o, uint64_t size, struct errbuf *reterr)
{
	struct outfile_data *d = o->data;

	if (size >= d->size)
		return 0;
	log_warn("%s: cut from %llu to %llu bytes, where the state file says it ended", d->path,
	    (unsigned long long)d->size, (unsigned long long)size);
	if (ftruncate(d->fd, (off_t)size) < 0 || lseek(d->fd, 0, SEEK_SET) < 0)
		return errbuf_set(reterr, -errno, "%s: %s", d->path, strerror(errno));
	/* What it defines has to be learnt again. */
	warts_stream_fini(&d->stream);
	d->size = size;
	return size == 0 ? 0 : mend(d, reterr);
}

/* The buffer has failed only if nothing of this piece is in it. */
static int
settled(struct outfile_data *d, size_t before, int rc)
{
	if (rc == 0 && !d->wait.failed)
		return 0;
	d->wait.len = before;
	d->wait.failed = false;
	return rc != 0 ? rc : -ENOMEM;
}

int
outfile_cycle_start(struct outfile *o, const struct cycle_record *cycle)
{
	struct outfile_data *d = o->data;
	size_t before = d->wait.len;
	int rc = 0;

	if (d->format == OUTFILE_WARTS)
		rc = warts_stream_start(&d->stream, &d->wait, cycle);
	else if (d->format == OUTFILE_JSON)
		json_write_cycle(&d->wait, cycle, false);
	return settled(d, before, rc);
}

int
outfile_cycle_stop(struct outfile *o, const struct cycle_record *cycle)
{
	struct outfile_data *d = o->data;
	size_t before = d->wait.len;
	int rc = 0;

	if (d->format == OUTFILE_WARTS)
		rc = warts_stream_stop(&d->stream, &d->wait, cycle);
	else if (d->format == OUTFILE_JSON)
		json_write_cycle(&d->wait, cycle, true);
	return settled(d, before, rc);
}

int
outfile_record(
    struct outfile *o, const struct record_type *type, const void *rec, const struct cycle_record *cycle)
{
	struct outfile_data *d = o->data;
	struct record_refs refs = { .monitor = cycle->list->monitor };
	size_t before = d->wait.len;
	int rc;

	if (d->format == OUTFILE_WARTS)
		rc = warts_stream_write(&d->stream, &d->wait, type, rec, cycle->list, cycle);
	else if (d->format == OUTFILE_JSON)
		rc = json_write(&d->wait, type, rec, &refs);
	else
		rc = text_write(&d->wait, type, rec);
	return settled(d, before, rc);
}

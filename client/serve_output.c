#include "client/serve_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/output.h"
#include "client/status.h"
#include "common/log.h"
#include "proto/record/scan.h"

#define PIPE_BYTES (1024 * 1024)
#define LOOK_BYTES (64 * 1024 * 1024)

static struct outfile_format
format_of(const struct opts *o)
{
	static const enum outfile_form forms[] = {
		[FORMAT_UNSET] = OUTFILE_TEXT,
		[FORMAT_TEXT] = OUTFILE_TEXT,
		[FORMAT_WARTS] = OUTFILE_WARTS,
		[FORMAT_JSON] = OUTFILE_JSON,
	};

	return (struct outfile_format){ .form = forms[o->format], .pack = output_pack_kind(o->comp) };
}

/* The worker must not wait in a write, and whether a descriptor waits is a
 * property that it shares with those it was copied from: so standard output is
 * opened anew, where that can be done. */
static int
open_stdout(void)
{
	int fd = open("/proc/self/fd/1", O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		return fd;
	/* A socket, as of the journal. */
	fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0)
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

int
serve_output_open(const struct opts *o, struct private_output *ret, struct errbuf *reterr)
{
	const char *name = o->output == NULL ? "-" : o->output;

	ret->fd = -1;
	if (o->daemon && o->output == NULL)
		return STATUS_OK;
	/* Emptied by the worker, once there is one. */
	ret->fd =
	    o->output == NULL
		? open_stdout()
		: open(o->output, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0666);
	if (ret->fd < 0)
		return errbuf_set(reterr, STATUS_CREATE, "cannot create '%s': %s", name, strerror(errno));
	if (output_check_terminal(ret->fd, o->format, o->comp, reterr) != 0)
		return STATUS_CREATE;
	(void)fcntl(ret->fd, F_SETPIPE_SZ, PIPE_BYTES);
	(void)snprintf(ret->text, sizeof(ret->text), "%s%s%s,%s", o->outcopy ? "copy," : "",
	    o->output != NULL ? "new," : "", outfile_format_word(format_of(o)), name);
	return STATUS_OK;
}

static int
mend(int fd, const struct outfile_format *format, uint64_t *ret_cut, struct errbuf *why)
{
	struct warts_stream stream;
	struct scan *scan;
	struct stat st;
	int rc = -ENOMEM;

	warts_stream_init(&stream);
	scan = scan_new(fd, *format, &stream);
	if (scan != NULL) {
		while ((rc = scan_step(scan, LOOK_BYTES, why)) > 0)
			continue;
		*ret_cut = scan_whole(scan);
	}
	scan_free(scan);
	warts_stream_fini(&stream);
	if (rc != -EBADMSG)
		return rc;
	if (fstat(fd, &st) != 0 || ftruncate(fd, (off_t)*ret_cut) != 0)
		return errbuf_set(why, -errno, "%s", strerror(errno));
	*ret_cut = (uint64_t)st.st_size - *ret_cut;
	return 1;
}

void
serve_output_mend(const struct opts *o, const struct private_output *out)
{
	struct outfile_format format = format_of(o);
	struct errbuf why = { "out of memory" };
	char self[40];
	struct stat st;
	uint64_t cut = 0;
	int fd, rc;

	if (out->fd < 0 || o->output == NULL || fstat(out->fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_size == 0)
		return;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", out->fd);
	fd = open(self, O_RDWR | O_CLOEXEC);
	rc = fd < 0 ? errbuf_set(&why, -errno, "%s", strerror(errno)) : mend(fd, &format, &cut, &why);
	if (rc < 0)
		log_error("%s: its end could not be looked at: %s", o->output, why.text);
	else if (rc > 0)
		log_error("%s: %llu bytes behind the last whole record were cut", o->output,
		    (unsigned long long)cut);
	if (fd >= 0)
		(void)close(fd);
}

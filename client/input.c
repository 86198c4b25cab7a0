#include "client/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
input_open(struct input *in, const char *path, struct errbuf *reterr)
{
	struct stat st;

	memset(in, 0, sizeof(*in));
	in->fd = -1;
	in->buf = malloc(INPUT_BUF_BYTES + 1);
	if (in->buf == NULL)
		return errbuf_set(reterr, -ENOMEM, "out of memory");
	in->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0 || fstat(in->fd, &st) != 0)
		return errbuf_set(reterr, -errno, "cannot read '%s': %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return errbuf_set(reterr, -EISDIR, "cannot read '%s': it is a directory", path);
	in->regular = S_ISREG(st.st_mode);
	in->size = in->regular ? (uint64_t)st.st_size : 0;
	return 0;
}

void
input_close(struct input *in)
{
	if (in->fd > STDIN_FILENO)
		(void)close(in->fd);
	in->fd = -1;
	free(in->buf);
	in->buf = NULL;
}

/* What is left of a line that is reported as too long. */
static bool
skip_rest(struct input *in)
{
	const char *nl = memchr(in->buf + in->pos, '\n', in->len - in->pos);
	size_t end = nl == NULL ? in->len : (size_t)(nl - in->buf) + 1;

	in->consumed += end - in->pos;
	in->pos = end;
	in->skipping = nl == NULL && !in->eof;
	return !in->skipping;
}

static enum input_status
hand_out(struct input *in, size_t len, bool newline, char **ret, size_t *ret_len)
{
	char *line = in->buf + in->pos;

	in->line_no++;
	in->pos += len + newline;
	in->consumed += len + newline;
	line[len] = '\0';
	*ret = line;
	*ret_len = len;
	return memchr(line, '\0', len) == NULL ? INPUT_LINE : INPUT_NUL;
}

enum input_status
input_next(struct input *in, char **ret, size_t *ret_len)
{
	const char *nl;
	size_t len;

	if (in->skipping && !skip_rest(in))
		return INPUT_WAIT;
	nl = memchr(in->buf + in->pos, '\n', in->len - in->pos);
	len = nl == NULL ? in->len - in->pos : (size_t)(nl - in->buf) - in->pos;
	if (len > INPUT_LINE_MAX) {
		in->line_no++;
		in->skipping = true;
		(void)skip_rest(in);
		return INPUT_TOO_LONG;
	}
	if (nl == NULL && !in->eof)
		return INPUT_WAIT;
	if (nl == NULL && len == 0)
		return INPUT_END;
	return hand_out(in, len, nl != NULL, ret, ret_len);
}

int
input_fill(struct input *in)
{
	ssize_t n;

	if (in->pos > 0) {
		memmove(in->buf, in->buf + in->pos, in->len - in->pos);
		in->len -= in->pos;
		in->pos = 0;
	}
	do
		n = read(in->fd, in->buf + in->len, INPUT_BUF_BYTES - in->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		in->eof = true;
	in->len += (size_t)n;
	return 0;
}

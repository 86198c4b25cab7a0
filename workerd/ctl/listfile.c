#include "workerd/ctl/listfile.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/limits.h"

/* Chunks read for one line before others come first. */
#define CHUNKS_MAX 64

/* So that its length, doubled, fits a u32. */
#define LINE_BYTES_MAX (1u << 30)

void
listfile_init(struct listfile *l)
{
	l->fd = -1;
	l->at = l->have = l->skipped = 0;
	l->eof = false;
}

void
listfile_fini(struct listfile *l)
{
	if (l->fd >= 0)
		(void)close(l->fd);
	listfile_init(l);
}

void
listfile_use(struct listfile *l, int fd)
{
	listfile_fini(l);
	l->fd = fd;
}

int
listfile_seek(struct listfile *l, uint64_t offset)
{
	l->at = l->have = l->skipped = 0;
	l->eof = false;
	return lseek(l->fd, (off_t)offset, SEEK_SET) < 0 ? -errno : 0;
}

/* More behind what is there. */
static int
fill(struct listfile *l)
{
	ssize_t n;

	memmove(l->buf, l->buf + l->at, l->have - l->at);
	l->have -= l->at;
	l->at = 0;
	n = read(l->fd, l->buf + l->have, LISTFILE_CHUNK - l->have);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	l->eof = n == 0;
	l->have += (uint32_t)n;
	return 0;
}

/* A line that is not kept is counted and thrown away. */
static int
skip(struct listfile *l)
{
	if (l->skipped > LINE_BYTES_MAX)
		return -EFBIG;
	l->skipped += l->have - l->at;
	l->at = l->have = 0;
	return 0;
}

/* The target within the line, or NULL when it is no text. */
static const char *
target_of(char *line)
{
	line += strspn(line, " \t");
	line[strcspn(line, " \t\r#")] = '\0';
	for (const char *p = line; *p != '\0'; p++) {
		if (*p < 33 || *p > 126)
			return NULL;
	}
	return line;
}

static int
take(struct listfile *l, uint32_t len, bool newline, const char **ret_target, uint32_t *ret_bytes)
{
	char *line = l->buf + l->at;
	bool whole = l->skipped == 0 && len <= LIST_LINE_MAX && memchr(line, '\0', len) == NULL;

	*ret_bytes = l->skipped + len + newline;
	l->at += len + newline;
	l->skipped = 0;
	line[len] = '\0';
	*ret_target = whole ? target_of(line) : NULL;
	return *ret_target == NULL ? -EINVAL : 1;
}

int
listfile_next(struct listfile *l, const char **ret_target, uint32_t *ret_bytes)
{
	for (int chunks = 0; chunks < CHUNKS_MAX; chunks++) {
		uint32_t left = l->have - l->at;
		const char *nl = memchr(l->buf + l->at, '\n', left);
		int rc = 0;

		if (nl != NULL)
			return take(l, (uint32_t)(nl - (l->buf + l->at)), true, ret_target, ret_bytes);
		if (l->eof)
			return left + l->skipped == 0 ? 0 : take(l, left, false, ret_target, ret_bytes);
		if (left > LIST_LINE_MAX)
			rc = skip(l);
		if (rc == 0)
			rc = fill(l);
		if (rc != 0)
			return rc;
	}
	return -EAGAIN;
}

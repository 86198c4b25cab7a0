#include "workerd/out/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/log.h"
#include "common/strnum.h"
#include "proto/line.h"

static const char *const names[2] = { ".state-0", ".state-1" };

#define MAGIC "vantage-state"

void
state_init(struct state *s, const struct dir *dir)
{
	*s = (struct state){ .dir = dir, .fd = { -1, -1 } };
}

void
state_fini(struct state *s)
{
	for (int i = 0; i < 2; i++) {
		if (s->fd[i] >= 0)
			(void)close(s->fd[i]);
	}
	state_init(s, s->dir);
}

static int
slot_open(struct state *s, int i)
{
	struct errbuf err = { "" };
	struct dir_file f;
	int rc;

	if (s->fd[i] >= 0)
		return 0;
	rc = dir_file_open(s->dir, names[i], DIR_OWN, &f, &err);
	if (rc != 0) {
		log_warn("state: %s", err.text);
		return rc;
	}
	s->fd[i] = f.fd;
	return 0;
}

/* FNV-1a: against torn writes, not against people. */
static uint64_t
checksum(const uint8_t *p, size_t len)
{
	uint64_t sum = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ p[i]) * 0x100000001b3u;
	return sum;
}

static int
slot_read(struct state *s, int i, struct buf *ret)
{
	uint8_t chunk[16384];
	ssize_t n;

	if (lseek(s->fd[i], 0, SEEK_SET) < 0)
		return -errno;
	while ((n = read(s->fd[i], chunk, sizeof(chunk))) > 0)
		buf_bytes(ret, chunk, (size_t)n);
	return n < 0 ? -errno : ret->failed ? -EFBIG : 0;
}

/* The number of a text that adds up, its head cut off; 0: there is none. */
static uint64_t
slot_check(struct buf *b)
{
	const char *nl = b->len == 0 ? NULL : memchr(b->p, '\n', b->len < 100 ? b->len : 100);
	int64_t number, len;
	char head[101], sum[17], *words[4];

	if (nl == NULL)
		return 0;
	memcpy(head, b->p, (size_t)((const uint8_t *)nl - b->p));
	head[(const uint8_t *)nl - b->p] = '\0';
	buf_consume(b, (size_t)((const uint8_t *)nl - b->p) + 1);
	if (line_split(head, words, 4) != 4 || strcmp(words[0], MAGIC) != 0 ||
	    strnum_i64(words[1], 1, INT64_MAX, &number) != 0 ||
	    strnum_i64(words[2], 0, STATE_MAX, &len) != 0 || (size_t)len > b->len)
		return 0;
	b->len = (size_t)len;
	(void)snprintf(sum, sizeof(sum), "%016llx", (unsigned long long)checksum(b->p, b->len));
	return strcmp(sum, words[3]) == 0 ? (uint64_t)number : 0;
}

int
state_load(struct state *s, struct buf *newest, struct buf *older)
{
	struct buf *const slot[2] = { newest, older };
	uint64_t number[2] = { 0, 0 };
	struct buf swap;

	for (int i = 0; i < 2; i++) {
		int rc = slot_open(s, i);

		if (rc == 0)
			rc = slot_read(s, i, slot[i]);
		if (rc != 0)
			return rc;
		number[i] = slot_check(slot[i]);
		if (number[i] == 0)
			buf_reset(slot[i]);
	}
	if (number[1] > number[0]) {
		swap = *newest;
		*newest = *older;
		*older = swap;
	}
	s->number = number[number[1] > number[0]];
	return 0;
}

static int
write_all(int fd, const void *p, size_t len)
{
	const uint8_t *at = p;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int
state_save(struct state *s, const struct buf *b)
{
	uint64_t number = s->number + 1;
	int i = (int)(number & 1), rc = b->failed || b->len > STATE_MAX ? -ENOMEM : slot_open(s, i);
	char head[100];
	int n;

	if (rc != 0)
		return rc;
	n = snprintf(head, sizeof(head), "%s %llu %zu %016llx\n", MAGIC, (unsigned long long)number, b->len,
	    (unsigned long long)checksum(b->p, b->len));
	if (lseek(s->fd[i], 0, SEEK_SET) < 0)
		return -errno;
	rc = write_all(s->fd[i], head, (size_t)n);
	if (rc == 0)
		rc = write_all(s->fd[i], b->p, b->len);
	if (rc == 0 && ftruncate(s->fd[i], n + (off_t)b->len) < 0)
		rc = -errno;
	if (rc == 0)
		s->number = number;
	return rc;
}

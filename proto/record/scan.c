#include "proto/record/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct scan {
	struct outfile_format format;
	struct warts_stream *stream;
	struct zfile *file;
	struct warts_reader *reader; /* of warts alone */
	struct zfile_mark mark;      /* the newest that was looked at */
	uint64_t whole;
	uint64_t at;    /* bytes of content so far */
	uint64_t lines; /* of them, up to the last newline */
	char head[2];   /* the first bytes of the content */
};

/* ---- the content, and where its streams end ---- */

/* Up to there the content is whole records. */
static uint64_t
border(const struct scan *s)
{
	return s->reader != NULL ? warts_reader_offset(s->reader) : s->lines;
}

/* A stream counts that ends between two records, as all of ours do. */
static void
note(struct scan *s)
{
	if (zfile_reader_kind(s->file) == ZFILE_NONE)
		s->whole = border(s);
	else if (s->mark.packed > 0 && s->mark.plain == border(s))
		s->whole = s->mark.packed;
}

static ssize_t
content(void *arg, void *p, size_t n)
{
	struct scan *s = arg;
	ssize_t got = zfile_read(s->file, p, n);

	/* Before what has come is counted: a stream may have ended in front of it. */
	s->mark = zfile_reader_mark(s->file);
	note(s);
	if (got <= 0)
		return got;
	for (ssize_t i = 0; i < got && s->at + (uint64_t)i < sizeof(s->head); i++)
		s->head[s->at + (uint64_t)i] = ((const char *)p)[i];
	s->at += (uint64_t)got;
	return got;
}

/* ---- records ---- */

static int
scan_warts(struct scan *s, uint64_t until, struct errbuf *err)
{
	struct warts_item item;

	while (s->at < until) {
		int rc = warts_reader_next(s->reader, &item, err);

		if (rc <= 0)
			return rc;
		if (warts_stream_learn(s->stream, &item) != 0)
			return errbuf_set(err, -ENOMEM, "out of memory");
		note(s);
	}
	return 1;
}

static int
scan_lines(struct scan *s, uint64_t until, struct errbuf *err)
{
	char chunk[16384];

	while (s->at < until) {
		uint64_t before = s->at;
		ssize_t n = content(s, chunk, sizeof(chunk));
		const char *nl;

		if (n < 0)
			return errbuf_set(err, (int)n, "%s", strerror((int)-n));
		if (n == 0)
			return s->lines == s->at ? 0 : errbuf_set(err, -EBADMSG, "its last line has no end");
		nl = memrchr(chunk, '\n', (size_t)n);
		if (nl != NULL)
			s->lines = before + (uint64_t)(nl - chunk) + 1;
		note(s);
	}
	return 1;
}

/* ---- the whole ---- */

struct scan *
scan_new(int fd, struct outfile_format format, struct warts_stream *stream)
{
	struct scan *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->format = format;
	s->stream = stream;
	s->file = zfile_reader_new(fd);
	if (s->file != NULL && format.form == OUTFILE_WARTS)
		s->reader = warts_reader_new(content, s);
	if (s->file == NULL || (s->reader == NULL && format.form == OUTFILE_WARTS)) {
		scan_free(s);
		return NULL;
	}
	if (s->reader != NULL)
		warts_reader_skim(s->reader);
	return s;
}

void
scan_free(struct scan *s)
{
	if (s == NULL)
		return;
	warts_reader_free(s->reader);
	zfile_reader_free(s->file);
	free(s);
}

/* A first record that was cut is damage; another program's file is not. */
static bool
begins_like_ours(const struct scan *s)
{
	static const char *const begins[] = {
		[OUTFILE_WARTS] = "\x12\x05", [OUTFILE_JSON] = "{\"", [OUTFILE_TEXT] = ""
	};
	const char *want = begins[s->format.form];
	size_t n = strlen(want);

	return memcmp(s->head, want, s->at < n ? s->at : n) == 0;
}

int
scan_step(struct scan *s, uint64_t bytes, struct errbuf *reterr)
{
	int rc =
	    s->reader != NULL ? scan_warts(s, s->at + bytes, reterr) : scan_lines(s, s->at + bytes, reterr);
	enum zfile_kind kind = zfile_reader_kind(s->file);

	if ((s->at > 0 || kind != ZFILE_NONE) && (kind != s->format.pack || !begins_like_ours(s)))
		return errbuf_set(
		    reterr, -EILSEQ, "holds something else than %s", outfile_format_word(s->format));
	/* One stream for all, as of gzip(1), is not cut off as a whole. */
	if (rc == -EBADMSG && s->whole == 0 && border(s) > 0)
		return errbuf_set(reterr, -EILSEQ, "is damaged, and was compressed by another program");
	return rc;
}

uint64_t
scan_whole(const struct scan *s)
{
	return s->whole;
}

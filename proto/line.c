#include "proto/line.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* One pass, a word of bytes at a time: lines come at a few hundred thousand a
 * second. A byte is printable ASCII when it is in 0x20..0x7e; each test sets
 * the top bit of a byte that is not (0x7f only by the third). */
static bool
printable(const char *p, size_t n)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	uint64_t bad = 0, v;

	for (; n >= sizeof(v); p += sizeof(v), n -= sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		bad |= v | (v + ones) | ~((v | tops) - 0x20 * ones);
	}
	for (; n > 0; p++, n--) {
		if (*p < 0x20 || *p > 0x7e)
			return false;
	}
	return (bad & tops) == 0;
}

int
lines_next(struct lines *l, char **ret_line, size_t *ret_len)
{
	size_t left = (size_t)(l->end - l->p), len;
	char *line = l->p, *nl;

	nl = left == 0 ? NULL : memchr(line, '\n', left);
	len = nl == NULL ? left : (size_t)(nl - line);
	if (nl != NULL && len > 0 && line[len - 1] == '\r')
		len--;
	/* A \r that may yet turn out to be the line's end is not counted. */
	if (len > LINE_MAX_BYTES + (nl == NULL ? 1u : 0u))
		return -EMSGSIZE;
	if (nl == NULL)
		return 0;
	l->p = nl + 1;
	if (!printable(line, len))
		return -EILSEQ;
	line[len] = '\0';
	*ret_line = line;
	*ret_len = len;
	return 1;
}

/* The end of the quoted word whose text begins at p, or NULL. */
static char *
quoted_end(char *p)
{
	char *q = strchr(p, '"');

	return q != NULL && (q[1] == ' ' || q[1] == '\0') ? q : NULL;
}

int
line_split(char *line, char **words, uint32_t max)
{
	uint32_t n = 0;
	char *p = line, *end;

	for (;;) {
		p += strspn(p, " ");
		if (*p == '\0')
			return (int)n;
		if (n == max)
			return -E2BIG;
		if (*p == '"') {
			end = quoted_end(++p);
			if (end == NULL)
				return -EINVAL;
		} else {
			end = p + strcspn(p, " ");
		}
		words[n++] = p;
		p = *end == '\0' ? end : end + 1;
		*end = '\0';
	}
}

int
line_put_word(struct buf *b, const char *text)
{
	size_t len = strlen(text);

	if (!printable(text, len))
		return -EINVAL;
	if (len > 0 && text[0] != '"' && strchr(text, ' ') == NULL) {
		buf_bytes(b, text, len);
		return 0;
	}
	if (strchr(text, '"') != NULL)
		return -EINVAL;
	buf_u8(b, '"');
	buf_bytes(b, text, len);
	buf_u8(b, '"');
	return 0;
}

bool
line_word_is(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

static const struct {
	const char *word;
	size_t len;
} reply_words[] = {
	[REPLY_LINE_OK] = { "OK", 2 },
	[REPLY_LINE_ERR] = { "ERR", 3 },
	[REPLY_LINE_MORE] = { "MORE", 4 },
	[REPLY_LINE_DATA] = { "DATA", 4 },
	[REPLY_LINE_INFO] = { "INFO", 4 },
	[REPLY_LINE_EVENT] = { "EVENT", 5 },
};

/* Digits at *p, up to the first other byte; advances. */
static int
take_u32(const char **p, uint32_t *ret)
{
	const char *digit = *p;
	uint64_t v = 0;

	for (; *digit >= '0' && *digit <= '9' && v <= UINT32_MAX; digit++)
		v = v * 10 + (uint64_t)(*digit - '0');
	if (digit == *p || v > UINT32_MAX)
		return -EINVAL;
	*p = digit;
	*ret = (uint32_t)v;
	return 0;
}

static int
parse_id(const char **p, uint32_t *ret)
{
	if (strncmp(*p, "id-", 3) != 0)
		return -EINVAL;
	*p += 3;
	return take_u32(p, ret);
}

static int
parse_data(const char *p, struct reply_line *r)
{
	int rc = take_u32(&p, &r->length);

	if (rc != 0 || *p == '\0')
		return rc;
	if (*p++ != ' ')
		return -EINVAL;
	rc = parse_id(&p, &r->id);
	if (rc != 0 || *p == '\0')
		return rc;
	if (strcmp(p, " inprog") != 0)
		return -EINVAL;
	r->inprogress = true;
	return 0;
}

/* OK id-<n>; any other text after OK is the answer to something else. */
static void
parse_ok(const char *p, struct reply_line *r)
{
	uint32_t id;

	if (parse_id(&p, &id) == 0 && *p == '\0')
		r->id = id;
}

int
reply_parse(const char *line, struct reply_line *ret)
{
	size_t len = strcspn(line, " "), i;
	struct reply_line r = { 0 };
	int rc = 0;

	for (i = 0; i < sizeof(reply_words) / sizeof(reply_words[0]); i++) {
		if (reply_words[i].len == len && memcmp(reply_words[i].word, line, len) == 0)
			break;
	}
	if (i == sizeof(reply_words) / sizeof(reply_words[0]))
		return -EINVAL;
	r.kind = (enum reply_kind)i;
	r.text = line[len] == ' ' ? line + len + 1 : line + len;
	if (r.kind == REPLY_LINE_DATA)
		rc = parse_data(r.text, &r);
	else if (r.kind == REPLY_LINE_OK)
		parse_ok(r.text, &r);
	if (rc == 0)
		*ret = r;
	return rc;
}

void
reply_put_data(struct buf *b, size_t length, uint32_t id, bool inprogress)
{
	buf_bytes(b, "DATA ", 5);
	buf_dec(b, length);
	if (id != 0) {
		buf_bytes(b, " id-", 4);
		buf_dec(b, id);
		if (inprogress)
			buf_bytes(b, " inprog", 7);
	}
	buf_u8(b, '\n');
}

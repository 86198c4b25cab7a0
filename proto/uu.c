#include "proto/uu.h"

#include <errno.h>

#define LINE_CHARS (UU_LINE_BYTES / 3 * 4)

/* Six bits as a character: 32 above, but a blank would be lost at a line's end. */
static const uint8_t chars[65] = "`!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_";

size_t
uu_encoded_len(size_t n)
{
	size_t rest = n % UU_LINE_BYTES;

	return n / UU_LINE_BYTES * (LINE_CHARS + 2) + (rest > 0 ? (rest + 2) / 3 * 4 + 2 : 0) + 2;
}

static inline void
encode_three(uint8_t *out, uint32_t v)
{
	out[0] = chars[v >> 18 & 63];
	out[1] = chars[v >> 12 & 63];
	out[2] = chars[v >> 6 & 63];
	out[3] = chars[v & 63];
}

static uint8_t *
encode_line(uint8_t *out, const uint8_t *in, size_t n)
{
	size_t i;

	*out++ = chars[n];
	for (i = 0; i + 3 <= n; i += 3, out += 4)
		encode_three(out, (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2]);
	if (i < n) {
		encode_three(out, (uint32_t)in[i] << 16 | (i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0));
		out += 4;
	}
	*out++ = '\n';
	return out;
}

void
uu_encode(uint8_t *out, const uint8_t *in, size_t n)
{
	for (; n > UU_LINE_BYTES; n -= UU_LINE_BYTES, in += UU_LINE_BYTES)
		out = encode_line(out, in, UU_LINE_BYTES);
	if (n > 0)
		out = encode_line(out, in, n);
	*out++ = '`';
	*out = '\n';
}

/* A character's six bits, or more than 63. A blank is what others write for 0. */
static inline uint32_t
value(char c)
{
	uint32_t v = (uint8_t)c - 32u;

	return v == 64 ? 0 : v;
}

/* The bytes of one line behind its length character. */
static int
decode_line(const char *text, size_t n, struct buf *out)
{
	uint8_t *p = buf_room(out, (n + 2) / 3 * 3);
	uint32_t bad = 0;

	if (p == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i += 3, text += 4, p += 3) {
		uint32_t a = value(text[0]), b = value(text[1]), c = value(text[2]), d = value(text[3]);

		bad |= a | b | c | d;
		p[0] = (uint8_t)(a << 2 | b >> 4);
		p[1] = (uint8_t)(b << 4 | c >> 2);
		p[2] = (uint8_t)(c << 6 | d);
	}
	out->len -= (n + 2) / 3 * 3 - n; /* what filled the last group */
	return bad > 63 ? -EBADMSG : 0;
}

/* The lines up to the empty one, which must be the last. */
static int
decode_lines(const char *text, size_t len, struct buf *out)
{
	while (len >= 2) {
		uint32_t n = value(text[0]);
		size_t line = n > 63 ? 0 : (n + 2) / 3 * 4 + 2;

		if (line == 0 || line > len || text[line - 1] != '\n')
			return -EBADMSG;
		if (n == 0)
			return len == 2 ? 0 : -EBADMSG;
		if (decode_line(text + 1, n, out) < 0)
			return out->failed ? -ENOMEM : -EBADMSG;
		text += line;
		len -= line;
	}
	return -EBADMSG;
}

int
uu_decode(const char *text, size_t len, struct buf *out)
{
	size_t before = out->len;
	int r = decode_lines(text, len, out);

	if (r < 0) {
		out->len = before;
		out->failed = false;
	}
	return r;
}

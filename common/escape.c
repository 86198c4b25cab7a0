#include "common/escape.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

size_t
escape_text(char *dst, size_t cap, const char *src, const char *also)
{
	size_t n = 0;

	for (; *src != '\0' && n + 4 < cap; src++) {
		unsigned char c = (unsigned char)*src;

		if (c >= 0x20 && c < 0x7f && strchr(also, c) == NULL)
			dst[n++] = (char)c;
		else
			n += (size_t)snprintf(dst + n, 5, "\\x%02x", c);
	}
	dst[n] = '\0';
	return n;
}

/* Of a lower-case digit, or 16. */
static unsigned
hex_value(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? 16 : (unsigned)(at - digits);
}

int
unescape_text(char *text)
{
	char *to = text;

	for (const char *p = text; *p != '\0'; to++) {
		unsigned high, low;

		if (*p != '\\') {
			*to = *p++;
			continue;
		}
		if (p[1] != 'x' || (high = hex_value(p[2])) > 15 || (low = hex_value(p[3])) > 15 || high + low == 0)
			return -EINVAL;
		*to = (char)(high << 4 | low);
		p += 4;
	}
	*to = '\0';
	return 0;
}

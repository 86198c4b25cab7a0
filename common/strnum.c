#include "common/strnum.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
strnum_i64(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	char *end;
	long long v;

	if (!isdigit((unsigned char)text[0]) && !(text[0] == '-' && isdigit((unsigned char)text[1])))
		return -EINVAL;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (*end != '\0')
		return -EINVAL;
	if (errno == ERANGE || v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int
strnum_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	int64_t v;
	int rc = strnum_i64(text, min, max, &v);

	if (rc == 0)
		*ret = (uint32_t)v;
	return rc;
}

static int
suffix_us(const char *suffix, uint32_t unit_us, uint64_t *ret)
{
	static const struct {
		const char *suffix;
		uint32_t us;
	} units[] = { { "s", 1000000 }, { "ms", 1000 }, { "us", 1 } };

	if (*suffix == '\0') {
		*ret = unit_us;
		return 0;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(suffix, units[i].suffix) == 0) {
			*ret = units[i].us;
			return 0;
		}
	}
	return -EINVAL;
}

/* Digits of a number too large for any time: more would only overflow. */
#define TIME_DIGITS_MAX 9

int
strnum_time_us(const char *text, uint32_t unit_us, uint64_t *ret_us)
{
	const char *p = text;
	uint64_t whole = 0, frac = 0, scale = 1, unit, part;
	int rc;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++) {
		if (p - text >= TIME_DIGITS_MAX)
			return -ERANGE;
		whole = whole * 10 + (uint64_t)(*p - '0');
	}
	if (*p == '.') {
		const char *first = ++p;

		for (; isdigit((unsigned char)*p); p++) {
			if (p - first >= TIME_DIGITS_MAX)
				return -EINVAL;
			frac = frac * 10 + (uint64_t)(*p - '0');
			scale *= 10;
		}
		if (p == first)
			return -EINVAL;
	}
	rc = suffix_us(p, unit_us, &unit);
	if (rc != 0)
		return rc;
	part = frac * unit;
	if (part % scale != 0)
		return -EINVAL;
	*ret_us = whole * unit + part / scale;
	return 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
strnum_hex(const char *text, uint8_t *buf, uint32_t cap, uint32_t *ret_len)
{
	uint32_t n = 0;

	for (; text[0] != '\0'; text += 2) {
		int hi = hex_digit(text[0]);
		int lo = hi < 0 ? -1 : hex_digit(text[1]);

		if (lo < 0)
			return -EINVAL;
		if (n == cap)
			return -ERANGE;
		buf[n++] = (uint8_t)(hi << 4 | lo);
	}
	if (n == 0)
		return -EINVAL;
	*ret_len = n;
	return 0;
}

#include "client/jsonrd.h"

#include <string.h>

/* Past a string, whose opening quote is at p; NULL when it does not end. */
static const char *
skip_string(const char *p)
{
	for (p++; *p != '"'; p++) {
		if ((unsigned char)*p < 0x20)
			return NULL;
		if (*p == '\\' && *++p == '\0')
			return NULL;
	}
	return p + 1;
}

static const char *
skip_blanks(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

static const char *skip_value(const char *p, int depth);

/* Past an array or object, whose bracket is at p. */
static const char *
skip_members(const char *p, int depth)
{
	bool object = *p == '{';
	char close = object ? '}' : ']';

	p = skip_blanks(p + 1);
	if (*p == close)
		return p + 1;
	for (;;) {
		if (object) {
			p = *p == '"' ? skip_string(p) : NULL;
			p = p == NULL ? NULL : skip_blanks(p);
			if (p == NULL || *p != ':')
				return NULL;
			p = skip_blanks(p + 1);
		}
		p = skip_value(p, depth - 1);
		if (p == NULL)
			return NULL;
		p = skip_blanks(p);
		if (*p == close)
			return p + 1;
		if (*p != ',')
			return NULL;
		p = skip_blanks(p + 1);
	}
}

static const char *
skip_value(const char *p, int depth)
{
	size_t n;

	if (*p == '"')
		return skip_string(p);
	if (*p == '{' || *p == '[')
		return depth > 0 ? skip_members(p, depth) : NULL;
	n = strspn(p, "+-.0123456789abcdefghijklmnopqrstuvwxyzE");
	return n > 0 ? p + n : NULL;
}

bool
json_valid(const char *text)
{
	const char *end = skip_value(skip_blanks(text), JSON_DEPTH_MAX);

	return end != NULL && *skip_blanks(end) == '\0';
}

const char *
json_member(const char *object, const char *key)
{
	size_t len = strlen(key);

	if (object == NULL || *object != '{')
		return NULL;
	for (const char *p = skip_blanks(object + 1); *p == '"';) {
		const char *name = p + 1, *end = skip_string(p);

		p = skip_blanks(skip_blanks(end) + 1);
		if ((size_t)(end - 1 - name) == len && memcmp(name, key, len) == 0)
			return p;
		p = skip_blanks(skip_value(p, JSON_DEPTH_MAX));
		if (*p == ',')
			p = skip_blanks(p + 1);
	}
	return NULL;
}

const char *
json_first(const char *array)
{
	const char *p;

	if (array == NULL || *array != '[')
		return NULL;
	p = skip_blanks(array + 1);
	return *p == ']' ? NULL : p;
}

const char *
json_next(const char *element)
{
	const char *p;

	if (element == NULL)
		return NULL;
	p = skip_blanks(skip_value(element, JSON_DEPTH_MAX));
	return *p == ',' ? skip_blanks(p + 1) : NULL;
}

uint64_t
json_u64(const char *value)
{
	uint64_t v = 0;

	for (; value != NULL && *value >= '0' && *value <= '9'; value++) {
		uint64_t digit = (uint64_t)(*value - '0');

		if (v > (UINT64_MAX - digit) / 10)
			return 0;
		v = v * 10 + digit;
	}
	return v;
}

const char *
json_text(const char *value, char *buf, size_t cap)
{
	size_t n = 0;

	if (value != NULL && *value == '"') {
		for (const char *p = value + 1; *p != '"' && n + 1 < cap; p++) {
			if (*p == '\\')
				p++;
			/* What others chose is shown on a terminal. */
			buf[n++] = *p >= 0x20 && *p < 0x7f ? *p : '?';
		}
	}
	buf[n] = '\0';
	return buf;
}

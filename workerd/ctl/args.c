#include "workerd/ctl/args.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/strnum.h"

/* Rows are marked in one 64-bit word. */
#define ROWS_MAX 64
/* As much of a wrong value as an error shows. */
#define SHOWN_MAX 40

/* Where parsing stands: the text that is left, the scratch that is left. */
struct cursor {
	const struct arg_spec *rows;
	const char *method;
	const char *p;
	char *out;
	char *out_end;
	struct errbuf *err;
	uint64_t given; /* options, bit by row */
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
skip_blanks(struct cursor *c)
{
	while (is_blank(*c->p))
		c->p++;
}

/* A foreign word as an error shows it: short, and nothing a terminal acts on. */
static const char *
shown(const char *text, char ret[SHOWN_MAX + 1])
{
	size_t n = 0;

	for (; n < SHOWN_MAX && text[n] != '\0'; n++)
		ret[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
	ret[n] = '\0';
	return ret;
}

/* commands.md 1.2: the lexer's refusals share their first words. */
static int
refuse(const struct cursor *c, const char *why)
{
	return errbuf_set(c->err, -EINVAL, "could not parse %s command: %s", c->method, why);
}

static int
refuse_option(const struct cursor *c, char letter, const char *why)
{
	char text[160];

	(void)snprintf(text, sizeof(text), "option -%c %s", letter, why);
	return refuse(c, text);
}

/* No method has options with long names; the error shows such a word whole. */
static int
refuse_unknown(const struct cursor *c)
{
	char word[SHOWN_MAX + 1], text[80];
	size_t n = *c->p == '-' ? strcspn(shown(c->p, word), " ") : strlen(shown(c->p, word)) > 0;

	(void)snprintf(text, sizeof(text), "unknown option -%.*s", (int)n, word);
	return refuse(c, text);
}

static bool
put(struct cursor *c, char ch)
{
	if (c->out == c->out_end)
		return false;
	*c->out++ = ch;
	return true;
}

/* A quoted value: a backslash may stand only before itself or the quote. */
static int
take_quoted(struct cursor *c, char letter)
{
	char quote = *c->p++;

	for (; *c->p != quote; c->p++) {
		if (*c->p == '\0')
			return refuse_option(c, letter, "has a value without its end quote");
		if (*c->p == '\\' && *++c->p != '\\' && *c->p != quote)
			return refuse_option(
			    c, letter, "has a backslash before neither a quote nor a backslash");
		if (!put(c, *c->p))
			return refuse(c, "line too long");
	}
	c->p++;
	if (*c->p != '\0' && !is_blank(*c->p))
		return refuse_option(c, letter, "has text behind its end quote");
	return 0;
}

static int
take_plain(struct cursor *c)
{
	for (; *c->p != '\0' && !is_blank(*c->p); c->p++) {
		if (!put(c, *c->p))
			return refuse(c, "line too long");
	}
	return 0;
}

/* The value of an option: the next word, NUL-terminated in the scratch. */
static int
take_value(struct cursor *c, char letter, struct arg_str *ret)
{
	char *start = c->out;
	int rc;

	if (!is_blank(*c->p) && *c->p != '\0')
		return refuse_option(c, letter, "needs a blank before its value");
	skip_blanks(c);
	if (*c->p == '\0')
		return refuse_option(c, letter, "needs a value");
	rc = *c->p == '"' || *c->p == '\'' ? take_quoted(c, letter) : take_plain(c);
	if (rc != 0)
		return rc;
	if (!put(c, '\0'))
		return refuse(c, "line too long");
	ret->p = start;
	ret->len = (size_t)(c->out - start) - 1;
	return 0;
}

const char *
args_time_text(int64_t us, char ret[32])
{
	if (us % 1000000 == 0)
		(void)snprintf(ret, 32, "%llds", (long long)(us / 1000000));
	else if (us % 1000 == 0)
		(void)snprintf(ret, 32, "%lldms", (long long)(us / 1000));
	else
		(void)snprintf(ret, 32, "%lldus", (long long)us);
	return ret;
}

static int
refuse_range(const struct cursor *c, const struct arg_spec *row)
{
	char lo[32], hi[32];

	if (row->kind == ARG_TIME)
		return errbuf_set(c->err, -EINVAL, "-%c failed: %s must be within %s - %s", row->letter,
		    row->name, args_time_text(row->min, lo), args_time_text(row->max, hi));
	return errbuf_set(c->err, -EINVAL, "-%c failed: %s must be within %lld - %lld", row->letter,
	    row->name, (long long)row->min, (long long)row->max);
}

static int
refuse_value(const struct cursor *c, const struct arg_spec *row, const char *what, const char *value)
{
	char text[SHOWN_MAX + 1];

	return errbuf_set(c->err, -EINVAL, "-%c failed: %s '%s' is not %s", row->letter, row->name,
	    shown(value, text), what);
}

static int
set_num(const struct cursor *c, const struct arg_spec *row, const struct arg_str *v, void *at)
{
	int64_t num = 0;
	int rc = strnum_i64(v->p, row->min, row->max, &num);

	if (rc == -ERANGE)
		return refuse_range(c, row);
	if (rc != 0)
		return refuse_value(c, row, "a decimal number", v->p);
	*(int64_t *)at = num;
	return 0;
}

static int
set_time(const struct cursor *c, const struct arg_spec *row, const struct arg_str *v, void *at)
{
	uint64_t us = 0;
	int rc = strnum_time_us(v->p, row->unit_us, &us);

	if (rc == -ERANGE ||
	    (rc == 0 && (us > INT64_MAX || (int64_t)us < row->min || (int64_t)us > row->max)))
		return refuse_range(c, row);
	if (rc != 0)
		return refuse_value(c, row, "a time", v->p);
	*(int64_t *)at = (int64_t)us;
	return 0;
}

static int
digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* C's notations: 0x.. is hexadecimal, 0.. octal. A number too large to matter
 * stops growing, and is out of every range. */
static int
parse_u32(const char *text, int64_t *ret)
{
	int base = 10;
	int64_t v = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	} else if (text[0] == '0' && text[1] != '\0') {
		base = 8;
		text++;
	}
	if (*text == '\0')
		return -EINVAL;
	for (; *text != '\0'; text++) {
		int digit = digit_of(*text);

		if (digit >= base)
			return -EINVAL;
		if (v <= UINT32_MAX)
			v = v * base + digit;
	}
	*ret = v;
	return 0;
}

static int
set_u32(const struct cursor *c, const struct arg_spec *row, const struct arg_str *v, void *at)
{
	int64_t num;

	if (parse_u32(v->p, &num) != 0)
		return refuse_value(c, row, "an unsigned number", v->p);
	if (num < row->min || num > row->max)
		return refuse_range(c, row);
	*(int64_t *)at = num;
	return 0;
}

static int
refuse_word(const struct cursor *c, const struct arg_spec *row)
{
	char text[200] = "";
	size_t n = 0;

	for (const struct word *w = row->words; w->name != NULL && n < sizeof(text); w++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n > 0 ? ", " : "", w->name);
	return errbuf_set(c->err, -EINVAL, "-%c failed: %s must be one of %s", row->letter, row->name, text);
}

static int
set_word(const struct cursor *c, const struct arg_spec *row, const struct arg_str *v, void *at)
{
	uint32_t value;

	if (!word_find(row->words, v->p, &value))
		return refuse_word(c, row);
	if (row->kind == ARG_WORDS)
		*(uint32_t *)at |= value;
	else
		*(int64_t *)at = value;
	return 0;
}

static int
set_addr(const struct cursor *c, const struct arg_spec *row, const struct arg_str *v, void *at)
{
	struct errbuf why;

	if (addr_parse(v->p, at) != 0)
		return refuse_value(c, row, "an address", v->p);
	if (addr_parse_host(v->p, at, &why) != 0)
		return errbuf_set(c->err, -EINVAL, "-%c failed: %s", row->letter, why.text);
	return 0;
}

static int
set_str(const struct cursor *c, const struct arg_spec *row, const struct arg_str *v, void *at)
{
	(void)c;
	(void)row;
	*(struct arg_str *)at = *v;
	return 0;
}

static int
set_call(const struct cursor *c, const struct arg_spec *row, const struct arg_str *v, void *at)
{
	struct errbuf why = { "" };
	int rc = row->call(at, v->p, &why);

	if (rc == 0)
		return 0;
	return errbuf_set(c->err, -EINVAL, "-%c failed: %.230s", row->letter,
	    why.text[0] != '\0' ? why.text : "invalid value");
}

typedef int (*set_fn)(const struct cursor *, const struct arg_spec *, const struct arg_str *, void *at);

static const set_fn setters[] = {
	[ARG_FLAG] = NULL,
	[ARG_NUM] = set_num,
	[ARG_TIME] = set_time,
	[ARG_U32] = set_u32,
	[ARG_WORD] = set_word,
	[ARG_WORDS] = set_word,
	[ARG_ADDR] = set_addr,
	[ARG_STR] = set_str,
	[ARG_CALL] = set_call,
};

static bool
repeatable(const struct arg_spec *row)
{
	return row->repeatable || row->kind == ARG_WORDS || row->kind == ARG_CALL;
}

static size_t
row_find(const struct arg_spec *rows, char letter)
{
	size_t i = 0;

	while (rows[i].letter != '\0' && rows[i].letter != letter)
		i++;
	assert(i < ROWS_MAX); /* a table of ours */
	return i;
}

/* One letter of a cluster; c->p is behind it. */
static int
take_option(struct cursor *c, const struct arg_spec *row, void *dst, uint64_t bit)
{
	void *at = (char *)dst + row->off;
	struct arg_str value;
	int rc;

	if ((c->given & bit) != 0 && !repeatable(row))
		return errbuf_set(c->err, -EINVAL, "repeated option -%c", row->letter);
	c->given |= bit;
	if (row->kind == ARG_FLAG) {
		*(bool *)at = true;
		return 0;
	}
	rc = take_value(c, row->letter, &value);
	if (rc != 0)
		return rc;
	return setters[row->kind](c, row, &value, at);
}

/* A word that begins with '-': letters, of which the last may take the next
 * word as its value. */
static int
take_cluster(struct cursor *c, void *dst)
{
	for (c->p++; *c->p != '\0' && !is_blank(*c->p);) {
		size_t i = row_find(c->rows, *c->p);
		int rc;

		if (c->rows[i].letter == '\0')
			return refuse_unknown(c);
		c->p++;
		rc = take_option(c, &c->rows[i], dst, 1ULL << i);
		if (rc != 0)
			return rc;
		if (c->rows[i].kind != ARG_FLAG)
			return 0;
	}
	return 0;
}

/* What is left is the target text, without the blanks at its end. */
static int
take_target(struct cursor *c, const char **ret)
{
	size_t n = strlen(c->p);

	while (n > 0 && is_blank(c->p[n - 1]))
		n--;
	if (n >= (size_t)(c->out_end - c->out))
		return refuse(c, "line too long");
	memcpy(c->out, c->p, n);
	c->out[n] = '\0';
	*ret = c->out;
	return 0;
}

/* CALL rows are left alone: who has some zeroes the struct first. */
static void
set_defaults(const struct arg_spec *rows, void *dst)
{
	for (const struct arg_spec *row = rows; row->letter != '\0'; row++) {
		void *at = (char *)dst + row->off;

		switch (row->kind) {
		case ARG_FLAG:
			*(bool *)at = false;
			break;
		case ARG_NUM:
		case ARG_TIME:
		case ARG_U32:
		case ARG_WORD:
			*(int64_t *)at = row->def;
			break;
		case ARG_WORDS:
			*(uint32_t *)at = 0;
			break;
		case ARG_ADDR:
			*(struct addr *)at = (struct addr){ 0 };
			break;
		case ARG_STR:
			*(struct arg_str *)at = (struct arg_str){ NULL, 0 };
			break;
		case ARG_CALL:
			break;
		}
	}
}

int
args_parse(const struct arg_spec *rows, const char *method, const char *text, void *dst,
    struct args_scratch *scratch, const char **ret_target, struct errbuf *reterr)
{
	struct cursor c = { .rows = rows,
		.method = method,
		.p = text,
		.out = scratch->text,
		.out_end = scratch->text + sizeof(scratch->text),
		.err = reterr };

	set_defaults(rows, dst);
	for (skip_blanks(&c); *c.p == '-'; skip_blanks(&c)) {
		int rc = take_cluster(&c, dst);

		if (rc != 0)
			return rc;
	}
	return take_target(&c, ret_target);
}

const char *
word_name(const struct word *words, uint32_t value)
{
	for (; words->name != NULL; words++) {
		if (words->value == value)
			return words->name;
	}
	return NULL;
}

bool
word_find(const struct word *words, const char *name, uint32_t *ret)
{
	for (; words->name != NULL; words++) {
		if (strcasecmp(words->name, name) == 0) {
			*ret = words->value;
			return true;
		}
	}
	return false;
}

int
args_target(const char *text, const char *method, struct addr *ret, struct errbuf *reterr)
{
	struct errbuf why;

	if (*text == '\0')
		return errbuf_set(reterr, -EINVAL, "expected address to %s", method);
	if (addr_parse(text, ret) != 0)
		return errbuf_set(reterr, -EINVAL, "invalid destination address");
	if (addr_parse_host(text, ret, &why) != 0)
		return errbuf_set(reterr, -EINVAL, "invalid destination address: %s", why.text);
	return 0;
}

#ifndef VANTAGE_WORKERD_CTL_ARGS_H
#define VANTAGE_WORKERD_CTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/buf.h"
#include "common/err.h"

/*
 * The measurement language's options, by table (commands.md section 1): the
 * same rows parse a command, print help and describe it as JSON.
 *
 * A row says where its value goes in the caller's plain struct. Before parsing
 * the struct is filled with the defaults.
 */
struct word {
	const char *name;
	uint32_t value;
};

enum arg_kind {
	ARG_FLAG,  /* no argument; bool becomes true */
	ARG_NUM,   /* decimal number in min..max; int64_t */
	ARG_TIME,  /* time in units of unit_us, min..max in microseconds; int64_t, microseconds */
	ARG_U32,   /* STR that is an unsigned number (decimal, 0x, 0); int64_t */
	ARG_WORD,  /* one of words, any case; int64_t */
	ARG_WORDS, /* one of words, repeatable; uint32_t of values or-ed together */
	ARG_ADDR,  /* numeric address; struct addr */
	ARG_STR,   /* text; struct arg_str */
	ARG_CALL,  /* text handed to call, repeatable (-z, -O with an argument) */
};

/* Text of an option, unquoted, NUL-terminated; lives in the args_scratch. */
struct arg_str {
	const char *p;
	size_t len;
};

struct arg_spec {
	char letter;
	const char *name; /* what errors and help call the value */
	const char *help; /* one line */
	enum arg_kind kind;
	size_t off;	/* in the caller's struct */
	int64_t min;
	int64_t max;
	int64_t def;	/* NUM, TIME, U32, WORD; shown in help */
	uint32_t unit_us; /* TIME */
	const struct word *words; /* WORD, WORDS: ends with a NULL name */
	/* CALL; dst is the caller's struct + off; 0 or -EINVAL with the reason
	 * alone ("no such flag"), which is shown behind "-X failed: ". */
	int (*call)(void *dst, const char *text, struct errbuf *);
	bool repeatable; /* WORDS and CALL always are */
	const char *otherwise; /* what leaving it out means, where def cannot say it; for help */
};

#define ARGS_LINE_MAX 8192
struct args_scratch {
	char text[ARGS_LINE_MAX];
};

/*
 * Parses the options at the start of text into dst, over the defaults of all rows
 * (at most 64): those of NUM, TIME, U32 and WORD from the table, nothing given for
 * the others; CALL rows have none, so zero dst first. *ret_target is the rest, from
 * the first word that does not begin with '-', trailing blanks trimmed ("" when
 * there is none). Errors name the option and the range:
 * "-q failed: attempts must be within 1 - 20", "repeated option -q",
 * "could not parse <method> command".
 */
int args_parse(const struct arg_spec *, const char *method, const char *text, void *dst,
    struct args_scratch *, const char **ret_target, struct errbuf *);

/* The target that args_parse left, of a method that takes one address. */
int args_target(const char *text, const char *method, struct addr *ret, struct errbuf *);

/* Help: one line per option, "  -q attempts   probes per hop (1 - 20, default 2)". */
void args_help(struct buf *, const struct arg_spec *);

/* The same rows as a JSON array of objects, one line without a newline. */
void args_describe(struct buf *, const struct arg_spec *);

/* A time for a person, in the largest unit that holds it whole: "20s", "10ms". */
const char *args_time_text(int64_t us, char ret[32]);

/* The word for a value, or NULL: tables are read both ways. */
const char *word_name(const struct word *, uint32_t value);
bool word_find(const struct word *, const char *name, uint32_t *ret); /* any case */

#endif

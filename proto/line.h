#ifndef VANTAGE_PROTO_LINE_H
#define VANTAGE_PROTO_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

/*
 * The control protocol's lines, as both ends need them (control.md sections 2
 * and 6): taking whole lines off received bytes, words and quoting, and the
 * first words of a reply.
 */

/* The longest line without its newline. An options line of the measurement
 * language must fit ARGS_LINE_MAX with its terminator. */
#define LINE_MAX_BYTES 8191

/*
 * Whole lines are taken off [p, end), which the caller received and owns: they
 * are cut in place, so the bytes must be writable. What is left at p after the
 * last whole line is the beginning of one that has not arrived yet; keep it.
 */
struct lines {
	char *p;
	char *end;
};

/*
 * 1: *ret_line is the next line, NUL-terminated without \n or a trailing \r,
 * *ret_len its length. 0: no whole line left. -EMSGSIZE: it is longer than
 * LINE_MAX_BYTES, whether or not its end has arrived. -EILSEQ: a byte in it is
 * not printable ASCII; that line has been taken.
 */
int lines_next(struct lines *, char **ret_line, size_t *ret_len);

/*
 * Splits at blanks, in place. A word that begins with a double quote ends at
 * the next one, which a blank or the end must follow. Returns the number of
 * words; -EINVAL: a quote is not closed; -E2BIG: more than max words.
 */
int line_split(char *line, char **words, uint32_t max);

/* Appends text as one word, quoted when it needs to be; "" for empty text.
 * -EINVAL when no quoting can carry it (the protocol has no escapes). */
int line_put_word(struct buf *, const char *text);

/* Any case; the whole of both. */
bool line_word_is(const char *a, const char *b);

/* How the sentence ends that refuses a command for a limit, before what it waits
 * for: the command was right, and may be tried again. */
#define LINE_LIMIT ", 0 left; again "
/* As many run as may. */
#define LINE_LIMIT_RUNNING LINE_LIMIT "when one of them ends"

/* How the reply lines begin. */
enum reply_kind {
	REPLY_LINE_OK = 0,
	REPLY_LINE_ERR,
	REPLY_LINE_MORE,
	REPLY_LINE_DATA,
	REPLY_LINE_INFO,
	REPLY_LINE_EVENT,
};

struct reply_line {
	enum reply_kind kind;
	uint32_t id;	  /* OK id-<n>, DATA <length> id-<n>; 0: none */
	uint32_t length;  /* DATA: bytes that follow the line */
	bool inprogress;  /* DATA ... inprog: a partial result, more will come */
	const char *text; /* what follows the first word; points into the line */
};

/* What a client reads. -EINVAL: no such reply. */
int reply_parse(const char *line, struct reply_line *ret);

/* The line before a block: DATA <length>[ id-<n>[ inprog]], id 0 for none. */
void reply_put_data(struct buf *, size_t length, uint32_t id, bool inprogress);

#endif

#ifndef VANTAGE_CLIENT_INPUT_H
#define VANTAGE_CLIENT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/*
 * Lines of a file, pipe or terminal, read in chunks: a list of any length
 * costs one buffer. Owner: input_open, input_close.
 */
#define INPUT_LINE_MAX 8191
#define INPUT_BUF_BYTES (64 * 1024)

enum input_status {
	INPUT_LINE = 0,
	INPUT_TOO_LONG, /* a line that is passed over; no text */
	INPUT_NUL,      /* a line with a NUL byte */
	INPUT_WAIT,     /* nothing whole in the buffer: input_fill when readable */
	INPUT_END,
};

struct input {
	int fd;
	bool regular; /* a read never waits */
	bool eof;
	bool skipping;     /* inside a line that was too long */
	uint64_t line_no;  /* of the line handed out last */
	uint64_t consumed; /* bytes behind us */
	uint64_t size;     /* of a regular file */
	size_t pos;
	size_t len;
	char *buf;
};

/* path "-" is standard input. 0, or a negative errno with its sentence. */
int input_open(struct input *, const char *path, struct errbuf *reterr);
void input_close(struct input *);

/* The next line, NUL-terminated, without its newline; borrowed until the next
 * call. The last line needs no newline. */
enum input_status input_next(struct input *, char **ret, size_t *ret_len);

/* One read; call it when the descriptor is readable, or for a regular file. 0,
 * or a negative errno. */
int input_fill(struct input *);

#endif

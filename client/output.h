#ifndef VANTAGE_CLIENT_OUTPUT_H
#define VANTAGE_CLIENT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/guard.h"
#include "client/opts.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/record/zfile.h"

/*
 * Where results go. Whole records are appended to group and leave in one write
 * each time, so that a file ends at the border of a record whenever we are
 * killed; a write that fails is taken back. A compressed group is a complete
 * stream of its own: gzip, bzip2 and xz read streams one after the other as one.
 * Owner: output_open, output_close.
 */
#define OUTPUT_GROUP_BYTES (64 * 1024)
#define OUTPUT_PACKED_BYTES (1024 * 1024)

struct output {
	int fd;
	int wake_fd;  /* readable: give up waiting for a slow reader; or -1 */
	bool owned;   /* the descriptor is ours to close */
	bool regular; /* can be cut back */
	bool gone;    /* nobody reads it any more */
	enum out_comp comp;
	uint64_t size; /* of the regular file: where whole records end */
	struct guard guard;
	struct buf group;
	struct buf packed;
	uint32_t records; /* in group */
	uint64_t lost;    /* records that could not be written */
	int error;        /* of the first failure, a positive errno */
	const char *path; /* borrowed; "-" for standard output */
};

/* How that is compressed. */
enum zfile_kind output_pack_kind(enum out_comp);

/* Neither warts nor compressed output is for a terminal. 0 or -ENOTTY. */
int output_check_terminal(int fd, enum out_format, enum out_comp, struct errbuf *reterr);

/* path NULL is standard output. 0, or a negative errno. */
int output_open(
    struct output *, const char *path, enum out_format, enum out_comp, int wake_fd, struct errbuf *reterr);

/* A file of our own gets its guard. */
void output_guard(struct output *);

/* Is there enough for a write? */
bool output_is_full(const struct output *);

/* Writes the group, and empties it in any case. 0; -EINTR: the wait for a slow
 * reader was cut short, the group is kept; another negative errno: the group is
 * lost, and counted. */
int output_flush(struct output *);

/* Flush and close. 0, or a negative errno. */
int output_close(struct output *);

#endif

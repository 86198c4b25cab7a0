#ifndef VANTAGE_PROTO_RECORD_SCAN_H
#define VANTAGE_PROTO_RECORD_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "proto/record/format.h"
#include "proto/record/stream.h"

/*
 * Looks through a file that will be appended to, a piece at a time, since it may
 * be of any length: which lists and cycles it defines, and where the last whole
 * record ends; of a compressed file, the last whole stream that ends between two
 * records.
 */
struct scan;

/* From the descriptor's beginning, into a fresh stream; both are borrowed. NULL
 * without memory. */
struct scan *scan_new(int fd, struct outfile_format, struct warts_stream *);
void scan_free(struct scan *);

/* Reads on for about so many bytes of what the file holds. 1: there is more; 0:
 * the end, whole; -EBADMSG: the end, or damage, behind scan_whole; -EILSEQ: it
 * holds something else; another error: it cannot be read. */
int scan_step(struct scan *, uint64_t bytes, struct errbuf *reterr);

/* In the file. */
uint64_t scan_whole(const struct scan *);

#endif

#ifndef VANTAGE_WORKERD_OUT_STORE_H
#define VANTAGE_WORKERD_OUT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "proto/record/format.h"
#include "proto/record/stream.h"
#include "workerd/out/dir.h"

/*
 * The file behind an alias. Records wait in memory until store_flush writes
 * them, whole or not at all: what a full disk took of them is cut off again, and
 * they wait on. Compressed, what waits at a commit becomes one complete stream.
 *
 * It takes nothing before it has been looked through (scan.h).
 */
struct scan;

struct store {
	int fd;
	struct outfile_format format;
	uint64_t size; /* what is in the file: whole records, once it is ready */
	uint64_t ino;
	uint64_t dev;
	struct buf wait;   /* records */
	struct buf packed; /* older ones, compressed */
	struct warts_stream stream;
	struct scan *scan; /* while it is looked through */
	struct errbuf why; /* the last trouble; "": none */
	bool mended;       /* it was damaged, and is looked through again */
	bool given;        /* opened by who started us, not in the data directory */
	bool flows;        /* a pipe or a terminal: nothing of it can be cut off */
	bool lost;         /* it could not be looked through, or nobody reads it: it takes nothing */
	char path[DIR_PATH_MAX];
};

void store_init(struct store *, const char *path, struct outfile_format);
void store_fini(struct store *);

/* The descriptor becomes its own; of a new or emptied file size is 0. A file with
 * something in it is looked through by store_look. 0 or -ENOMEM. */
int store_use(struct store *, const struct dir_file *);
/* The same for a descriptor that was handed to us: what is in it stays, or a
 * regular file is emptied. */
int store_use_given(struct store *, int fd, bool empty, struct errbuf *reterr);

/* Reads on for so many bytes. 1: there is more; 0: it is ready, and a damaged
 * tail is cut off; an error: it never will be. */
int store_look(struct store *, uint64_t bytes);
bool store_ready(const struct store *);

/* Cuts it to size, when it is longer, as if nothing behind had been written;
 * before it is looked through. */
int store_cut(struct store *, uint64_t size, struct errbuf *reterr);

/* Each: 0, -ENOMEM, -EMSGSIZE; -EBUSY, -EIO: not ready; then nothing of it waits. */
int store_cycle_start(struct store *, const struct cycle_record *);
int store_record(struct store *, const struct record_type *, const void *rec, const struct cycle_record *);
int store_cycle_stop(struct store *, const struct cycle_record *);

/* Makes what waits ready to be written. 0, -ENOMEM. */
int store_pack(struct store *);
/* Writes what was packed. 0 or a negative errno: it waits on; -EPIPE: it is lost. */
int store_flush(struct store *);
/* Bytes that wait, as they are. */
size_t store_waiting(const struct store *);
/* Where the file ends once what is packed has been written. */
uint64_t store_end(const struct store *);

#endif

#ifndef VANTAGE_WORKERD_OUT_OUTFILE_H
#define VANTAGE_WORKERD_OUT_OUTFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "proto/record/record.h"
#include "workerd/out/dir.h"

/*
 * Output files (control.md section 4): an alias, by which sources know it, and
 * the file behind it, which swap exchanges. Records wait in memory until
 * outfiles_flush writes them, whole or not at all: what a full disk took of
 * them is cut off again, and they wait on.
 */
enum outfile_format {
	OUTFILE_WARTS = 0,
	OUTFILE_JSON,
	OUTFILE_TEXT,
};

struct outfile_data;

struct outfile {
	struct outfile *next; /* newest first */
	struct outfile_data *data;
	uint32_t refs; /* 1, and 1 for each source */
	char alias[];
};

struct outfiles {
	const struct dir *dir; /* borrowed */
	struct outfile *first;
	uint32_t count;
};

struct outfile_options {
	const char *alias;
	const char *path;
	bool truncate;
	enum outfile_format format;
	uint64_t scan_max; /* longest file that is looked through; 0: any */
};

void outfiles_init(struct outfiles *, const struct dir *);
void outfiles_fini(struct outfiles *);

/* Appending goes on after the last whole record. -EEXIST: the alias or the file
 * is in use. */
int outfiles_open(struct outfiles *, const struct outfile_options *, struct outfile **ret, struct errbuf *reterr);
struct outfile *outfiles_find(const struct outfiles *, const char *alias);
/* -EBUSY: somebody uses it. Flush first. */
int outfiles_close(struct outfiles *, struct outfile *);
void outfile_swap(struct outfile *, struct outfile *);

/* Writes what waits. 0, or the first error; the rest is tried all the same. */
int outfiles_flush(struct outfiles *);

const char *outfile_path(const struct outfile *);
enum outfile_format outfile_format(const struct outfile *);
/* Where the file ends, without and with what waits. */
uint64_t outfile_written(const struct outfile *);
uint64_t outfile_end(const struct outfile *);
/* Cuts it to size, when it is longer, as if nothing behind had been written. */
int outfile_cut(struct outfile *, uint64_t size, struct errbuf *reterr);
/* Too much waits: give it nothing new. */
bool outfile_full(const struct outfile *);

/* Each: 0, -ENOMEM or -EMSGSIZE; then nothing of it waits. */
int outfile_cycle_start(struct outfile *, const struct cycle_record *);
int outfile_record(struct outfile *, const struct record_type *, const void *rec, const struct cycle_record *);
int outfile_cycle_stop(struct outfile *, const struct cycle_record *);

#endif

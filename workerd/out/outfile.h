#ifndef VANTAGE_WORKERD_OUT_OUTFILE_H
#define VANTAGE_WORKERD_OUT_OUTFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "proto/record/format.h"
#include "proto/record/record.h"
#include "workerd/out/dir.h"

/*
 * Output files (control.md section 4): an alias, by which sources know it, and
 * the file behind it (store.h), which swap exchanges.
 */
struct store;

struct outfile {
	struct outfile *next; /* newest first */
	struct store *store;
	uint32_t refs; /* 1, and 1 for each source */
	char alias[];
};

struct outfiles {
	const struct dir *dir; /* borrowed */
	struct outfile *first;
	struct outfile *given; /* the one of outfiles_give, until it is closed */
	uint32_t count;
	bool copy; /* it gets what other files get, too */
};

struct outfile_options {
	const char *alias;
	const char *path;
	bool truncate;
	struct outfile_format format;
};

void outfiles_init(struct outfiles *, const struct dir *);
void outfiles_fini(struct outfiles *);

/* Appending goes on after the last whole record: what is in the file is looked
 * through by outfiles_look. -EEXIST: the alias or the file is in use. */
int outfiles_open(
    struct outfiles *, const struct outfile_options *, struct outfile **ret, struct errbuf *reterr);
/* The default output, which who started us has opened; "[copy,][new,]FORMAT,
 * ALIAS": new ones are emptied, copy is outfiles.copy. */
int outfiles_give(struct outfiles *, int fd, const char *text, struct errbuf *reterr);
struct outfile *outfiles_find(const struct outfiles *, const char *alias);
/* -EBUSY: somebody uses it. Flush first. */
int outfiles_close(struct outfiles *, struct outfile *);
void outfile_swap(struct outfile *, struct outfile *);

/* Reads on in the files that are not ready, a little in each. True: there is
 * more. */
bool outfiles_look(struct outfiles *);

/* Makes what waits ready to be written: outfile_end tells where files will end.
 * 0, or the first error; the rest is tried all the same, so below. */
int outfiles_pack(struct outfiles *);
/* Writes it: to the files of the data directory, or to those that were given. */
int outfiles_flush(struct outfiles *, bool given);

/* Where the file ends, without and with what is packed. */
uint64_t outfile_written(const struct outfile *);
uint64_t outfile_end(const struct outfile *);
/* Cuts it to size, when it is longer, as if nothing behind had been written;
 * before the first outfiles_look. */
int outfile_cut(struct outfile *, uint64_t size, struct errbuf *reterr);

const char *outfile_path(const struct outfile *);
struct outfile_format outfile_format(const struct outfile *);
/* Not of the data directory: no state is kept of it. */
bool outfile_given(const struct outfile *);
/* It takes records. */
bool outfile_ready(const struct outfile *);
/* Records wait for it. */
bool outfile_waits(const struct outfile *);
/* Too much waits, or it is not ready: give it nothing new. */
bool outfile_full(const struct outfile *);
/* It never will: *ret says why. */
bool outfile_failed(const struct outfile *, struct errbuf *ret);
/* What is wrong with it, in a few words; false: all is well. */
bool outfile_trouble(const struct outfile *, struct errbuf *ret);

/* Each: 0, or a negative errno; then nothing of it waits. With copy the default
 * output gets it too, and without a file (NULL: a connection) alone. */
int outfile_cycle_start(struct outfiles *, struct outfile *, const struct cycle_record *);
int outfile_record(struct outfiles *, struct outfile *, const struct record_type *, const void *rec,
    const struct cycle_record *);
int outfile_cycle_stop(struct outfiles *, struct outfile *, const struct cycle_record *);

#endif

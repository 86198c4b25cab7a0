#ifndef VANTAGE_PROTO_RECORD_ZFILE_H
#define VANTAGE_PROTO_RECORD_ZFILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/err.h"

/*
 * Compressed files: gzip, bzip2 and xz. A library of its own, for those who have
 * files.
 */
enum zfile_kind {
	ZFILE_NONE,
	ZFILE_GZIP,
	ZFILE_BZIP2,
	ZFILE_XZ,
};

/* Appends a complete compressed stream that holds the n bytes; such streams
 * may follow one another in a file. 0, -ENOMEM, or -EIO; on failure out is as
 * before. NONE copies. */
int zfile_pack(enum zfile_kind, const void *bytes, size_t n, struct buf *out);

/* Reads a descriptor, decompressing by what its first bytes say. */
struct zfile;

/* NULL without memory; the descriptor is borrowed. */
struct zfile *zfile_reader_new(int fd);
void zfile_reader_free(struct zfile *);

/* A warts_source: bytes read, 0 at the end, -EBADMSG when the compressed data
 * is damaged or cut short, or read's negative errno. */
ssize_t zfile_read(void *zfile, void *p, size_t n);

/* What the file turned out to be; known after the first read. */
enum zfile_kind zfile_reader_kind(const struct zfile *);

/* Where the last of the streams that were read through ended: in the file,
 * counted from where reading began, and in what the streams hold. */
struct zfile_mark {
	uint64_t packed; /* 0: none has ended */
	uint64_t plain;
};
struct zfile_mark zfile_reader_mark(const struct zfile *);

#endif

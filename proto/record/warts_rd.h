#ifndef VANTAGE_PROTO_RECORD_WARTS_RD_H
#define VANTAGE_PROTO_RECORD_WARTS_RD_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "proto/record/record.h"

/*
 * Reads a warts file, one record at a time, from bytes that somebody supplies.
 * No length in the file is believed: memory grows with what has really come,
 * and a record that we decode is at most WARTS_RECORD_MAX bytes.
 */
#define WARTS_RECORD_MAX (64u << 20)
#define WARTS_LISTS_MAX (1u << 20) /* lists, cycles and address records of a file, each */

/* Up to n bytes into p: how many, 0 at the end, or a negative errno. */
typedef ssize_t warts_source(void *arg, void *p, size_t n);

enum warts_kind {
	WARTS_ITEM_LIST,
	WARTS_ITEM_CYCLE_START,
	WARTS_ITEM_CYCLE_DEF,
	WARTS_ITEM_CYCLE_STOP,
	WARTS_ITEM_RECORD,  /* of a type in record_type_find */
	WARTS_ITEM_SKIPPED, /* a type that we do not decode, an address record */
};

struct warts_item {
	enum warts_kind kind;
	uint16_t warts_type;
	uint32_t len;    /* of the body */
	uint64_t offset; /* of the record's header in the stream */

	/* Of a list, a cycle, or the record; owned by the reader, valid as long
	 * as it is. NULL: none. */
	const struct list_record *list;
	const struct cycle_record *cycle;
	struct record_refs refs; /* ids as in the file */

	/* RECORD: owned by the reader, valid until the next call. */
	const struct record_type *type;
	void *rec;
};

struct warts_reader;

/* NULL without memory. arg is borrowed. */
struct warts_reader *warts_reader_new(warts_source *source, void *arg);
void warts_reader_free(struct warts_reader *);
/* Measurements are passed over undecoded, as SKIPPED: for who only wants to know
 * what the file defines, and where its records end. */
void warts_reader_skim(struct warts_reader *);

/*
 * 1: an item. 0: the stream ends between two records; when more bytes come
 * (a pipe, a control connection) one may go on. A negative errno: the sentence
 * names the offset of the damaged record, and the reader is at its end.
 */
int warts_reader_next(struct warts_reader *, struct warts_item *, struct errbuf *);

/* Where the next record would begin; after an error, where the damaged one
 * begins: everything before is whole. */
uint64_t warts_reader_offset(const struct warts_reader *);

/* A source over memory. */
struct warts_memory {
	const uint8_t *p;
	size_t len;
};
ssize_t warts_memory_read(void *memory, void *p, size_t n);

#endif

#ifndef VANTAGE_PROTO_RECORD_FIELD_H
#define VANTAGE_PROTO_RECORD_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "proto/record/record.h"

/*
 * The tables of a record. A block is one warts parameter block (warts.md
 * section 3) and one JSON object; its rows are its fields, each written once.
 * Row i of a block is warts parameter i; rows behind the last parameter exist
 * in JSON only. warts_put.c, warts_get.c and json.c walk the rows.
 */
struct warts_put; /* a record being written, codec.h */
struct warts_get; /* a record being read, codec.h */

/* Which struct a member is in. */
enum field_base {
	BASE_REC,   /* the measurement's record */
	BASE_RARE,  /* the record's rare part */
	BASE_SELF,  /* what this block is about: a reply, a note; for the outermost block the record */
	BASE_PROBE, /* the probe that the reply answers */
	BASE_EXTRA, /* the rare part of BASE_SELF */
	BASE_REFS,  /* struct record_refs */
	FIELD_BASES,
};

/* Where each base is now; NULL where there is none (its fields are absent). */
struct field_ctx {
	void *base[FIELD_BASES];
};

enum field_kind {
	FK_NONE, /* not in warts */
	FK_U8,   /* the member may be wider: its low bits */
	FK_U16,
	FK_U32,
	FK_TIME,    /* nsec_t since 1970; seconds and microseconds */
	FK_SEC8,    /* whole seconds of a uint32_t of microseconds */
	FK_USEC32,  /* the rest of it */
	FK_STRING,  /* char *, owned */
	FK_BYTES,   /* uint8_t *, owned; its length is the uint16_t at aux, read before */
	FK_ICMP_TC, /* two bytes: type, code */
	FK_ADDR,    /* through the dictionary */
	FK_SADDR,   /* outside the dictionary */
	FK_GID,     /* legacy index of an address record; read, never written */
	FK_ADDRS,   /* array of max addresses; their count is the uint8_t at aux */
	FK_IFNAME,  /* const char *, borrowed */
	FK_ICMPEXT, /* RFC 4884 objects, uint8_t *, owned; length is the uint16_t at aux */
	FK_CUSTOM,  /* the row's own functions */
	FIELD_KINDS,
};

enum json_form {
	JF_AUTO,  /* by kind; a word where there are words */
	JF_FLAGS, /* array of the words whose bits are set */
	JF_MS,    /* microseconds, as milliseconds with three decimals */
	JF_VALUE, /* json() writes the value behind the key */
	JF_WHOLE, /* json() writes key and value, with its own separators */
	JSON_FORMS,
};

struct field;
typedef bool field_test(const struct field_ctx *, const struct field *);

struct record_word {
	const char *name;
	uint32_t value;
};

struct field {
	const char *key; /* JSON; NULL: not there */
	uint8_t kind;    /* enum field_kind */
	uint8_t base;    /* enum field_base */
	uint8_t width;   /* bytes of the member: 1, 2, 4 for numbers */
	uint8_t max;     /* ADDRS */
	uint16_t off;
	uint16_t aux;
	uint8_t form;                    /* enum json_form */
	const struct record_word *words; /* ends with a NULL name */
	field_test *when;                /* written to warts when; NULL: always */
	field_test *json_when;           /* NULL: always */
	int (*put)(struct warts_put *, const struct field_ctx *);
	int (*get)(struct warts_get *, const struct field_ctx *);
	void (*json)(struct buf *, const struct field_ctx *);
};

#define MEMBER(base_, type, member)                                                                          \
	.base = (base_), .off = offsetof(struct type, member), .width = sizeof(((struct type *)0)->member)
#define AUX(type, member) .aux = offsetof(struct type, member)

struct record_block {
	const char *name;
	const struct field *fields; /* [params + 1 ..], row 0 unused */
	const uint8_t *json;        /* rows in JSON's order, ends with 0 */
	uint8_t params;             /* highest parameter known */

	/* What follows the outermost block; NULL for inner ones. */
	int (*put_rest)(struct warts_put *, const struct field_ctx *);
	int (*get_rest)(struct warts_get *, const struct field_ctx *, uint64_t seen);
	/* Make BASE_RARE for reading; NULL without memory. */
	void *(*make_rare)(void *rec);
	/* The record's rare part, or NULL. */
	void *(*rare)(const void *rec);
};

static inline void *
field_at(const struct field_ctx *c, const struct field *f)
{
	uint8_t *p = c->base[f->base];

	return p == NULL ? NULL : p + f->off;
}

/* The outermost context of a record. The tables serve reading and writing, so
 * their pointers are not const; a writer's walk only reads. */
struct field_ctx field_ctx_of(const struct record_block *, const void *rec, const struct record_refs *);

/* The number in a member of 1, 2 or 4 bytes. */
uint32_t field_number(const struct field *, const void *member);

/* A field_test: not zero, not empty, not NULL. */
bool field_given(const struct field_ctx *, const struct field *);

/* A word for a value, or NULL. */
const char *record_word_name(const struct record_word *, uint32_t value);

#endif

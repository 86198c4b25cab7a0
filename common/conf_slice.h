#ifndef VANTAGE_COMMON_CONF_SLICE_H
#define VANTAGE_COMMON_CONF_SLICE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

/*
 * Slices in the configuration file: "slice NAME KEY VALUE", a line for each
 * thing to say of it; the first line that names a slice makes it. Two are there
 * from the beginning: the operators', and the one of everybody else.
 */

#define CONF_NAME_MAX 33 /* a user's, group's or slice's name and its NUL */
#define CONF_SLICES_MAX 64
#define CONF_MEMBERS_MAX 256
#define CONF_METHODS_MAX 128
#define CONF_SLICE_OPERATORS "operators"
#define CONF_SLICE_DEFAULT "default"

struct conf_slice {
	char name[CONF_NAME_MAX]; /* letters, digits, '-', '_' and '.' */
	uint32_t share;		  /* its part, against the others' */
	uint32_t pps;		  /* at most; 0: the worker's */
	uint32_t window;	  /* tasks running at once; 0: no limit */
	uint32_t running;	  /* measurements accepted and not yet ended; 0: no limit */
	uint32_t hourly;	  /* measurements accepted in an hour; 0: no limit */
	char methods[CONF_METHODS_MAX]; /* "ping,trace"; "": all */
};

/* Who belongs to it: names or numbers, as written. */
struct conf_member {
	uint32_t slice; /* index */
	bool group;
	char name[CONF_NAME_MAX];
};

struct conf_slices {
	uint32_t count;
	uint32_t members;
	struct conf_slice slice[CONF_SLICES_MAX]; /* 0: operators; 1: default */
	struct conf_member member[CONF_MEMBERS_MAX];
};

void conf_slices_init(struct conf_slices *);

/* "NAME KEY VALUE". 0 or a negative errno with the sentence. */
int conf_slice_set(struct conf_slices *, const char *value, struct errbuf *reterr);

/* The lines that say all of it, each behind word. */
void conf_slices_put(const struct conf_slices *, const char *word, struct buf *);

/* Its index, or -ENOENT. */
int conf_slice_find(const struct conf_slices *, const char *name);

#endif

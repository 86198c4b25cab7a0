#ifndef VANTAGE_COMMON_PREFIXES_H
#define VANTAGE_COMMON_PREFIXES_H

#include <stdint.h>

#include "common/err.h"

/* Do-not-probe prefixes: read, sorted and merged at the start, so that what the
 * kernel gets are ranges that neither touch nor overlap. */
struct prefix_range {
	uint8_t lo[16]; /* network order; IPv4 uses the first four */
	uint8_t hi[16]; /* inclusive */
};

struct prefix_set {
	struct prefix_range *range;
	uint32_t count;
	uint32_t cap;
};

struct prefixes {
	struct prefix_set ip4;
	struct prefix_set ip6;
};

/* Adds a file: an address or prefix a line, # comments. Errors say
 * file:line:column. */
int prefixes_read(struct prefixes *, const char *path, struct errbuf *reterr);
int prefixes_add(struct prefixes *, const char *prefix, struct errbuf *reterr);
void prefixes_merge(struct prefixes *);
void prefixes_fini(struct prefixes *);

/* The address after a (network order, len bytes); false when there is none. */
int prefixes_next(uint8_t *a, uint32_t len);

#endif

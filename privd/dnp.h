#ifndef VANTAGE_PRIVD_DNP_H
#define VANTAGE_PRIVD_DNP_H

#include <stdint.h>

#include "common/err.h"

/* Do-not-probe prefixes: read, sorted and merged at the start, so that what the
 * kernel gets are ranges that neither touch nor overlap. */
struct dnp_range {
	uint8_t lo[16]; /* network order; IPv4 uses the first four */
	uint8_t hi[16]; /* inclusive */
};

struct dnp_set {
	struct dnp_range *range;
	uint32_t count;
	uint32_t cap;
};

struct dnp {
	struct dnp_set ip4;
	struct dnp_set ip6;
};

/* Adds a file: an address or prefix a line, # comments. Errors say
 * file:line:column. */
int dnp_read(struct dnp *, const char *path, struct errbuf *reterr);
int dnp_add(struct dnp *, const char *prefix, struct errbuf *reterr);
void dnp_merge(struct dnp *);
void dnp_fini(struct dnp *);

/* The address after a (network order, len bytes); false when there is none. */
int dnp_next(uint8_t *a, uint32_t len);

#endif

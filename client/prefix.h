#ifndef VANTAGE_CLIENT_PREFIX_H
#define VANTAGE_CLIENT_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"

/*
 * A set of address prefixes, IPv4 and IPv6: sorted, disjoint ranges, so a
 * look-up is a binary search and overlapping or repeated prefixes cost nothing.
 * Zeroed is empty. Add, then seal once, then look up.
 */
struct prefix_key {
	uint64_t hi;
	uint64_t lo;
};

struct prefix_range {
	struct prefix_key first;
	struct prefix_key last;
};

struct prefix_set {
	struct {
		struct prefix_range *p;
		size_t count;
		size_t cap;
	} of[2]; /* IPv4, IPv6 */
};

void prefix_set_fini(struct prefix_set *);

/* "192.0.2.0/24", "2001:db8::1"; host bits are ignored. 0, -EINVAL, -ENOMEM. */
int prefix_set_add(struct prefix_set *, const char *text);
void prefix_set_seal(struct prefix_set *);
bool prefix_set_has(const struct prefix_set *, const struct addr *);

/* A file, one prefix a line, '#' comments; any bad line fails it: a list that
 * protects others is taken whole or not at all. -EINVAL: a bad line; another
 * errno: it could not be read. */
int prefix_set_load(struct prefix_set *, const char *path, struct errbuf *reterr);

#endif

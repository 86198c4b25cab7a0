#ifndef VANTAGE_PROTO_RECORD_LIST_H
#define VANTAGE_PROTO_RECORD_LIST_H

#include <stdint.h>

/* A list names the set of targets that measurements belong to; a cycle is one
 * pass over it (warts.md section 7). Strings are borrowed from the owner of the
 * struct and outlive it; NULL is "not given". Times are seconds since 1970. */
struct list_record {
	uint32_t id;
	const char *name;
	const char *descr;
	const char *monitor;
};

struct cycle_record {
	const struct list_record *list;
	uint32_t id;
	uint32_t start;
	uint32_t stop; /* 0: not yet */
	const char *hostname;
};

#endif

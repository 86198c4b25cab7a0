#ifndef VANTAGE_CLIENT_METHODS_H
#define VANTAGE_CLIENT_METHODS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Which measurements may be asked for, from a file of lines
 * "<method>.enable = 0" or "= 1", '#' comments. Zeroed: all of them. */
#define METHODS_MAX 32
#define METHOD_NAME_MAX 32

struct methods {
	uint32_t count;
	char off[METHODS_MAX][METHOD_NAME_MAX]; /* those that are disabled */
};

/* -EINVAL: a bad line, named with its number; another errno: no such file. */
int methods_load(struct methods *, const char *path, struct errbuf *reterr);

/* command begins with its method's word. */
bool methods_allow(const struct methods *, const char *command, size_t len);

#endif

#ifndef VANTAGE_COMMON_USERS_H
#define VANTAGE_COMMON_USERS_H

#include <sys/types.h>

#include "common/err.h"

/* A process's own user and group, by name; neither may be root's. Reads the
 * system's files: call it before the root directory changes. */
struct ids {
	uid_t uid;
	gid_t gid;
};

int users_find(const char *user, const char *group, struct ids *ret, struct errbuf *reterr);

#endif

#ifndef VANTAGE_COMMON_STATUS_H
#define VANTAGE_COMMON_STATUS_H

#include <stdint.h>

#include "common/err.h"

/*
 * What the kernel says of this process: /proc/self/status, read back after
 * privileges were given up. Open it while /proc can still be reached.
 */
struct status {
	uint64_t cap_inh;
	uint64_t cap_prm;
	uint64_t cap_eff;
	uint64_t cap_bnd;
	uint64_t cap_amb;
	uint64_t uid[4]; /* real, effective, saved, file system */
	uint64_t gid[4];
	uint64_t groups; /* supplementary */
	uint64_t no_new_privs;
	uint64_t seccomp;
};

int status_open(struct errbuf *reterr);                             /* a descriptor */
int status_read(int fd, struct status *ret, struct errbuf *reterr); /* closes nothing */

/* Text to numbers; the test's way in. Missing lines are -ENODATA. */
int status_parse(const char *text, struct status *ret);

#endif

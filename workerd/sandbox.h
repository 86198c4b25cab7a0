#ifndef VANTAGE_WORKERD_SANDBOX_H
#define VANTAGE_WORKERD_SANDBOX_H

#include <stdbool.h>
#include <stdio.h>

#include "common/err.h"

struct sandbox_config {
	const char *user; /* looked up before the root directory changes */
	const char *group;
	/* The new root when started as root; NULL: an empty directory that no
	 * longer has a name. Not as root: what the unit did is verified instead. */
	const char *root_dir;
	/* The directory below which files may be read, made and written, as an open
	 * descriptor; -1: none may. */
	int data_fd;
	/* Asked for by name only: start although the network namespace is the
	 * host's or privileges cannot be verified. Logged, never silent. */
	bool weak;
};

/*
 * One way, and before the first foreign byte is read: empty network namespace,
 * empty root, own user, no capability, no new privileges, Landlock where there
 * is one, limits, then the system call filter. All descriptors, signal
 * handlers and the loop must exist by then. 0, or -errno and a sentence; then
 * the process must not go on. A worker that root started dies with its starter.
 */
int sandbox_enter(const struct sandbox_config *, struct errbuf *reterr);

/* What holds: for --print-sandbox. */
void sandbox_print(FILE *);

#endif

#ifndef VANTAGE_CLIENT_GUARD_H
#define VANTAGE_CLIENT_GUARD_H

#include <stdint.h>
#include <sys/types.h>

/*
 * SIGKILL may end us in the midst of a write: the kernel stops between two
 * pages, and a part of a record is left. So a second process of this program
 * watches us; when we are gone it cuts the file back to where we last said that
 * whole records end. Zeroed is none.
 */
struct guard {
	pid_t pid;
	int fd;         /* its standard input: the end of it is the end of us */
	uint64_t *size; /* shared with it */
};

/* For a regular file, before confine_self. 0, or a negative errno: the run may
 * go on without. */
int guard_start(struct guard *, int file_fd, uint64_t size);

/* Whole records end there now. */
void guard_move(struct guard *, uint64_t size);
void guard_end(struct guard *);

/* The other process: "vantage --guard-output". Returns its exit status. */
#define GUARD_WORD "--guard-output"
int guard_main(void);

#endif

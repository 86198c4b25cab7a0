#ifndef VANTAGE_WORKERD_CTL_CONN_H
#define VANTAGE_WORKERD_CTL_CONN_H

#include <stdbool.h>
#include <uv.h>

#include "workerd/ctl/session.h"

/*
 * A connection: moves bytes between its socket and its session. It ends in
 * three steps: the socket is closed; its tasks are ended, a few in each run of
 * the loop; its memory goes with the last handle.
 */
struct conn {
	struct session session;
	uv_poll_t poll;
	struct ctl *ctl;
	struct conn *next; /* all of them */
	struct conn *prev;
	struct conn *turn_next;
	char *kept; /* received and not yet used; NULL: nothing */
	size_t kept_len;
	size_t out_held; /* its part of ctl.out_held */
	int fd; /* -1: closed */
	int events; /* what poll waits for */
	nsec_t moved; /* mono: when output last left before it was blocked */
	bool attending; /* waits for its turn, or has it */
	bool readable;	/* has not yet been read: another's turn comes first */
	bool eof;
	bool private; /* from ctl_client */
	bool handle_open; /* the poll handle is not yet closed */
	bool blocked; /* the kernel has no room for output */
};

/* Takes the descriptor, in any case. 0 or a negative errno. */
int conn_new(struct ctl *, int fd, const char *name, struct conn **ret);
/* Ask the kernel who is at the other end of a UNIX socket. */
void conn_identify(struct conn *);
/* The same once more: its user's slice may be another one now. */
void conn_reidentify(struct conn *);
enum conn_next {
	CONN_WAITS, /* until something happens */
	CONN_AGAIN, /* there is more to do */
	CONN_GONE,  /* freed */
};

/* Does what is to be done: input that waited, output, the end. */
enum conn_next conn_attend(struct conn *);
/* Close the socket and end all tasks now. */
void conn_kill(struct conn *);
/* It is to close, and its client takes nothing of what it is owed: cut it once
 * that has lasted too long; true as long as it has not. */
bool conn_drains(struct conn *, nsec_t now);

#endif

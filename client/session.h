#ifndef VANTAGE_CLIENT_SESSION_H
#define VANTAGE_CLIENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/nsec.h"
#include "proto/line.h"

/*
 * Our end of a control connection. Commands are pipelined: many lines go out
 * before the first answer; answers come in the order of the lines, DATA blocks
 * between them. Owns the descriptor. Owner: session_init, session_fini.
 */

/* Lines without an answer. More would only wait in the kernel's buffer. */
#define SESSION_PENDING_MAX 8192
#define SESSION_UNSENT_MAX (128 * 1024)
/* Commands that the service has queued. It stops reading at 4096, and does not
 * see our halts then: no matter at a high rate, where the queue is short-lived,
 * and where to wait for word that it is empty would cost. */
#define SESSION_QUEUED_MIN 64
#define SESSION_QUEUED_MAX 4000
/* A result is some hundred bytes; a trace with all it can hold, some hundred
 * thousand. A peer that announces more is not a service of ours. */
#define SESSION_BLOCK_MAX (16u * 1024 * 1024)

enum session_ask {
	ASK_COMMAND,
	ASK_HALT,
	ASK_DONE,
};

struct session_pending {
	uint64_t line_no; /* where the command came from */
	uint32_t len;     /* of its text in out, newline included */
	uint32_t ask;     /* enum session_ask */
};

struct session;

struct session_ops {
	/* The answer to a line; text is borrowed. -errno ends the reading. */
	int (*answer)(void *ctx, const struct session_pending *, const char *text, const struct reply_line *);
	int (*block)(void *ctx, const struct reply_line *, const char *bytes, size_t len);
	/* A line before the answer to session_ask; NULL: nobody wants to know. */
	void (*info)(void *ctx, const char *text);
};

struct session {
	int fd;
	int wake_fd; /* readable: session_ask gives up; or -1 */
	bool eof;
	const struct session_ops *ops;
	void *ctx;

	char *in;
	size_t in_cap;
	size_t in_pos;
	size_t in_len;
	size_t fresh;  /* bytes that the last session_receive found */
	bool in_block; /* head has been read, its bytes have not all come */
	struct reply_line head;

	struct buf out; /* [0, acked) answered, [acked, sent) waits, rest unsent */
	size_t acked;
	size_t sent;
	struct session_pending *pending; /* ring */
	uint32_t pending_first;
	uint32_t pending_count;

	/* How many commands are queued over there is not said; but MORE says that
	 * none is of those answered so far, and who has a result is not queued. */
	uint64_t queued_max;
	uint64_t commands; /* pushed */
	uint64_t accepted;
	uint64_t taken; /* at least so many have left the queue */
};

int session_init(struct session *, int fd, const struct session_ops *, void *ctx, struct errbuf *reterr);
void session_fini(struct session *);

/* Before the pipelining starts: one line, one answer, waiting at most so long.
 * 0 when it began with OK, with what followed in ret (cut to cap); else a
 * negative errno: -EPROTO an ERR, whose text is the sentence; -EINTR: wake_fd. */
int session_ask(
    struct session *, const char *line, nsec_t timeout, char *ret, size_t cap, struct errbuf *reterr);

/* Is there room for another line? */
bool session_has_room(const struct session *);
bool session_has_room_for_command(const struct session *);
size_t session_unsent(const struct session *);
void session_finished(struct session *, uint64_t results);

/* The line has been appended to s->out, from offset on. */
void session_pushed(struct session *, size_t from, enum session_ask, uint64_t line_no);
void session_push(struct session *, const char *line, enum session_ask);

/* Forget lines of which no byte has been sent. Returns how many. */
uint32_t session_drop_unsent(struct session *);

/* Without waiting. 0, or a negative errno. */
int session_send(struct session *);
int session_receive(struct session *, struct errbuf *reterr);

#endif

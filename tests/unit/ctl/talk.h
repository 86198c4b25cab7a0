#ifndef VANTAGE_TESTS_UNIT_CTL_TALK_H
#define VANTAGE_TESTS_UNIT_CTL_TALK_H

#include "tests/unit/ctl/mock.h"
#include "workerd/ctl/session.h"
#include "workerd/out/dir.h"

/*
 * A session without a socket. What it says is read as a client would, and noted
 * with each DATA block checked, decoded and named: "[list] [cycle-start]
 * [ping 3 completed]"; the id is that of the header, 0 without one.
 */
struct talk {
	struct mock_net net;
	struct dir data;
	char tmp[40]; /* the data directory */
	char path[320];
	struct session_env env;
	struct session s;
	struct buf heard; /* the notes, a line each */
	struct buf warts; /* the blocks, decoded and concatenated */
	bool reading;	  /* false: the client does not read */
	uint32_t attended;
};

/* A cmocka fixture: *state is a struct talk. Closing it demands that no task is
 * left. */
int talk_setup(void **state);
int talk_teardown(void **state);
/* The same without a data directory. */
int talk_setup_nowhere(void **state);
/* The path of a file in the data directory; valid until the next call. */
const char *talk_path(struct talk *, const char *name);
/* Makes a file there, or replaces it. */
void talk_put(struct talk *, const char *name, const void *bytes, size_t len);
size_t talk_size(struct talk *, const char *name);
/* Ends the session and the service, and begins again in the same directory. */
void talk_restart(struct talk *);
/* Sends text (len bytes) as a client, in pieces of at most piece bytes. */
void talk_send(struct talk *, const char *text, size_t len, size_t piece);
/* Sends the text, runs the engine, and returns what has been heard since the
 * last call. */
const char *talk_say(struct talk *, const char *text);
/* A line, and all that it is answered by, each without its newline at the end. */
#define talk_expect(t, line, answer) assert_string_equal(talk_say(t, line "\n"), answer "\n")
/* The same without sending; the clock moves. */
const char *talk_wait(struct talk *, nsec_t advance);

#endif

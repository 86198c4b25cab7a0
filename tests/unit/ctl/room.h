#ifndef VANTAGE_TESTS_UNIT_CTL_ROOM_H
#define VANTAGE_TESTS_UNIT_CTL_ROOM_H

#include <uv.h>

#include "tests/unit/ctl/mock.h"
#include "workerd/ctl/ctl.h"

/* Connections on real sockets and a real loop; the engine is the mock's. */
struct room {
	uv_loop_t loop;
	struct mock_net net;
	struct ctl *ctl;
	uint32_t clients_done;
	uint32_t stops;
	char path[64];
	char answer[1 << 20];
};

/* A cmocka fixture: *state is a struct room. Closing it demands that no task and
 * no handle is left. */
int room_open(void **state);
int room_close(void **state);
/* What happens until nothing happens. */
void room_spin(struct room *);
/* Listens on r->path. */
void room_listen(struct room *, enum ctl_form form);
void room_listen_at(struct room *, const char *path, enum ctl_form form);

/* Clients: one that connects to r->path, and the one of a private pair. */
int room_dial(struct room *);
int room_pair(struct room *);
void room_say(int fd, const char *text);
/* What has come, in r->answer; *ret_end, which may be NULL: and then the end of
 * file. hear lets everything happen first. */
const char *room_take(struct room *, int fd, bool *ret_end);
const char *room_hear(struct room *, int fd, bool *ret_end);

#endif

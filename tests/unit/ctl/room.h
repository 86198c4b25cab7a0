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

#endif

#include "tests/unit/ctl/room.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "workerd/ctl/ctl_priv.h"

static void
wake(void *ctx)
{
	((struct room *)ctx)->net.wakes++;
}

static void
client_done(void *ctx)
{
	((struct room *)ctx)->clients_done++;
}

static void
stop(void *ctx)
{
	((struct room *)ctx)->stops++;
}

int
room_open(void **state)
{
	struct room *r = calloc(1, sizeof(*r));
	struct ctl_config cfg = { .types = mock_types, .version = "20260420", .hostname = "testhost",
		.pid = 4711, .uid = 990, .wake = wake, .client_done = client_done, .stop = stop,
		.ctx = r };

	if (r == NULL || uv_loop_init(&r->loop) != 0 || mock_net_init(&r->net, 1000000) != 0)
		return -1;
	r->ctl = ctl_new(&r->loop, &cfg, r->net.engine);
	*state = r;
	return r->ctl == NULL ? -1 : 0;
}

int
room_close(void **state)
{
	struct room *r = *state;

	ctl_stop(r->ctl);
	assert_int_equal(uv_run(&r->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&r->loop), 0);
	assert_int_equal(mock_alive, 0);
	assert_int_equal(engine_running(r->net.engine), 0);
	mock_net_fini(&r->net);
	if (r->path[0] != '\0')
		(void)unlink(r->path);
	free(r);
	return 0;
}

void
room_spin(struct room *r)
{
	for (int i = 0; i < 20 || r->ctl->turns.count > 0; i++) {
		(void)uv_run(&r->loop, UV_RUN_NOWAIT);
		mock_net_run(&r->net, NSEC_PER_MSEC);
	}
}

void
room_listen_at(struct room *r, const char *path, enum ctl_form form)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(r->path, sizeof(r->path), "%s", path);
	(void)unlink(r->path);
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", r->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 4096), 0);
	assert_int_equal(ctl_listen(r->ctl, fd, form), 0);
}

void
room_listen(struct room *r, enum ctl_form form)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/tmp/vantage-ctl-%d.sock", (int)getpid());
	room_listen_at(r, path, form);
}

int
room_dial(struct room *r)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", r->path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

int
room_pair(struct room *r)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(ctl_client(r->ctl, fds[1]), 0);
	return fds[0];
}

void
room_say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

const char *
room_take(struct room *r, int fd, bool *ret_end)
{
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, r->answer + len, sizeof(r->answer) - 1 - len, MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	r->answer[len] = '\0';
	if (ret_end != NULL)
		*ret_end = n == 0 || errno != EAGAIN;
	return r->answer;
}

const char *
room_hear(struct room *r, int fd, bool *ret_end)
{
	room_spin(r);
	return room_take(r, fd, ret_end);
}

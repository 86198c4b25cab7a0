#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "tests/unit/ctl/mock.h"
#include "workerd/ctl/ctl.h"
#include "workerd/ctl/session.h"

/*
 * What the control side costs for each measurement, the network left out: from
 * the bytes of a command to those of its result. First the session alone, then
 * with the loop and a socket, whose other end this process reads too.
 */
#define COMMANDS 2000000
#define LINES 600

static char lines[LINES * 24 + 1];

static double
cpu_seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
report(const char *what, double seconds)
{
	printf("%s: %.0f ns of CPU a command\n", what, seconds * 1e9 / COMMANDS);
}

static void
on_attend(struct session *s)
{
	(void)s;
}

static void
bench_session(const struct ctl_config *cfg, struct mock_net *net)
{
	struct session_env env;
	struct session s;
	static char bytes[sizeof(lines)];
	char attach[] = "attach data id\n";
	double start;

	if (session_env_init(&env, cfg, net->engine) != 0)
		exit(1);
	session_init(&s, &env, "bench:0");
	s.attend = on_attend;
	(void)session_input(&s, attach, sizeof(attach) - 1);
	start = cpu_seconds();
	for (int i = 0; i < COMMANDS / LINES; i++) {
		memcpy(bytes, lines, sizeof(bytes));
		(void)session_input(&s, bytes, strlen(lines));
		mock_net_run(net, NSEC_PER_MSEC);
		session_sent(&s, session_unsent(&s));
	}
	report("session", cpu_seconds() - start);
	while (!session_drop(&s, 100))
		;
	session_fini(&s);
	session_env_fini(&env);
}

static void
bench_socket(const struct ctl_config *cfg, struct mock_net *net)
{
	static char sink[1 << 18];
	uv_loop_t loop;
	struct ctl *ctl;
	size_t off = 0;
	int fds[2];
	double start;

	if (uv_loop_init(&loop) != 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
		exit(1);
	ctl = ctl_new(&loop, cfg, net->engine);
	if (ctl == NULL || ctl_client(ctl, fds[1]) != 0 || send(fds[0], "attach data id\n", 15, 0) != 15)
		exit(1);
	start = cpu_seconds();
	for (uint32_t i = 0; i < COMMANDS / LINES;) {
		ssize_t n = send(fds[0], lines + off, strlen(lines) - off, MSG_NOSIGNAL);

		if (n > 0)
			off += (size_t)n;
		if (off == strlen(lines)) {
			off = 0;
			i++;
		}
		(void)uv_run(&loop, UV_RUN_NOWAIT);
		mock_net_run(net, NSEC_PER_MSEC);
		(void)uv_run(&loop, UV_RUN_NOWAIT);
		while (recv(fds[0], sink, sizeof(sink), 0) > 0)
			;
	}
	report("with loop and socket, both ends", cpu_seconds() - start);
	ctl_stop(ctl);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&loop);
	(void)close(fds[0]);
}

int
main(void)
{
	struct mock_net net;
	struct ctl_config cfg = { .types = mock_types, .version = "1", .hostname = "h", .pid = 1, .uid = 1,
		.wake = mock_net_wake, .ctx = &net };
	char *p = lines;

	for (int i = 0; i < LINES; i++)
		p += snprintf(p, sizeof(lines) - (size_t)(p - lines), "now 192.0.2.%d\n", i % 256);
	if (mock_net_init(&net, 1000000) != 0)
		return 1;
	bench_session(&cfg, &net);
	bench_socket(&cfg, &net);
	mock_net_fini(&net);
	return 0;
}

/*
 * How long a descriptor takes from another process, 20,000 times: nanoseconds
 * of the median and of the 99th percentile, on standard error.
 *   bench-fdpass bare    from a child that does nothing but pass it
 *   vantage-privd --workerd .../bench-fdpass     from privd, whose worker it
 *                        plays: the channel is descriptor 3 (see privd/start.c)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/priv/pp.h"

#define ROUNDS 20000u
#define WARM_UP 500u
#define CHANNEL 3

static int64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* One request and its answer, with the descriptor; 0 or a negative errno. */
static int
ask(int sock, uint32_t id, const union pp_body *request, int *ret_fd)
{
	uint8_t wire[PP_WIRE_MAX + 1];
	int len = pp_request_encode(id, request, wire);
	union pp_body answer;
	size_t got;
	int rc, refused;

	if (len < 0)
		return len;
	rc = pp_send(sock, wire, (size_t)len, -1, 0);
	if (rc == 0)
		rc = pp_recv(sock, wire, sizeof(wire), &got, ret_fd);
	if (rc == 0)
		rc = pp_answer_decode(id, wire, got, &refused, &answer);
	if (rc != 0)
		return rc;
	return refused != 0 ? -refused : 0;
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int
measure(int sock)
{
	static int64_t took[ROUNDS];
	union pp_body request = { 0 };

	for (uint32_t i = 0; i < WARM_UP + ROUNDS; i++) {
		int64_t begin = now_ns();
		int fd = -1, rc;

		request.echo.value = i;
		rc = ask(sock, PP_ECHO, &request, &fd);
		if (rc != 0 || fd < 0) {
			(void)fprintf(stderr, "bench-fdpass: %s\n", strerror(-rc));
			return -1;
		}
		(void)close(fd);
		if (i >= WARM_UP)
			took[i - WARM_UP] = now_ns() - begin;
	}
	qsort(took, ROUNDS, sizeof(took[0]), compare);
	(void)fprintf(stderr, "p50_ns %lld p99_ns %lld\n", (long long)took[ROUNDS / 2],
	    (long long)took[ROUNDS * 99 / 100]);
	return 0;
}

/* The bare other end: the same records and a descriptor, no judgement. */
static _Noreturn void
pass_on(int sock)
{
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

	for (;;) {
		uint8_t wire[PP_WIRE_MAX + 1], answer[PP_WIRE_MAX];
		union pp_body body;
		uint32_t id;
		size_t len;
		int fd;

		if (pp_recv(sock, wire, sizeof(wire), &len, &fd) != 0 || len == 0 ||
		    pp_request_decode(wire, len, &id, &body) != 0)
			_exit(EXIT_SUCCESS);
		(void)pp_send(sock, answer, (size_t)pp_answer_encode(id, 0, &body, answer), file, 0);
	}
}

static int
bare(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	switch (fork()) {
	case -1:
		return -1;
	case 0:
		(void)close(pair[0]);
		pass_on(pair[1]);
	}
	(void)close(pair[1]);
	return measure(pair[0]);
}

static int
worker(void)
{
	union pp_body hello = { .hello.version = PP_VERSION };
	int fd = -1;
	int rc = ask(CHANNEL, PP_HELLO, &hello, &fd);

	if (rc != 0) {
		(void)fprintf(stderr, "bench-fdpass: hello: %s\n", strerror(-rc));
		return -1;
	}
	return measure(CHANNEL);
}

int
main(int argc, char **argv)
{
	int rc = argc > 1 && strcmp(argv[1], "bare") == 0 ? bare() : worker();

	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

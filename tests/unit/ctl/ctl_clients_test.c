#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/ctl/room.h"

/*
 * Debian's clients against our control socket, unchanged. A test is skipped
 * where the package is not installed.
 */
#define COMMANDS 500

struct files {
	char in[32];
	char out[32];
};

static void
make_files(struct files *f, const char *verb)
{
	int in, out;
	FILE *p;

	(void)snprintf(f->in, sizeof(f->in), "/tmp/vantage-in-XXXXXX");
	(void)snprintf(f->out, sizeof(f->out), "/tmp/vantage-out-XXXXXX");
	in = mkstemp(f->in);
	out = mkstemp(f->out);
	assert_true(in >= 0 && out >= 0);
	(void)close(out);
	p = fdopen(in, "w");
	assert_non_null(p);
	for (int i = 0; i < COMMANDS; i++)
		(void)fprintf(p, "%s192.0.2.%d\n", verb, i % 250 + 1);
	assert_int_equal(fclose(p), 0);
}

static void
drop_files(const struct files *f)
{
	(void)unlink(f->in);
	(void)unlink(f->out);
}

/* Serves until the program has ended; its exit status. */
static int
serve(struct room *r, const char *const argv[])
{
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		/* execvp(3) changes nothing in it; its type is older than const. */
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	for (int i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
		assert_true(i < 20000);
		room_spin(r);
		(void)usleep(500);
	}
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 127)
		skip();
	return WEXITSTATUS(status);
}

/* What Debian's reader finds in a file: lines that begin with each word. */
static uint32_t
count_in(const char *path, const char *word)
{
	char cmd[64], line[512];
	uint32_t n = 0;
	FILE *p;

	(void)snprintf(cmd, sizeof(cmd), "sc_wartsdump %s 2>&1", path);
	p = popen(cmd, "r");
	assert_non_null(p);
	while (fgets(line, sizeof(line), p) != NULL)
		n += strncmp(line, word, strlen(word)) == 0;
	assert_int_equal(pclose(p), 0);
	return n;
}

static void
sc_attach_runs_over_a_unix_socket(void **state)
{
	struct room *r = *state;
	struct files f;

	room_listen(r, CTL_FORM_PLAIN);
	make_files(&f, "now ");
	assert_int_equal(
	    serve(r, (const char *const[]){ "sc_attach", "-i", f.in, "-o", f.out, "-U", r->path, NULL }), 0);
	assert_int_equal(count_in(f.out, "ping from"), COMMANDS);
	assert_int_equal(count_in(f.out, "cycle start"), 1);
	assert_int_equal(count_in(f.out, "cycle stop"), 1);
	drop_files(&f);
}

static void
sc_attach_runs_over_tcp_and_impatient(void **state)
{
	struct room *r = *state;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct files f;
	char port[16];

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	assert_int_equal(ctl_listen(r->ctl, fd, CTL_FORM_PLAIN), 0);
	(void)snprintf(port, sizeof(port), "%u", ntohs(in.sin_port));
	make_files(&f, "");
	assert_int_equal(serve(r, (const char *const[]){ "sc_attach", "-i", f.in, "-o", f.out, "-p", port, "-c",
				      "now", "-P", "7", "-O", "impatient", NULL }), 0);
	assert_int_equal(count_in(f.out, "ping from"), COMMANDS);
	drop_files(&f);
}

#define T(f) cmocka_unit_test_setup_teardown(f, room_open, room_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(sc_attach_runs_over_a_unix_socket),
		T(sc_attach_runs_over_tcp_and_impatient),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/confine.h"

/* In a child: 0, or the number of the first thing that went otherwise. */
static int
try_what_is_lost(const char *mine, const char *other, int open_before)
{
	struct errbuf err;
	char *const argv[] = { (char[]){ "/bin/true" }, NULL };

	if (confine_self(mine, &err) != 0)
		return 1;
	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES)
		return 2;
	if (open(other, O_WRONLY) >= 0 || errno != EACCES)
		return 3;
	if (unlink(other) == 0 || errno != EACCES)
		return 4;
	if (mkdir("/tmp/vantage-confine-test", 0700) == 0 || errno != EACCES)
		return 5;
	if (execv("/bin/true", argv) == 0 || errno != EACCES)
		return 6;
	if (setuid(65534) == 0 && geteuid() != 65534)
		return 7;
	if (write(open_before, "x", 1) != 1 || ftruncate(open_before, 0) != 0)
		return 8;
	return unlink(mine) == 0 ? 0 : 9;
}

static void
only_what_is_open_is_left(void **state)
{
	char dir[] = "/tmp/vantage-confine.XXXXXX", mine[64], other[64] = "/tmp/vantage-confine-other.XXXXXX";
	int status, fd, fd_mine;
	pid_t pid;

	(void)state;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1)
		skip();
	assert_non_null(mkdtemp(dir));
	(void)snprintf(mine, sizeof(mine), "%s/pid", dir);
	fd_mine = open(mine, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fd = mkstemp(other);
	assert_true(fd_mine >= 0 && fd >= 0);
	pid = fork();
	if (pid == 0)
		_exit(try_what_is_lost(mine, other, fd));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)unlink(other);
	(void)unlink(mine);
	(void)rmdir(dir);
	(void)close(fd);
	(void)close(fd_mine);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_open_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

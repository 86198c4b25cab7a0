#include "client/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/confine.h"
#include "client/status.h"

/* Descriptors of the guard, besides its standard input. */
enum {
	GUARD_SIZE = 3,
	GUARD_FILE = 4,
	GUARD_FDS = 5,
};

#define GUARD_ABOVE 16 /* out of the way while they are put in order */

static _Noreturn void
become_guard(int stdin_fd, int size_fd, int file_fd)
{
	char name[] = "vantage", word[] = GUARD_WORD;
	char *const argv[] = { name, word, NULL }, *const env[] = { NULL };
	int fds[3] = { stdin_fd, size_fd, file_fd };
	sigset_t none;

	for (int i = 0; i < 3; i++)
		fds[i] = fcntl(fds[i], F_DUPFD, GUARD_ABOVE);
	if (dup2(fds[0], STDIN_FILENO) < 0 || dup2(fds[1], GUARD_SIZE) < 0 || dup2(fds[2], GUARD_FILE) < 0)
		_exit(STATUS_INTERNAL);
	(void)syscall(SYS_close_range, (unsigned)GUARD_FDS, ~0u, 0u);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* What is sent to our process group is not meant for it. */
	(void)setsid();
	(void)execve("/proc/self/exe", argv, env);
	_exit(STATUS_INTERNAL);
}

int
guard_start(struct guard *g, int file_fd, uint64_t size)
{
	int size_fd = memfd_create("vantage-size", MFD_CLOEXEC), ends[2] = { -1, -1 }, rc = 0;

	if (size_fd < 0)
		return -errno;
	if (ftruncate(size_fd, sizeof(*g->size)) != 0 || pipe2(ends, O_CLOEXEC) != 0)
		rc = -errno;
	g->size = rc != 0 ? MAP_FAILED
			  : mmap(NULL, sizeof(*g->size), PROT_READ | PROT_WRITE, MAP_SHARED, size_fd, 0);
	if (rc == 0 && g->size == MAP_FAILED)
		rc = -errno;
	if (rc == 0) {
		guard_move(g, size);
		g->pid = fork();
		if (g->pid == 0)
			become_guard(ends[0], size_fd, file_fd);
		rc = g->pid < 0 ? -errno : 0;
	}
	(void)close(size_fd);
	if (ends[0] >= 0)
		(void)close(ends[0]);
	g->fd = ends[1];
	if (rc == 0)
		return 0;
	if (g->fd >= 0)
		(void)close(g->fd);
	memset(g, 0, sizeof(*g));
	return rc;
}

void
guard_move(struct guard *g, uint64_t size)
{
	if (g->size != NULL)
		__atomic_store_n(g->size, size, __ATOMIC_RELEASE);
}

void
guard_end(struct guard *g)
{
	if (g->pid <= 0)
		return;
	(void)close(g->fd);
	while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	(void)munmap(g->size, sizeof(*g->size));
	memset(g, 0, sizeof(*g));
}

int
guard_main(void)
{
	const uint64_t *size = mmap(NULL, sizeof(*size), PROT_READ, MAP_SHARED, GUARD_SIZE, 0);
	struct errbuf err;
	struct stat st;
	uint64_t whole;
	char c;

	if (size == MAP_FAILED || fstat(GUARD_FILE, &st) != 0 || !S_ISREG(st.st_mode))
		return STATUS_USAGE;
	(void)prctl(PR_SET_NAME, "vantage-guard");
	(void)confine_self(NULL, &err);
	while (read(STDIN_FILENO, &c, 1) < 0 && errno == EINTR)
		continue;
	whole = __atomic_load_n(size, __ATOMIC_ACQUIRE);
	if (fstat(GUARD_FILE, &st) == 0 && (uint64_t)st.st_size > whole &&
	    ftruncate(GUARD_FILE, (off_t)whole) != 0)
		return STATUS_CREATE;
	return STATUS_OK;
}

#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "workerd/privcli.h"
#include "workerd/sandbox.h"

#define TRIES                                                                                                \
	T(open)                                                                                              \
	T(openat2) T(openup) T(socket) T(exec) T(fork) T(bind) T(connect) T(setsockopt) T(dup) T(prctl)      \
	    T(kill) T(ptrace) T(mmap) T(mprotect) T(uring) T(bpf) T(userns) T(memfd) T(ioctl) T(getsockopt)  \
		T(fcntl) T(pidfd) T(none)

/*
 * The real sandbox around somebody who tries to leave it. privd starts this in
 * the worker's place; the client's socket says what to try. It answers "done
 * N" with what the call returned, if it lives that long.
 */
static long
try_open(void)
{
	return openat(AT_FDCWD, "/etc/passwd", O_RDONLY);
}

/* Allowed by the filter, which cannot see the name; it is what is left that
 * must refuse. */
static long
try_openat2(void)
{
	struct open_how how = { .flags = O_RDONLY };

	return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof(how));
}

static long
try_openup(void)
{
	struct open_how how = { .flags = O_RDWR | O_CREAT, .mode = 0600 };

	return syscall(SYS_openat2, AT_FDCWD, "../../../../tmp/vantage-inside", &how, sizeof(how));
}

static long
try_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}

static long
try_exec(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}

static long
try_fork(void)
{
	return fork();
}

static long
try_bind(void)
{
	const struct sockaddr sa = { .sa_family = AF_UNSPEC };

	return bind(3, &sa, sizeof(sa));
}

static long
try_connect(void)
{
	const struct sockaddr sa = { .sa_family = AF_UNSPEC };

	return connect(3, &sa, sizeof(sa));
}

static long
try_setsockopt(void)
{
	const int one = 1;

	return setsockopt(3, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
}

static long
try_dup(void)
{
	return dup2(3, 9);
}

static long
try_prctl(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long
try_kill(void)
{
	return kill(getppid(), 0);
}

static long
try_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long
try_mmap(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static long
try_mprotect(void)
{
	static char page[8192];

	return mprotect((void *)(((uintptr_t)page + 4095) & ~(uintptr_t)4095), 4096, PROT_READ | PROT_EXEC);
}

static long
try_uring(void)
{
	return syscall(SYS_io_uring_setup, 8, NULL);
}

static long
try_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static long
try_userns(void)
{
	return unshare(CLONE_NEWUSER);
}

static long
try_memfd(void)
{
	return memfd_create("x", 0);
}

static long
try_ioctl(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };

	return ioctl(3, SIOCGIFFLAGS, &ifr);
}

static long
try_getsockopt(void)
{
	int v;
	socklen_t len = sizeof(v);

	return getsockopt(3, SOL_SOCKET, SO_SNDBUF, &v, &len);
}

static long
try_fcntl(void)
{
	return fcntl(3, F_DUPFD, 20);
}

static long
try_pidfd(void)
{
	return syscall(SYS_pidfd_getfd, 3, 3, 0);
}

static long
try_none(void)
{
	return 0;
}

static const struct {
	const char *name;
	long (*run)(void);
} tries[] = {
#define T(name) { #name, try_##name },
	TRIES
#undef T
};

static int
answer(int fd, const char *word, long value)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s %ld\n", word, value);

	return send(fd, line, (size_t)n, MSG_NOSIGNAL) == n ? 0 : 1;
}

int
main(void)
{
	const struct sandbox_config cfg = { .user = "vantage", .group = "vantage", .data_fd = -1 };
	struct errbuf err = { "" };
	struct privcli cli;
	char name[32] = "";
	int client;

	log_init("inside", LOG_LEVEL_INFO);
	if (privcli_init(&cli, 3, &err) != 0 || privcli_open_client(&cli, &client) != 0)
		return 2;
	if (sandbox_enter(&cfg, &err) != 0) {
		log_error("%s", err.text);
		return 3;
	}
	for (ssize_t n; (n = recv(client, name, sizeof(name) - 1, 0)) > 0; memset(name, 0, sizeof(name))) {
		name[strcspn(name, "\n")] = '\0';
		for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
			if (strcmp(tries[i].name, name) == 0 && answer(client, "done", tries[i].run()) != 0)
				return 4;
		}
	}
	return 0;
}

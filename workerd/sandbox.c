#include "workerd/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <linux/landlock.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox/sc.h"
#include "common/status.h"
#include "common/users.h"

#define GETSOCKOPT(level, name, why) SC_ALLOW_IF(getsockopt, why, SC_ARG(1, level), SC_ARG(2, name))
#define LANDLOCK_TRUNCATE (1ull << 14) /* ABI 3; headers of Linux 6.1 lack it */

static const struct sc_rule rules[] = {
	SC_ALLOW(sendmmsg, "probe: a batch of probes"),
	SC_ALLOW(epoll_wait, "libuv: the loop sleeps here"),
	SC_ALLOW(epoll_pwait, "libuv: the same, where glibc maps it so"),
	SC_ALLOW(epoll_ctl, "libuv: connections come and go"),
	SC_ALLOW(read, "libuv: connections, eventfd, signal pipe; the pace's timerfd"),
	SC_ALLOW(write, "libuv: answers, wake-ups; the log"),
	SC_ALLOW(timerfd_settime, "probe: the next slot of the pace"),
	SC_ALLOW(clock_gettime, "uv_hrtime, where the vDSO has no clock"),
	SC_ALLOW(recvmsg, "privcli.c: an answer and its descriptor; rtnetlink; libuv: passed descriptors"),
	SC_ALLOW(sendmsg, "privcli.c: a request; libuv: descriptors for a client"),
	SC_ALLOW(recvfrom, "rtnetlink answers"),
	SC_ALLOW(sendto, "rtnetlink questions; a probe alone"),
	SC_ALLOW(accept4, "libuv: a client connects"),
	SC_ALLOW(close, "connections end"),
	SC_ALLOW_IF(ioctl, "libuv: non-blocking", SC_ARG(1, FIONBIO)),
	GETSOCKOPT(SOL_SOCKET, SO_PEERCRED, "who a client is"),
	GETSOCKOPT(SOL_SOCKET, SO_PEERGROUPS, "its groups: whether it is an operator, and its slice"),
	GETSOCKOPT(SOL_PACKET, PACKET_STATISTICS, "probe: packets that the ring lost"),
	SC_ALLOW(openat2,
	    "out/dir.c: files of the data directory; its arguments lie in memory where no filter "
	    "looks: the root directory and Landlock hold it"),
	SC_ALLOW(statx, "out/dir.c: is it a regular file, and which"),
	SC_ALLOW(ftruncate, "out/outfile.c: a damaged tail goes, and what a full disk took of a record"),
	SC_ALLOW(lseek, "where a list or a state file goes on"),
	SC_ALLOW(brk, "malloc"),
	SC_ALLOW_IF(mmap, "malloc, a second ring; memory is never code", SC_MASK(2, PROT_EXEC, 0)),
	SC_ALLOW(munmap, "free"),
	SC_ALLOW(mremap, "realloc of large buffers"),
	SC_ALLOW(sysinfo, "qsort asks once how much memory there is: routes, replies"),
	SC_ALLOW(getrandom, "loop.c: identifiers that nobody can guess"),
	SC_ALLOW(rt_sigreturn, "return from a signal handler"),
	SC_ALLOW(exit_group, "the end"),
	{ 0 },
};

void
sandbox_print(FILE *out)
{
	fprintf(out,
	    "vantage-workerd: own user, no capability, no_new_privs; empty root, empty network namespace; "
	    "not dumpable; no core, no new process; Landlock: regular files of the data directory alone\n");
	sc_print(out, rules);
}

/* Only the loopback device, as a new namespace has it. */
static int
net_verify(struct errbuf *reterr)
{
	struct if_nameindex *all = if_nameindex();
	int rc = 0;

	if (all == NULL)
		return 0; /* not even the question can be asked from in here */
	for (uint32_t i = 0; all[i].if_index != 0; i++) {
		if (strcmp(all[i].if_name, "lo") != 0)
			rc = errbuf_set(reterr, -EPERM,
			    "the network namespace is not empty (%s): start as root, or "
			    "with PrivateNetwork=yes in the unit",
			    all[i].if_name);
	}
	if_freenameindex(all);
	return rc;
}

/* A directory without a name: it is removed before we are in it for good. */
static int
root_anonymous(struct errbuf *reterr)
{
	char path[] = "/tmp/vantage-XXXXXX";

	if (mkdtemp(path) == NULL || chdir(path) < 0 || rmdir(path) < 0 || chroot(".") < 0)
		return errbuf_set(reterr, -errno, "empty root: %s", strerror(errno));
	return 0;
}

static int
root_change(const char *dir, struct errbuf *reterr)
{
	if (dir == NULL)
		return root_anonymous(reterr);
	if (chroot(dir) < 0 || chdir("/") < 0)
		return errbuf_set(reterr, -errno, "root directory %s: %s", dir, strerror(errno));
	return 0;
}

/* Not as root there is nothing to clear, which verify() sees to: the unit need
 * not allow the call then. */
static int
caps_clear(bool root)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	return root && syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

static int
root_leave(const struct sandbox_config *cfg, const struct ids *ids, struct errbuf *reterr)
{
	int rc;

	if (unshare(CLONE_NEWNET) < 0)
		return errbuf_set(reterr, -errno, "network namespace: %s", strerror(errno));
	rc = root_change(cfg->root_dir, reterr);
	if (rc != 0)
		return rc;
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return errbuf_set(reterr, -errno, "bounding set: %s", strerror(errno));
	}
	if (setgroups(0, NULL) < 0 || setresgid(ids->gid, ids->gid, ids->gid) < 0 ||
	    setresuid(ids->uid, ids->uid, ids->uid) < 0)
		return errbuf_set(reterr, -errno, "becoming user %u: %s", ids->uid, strerror(errno));
	return 0;
}

/* A descriptor for each client and some more, where the shell that started us
 * allows few. */
#define FILES_WANTED 8192

static int
files_raise(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return -errno;
	if (lim.rlim_cur >= FILES_WANTED)
		return 0;
	lim.rlim_cur = lim.rlim_max < FILES_WANTED ? lim.rlim_max : FILES_WANTED;
	return setrlimit(RLIMIT_NOFILE, &lim) < 0 ? -errno : 0;
}

static int
limits_set(void)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
	    setrlimit(RLIMIT_NPROC, &none) < 0 || setrlimit(RLIMIT_MEMLOCK, &none) < 0)
		return -errno;
	return files_raise();
}

/* What may be done below the data directory: no look at its names, no removal,
 * no link, nothing but regular files. */
static int
landlock_allow(int ruleset, int data_fd, uint64_t handled)
{
	struct landlock_path_beneath_attr beneath = { .parent_fd = data_fd,
		.allowed_access = handled & (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
						LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_TRUNCATE) };

	if (data_fd < 0)
		return 0;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0 ? -errno
												    : 0;
}

/* A ruleset over all the rights that this kernel knows, empty but for the data
 * directory. */
static int
landlock_enter(int data_fd, struct errbuf *reterr)
{
	static const uint64_t rights[] = { 0, 0x1fff, 0x3fff, 0x7fff }; /* by ABI; from 5 on also ioctl */
	struct landlock_ruleset_attr attr = { 0 };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION), fd;

	if (abi < 1)
		return 0; /* the second layer is not there; the first is the root directory */
	attr.handled_access_fs = abi >= 5 ? 0xffff : rights[abi < 3 ? abi : 3];
	fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0 || landlock_allow((int)fd, data_fd, attr.handled_access_fs) != 0 ||
	    syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return errbuf_set(reterr, -errno, "Landlock: %s", strerror(errno));
	(void)close((int)fd);
	return 0;
}

/* What the kernel says of us is what counts, not what calls returned. */
static int
verify(int fd, const struct ids *ids, bool was_root, struct errbuf *reterr)
{
	struct status st;
	int rc = status_read(fd, &st, reterr);

	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < 4; i++) {
		if (st.uid[i] != ids->uid || st.gid[i] != ids->gid)
			return errbuf_set(reterr, -EPERM, "still user %u, group %u: must be %u and %u",
			    (unsigned)st.uid[i], (unsigned)st.gid[i], ids->uid, ids->gid);
	}
	if (st.cap_prm != 0 || st.cap_eff != 0 || st.cap_inh != 0 || st.cap_amb != 0 || st.cap_bnd != 0)
		return errbuf_set(reterr, -EPERM,
		    "capabilities are left (permitted %llx, bounding %llx): start as "
		    "root, or with CapabilityBoundingSet= in the unit",
		    (unsigned long long)st.cap_prm, (unsigned long long)st.cap_bnd);
	if (st.no_new_privs != 1 || (was_root && st.groups != 0))
		return errbuf_set(
		    reterr, -EPERM, "no_new_privs or supplementary groups are not as they must be");
	return 0;
}

/* A weak start is said, once for each thing that is missing. */
static int
weaken(const struct sandbox_config *cfg, int rc, struct errbuf *reterr)
{
	if (rc == 0 || !cfg->weak)
		return rc;
	log_warn("weaker sandbox, as asked for: %s", reterr->text);
	return 0;
}

static int
privileges_drop(const struct sandbox_config *cfg, int status_fd, struct errbuf *reterr)
{
	bool root = geteuid() == 0;
	struct ids ids = { 0 };
	int rc = users_find(cfg->user, cfg->group, &ids, reterr);

	if (rc == 0 && root)
		rc = root_leave(cfg, &ids, reterr);
	if (rc == 0 && (caps_clear(root) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || limits_set() != 0))
		rc = errbuf_set(reterr, -EPERM, "capabilities, no_new_privs or limits: %s", strerror(errno));
	/* After the change of user, which clears it. */
	if (rc == 0 && root && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		rc = errbuf_set(reterr, -errno, "parent-death signal: %s", strerror(errno));
	if (rc == 0)
		rc = weaken(cfg, net_verify(reterr), reterr);
	if (rc == 0)
		rc = weaken(cfg, verify(status_fd, &ids, root, reterr), reterr);
	return rc;
}

int
sandbox_enter(const struct sandbox_config *cfg, struct errbuf *reterr)
{
	struct errbuf own = { "" }, *err = reterr == NULL ? &own : reterr;
	int fd = status_open(err), rc;

	if (fd < 0)
		return fd;
	rc = privileges_drop(cfg, fd, err);
	(void)close(fd);
	if (rc == 0)
		rc = landlock_enter(cfg->data_fd, err);
	return rc == 0 ? sc_load(rules, err) : rc;
}

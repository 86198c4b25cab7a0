#include "privd/privd.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/sandbox/sc.h"
#include "common/status.h"

#define FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)
#define SOCKET(family, type, proto, why)                                                                     \
	SC_ALLOW_IF(socket, why, SC_ARG(0, family), SC_ARG(1, (type) | FLAGS), SC_ARG(2, proto))
#define OPTION(level, name, why) SC_ALLOW_IF(setsockopt, why, SC_ARG(1, level), SC_ARG(2, name))

static const struct sc_rule rules[] = {
	SC_ALLOW(poll, "loop.c sleeps here"),
	SC_ALLOW(restart_syscall, "poll, after a stop and continue"),
	SC_ALLOW(recvmsg, "pp_io.c: a request"),
	SC_ALLOW(sendmsg, "pp_io.c: an answer and its descriptor"),
	SC_ALLOW(recvfrom, "firewall/nft.c: ruleset and link events, acknowledgements"),
	SC_ALLOW(sendto, "firewall/nft_batch.c: cover a new interface, remove the tables"),
	SC_ALLOW(accept4, "loop.c: the worker, where systemd made the socket; a second privd"),
	SC_ALLOW_IF(getsockopt, "loop.c: who the worker is", SC_ARG(1, SOL_SOCKET), SC_ARG(2, SO_PEERCRED)),
	SC_ALLOW(pidfd_open, "loop.c: to learn of the worker's end"),
	SC_ALLOW(read, "loop.c: signalfd"),
	SC_ALLOW_IF(write, "log.c", SC_ARG(0, STDERR_FILENO)),
	SC_ALLOW(close, "our copy of what was passed, and released ports"),
	SC_ALLOW(bind, "ports.c, open.c"),
	SOCKET(AF_INET, SOCK_RAW, IPPROTO_RAW, "open_raw"),
	SOCKET(AF_INET6, SOCK_RAW, IPPROTO_RAW, "open_raw"),
	SOCKET(AF_PACKET, SOCK_DGRAM, 0, "open_ring"),
	SOCKET(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, "open_route"),
	SOCKET(AF_INET6, SOCK_DGRAM, 0, "ports.c: a UDP port"),
	SOCKET(AF_INET6, SOCK_STREAM, 0, "ports.c: a TCP port"),
	SOCKET(AF_INET, SOCK_DGRAM, 0, "ports.c: a UDP port where there is no IPv6"),
	SOCKET(AF_INET, SOCK_STREAM, 0, "ports.c: a TCP port where there is no IPv6"),
	OPTION(SOL_SOCKET, SO_ATTACH_FILTER, "filters.c: deaf sockets"),
	OPTION(SOL_SOCKET, SO_ATTACH_BPF, "filters.c: the ring"),
	OPTION(SOL_SOCKET, SO_LOCK_FILTER, "filters.c: for good"),
	OPTION(SOL_SOCKET, SO_MARK, "open.c: what the policy goes by"),
	OPTION(SOL_SOCKET, SO_SNDBUFFORCE, "open_raw"),
	OPTION(SOL_SOCKET, SO_RCVBUFFORCE, "open_route"),
	OPTION(SOL_SOCKET, SO_TIMESTAMPNS, "open_ring"),
	OPTION(IPPROTO_IP, IP_MTU_DISCOVER, "open_raw"),
	OPTION(IPPROTO_IPV6, IPV6_MTU_DISCOVER, "open_raw"),
	OPTION(IPPROTO_IPV6, IPV6_V6ONLY, "ports.c: one hold for both families"),
	OPTION(SOL_PACKET, PACKET_VERSION, "open_ring"),
	OPTION(SOL_PACKET, PACKET_TIMESTAMP, "open_ring"),
	OPTION(SOL_PACKET, PACKET_RX_RING, "open_ring"),
	SC_ALLOW(wait4, "loop.c: how our worker ended"),
	/* A directory of ours, never AT_FDCWD, whose sign bit is set. */
	SC_ALLOW_IF(unlinkat, "listen.c: our control sockets' names, at the end", SC_MASK(0, 0x80000000u, 0)),
	SC_ALLOW(exit_group, "the end"),
	{ 0 },
};

void
sandbox_print(void)
{
	printf(
	    "vantage-privd: capabilities cap_net_raw, cap_net_admin; no_new_privs; not dumpable; no core, no "
	    "new process\n");
	sc_print(stdout, rules);
}

#define CAPS ((1ull << CAP_NET_RAW) | (1ull << CAP_NET_ADMIN))

/* What the kernel says, not what the library returned, is what counts. */
static int
verify(const struct privd *privd, bool root, int fd, struct errbuf *reterr)
{
	struct status st;
	int rc = status_read(fd, &st, reterr);

	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < 4; i++) {
		if (st.uid[i] != privd->ids.uid || st.gid[i] != privd->ids.gid)
			return errbuf_set(
			    reterr, -EPERM, "dropping root failed: user or group is still another");
	}
	/* Without root to narrow it the bounding set is the unit's affair, and
	 * no_new_privs makes it moot. */
	if ((root && st.cap_bnd != CAPS) || st.cap_eff != CAPS || st.cap_prm != CAPS || st.cap_inh != 0 ||
	    st.cap_amb != 0 || st.no_new_privs != 1)
		return errbuf_set(reterr, -EPERM,
		    "capabilities are not exactly cap_net_raw and cap_net_admin (permitted %llx): see "
		    "AmbientCapabilities= in vantage-privd.service",
		    (unsigned long long)st.cap_prm);
	return 0;
}

int
sandbox_drop(const struct privd *privd, struct errbuf *reterr)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit files;
	bool root = geteuid() == 0;
	int fd = status_open(reterr), rc;

	if (fd < 0)
		return fd;
	capng_clear(CAPNG_SELECT_BOTH);
	(void)capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | (root ? CAPNG_BOUNDING_SET : 0),
	    CAP_NET_RAW, CAP_NET_ADMIN, -1);
	rc = root ? capng_apply(CAPNG_SELECT_BOUNDS) : capng_apply(CAPNG_SELECT_CAPS);
	if (rc == 0 && root)
		rc = capng_change_id((int)privd->ids.uid, (int)privd->ids.gid, CAPNG_DROP_SUPP_GRP);
	if (rc == 0 &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
		setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NPROC, &none) < 0 ||
		getrlimit(RLIMIT_NOFILE, &files) < 0))
		rc = -errno;
	/* Each port is a descriptor; a shell's soft limit is for few. */
	if (rc == 0) {
		files.rlim_cur = files.rlim_max;
		rc = setrlimit(RLIMIT_NOFILE, &files) < 0 ? -errno : 0;
	}
	if (rc != 0)
		rc = errbuf_set(reterr, -EPERM, "cannot give privileges up (step %d)", rc);
	else
		rc = verify(privd, root, fd, reterr);
	(void)close(fd);
	return rc;
}

int
sandbox_enter(struct errbuf *reterr)
{
	return sc_load(rules, reterr);
}

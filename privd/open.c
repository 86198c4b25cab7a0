#include "privd/open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/priv/ring.h"

#define FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)

/* Many batches of probes; the pace, not the buffer, is what limits. */
#define RAW_SNDBUF (8 << 20)
/* A full routing table's worth of change notices. */
#define ROUTE_RCVBUF (4 << 20)

static int
option(int fd, int rc, int level, int name, const void *value, socklen_t len)
{
	if (rc != 0)
		return rc;
	return setsockopt(fd, level, name, value, len) < 0 ? -errno : 0;
}

static int
finish(int fd, int rc)
{
	if (rc == 0)
		return fd;
	(void)close(fd);
	return rc;
}

int
open_raw(enum pp_family family, uint32_t mark)
{
	/* Packets as long as the link takes, whatever path MTU is cached: path
	 * MTU discovery is what some of them are for (ip(7)). */
	const int probe4 = IP_PMTUDISC_PROBE, probe6 = IPV6_PMTUDISC_PROBE, sndbuf = RAW_SNDBUF;
	int fd = socket(family == PP_IP4 ? AF_INET : AF_INET6, SOCK_RAW | FLAGS, IPPROTO_RAW), rc;

	if (fd < 0)
		return -errno;
	rc = filter_attach_drop_all(fd);
	rc = option(fd, rc, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	rc = option(fd, rc, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf));
	if (family == PP_IP4)
		rc = option(fd, rc, IPPROTO_IP, IP_MTU_DISCOVER, &probe4, sizeof(probe4));
	else
		rc = option(fd, rc, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe6, sizeof(probe6));
	return finish(fd, rc);
}

int
open_ring(const struct filter *filter, uint32_t mark)
{
	const int version = TPACKET_V2, stamp = SOF_TIMESTAMPING_SOFTWARE, one = 1;
	const struct tpacket_req req = { .tp_block_size = RING_BLOCK_BYTES,
		.tp_block_nr = RING_FRAMES / (RING_BLOCK_BYTES / RING_FRAME_BYTES),
		.tp_frame_size = RING_FRAME_BYTES,
		.tp_frame_nr = RING_FRAMES };
	const struct sockaddr_ll all = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	/* Protocol 0 hears nothing until the filter is locked and we bind. */
	int fd = socket(AF_PACKET, SOCK_DGRAM | FLAGS, 0), rc;

	if (fd < 0)
		return -errno;
	rc = option(fd, 0, SOL_PACKET, PACKET_VERSION, &version, sizeof(version));
	rc = option(fd, rc, SOL_PACKET, PACKET_TIMESTAMP, &stamp, sizeof(stamp));
	/* The kernel stamps packets early only while somebody wants stamps. */
	rc = option(fd, rc, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
	rc = option(fd, rc, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req));
	rc = option(fd, rc, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	if (rc == 0)
		rc = filter_attach_ring(filter, fd);
	if (rc == 0 && bind(fd, (const struct sockaddr *)&all, sizeof(all)) < 0)
		rc = -errno;
	return finish(fd, rc);
}

/* The kernel judges who sends, not who opened: the worker can only look. */
int
open_route(void)
{
	const struct sockaddr_nl groups = { .nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR |
			     RTMGRP_IPV6_ROUTE };
	const int rcvbuf = ROUTE_RCVBUF;
	int fd = socket(AF_NETLINK, SOCK_RAW | FLAGS, NETLINK_ROUTE), rc;

	if (fd < 0)
		return -errno;
	rc = option(fd, 0, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof(rcvbuf));
	if (rc == 0 && bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) < 0)
		rc = -errno;
	return finish(fd, rc);
}

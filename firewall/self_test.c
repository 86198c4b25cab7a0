#include "firewall/firewall.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Packets to our own loopback that the policy must refuse: should one pass, it
 * has gone no further than this host. Documentation addresses (RFC 5737, RFC
 * 3849) as sources; a first fragment, refused even where spoofing is allowed.
 */
static const uint8_t spoofed4[] = { 0x45, 0, 0, 28, 0, 1, 0, 0, 1, 17, 0, 0, 192, 0, 2, 1, 127, 0, 0, 1, 0, 9,
	0, 9, 0, 8, 0, 0 };
static const uint8_t fragment4[] = { 0x45, 0, 0, 28, 0, 1, 0x20, 0, 1, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1,
	0, 9, 0, 9, 0, 8, 0, 0 };
static const uint8_t spoofed6[] = { 0x60, 0, 0, 0, 0, 8, 17, 1, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 9, 0, 9, 0, 8, 0, 0 };
static const uint8_t tunnel6[] = { 0x60, 0, 0, 0, 0, 0, 41, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };

/* 0: refused, or there is no way at all (loopback down, no IPv6). */
static int
try_one(int family, uint32_t mark, const uint8_t *packet, size_t len)
{
	const struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	ssize_t n;

	if (fd < 0)
		return errno == EAFNOSUPPORT ? 0 : -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0) {
		(void)close(fd);
		return -EPERM;
	}
	n = sendto(fd, packet, len, 0,
	    family == AF_INET ? (const struct sockaddr *)&sin : (const struct sockaddr *)&sin6,
	    family == AF_INET ? sizeof(sin) : sizeof(sin6));
	(void)close(fd);
	return n < 0 ? 0 : -ENOKEY;
}

int
firewall_self_test(const struct firewall_policy *policy, struct errbuf *reterr)
{
	const struct {
		int family;
		bool spoofed;
		const uint8_t *packet;
		size_t len;
	} tries[] = { { AF_INET, true, spoofed4, sizeof(spoofed4) },
		{ AF_INET, false, fragment4, sizeof(fragment4) },
		{ AF_INET6, true, spoofed6, sizeof(spoofed6) },
		{ AF_INET6, false, tunnel6, sizeof(tunnel6) } };

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		int rc;

		if (tries[i].spoofed && policy->spoof)
			continue;
		rc = try_one(tries[i].family, policy->mark | MARK_KIND_TX, tries[i].packet, tries[i].len);
		if (rc != 0)
			return errbuf_set(reterr, rc,
			    "self-test: the kernel %s a packet that the policy forbids (case %zu)",
			    rc == -ENOKEY ? "sent" : "could not try", i + 1);
	}
	return 0;
}

#include "privd/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Below it a port is a service's of the host: only the configuration gives it. */
#define PRIVILEGED_PORTS 1024

void
ports_init(struct ports *ports, struct filter *filter)
{
	memset(ports, 0, sizeof(*ports));
	ports->filter = filter;
}

/* One socket for both families and every address. */
static int
any_socket(int type)
{
	const int zero = 0;
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 && errno == EAFNOSUPPORT)
		fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	else if (fd >= 0)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	return fd < 0 ? -errno : fd;
}

static int
any_bind(int fd, uint16_t port)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };

	/* Never SO_REUSEADDR: two sockets that both have it share the port. */
	if (bind(fd, (struct sockaddr *)&sin6, sizeof(sin6)) == 0)
		return 0;
	if (errno == EAFNOSUPPORT && bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0)
		return 0;
	return -errno;
}

/*
 * UDP: bound and deaf, so that the kernel sends no port unreachable and queues
 * nothing. TCP: bound but not listening, so that the kernel's RST still closes
 * what a probe half opened.
 */
static int
hold_open(const struct pp_port *of)
{
	int fd = any_socket(of->proto == PP_UDP ? SOCK_DGRAM : SOCK_STREAM), rc;

	if (fd < 0)
		return fd;
	rc = filter_attach_drop_all(fd);
	if (rc == 0)
		rc = any_bind(fd, (uint16_t)of->port);
	if (rc == 0)
		return fd;
	(void)close(fd);
	return rc;
}

static int
hold_find(const struct hold *hold, uint32_t count, const struct pp_port *of)
{
	for (uint32_t i = 0; i < count; i++) {
		if (hold[i].of.port == of->port && hold[i].of.proto == of->proto)
			return (int)i;
	}
	return -ENOENT;
}

int
ports_reserve(struct ports *ports, const struct pp_port *of)
{
	int fd = -1;

	/* Not all kernels keep these from us (ip_unprivileged_port_start). */
	if (of->port < PRIVILEGED_PORTS && of->proto != PP_ICMP)
		return of->port == 0 ? -EINVAL : -EACCES;
	if (hold_find(ports->hold, ports->count, of) >= 0)
		return 0;
	if (ports->count == PP_PORTS_MAX)
		return -EDQUOT;
	if (of->proto != PP_ICMP) {
		fd = hold_open(of);
		if (fd < 0)
			return fd;
	}
	ports->hold[ports->count++] = (struct hold){ fd, *of };
	filter_port_set(ports->filter, of, true);
	return 0;
}

int
ports_release(struct ports *ports, const struct pp_port *of)
{
	int i = hold_find(ports->hold, ports->count, of);

	if (i < 0)
		return i;
	filter_port_set(ports->filter, of, false);
	if (ports->hold[i].fd >= 0)
		(void)close(ports->hold[i].fd);
	ports->hold[i] = ports->hold[--ports->count];
	return 0;
}

void
ports_release_all(struct ports *ports)
{
	while (ports->count > 0) {
		const struct pp_port last = ports->hold[ports->count - 1].of;

		(void)ports_release(ports, &last);
	}
}

int
ports_offer(struct ports *ports, const struct conf_port *conf, uint32_t mark, struct errbuf *reterr)
{
	const struct pp_port of = { conf->ipproto == IPPROTO_TCP ? PP_TCP : PP_UDP, conf->port };
	int fd = any_socket(of.proto == PP_UDP ? SOCK_DGRAM : SOCK_STREAM), rc = fd < 0 ? fd : 0;

	if (rc == 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0)
		rc = -errno;
	if (rc == 0)
		rc = any_bind(fd, conf->port);
	if (rc == 0 && of.proto == PP_TCP && listen(fd, 128) < 0)
		rc = -errno;
	if (rc != 0)
		return errbuf_set(reterr, rc, "port %s/%u: %s", of.proto == PP_UDP ? "udp" : "tcp",
		    conf->port, strerror(-rc));
	ports->offered[ports->offered_count++] = (struct hold){ fd, of };
	return 0;
}

int
ports_offered(const struct ports *ports, const struct pp_port *of)
{
	int i = hold_find(ports->offered, ports->offered_count, of);

	return i < 0 ? -EACCES : ports->offered[i].fd;
}

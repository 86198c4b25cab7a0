#include "privd/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
hold_open(enum pp_proto proto, uint16_t port)
{
	int fd, rc;

	if (proto == PP_ICMP)
		return -1;
	fd = any_socket(proto == PP_UDP ? SOCK_DGRAM : SOCK_STREAM);
	if (fd < 0)
		return fd;
	rc = filter_attach_drop_all(fd);
	if (rc == 0)
		rc = any_bind(fd, port);
	if (rc == 0)
		return fd;
	(void)close(fd);
	return rc;
}

static struct hold *
hold_find(struct ports *ports, enum pp_proto proto, uint16_t port)
{
	for (uint32_t i = 0; i < ports->count; i++) {
		if (ports->hold[i].port == port && ports->hold[i].proto == (uint8_t)proto)
			return &ports->hold[i];
	}
	return NULL;
}

int
ports_reserve(struct ports *ports, enum pp_proto proto, uint16_t port)
{
	int fd;

	if (port == 0 && proto != PP_ICMP)
		return -EINVAL;
	if (hold_find(ports, proto, port) != NULL)
		return 0;
	if (ports->count == PORTS_MAX)
		return -EDQUOT;
	fd = hold_open(proto, port);
	if (fd < 0 && proto != PP_ICMP)
		return fd;
	ports->hold[ports->count++] = (struct hold){ fd, (uint8_t)proto, port };
	filter_port_set(ports->filter, proto, port, true);
	return 0;
}

int
ports_release(struct ports *ports, enum pp_proto proto, uint16_t port)
{
	struct hold *hold = hold_find(ports, proto, port);

	if (hold == NULL)
		return -ENOENT;
	filter_port_set(ports->filter, proto, port, false);
	if (hold->fd >= 0)
		(void)close(hold->fd);
	*hold = ports->hold[--ports->count];
	return 0;
}

void
ports_release_all(struct ports *ports)
{
	while (ports->count > 0) {
		const struct hold *last = &ports->hold[ports->count - 1];

		(void)ports_release(ports, (enum pp_proto)last->proto, last->port);
	}
}

int
ports_offer(struct ports *ports, const struct conf_port *conf, uint32_t mark, struct errbuf *reterr)
{
	enum pp_proto proto = conf->ipproto == IPPROTO_TCP ? PP_TCP : PP_UDP;
	int fd = any_socket(proto == PP_UDP ? SOCK_DGRAM : SOCK_STREAM), rc = fd;

	if (fd >= 0)
		rc = setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 ? -errno :
										    any_bind(fd, conf->port);
	if (rc == 0 && proto == PP_TCP && listen(fd, 128) < 0)
		rc = -errno;
	if (rc != 0) {
		if (fd >= 0)
			(void)close(fd);
		return errbuf_set(reterr, rc, "port %s/%u: %s", proto == PP_UDP ? "udp" : "tcp", conf->port,
		    strerror(-rc));
	}
	ports->offered[ports->offered_count++] = (struct hold){ fd, (uint8_t)proto, conf->port };
	return 0;
}

int
ports_offered(const struct ports *ports, enum pp_proto proto, uint16_t port)
{
	for (uint32_t i = 0; i < ports->offered_count; i++) {
		if (ports->offered[i].port == port && ports->offered[i].proto == (uint8_t)proto)
			return ports->offered[i].fd;
	}
	return -EACCES;
}

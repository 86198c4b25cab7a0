#include "workerd/privcli.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int
privcli_init(struct privcli *cli, int fd, struct errbuf *reterr)
{
	int type = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return errbuf_set(reterr, -EINVAL,
		    "descriptor %d is no channel to vantage-privd, which starts its worker itself; else "
		    "--privd PATH",
		    fd);
	*cli = (struct privcli){ .fd = fd };
	return 0;
}

int
privcli_connect(struct privcli *cli, const char *path, struct errbuf *reterr)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd;

	if (len >= sizeof(sun.sun_path))
		return errbuf_set(reterr, -ENAMETOOLONG, "%s: too long for a socket", path);
	memcpy(sun.sun_path, path, len + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errbuf_set(reterr, -errno, "socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0) {
		int rc = -errno;

		(void)close(fd);
		return errbuf_set(
		    reterr, rc, "%s: %s (is vantage-privd.socket started?)", path, strerror(-rc));
	}
	*cli = (struct privcli){ .fd = fd };
	return 0;
}

void
privcli_close(struct privcli *cli)
{
	if (cli->fd >= 0)
		(void)close(cli->fd);
	cli->fd = -1;
}

/* An answer that is a lie: it comes from nobody whom we can go on with. The
 * channel stays open: the loop watches it, and must see its end. */
static int
broken(struct privcli *cli, int fd)
{
	if (fd >= 0)
		(void)close(fd);
	cli->lost = true;
	return -EPROTO;
}

static int
call(struct privcli *cli, uint32_t id, const union pp_body *request, union pp_body *ret, int *ret_fd)
{
	uint8_t wire[PP_WIRE_MAX + 1];
	union pp_body answer;
	int error = 0, fd = -1, len, rc;
	size_t got = 0;

	if (cli->fd < 0 || cli->lost)
		return -EPIPE;
	len = pp_request_encode(id, request, wire);
	if (len < 0)
		return len;
	rc = pp_send(cli->fd, wire, (size_t)len, -1, 0);
	if (rc == 0)
		rc = pp_recv(cli->fd, wire, sizeof(wire), &got, &fd);
	if (rc == -EPIPE || rc == -ECONNRESET || (rc == 0 && got == 0)) {
		(void)broken(cli, fd);
		return -EPIPE;
	}
	if (rc != 0 || pp_answer_decode(id, wire, got, &error, &answer) != 0 ||
	    (fd >= 0) != (error == 0 && pp_msgs[id].descriptors == 1))
		return broken(cli, fd);
	if (error != 0)
		return -error;
	if (ret != NULL)
		*ret = answer;
	if (ret_fd != NULL)
		*ret_fd = fd;
	return 0;
}

int
privcli_hello(struct privcli *cli, struct privcli_facts *ret, struct errbuf *reterr)
{
	const union pp_body request = { .hello = { PP_VERSION } };
	union pp_body answer;
	int rc = call(cli, PP_HELLO, &request, &answer, NULL);
	const struct pp_hello_answer *hello = &answer.hello_answer;

	if (rc != 0)
		return errbuf_set(reterr, rc, "vantage-privd does not answer: %s", strerror(-rc));
	*ret = (struct privcli_facts){ .max_pps = hello->max_pps,
		.listeners = hello->listeners,
		.has_client = (hello->flags & PP_HELLO_CLIENT) != 0,
		.spoof = (hello->flags & PP_HELLO_SPOOF) != 0,
		.local = (hello->flags & PP_HELLO_LOCAL) != 0 };
	return 0;
}

int
privcli_open_raw(struct privcli *cli, enum addr_family family, int *ret_fd)
{
	const union pp_body request = { .open_raw = { family == ADDR_IP4 ? PP_IP4 : PP_IP6 } };

	if (family != ADDR_IP4 && family != ADDR_IP6)
		return -EAFNOSUPPORT;
	return call(cli, PP_OPEN_RAW, &request, NULL, ret_fd);
}

/* A request without fields. */
static const union pp_body nothing;

int
privcli_open_ring(struct privcli *cli, int *ret_fd)
{
	return call(cli, PP_OPEN_RING, &nothing, NULL, ret_fd);
}

int
privcli_open_departures(struct privcli *cli, int *ret_fd)
{
	return call(cli, PP_OPEN_DEPARTURES, &nothing, NULL, ret_fd);
}

int
privcli_open_route(struct privcli *cli, int *ret_fd)
{
	return call(cli, PP_OPEN_ROUTE, &nothing, NULL, ret_fd);
}

int
privcli_open_listener(struct privcli *cli, uint32_t index, int *ret_fd)
{
	const union pp_body request = { .open_listener = { index } };

	return index >= PP_LISTENERS_MAX ? -ENOENT : call(cli, PP_OPEN_LISTENER, &request, NULL, ret_fd);
}

int
privcli_open_client(struct privcli *cli, int *ret_fd)
{
	return call(cli, PP_OPEN_CLIENT, &nothing, NULL, ret_fd);
}

static int
port_call(struct privcli *cli, uint32_t id, uint8_t ipproto, uint16_t port)
{
	union pp_body request = { .port = { 0, port } };

	switch (ipproto) {
	case IPPROTO_TCP:
		request.port.proto = PP_TCP;
		break;
	case IPPROTO_UDP:
		request.port.proto = PP_UDP;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		request.port.proto = PP_ICMP;
		break;
	default:
		return -EPROTONOSUPPORT;
	}
	return call(cli, id, &request, NULL, NULL);
}

int
privcli_reserve_port(struct privcli *cli, uint8_t ipproto, uint16_t port)
{
	return port_call(cli, PP_RESERVE_PORT, ipproto, port);
}

int
privcli_release_port(struct privcli *cli, uint8_t ipproto, uint16_t port)
{
	return port_call(cli, PP_RELEASE_PORT, ipproto, port);
}

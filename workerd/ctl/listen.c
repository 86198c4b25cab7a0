#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/log.h"
#include "workerd/ctl/ctl_priv.h"

/* Connections taken per wake-up, so that a storm of them delays nobody. */
#define ACCEPT_BATCH 16

/* How long to leave a listener alone when descriptors or memory ran out. */
#define RETRY_MS 100

union peer_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage room;
};

/* control.md 6.1: "ip:port" of a TCP peer, else the socket's path and a count. */
static void
name_conn(const struct listener *l, const union peer_addr *peer, char name[CTL_NAME_MAX])
{
	char text[INET6_ADDRSTRLEN];

	if (peer->sa.sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &peer->in.sin_addr, text, sizeof(text));
		(void)snprintf(name, CTL_NAME_MAX, "%s:%u", text, ntohs(peer->in.sin_port));
	} else if (peer->sa.sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &peer->in6.sin6_addr, text, sizeof(text));
		(void)snprintf(name, CTL_NAME_MAX, "[%s]:%u", text, ntohs(peer->in6.sin6_port));
	} else {
		(void)snprintf(name, CTL_NAME_MAX, "%s:%u", l->path, l->accepted);
	}
}

/* One user's connections must leave room for others', and all of them for an
 * operator. What to tell it, or NULL: it is served. */
static const char *
no_room(const struct ctl *ctl, const struct session *s)
{
	if (session_operator(s))
		return NULL;
	if (s->peer->sessions > ctl->env.conns_uid_max)
		return "ERR too many connections of this user";
	return ctl->conn_count > ctl->env.conns_max - CTL_CONNS_KEPT ? "ERR too many connections" : NULL;
}

static void
serve(struct listener *l, int fd, const union peer_addr *peer)
{
	static const char full[] = "ERR too many connections\n";
	struct ctl *ctl = l->ctl;
	const char *refusal;
	char name[CTL_NAME_MAX];
	struct conn *c;
	int rc;

	if (ctl->conn_count >= ctl->env.conns_max) {
		(void)send(fd, full, sizeof(full) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		(void)close(fd);
		return;
	}
	name_conn(l, peer, name);
	l->accepted++;
	rc = conn_new(ctl, fd, name, &c);
	if (rc != 0) {
		log_warn("%s: not served: %s", name, strerror(-rc));
		return;
	}
	c->session.with_id = l->with_id || ctl->env.with_id;
	if (l->path[0] != '\0')
		conn_identify(c);
	refusal = no_room(ctl, &c->session);
	if (refusal != NULL) {
		session_reply(&c->session, "%s", refusal);
		c->session.closing = true;
	}
}

static void
on_retry(uv_timer_t *h)
{
	listeners_resume(h->data);
}

/* Listeners wait for nothing for a while. */
static void
listeners_pause(struct ctl *ctl)
{
	for (struct listener *l = ctl->listeners; l != NULL; l = l->next)
		(void)uv_poll_stop(&l->poll);
	ctl->paused = true;
	(void)uv_timer_start(&ctl->retry, on_retry, RETRY_MS, 0);
}

static void
on_connection(uv_poll_t *h, int status, int events)
{
	struct listener *l = h->data;

	(void)events;
	if (status < 0)
		return;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		union peer_addr peer = { .sa.sa_family = AF_UNSPEC };
		socklen_t len = sizeof(peer);
		int fd = accept4(l->fd, &peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			serve(l, fd, &peer);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		/* The connection stays in the queue and poll would report it at
		 * once and for ever. */
		if (errno != EAGAIN) {
			log_warn("cannot take a connection: %s", strerror(errno));
			listeners_pause(l->ctl);
		}
		return;
	}
}

void
listeners_resume(struct ctl *ctl)
{
	if (!ctl->paused || ctl->stopping)
		return;
	ctl->paused = false;
	for (struct listener *l = ctl->listeners; l != NULL; l = l->next)
		(void)uv_poll_start(&l->poll, UV_READABLE, on_connection);
}

static void
on_closed(uv_handle_t *h)
{
	struct listener *l = h->data;
	struct ctl *ctl = l->ctl;

	free(l);
	ctl_handle_closed(ctl);
}

void
listener_close(struct listener *l)
{
	(void)uv_poll_stop(&l->poll);
	(void)close(l->fd);
	uv_close((uv_handle_t *)&l->poll, on_closed);
}

/* The path of a UNIX socket, for the names of its connections. */
static int
learn_address(struct listener *l)
{
	union peer_addr own;
	socklen_t len = sizeof(own);

	memset(&own, 0, sizeof(own));
	if (getsockname(l->fd, &own.sa, &len) != 0)
		return -errno;
	if (own.sa.sa_family != AF_UNIX)
		return 0;
	(void)snprintf(l->path, sizeof(l->path), "%.*s", (int)sizeof(own.un.sun_path), own.un.sun_path);
	/* Unnamed, or of the abstract name space. */
	if (l->path[0] == '\0')
		(void)snprintf(l->path, sizeof(l->path), "unix");
	return 0;
}

/* "control-id.sock", or ".../control-id.sock", and not "xcontrol-id.sock". */
static bool
has_id_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash == NULL ? path : slash + 1, CTL_ID_NAME) == 0;
}

int
ctl_listen(struct ctl *ctl, int fd, enum ctl_form form)
{
	struct listener *l = calloc(1, sizeof(*l));
	int rc = -ENOMEM;

	if (l == NULL)
		goto out;
	l->ctl = ctl;
	l->fd = fd;
	rc = learn_address(l);
	if (rc != 0)
		goto out;
	l->with_id = form == CTL_FORM_ID || has_id_name(l->path);
	rc = uv_poll_init(ctl->loop, &l->poll, fd);
	if (rc != 0)
		goto out;
	l->poll.data = l;
	l->next = ctl->listeners;
	ctl->listeners = l;
	ctl->handles++;
	return uv_poll_start(&l->poll, UV_READABLE, on_connection);
out:
	free(l);
	(void)close(fd);
	return rc;
}

#include "workerd/ctl/conn.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "workerd/ctl/attach.h"
#include "workerd/ctl/ctl_priv.h"

/* Groups of a client that are looked at. */
#define GROUPS_MAX 256

static void
on_attend(struct session *s)
{
	struct conn *c = (struct conn *)((char *)s - offsetof(struct conn, session));

	ctl_attend(c->ctl, c);
}

/* ---- input ---- */

static void
keep(struct conn *c, const char *bytes, size_t len)
{
	if (len > c->kept_len) {
		char *p = realloc(c->kept, len);

		if (p == NULL) {
			session_cut(&c->session, "out of memory");
			return;
		}
		c->kept = p;
	}
	if (len == 0) {
		free(c->kept);
		c->kept = NULL;
	} else {
		memcpy(c->kept, bytes, len);
	}
	c->kept_len = len;
}

/* Gives the session what it has kept. With receive, more from the socket: only
 * when no line waits, so that there is room and the end comes last. */
static void
input(struct conn *c, bool receive)
{
	char *bytes = c->ctl->read;
	size_t len = c->kept_len, used;
	nsec_t start = (nsec_t)uv_hrtime();
	ssize_t n = 0;

	c->readable = false;
	if (len > 0)
		memcpy(bytes, c->kept, len);
	if (receive) {
		n = recv(c->fd, bytes + len, sizeof(c->ctl->read) - len, MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			session_cut(&c->session, strerror(errno));
			return;
		}
		c->eof = n == 0;
		len += n > 0 ? (size_t)n : 0;
	}
	c->ctl->env.turn_end = start + CTL_TURN_NS;
	used = session_input(&c->session, bytes, len);
	c->ctl->spent += (nsec_t)uv_hrtime() - start;
	if (len > used || c->kept_len > 0)
		keep(c, bytes + used, len - used);
	if (c->eof)
		session_eof(&c->session);
}

/* What is kept is the beginning of a line, or what had to wait. */
static bool
has_waiting_lines(const struct conn *c)
{
	return c->kept_len > LINE_MAX_BYTES + 1 ||
	    (c->kept_len > 0 && memchr(c->kept, '\n', c->kept_len) != NULL);
}

/* Also in its socket, which is not watched once it waits for its turn. */
static bool
has_waiting_input(const struct conn *c)
{
	return (c->readable || has_waiting_lines(c)) && session_reads(&c->session);
}

/* ---- output ---- */

static void
output(struct conn *c)
{
	struct session *s = &c->session;
	ssize_t n;

	while (session_unsent(s) > 0) {
		n = send(c->fd, s->out.p + s->sent, session_unsent(s), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			c->blocked = errno == EAGAIN;
			c->moved = (nsec_t)uv_hrtime();
			if (!c->blocked)
				session_cut(s, strerror(errno));
			return;
		}
		session_sent(s, (size_t)n);
	}
	c->blocked = false;
}

/* Its part of what its user's connections hold, and all: the memory, of which
 * some is free or has been sent. */
static void
account(struct conn *c)
{
	struct session *s = &c->session;
	size_t now = s->cut ? 0 : s->out.cap;

	c->ctl->out_held += now - c->out_held;
	s->peer->out_held += now - c->out_held;
	c->out_held = now;
}

/* What all hold has a bound of its own. */
static void
relieve(struct ctl *ctl)
{
	const struct peer *most = peers_fullest(&ctl->env.peers);
	struct conn *fullest = NULL;

	for (struct conn *c = ctl->conns; c != NULL; c = c->next) {
		if (c->session.peer == most && (fullest == NULL || c->out_held > fullest->out_held))
			fullest = c;
	}
	session_cut(&fullest->session, "too much output waits in all connections");
	account(fullest);
}

/* Nothing more will be asked for. */
static bool
leaves(const struct conn *c)
{
	const struct session *s = &c->session;

	return c->eof || s->closing || (s->attach != NULL && attach_ending(s->attach));
}

bool
conn_drains(struct conn *c, nsec_t now)
{
	uint32_t ms = c->session.attach == NULL ? c->ctl->drain_ms : c->ctl->drain_attached_ms;

	if (!c->blocked || !leaves(c) || c->session.cut)
		return false;
	if (now - c->moved < ms * NSEC_PER_MSEC)
		return true;
	session_cut(&c->session, "does not take what it is owed");
	return false;
}

/* ---- the end ---- */

static void
on_closed(uv_handle_t *h)
{
	struct conn *c = h->data;
	struct ctl *ctl = c->ctl;

	c->handle_open = false;
	if (c->fd == -2)
		free(c);
	ctl_handle_closed(ctl);
}

static void
close_socket(struct conn *c)
{
	if (c->fd < 0)
		return;
	uv_poll_stop(&c->poll);
	uv_close((uv_handle_t *)&c->poll, on_closed);
	(void)close(c->fd);
	c->fd = -1;
	free(c->kept);
	c->kept = NULL;
	c->kept_len = 0;
	session_mute(&c->session);
}

static void
unlink_conn(struct conn *c)
{
	struct ctl *ctl = c->ctl;

	if (c->prev == NULL)
		ctl->conns = c->next;
	else
		c->prev->next = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	ctl->conn_count--;
}

/* All its tasks have ended: nothing refers to it but, perhaps, its handle. */
static void
dispose(struct conn *c)
{
	struct ctl *ctl = c->ctl;
	bool private = c->private;

	c->session.cut = true;
	account(c);
	session_fini(&c->session);
	unlink_conn(c);
	c->fd = -2;
	if (!c->handle_open)
		free(c);
	if (ctl->stopping)
		return;
	listeners_resume(ctl);
	if (private && ctl->env.cfg.client_done != NULL)
		ctl->env.cfg.client_done(ctl->env.cfg.ctx);
}

void
conn_kill(struct conn *c)
{
	close_socket(c);
	(void)session_drop(&c->session, UINT32_MAX);
	dispose(c);
}

/* ---- events ---- */

static void on_poll(uv_poll_t *, int status, int events);

static void
watch(struct conn *c)
{
	/* A client that has said "done" may shut its sending side and still take
	 * results; one that has gone for good takes none, and its tasks must not
	 * run on. The second is a hang-up, which epoll tells unasked, and libuv
	 * hands on as whatever is asked for: here what no such socket ever has. */
	int events = UV_PRIORITIZED, rc;

	if (!c->eof && !c->readable && session_reads(&c->session))
		events |= UV_READABLE;
	if (c->blocked)
		events |= UV_WRITABLE;
	if (events == c->events)
		return;
	c->events = events;
	rc = uv_poll_start(&c->poll, events, on_poll);
	if (rc != 0)
		session_cut(&c->session, uv_strerror(rc));
}

/* At once, unless others have had all the time there is: then it waits for its
 * turn, and is not watched meanwhile, once it has been seen to wait. */
static void
on_readable(struct conn *c)
{
	if (c->readable)
		watch(c);
	else if (c->ctl->spent < CTL_TURNS_NS)
		input(c, !has_waiting_lines(c));
	else
		c->readable = true;
}

static void
on_poll(uv_poll_t *h, int status, int events)
{
	struct conn *c = h->data;

	/* libuv says EBADF for any error state of a socket: here, that the client
	 * closed it before it had read all. */
	if (status < 0 || (events & UV_PRIORITIZED))
		session_cut(&c->session, "connection lost");
	else if (events & UV_WRITABLE)
		c->blocked = false;
	if (status == 0 && (events & UV_READABLE) && session_reads(&c->session))
		on_readable(c);
	ctl_attend(c->ctl, c);
}

static bool
lives(const struct session *s)
{
	return !s->cut && (!s->closing || session_unsent(s) > 0);
}

enum conn_next
conn_attend(struct conn *c)
{
	struct session *s = &c->session;
	bool more;

	if (!s->cut && has_waiting_input(c))
		input(c, !has_waiting_lines(c));
	more = session_work(s);
	if (!s->cut && !c->blocked)
		output(c);
	account(c);
	while (c->ctl->out_held > c->ctl->env.out_total)
		relieve(c->ctl);
	if (c->blocked && leaves(c))
		ctl_watch_drain(c->ctl);
	if (lives(s))
		watch(c);
	if (lives(s))
		return more || (!c->blocked && has_waiting_input(c)) ? CONN_AGAIN : CONN_WAITS;
	close_socket(c);
	if (!session_drop(s, CTL_DROP_BATCH))
		return CONN_AGAIN;
	dispose(c);
	return CONN_GONE;
}

int
conn_new(struct ctl *ctl, int fd, const char *name, struct conn **ret)
{
	struct conn *c = calloc(1, sizeof(*c));
	int rc = -ENOMEM;

	if (c == NULL)
		goto out;
	rc = uv_poll_init(ctl->loop, &c->poll, fd);
	if (rc != 0)
		goto out;
	session_init(&c->session, &ctl->env, name);
	c->session.attend = on_attend;
	c->ctl = ctl;
	c->fd = fd;
	c->handle_open = true;
	c->poll.data = c;
	ctl->handles++;
	c->next = ctl->conns;
	if (c->next != NULL)
		c->next->prev = c;
	ctl->conns = c;
	ctl->conn_count++;
	*ret = c;
	ctl_attend(ctl, c);
	return 0;
out:
	free(c);
	(void)close(fd);
	return rc;
}

/* The primary group and the others; who has more than we have room for is known
 * by the primary one. */
static uint32_t
peer_groups(int fd, gid_t primary, gid_t groups[GROUPS_MAX])
{
	socklen_t len = (GROUPS_MAX - 1) * sizeof(*groups);

	groups[0] = primary;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &len) != 0)
		return 1;
	return 1 + len / sizeof(*groups);
}

void
conn_identify(struct conn *c)
{
	gid_t groups[GROUPS_MAX];
	struct ucred cred;
	socklen_t len = sizeof(cred);

	/* Without an answer it stays a stranger, who may do least. */
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0 || len != sizeof(cred))
		return;
	session_identify(&c->session, cred.uid, groups, peer_groups(c->fd, cred.gid, groups));
	c->session.gid = cred.gid;
	c->session.pid = cred.pid;
}

void
conn_reidentify(struct conn *c)
{
	struct session *s = &c->session;

	/* A socket that has been closed cannot be asked any more. */
	session_identify(s, s->uid, NULL, 0);
	if (s->uid != PEER_UNKNOWN && c->fd >= 0)
		conn_identify(c);
}

#include "client/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/names.h"
#include "client/private.h"
#include "client/status.h"
#include "vantage-paths.h"

/* A private pair may have a hundred thousand prefixes to load first. */
static nsec_t
answer_timeout(const struct service *sv)
{
	return (sv->pid != 0 ? 60 : 10) * NSEC_PER_SEC;
}

static int
connect_path(const char *path, int *ret_fd)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, rc;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) != 0) {
		rc = -errno;
		(void)close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

static int
start_private(const struct opts *o, struct service *ret, struct errbuf *err)
{
	int rc;

	if (geteuid() != 0)
		return errbuf_set(err, STATUS_PERMISSION, "--private needs root: try sudo");
	rc = private_start(o, NULL, &ret->fd, &ret->pid, err);
	return rc == 0 ? 0 : (rc == -ENOENT ? STATUS_AWAY : STATUS_INTERNAL);
}

static int
refuse_connect(const char *path, int rc, struct errbuf *err)
{
	if (rc == -EACCES || rc == -EPERM)
		return errbuf_set(err, STATUS_PERMISSION,
		    "no permission for the service's socket %s: its owner and mode say who has it", path);
	return errbuf_set(err, STATUS_AWAY,
	    "no service at %s (%s): 'systemctl start vantage.socket' starts it, and "
	    "with sudo a run needs none",
	    path, strerror(-rc));
}

static const char *
named_socket(const struct opts *o)
{
	const char *env = secure_getenv("VANTAGE_SOCKET");

	return o->socket != NULL ? o->socket : (env != NULL && env[0] != '\0' ? env : NULL);
}

int
service_reach(const struct opts *o, int *ret_fd, struct errbuf *reterr)
{
	const char *path = named_socket(o);
	int rc;

	if (path == NULL)
		path = VANTAGE_CONTROL_SOCKET;
	rc = connect_path(path, ret_fd);
	return rc == 0 ? 0 : refuse_connect(path, rc, reterr);
}

int
service_connect(const struct opts *o, struct service *ret, struct errbuf *reterr)
{
	const char *named = named_socket(o);
	const char *path = named != NULL ? named : VANTAGE_CONTROL_SOCKET;
	int rc;

	*ret = (struct service){ .fd = -1 };
	if (o->private_pair)
		return start_private(o, ret, reterr);
	rc = connect_path(path, &ret->fd);
	/* Who names a socket wants that service and no other. */
	if (rc == 0 && (o->spoof || o->local)) {
		(void)close(ret->fd);
		return errbuf_set(reterr, STATUS_USAGE,
		    "%s is the service's to allow (vantage.conf); a pair of your own: --private",
		    o->spoof ? "--spoof" : "--local");
	}
	if (rc == 0)
		return 0;
	if (named == NULL && geteuid() == 0 && (rc == -ENOENT || rc == -ECONNREFUSED))
		return start_private(o, ret, reterr);
	return refuse_connect(path, rc, reterr);
}

static int
status_of_ask(int rc, int refused)
{
	return rc == -EPROTO ? refused : STATUS_AWAY;
}

/* What -H and -n ask for concerns all who use a worker: ours is told, the
 * service must have it already. */
static int
settle(const struct service *sv, struct session *s, const char *what, const char *want, struct errbuf *err)
{
	char line[128], have[128];
	int rc;

	(void)snprintf(line, sizeof(line), sv->pid != 0 ? "set %s %s" : "get %s", what, want);
	rc = session_ask(s, line, answer_timeout(sv), have, sizeof(have), err);
	if (rc < 0)
		return status_of_ask(rc, STATUS_CONFIG);
	if (sv->pid != 0)
		return 0;
	if (strncasecmp(have, what, strlen(what)) == 0 && strcmp(have + strlen(what) + 1, want) == 0)
		return 0;
	return errbuf_set(
	    err, STATUS_CONFIG, "the service has %s, not %s; it is set in vantage.conf", have, want);
}

static int
put_attach(const struct opts *o, struct buf *b)
{
	int rc = 0;

	buf_text(b, "attach name ");
	rc |= line_put_word(b, o->list_name);
	buf_printf(b, " descr default list_id %u cycle_id %u window %u format %s data id", o->list_id,
	    o->cycle_id, o->window, o->format == FORMAT_JSON ? "json" : "warts");
	if (o->pps > 0)
		buf_printf(b, " pps %u", o->pps);
	buf_text(b, " monitor ");
	rc |= line_put_word(b, o->monitor != NULL ? o->monitor : "");
	buf_u8(b, '\0');
	return b->failed ? -ENOMEM : rc;
}

/* One that does not tell has none that could be named either. */
static void
ask_nameserver(struct service *sv, struct session *s)
{
	char have[64];

	sv->nameless = session_ask(s, "get nameserver", answer_timeout(sv), have, sizeof(have), NULL) == 0 &&
		       strcasecmp(have, "null nameserver") == 0;
}

int
service_attach(struct service *sv, const struct opts *o, struct session *s, struct errbuf *reterr)
{
	char text[ADDR_STRLEN], reply[128];
	struct buf line;
	int rc = 0;

	if (o->hold_given) {
		(void)snprintf(text, sizeof(text), "%u", o->hold_s);
		rc = settle(sv, s, "holdtime", text, reterr);
	}
	if (rc == 0 && o->nameserver.family != ADDR_NONE)
		rc = settle(sv, s, "nameserver", addr_format(&o->nameserver, text), reterr);
	if (rc != 0)
		return rc;
	if (o->nameserver.family == ADDR_NONE && names_may_be_wanted(o))
		ask_nameserver(sv, s);
	buf_init(&line, LINE_MAX_BYTES);
	if (put_attach(o, &line) != 0)
		rc = errbuf_set(reterr, STATUS_USAGE, "the names of list and monitor are too long");
	else
		rc = session_ask(
		    s, (const char *)line.p, answer_timeout(sv), reply, sizeof(reply), reterr);
	buf_fini(&line);
	return rc >= 0 ? rc : status_of_ask(rc, STATUS_LIMIT);
}

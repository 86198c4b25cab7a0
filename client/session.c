#include "client/session.h"
#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_BYTES (256 * 1024)

int
session_init(struct session *s, int fd, const struct session_ops *ops, void *ctx, struct errbuf *reterr)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->wake_fd = -1;
	s->queued_max = SESSION_QUEUED_MAX;
	s->ops = ops;
	s->ctx = ctx;
	s->in_cap = IN_BYTES;
	s->in = malloc(s->in_cap);
	s->pending = calloc(SESSION_PENDING_MAX, sizeof(*s->pending));
	buf_init(&s->out, 0);
	if (s->in == NULL || s->pending == NULL)
		return errbuf_set(reterr, -ENOMEM, "out of memory");
	return 0;
}

void
session_fini(struct session *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
	free(s->in);
	free(s->pending);
	buf_fini(&s->out);
	s->in = NULL;
	s->pending = NULL;
}

bool
session_has_room(const struct session *s)
{
	return s->pending_count < SESSION_PENDING_MAX && session_unsent(s) < SESSION_UNSENT_MAX;
}

bool
session_has_room_for_command(const struct session *s)
{
	return session_has_room(s) && s->commands - s->taken < s->queued_max;
}

void
session_finished(struct session *s, uint64_t results)
{
	if (results > s->taken && results <= s->accepted)
		s->taken = results;
}

size_t
session_unsent(const struct session *s)
{
	return s->out.len - s->sent;
}

void
session_pushed(struct session *s, size_t from, enum session_ask ask, uint64_t line_no)
{
	uint32_t at = (s->pending_first + s->pending_count) % SESSION_PENDING_MAX;

	s->pending[at] = (struct session_pending){ line_no, (uint32_t)(s->out.len - from), ask };
	s->pending_count++;
	if (ask == ASK_COMMAND)
		s->commands++;
}

void
session_push(struct session *s, const char *line, enum session_ask ask)
{
	size_t from = s->out.len;

	buf_text(&s->out, line);
	buf_u8(&s->out, '\n');
	session_pushed(s, from, ask, 0);
}

uint32_t
session_drop_unsent(struct session *s)
{
	uint32_t dropped = 0;

	while (s->pending_count > 0) {
		uint32_t last = (s->pending_first + s->pending_count - 1) % SESSION_PENDING_MAX;

		if (s->out.len - s->pending[last].len < s->sent)
			break;
		s->out.len -= s->pending[last].len;
		s->pending_count--;
		s->commands -= s->pending[last].ask == ASK_COMMAND;
		dropped++;
	}
	return dropped;
}

int
session_send(struct session *s)
{
	while (s->sent < s->out.len) {
		ssize_t n =
		    send(s->fd, s->out.p + s->sent, s->out.len - s->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		s->sent += (size_t)n;
	}
	return s->out.failed ? -ENOMEM : 0;
}

static void
forget_answered(struct session *s)
{
	if (s->acked < IN_BYTES && s->acked < s->out.len)
		return;
	buf_consume(&s->out, s->acked);
	s->sent -= s->acked;
	s->acked = 0;
}

/* An answer belongs to the oldest line without one. */
static int
take_answer(struct session *s, const struct reply_line *reply, struct errbuf *err)
{
	struct session_pending *p = &s->pending[s->pending_first];
	char text[160];
	size_t n;
	int rc;

	if (s->pending_count == 0 || s->acked + p->len > s->sent)
		return errbuf_set(err, -EPROTO, "the service answered a line that was never sent");
	n = p->len - 1 < sizeof(text) - 1 ? p->len - 1 : sizeof(text) - 1;
	memcpy(text, s->out.p + s->acked, n);
	text[n] = '\0';
	/* One that is refused was never queued. */
	if (p->ask == ASK_COMMAND && reply->kind == REPLY_LINE_OK)
		s->accepted++;
	else if (p->ask == ASK_COMMAND)
		s->commands--;
	rc = s->ops->answer(s->ctx, p, text, reply);
	s->acked += p->len;
	s->pending_first = (s->pending_first + 1) % SESSION_PENDING_MAX;
	s->pending_count--;
	forget_answered(s);
	return rc;
}

static int
take_line(struct session *s, const char *line, struct errbuf *err)
{
	struct reply_line reply;

	if (line[0] == '\0')
		return 0;
	if (reply_parse(line, &reply) != 0)
		return errbuf_set(err, -EPROTO, "the service sent what is no reply: %.80s", line);
	switch (reply.kind) {
	case REPLY_LINE_OK:
	case REPLY_LINE_ERR:
		return take_answer(s, &reply, err);
	case REPLY_LINE_DATA:
		if (reply.length == 0 || reply.length > SESSION_BLOCK_MAX)
			return errbuf_set(
			    err, -EPROTO, "the service announced a block of %u bytes", reply.length);
		s->head = reply;
		s->head.text = "";
		s->in_block = true;
		return 0;
	case REPLY_LINE_MORE:
		s->taken = s->accepted;
		return 0;
	case REPLY_LINE_INFO:
	case REPLY_LINE_EVENT:
		return 0;
	}
	return 0;
}

/* 1: something was taken; 0: it has not all come yet. */
static int
take_one(struct session *s, struct errbuf *err)
{
	struct lines lines = { s->in + s->in_pos, s->in + s->in_len };
	char *line;
	size_t len;
	int rc;

	if (s->in_block) {
		const char *bytes = lines.p;

		if (s->in_len - s->in_pos < s->head.length)
			return 0;
		s->in_pos += s->head.length;
		s->in_block = false;
		rc = s->ops->block(s->ctx, &s->head, bytes, s->head.length);
		return rc == 0 ? 1 : rc;
	}
	rc = lines_next(&lines, &line, &len);
	if (rc == 0)
		return 0;
	if (rc < 0)
		return errbuf_set(err, -EPROTO, "the service sent a line that is %s",
		    rc == -EMSGSIZE ? "too long" : "not printable");
	s->in_pos = (size_t)(lines.p - s->in);
	rc = take_line(s, line, err);
	return rc == 0 ? 1 : rc;
}

/* Room for the rest of a block, or for a line, behind what is there. */
static int
make_room(struct session *s)
{
	size_t need = s->in_block && s->head.length > IN_BYTES ? s->head.length : IN_BYTES;
	char *p;

	memmove(s->in, s->in + s->in_pos, s->in_len - s->in_pos);
	s->in_len -= s->in_pos;
	s->in_pos = 0;
	if (s->in_cap > need)
		return 0;
	p = realloc(s->in, need + IN_BYTES);
	if (p == NULL)
		return -ENOMEM;
	s->in = p;
	s->in_cap = need + IN_BYTES;
	return 0;
}

int
session_receive(struct session *s, struct errbuf *reterr)
{
	ssize_t n;
	int rc = make_room(s);

	if (rc < 0)
		return errbuf_set(reterr, rc, "out of memory");
	do
		n = recv(s->fd, s->in + s->in_len, s->in_cap - s->in_len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	s->fresh = n > 0 ? (size_t)n : 0;
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0 && errno != ECONNRESET)
		return errbuf_set(reterr, -errno, "the connection to the service broke: %s", strerror(errno));
	s->eof = n <= 0;
	s->in_len += s->fresh;
	do
		rc = take_one(s, reterr);
	while (rc > 0);
	return rc;
}

/* One line of an answer, before there are any blocks. 1: got it. */
static int
wait_line(struct session *s, nsec_t deadline, char **ret, struct errbuf *err)
{
	for (;;) {
		struct lines lines = { s->in + s->in_pos, s->in + s->in_len };
		struct pollfd pfd[2] = { { s->fd, POLLIN, 0 }, { s->wake_fd, POLLIN, 0 } };
		nsec_t left = deadline - clock_mono();
		size_t len;
		ssize_t n;
		int rc = lines_next(&lines, ret, &len);

		s->in_pos = (size_t)(lines.p - s->in);
		if (rc != 0)
			return rc > 0 ? 0 : errbuf_set(err, -EPROTO, "the service sent a bad line");
		if (left <= 0 || poll(pfd, 2, (int)(left / NSEC_PER_MSEC) + 1) == 0)
			return errbuf_set(err, -ETIMEDOUT, "the service does not answer");
		if (pfd[1].revents != 0)
			return errbuf_set(err, -EINTR, "interrupted");
		if (make_room(s) != 0)
			return errbuf_set(err, -ENOMEM, "out of memory");
		n = recv(s->fd, s->in + s->in_len, s->in_cap - s->in_len, MSG_DONTWAIT);
		if (n == 0)
			return errbuf_set(err, -ECONNRESET, "the service closed the connection");
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return errbuf_set(
			    err, -errno, "the connection to the service broke: %s", strerror(errno));
		s->in_len += n > 0 ? (size_t)n : 0;
	}
}

int
session_ask(struct session *s, const char *line, nsec_t timeout, char *ret, size_t cap, struct errbuf *reterr)
{
	nsec_t deadline = clock_mono() + timeout;
	struct reply_line reply;
	char *answer = NULL;
	int rc;

	buf_text(&s->out, line);
	buf_u8(&s->out, '\n');
	rc = session_send(s);
	if (rc < 0)
		return errbuf_set(reterr, rc, "the connection to the service broke: %s", strerror(-rc));
	do {
		rc = wait_line(s, deadline, &answer, reterr);
		if (rc < 0)
			return rc;
		if (reply_parse(answer, &reply) != 0)
			return errbuf_set(reterr, -EPROTO, "the service sent what is no reply: %.80s", answer);
		if (reply.kind == REPLY_LINE_INFO && s->ops != NULL && s->ops->info != NULL)
			s->ops->info(s->ctx, reply.text);
	} while (reply.kind == REPLY_LINE_INFO);
	buf_reset(&s->out);
	s->sent = 0;
	if (reply.kind != REPLY_LINE_OK)
		return errbuf_set(reterr, -EPROTO, "the service refuses '%s': %s", line, reply.text);
	(void)strlcpy(ret, reply.text, cap);
	return 0;
}

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/results.h"
#include "client/session.h"
#include "tests/fuzz/fuzz.h"

/*
 * What a captured service sends to the client. The first byte chooses the
 * format and how the rest is cut into reads. Property: the output holds whole
 * records alone, whatever came.
 */
struct run {
	struct session session;
	struct results results;
	struct buf out;
};

static int
on_answer(void *ctx, const struct session_pending *p, const char *text, const struct reply_line *reply)
{
	(void)ctx;
	(void)p;
	(void)reply;
	must(strlen(text) < 160);
	return 0;
}

static int
on_block(void *ctx, const struct reply_line *head, const char *bytes, size_t len)
{
	struct run *r = ctx;
	size_t before = r->out.len;
	struct errbuf err;
	int rc;

	must(len == head->length);
	rc = results_add(&r->results, bytes, len, &r->out, &err);
	must(rc == 0 || r->out.len == before);
	return rc;
}

static void
check_output(const struct run *r)
{
	size_t at = 0;

	while (r->results.format == FORMAT_WARTS && at < r->out.len) {
		const uint8_t *p = r->out.p + at;

		must(r->out.len - at >= 8 && p[0] == 0x12 && p[1] == 0x05);
		at += 8 + ((size_t)p[4] << 24 | (size_t)p[5] << 16 | (size_t)p[6] << 8 | p[7]);
		must(at <= r->out.len);
	}
	must(r->out.len == 0 || r->results.format == FORMAT_WARTS || r->out.p[r->out.len - 1] == '\n');
}

/* A session's memory is large and costs more than the rest: one for all. */
static int
connect_again(struct session *s)
{
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	s->fd = pair[0];
	s->eof = s->in_block = false;
	s->in_pos = s->in_len = s->acked = s->sent = 0;
	s->pending_first = s->pending_count = 0;
	s->commands = s->accepted = s->taken = 0;
	buf_reset(&s->out);
	return pair[1];
}

static void
converse(struct run *r, int peer, const uint8_t *data, size_t size, size_t step)
{
	struct errbuf err;

	for (int i = 0; i < 20; i++)
		session_push(&r->session, "ping 192.0.2.1", ASK_COMMAND);
	must(session_send(&r->session) == 0);
	for (size_t at = 0; at < size; at += step) {
		size_t n = size - at < step ? size - at : step;

		must(send(peer, data + at, n, MSG_DONTWAIT) == (ssize_t)n);
		if (session_receive(&r->session, &err) < 0)
			break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct session_ops ops = { on_answer, on_block };
	static const enum out_format formats[] = { FORMAT_WARTS, FORMAT_JSON, FORMAT_TEXT, FORMAT_WARTS };
	static struct run r;
	struct errbuf err;
	int peer;

	if (size < 2 || size > 60000)
		return 0;
	if (r.session.in == NULL)
		must(session_init(&r.session, -1, &ops, &r, &err) == 0);
	peer = connect_again(&r.session);
	must(results_init(&r.results, formats[data[0] & 3], (data[0] & 4) != 0) == 0);
	buf_init(&r.out, 0);
	converse(&r, peer, data + 1, size - 1, data[0] >> 3 == 0 ? size : (size_t)(data[0] >> 3) * 7);
	results_end_cycle(&r.results, 1, &r.out);
	check_output(&r);
	results_fini(&r.results);
	buf_fini(&r.out);
	(void)close(r.session.fd);
	(void)close(peer);
	return 0;
}

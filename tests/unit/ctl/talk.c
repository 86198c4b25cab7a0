#include "tests/unit/ctl/talk.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/line.h"

static struct talk *
talk_of(struct session *s)
{
	return (struct talk *)((char *)s - offsetof(struct talk, s));
}

static void
on_attend(struct session *s)
{
	talk_of(s)->attended++;
}

static void
service_open(struct talk *t, uint32_t pps)
{
	struct ctl_config cfg = {
		.types = mock_types,
		.version = "20260420",
		.hostname = "testhost",
		.command = "now",
		.data = &t->data,
		.pid = 4711,
		.uid = 990,
		.wake = mock_net_wake,
		.ctx = &t->net,
	};

	assert_int_equal(mock_net_init(&t->net, pps), 0);
	assert_int_equal(session_env_init(&t->env, &cfg, t->net.engine), 0);
	session_init(&t->s, &t->env, "/run/test.sock:0");
	t->s.attend = on_attend;
	session_identify(&t->s, 1000, NULL, 0);
	t->reading = true;
	buf_init(&t->heard, 0);
	buf_init(&t->warts, 0);
}

static void
service_close(struct talk *t)
{
	while (!session_drop(&t->s, 100))
		;
	session_fini(&t->s);
	session_env_fini(&t->env);
	mock_net_fini(&t->net);
	buf_fini(&t->heard);
	buf_fini(&t->warts);
	assert_int_equal(mock_alive, 0);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void
talk_close(struct talk *t)
{
	service_close(t);
	dir_close(&t->data);
	if (t->tmp[0] != '\0')
		(void)nftw(t->tmp, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *
talk_path(struct talk *t, const char *name)
{
	(void)snprintf(t->path, sizeof(t->path), "%s/%s", t->tmp, name);
	return t->path;
}

void
talk_put(struct talk *t, const char *name, const void *bytes, size_t len)
{
	FILE *f = fopen(talk_path(t, name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

size_t
talk_size(struct talk *t, const char *name)
{
	struct stat st;

	assert_int_equal(stat(talk_path(t, name), &st), 0);
	return (size_t)st.st_size;
}

void
talk_restart(struct talk *t)
{
	service_close(t);
	service_open(t, 100000);
	session_identify(&t->s, 0, NULL, 0);
}

/* ---- reading as a client ---- */

static const char *const type_names[] = { "0", "list", "cycle-start", "cycle-def", "cycle-stop", "5", "trace", "ping" };

static uint32_t
six_bits(char c)
{
	assert_in_range(c, 33, 96);
	return (uint32_t)(c - 32) & 63;
}

/* One line of uuencode; returns where the next begins. */
static const char *
uu_line(struct talk *t, const char *p, const char *end)
{
	uint32_t n = six_bits(*p++);

	assert_in_range(n, 1, 45);
	for (; n > 0; p += 4) {
		uint32_t v, k;

		assert_true(p + 4 < end);
		v = six_bits(p[0]) << 18 | six_bits(p[1]) << 12 | six_bits(p[2]) << 6 | six_bits(p[3]);
		for (k = 0; k < 3 && n > 0; k++, n--)
			buf_u8(&t->warts, (uint8_t)(v >> (16 - 8 * k)));
	}
	assert_int_equal(*p, '\n');
	return p + 1;
}

static void
hear_warts(struct talk *t, const struct reply_line *r, const char *block)
{
	const char *end = block + r->length, *p = block;
	size_t at = t->warts.len;
	uint16_t type;

	while (*p != '`') {
		assert_true(p < end);
		p = uu_line(t, p, end);
	}
	assert_int_equal(end - p, 2);
	assert_int_equal(p[1], '\n');
	p = (const char *)t->warts.p + at;
	assert_true(t->warts.len - at >= 8);
	assert_memory_equal(p, "\x12\x05", 2);
	type = (uint16_t)((uint8_t)p[2] << 8 | (uint8_t)p[3]);
	assert_true(type < sizeof(type_names) / sizeof(type_names[0]));
	assert_int_equal((uint32_t)(uint8_t)p[6] << 8 | (uint8_t)p[7], t->warts.len - at - 8);
	if (type <= 4)
		buf_printf(&t->heard, "[%s]\n", type_names[type]);
	else
		buf_printf(&t->heard, "[%s %u%s]\n", type_names[type], r->id, r->inprogress ? " inprog" : "");
}

static void
hear_json(struct talk *t, const struct reply_line *r, const char *block)
{
	const char *type = strstr(block, "\"type\":\"");

	assert_int_equal(block[r->length - 1], '\n');
	assert_non_null(type);
	type += 8;
	buf_printf(&t->heard, "[json %.*s %u%s]\n", (int)strcspn(type, "\""), type, r->id,
	    r->inprogress ? " inprog" : "");
}

static void
hear(struct talk *t)
{
	struct session *s = &t->s;
	const char *p = (const char *)s->out.p + s->sent, *end = p + session_unsent(s), *nl;
	struct reply_line r;
	char line[1024];

	while (p < end) {
		nl = memchr(p, '\n', (size_t)(end - p));
		assert_non_null(nl);
		assert_true((size_t)(nl - p) < sizeof(line));
		memcpy(line, p, (size_t)(nl - p));
		line[nl - p] = '\0';
		p = nl + 1;
		assert_int_equal(reply_parse(line, &r), 0);
		if (r.kind != REPLY_LINE_DATA) {
			buf_printf(&t->heard, "%s\n", line);
			continue;
		}
		assert_true(r.length <= (size_t)(end - p));
		if (*p == '{')
			hear_json(t, &r, p);
		else
			hear_warts(t, &r, p);
		p += r.length;
	}
	session_sent(s, session_unsent(s));
}

/* ---- talking ---- */

void
talk_send(struct talk *t, const char *text, size_t len, size_t piece)
{
	char *bytes = malloc(len + 1);
	size_t have = 0, used;

	assert_non_null(bytes);
	while (len > 0) {
		size_t n = len < piece ? len : piece;

		memcpy(bytes + have, text, n);
		have += n;
		text += n;
		len -= n;
		if (!session_reads(&t->s) && len > 0)
			continue;
		used = session_input(&t->s, bytes, have);
		memmove(bytes, bytes + used, have - used);
		have -= used;
	}
	free(bytes);
}

static const char *
heard(struct talk *t, size_t from)
{
	if (t->reading)
		hear(t);
	buf_u8(&t->heard, '\0');
	t->heard.len--;
	assert_false(t->heard.failed);
	return (const char *)t->heard.p + from;
}

const char *
talk_say(struct talk *t, const char *text)
{
	size_t from = t->heard.len;

	talk_send(t, text, strlen(text), 16384);
	mock_net_run(&t->net, NSEC_PER_MSEC);
	return heard(t, from);
}

const char *
talk_wait(struct talk *t, nsec_t advance)
{
	size_t from = t->heard.len;

	mock_net_run(&t->net, advance);
	return heard(t, from);
}

int
talk_setup(void **state)
{
	struct talk *t = calloc(1, sizeof(*t));
	struct errbuf err = { "" };

	if (t == NULL)
		return -1;
	(void)snprintf(t->tmp, sizeof(t->tmp), "/tmp/vantage-data-XXXXXX");
	if (mkdtemp(t->tmp) == NULL || dir_open(&t->data, t->tmp, &err) != 0)
		return -1;
	service_open(t, 100000);
	*state = t;
	return 0;
}

int
talk_setup_nowhere(void **state)
{
	struct talk *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -1;
	t->data.fd = -1;
	service_open(t, 100000);
	*state = t;
	return 0;
}

int
talk_teardown(void **state)
{
	talk_close(*state);
	free(*state);
	return 0;
}

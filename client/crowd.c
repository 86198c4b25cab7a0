#include "client/crowd.h"

#include <string.h>

#include "proto/line.h"

/* How often one more is tried. */
#define GROW_NS NSEC_PER_SEC
#define MAX_MAX 1048576
/* Read entries are moved out of the way when they are this many bytes. */
#define SPENT_BYTES 65536

struct entry {
	uint64_t line;
	uint64_t len;
};

void
crowd_init(struct crowd *c)
{
	memset(c, 0, sizeof(*c));
	buf_init(&c->lines, 0);
}

void
crowd_fini(struct crowd *c)
{
	buf_fini(&c->lines);
}

bool
crowd_is_reason(const char *refusal)
{
	return strstr(refusal, LINE_LIMIT_RUNNING) != NULL;
}

bool
crowd_put(struct crowd *c, uint64_t line, const void *command, size_t len, uint64_t running, nsec_t now)
{
	const struct entry e = { line, len };
	size_t before = c->lines.len;

	buf_bytes(&c->lines, &e, sizeof(e));
	buf_bytes(&c->lines, command, len);
	if (c->lines.failed) {
		c->lines.len = before;
		c->lines.failed = false;
		return false;
	}
	c->max = running == 0 ? 1 : (uint32_t)running;
	c->grown = now;
	/* Others have all the room: their end is not told to us. */
	if (running == 0)
		c->closed = now + GROW_NS;
	return true;
}

void
crowd_ended(struct crowd *c)
{
	c->closed = 0;
}

bool
crowd_open(struct crowd *c, uint64_t out, nsec_t now)
{
	if (c->max == 0)
		return true;
	if (now - c->grown >= GROW_NS) {
		if (c->max < MAX_MAX)
			c->max += 1 + c->max / 8;
		c->grown = now;
	}
	return out < c->max && now >= c->closed;
}

nsec_t
crowd_wake(const struct crowd *c)
{
	return c->max == 0 ? INT64_MAX : c->grown + GROW_NS;
}

bool
crowd_take(struct crowd *c, struct buf *out, uint64_t *ret_line)
{
	struct entry e;

	if (c->at == c->lines.len)
		return false;
	memcpy(&e, c->lines.p + c->at, sizeof(e));
	buf_bytes(out, c->lines.p + c->at + sizeof(e), e.len);
	*ret_line = e.line;
	c->at += sizeof(e) + e.len;
	if (c->at == c->lines.len || c->at > SPENT_BYTES) {
		buf_consume(&c->lines, c->at);
		c->at = 0;
	}
	return true;
}

#include "client/results.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/ui.h"
#include "common/rd.h"
#include "proto/record/ping.h"
#include "proto/record/trace.h"
#include "proto/uu.h"

#define WARTS_MAGIC 0x1205
#define WARTS_HEADER_BYTES 8
#define WARTS_CYCLE_START 2
#define WARTS_CYCLE_STOP 4
#define SAMPLE_FROM 1024 /* blocks; from there one in SAMPLE_EVERY is decoded */
#define SAMPLE_EVERY 64

int
results_init(struct results *r, enum out_format format, bool count_packets)
{
	memset(r, 0, sizeof(*r));
	r->format = format;
	r->count_packets = count_packets;
	buf_init(&r->raw, 0);
	buf_init(&r->start_line, 0);
	if (format == FORMAT_JSON)
		return 0;
	r->reader = warts_reader_new(warts_memory_read, &r->memory);
	return r->reader == NULL ? -ENOMEM : 0;
}

void
results_fini(struct results *r)
{
	warts_reader_free(r->reader);
	r->reader = NULL;
	buf_fini(&r->raw);
	buf_fini(&r->start_line);
}

/* The text form of a result does not tell why it ended badly: say it beside. */
static void
tell_error(const struct results *r, const struct warts_item *item)
{
	char dst[ADDR_STRLEN];
	const char *why = NULL;

	if (item->type == &ping_record_type) {
		const struct ping_record *p = item->rec;

		why = p->rare != NULL ? p->rare->errmsg : NULL;
		(void)addr_format(&p->dst, dst);
	} else if (item->type == &trace_record_type) {
		const struct trace_record *t = item->rec;

		why = t->rare != NULL ? t->rare->errmsg : NULL;
		(void)addr_format(&t->dst, dst);
	}
	if (why != NULL && r->ui != NULL)
		ui_say(r->ui, "%s %s: %s", item->type->name, dst, why);
}

/* Exactly one record, whatever is in it: what a reader of the file needs to
 * find the next one. */
static int
check_frame(struct results *r, const uint8_t *p, size_t len, uint16_t *ret_type, struct errbuf *err)
{
	struct rd rd;
	uint16_t magic;
	uint32_t body, first;

	rd_init(&rd, p, len);
	magic = rd_u16(&rd);
	*ret_type = rd_u16(&rd);
	body = rd_u32(&rd);
	if (rd.bad || magic != WARTS_MAGIC || *ret_type == 0 || body != len - WARTS_HEADER_BYTES)
		return errbuf_set(err, -EPROTO, "the service sent a block that is no warts record");
	first = rd_u32(&rd);
	if (*ret_type == WARTS_CYCLE_START && !rd.bad) {
		r->cycle = first;
		r->began = true;
	}
	if (*ret_type == WARTS_CYCLE_STOP)
		r->ended = true;
	return 0;
}

static uint32_t
packets_of(const struct warts_item *item)
{
	if (item->kind != WARTS_ITEM_RECORD)
		return 0;
	if (item->type == &ping_record_type)
		return ((const struct ping_record *)item->rec)->sent;
	if (item->type == &trace_record_type)
		return ((const struct trace_record *)item->rec)->probe_count;
	return 0;
}

/* Of a task that was halted before it sent anything, and by us. */
static bool
has_not_begun(const struct results *r, const struct warts_item *item)
{
	if (!r->halting || item->kind != WARTS_ITEM_RECORD || packets_of(item) > 0)
		return false;
	if (item->type == &ping_record_type)
		return ((const struct ping_record *)item->rec)->stop_reason == PING_STOP_HALTED;
	return item->type == &trace_record_type &&
	       ((const struct trace_record *)item->rec)->stop_reason == TRACE_STOP_HALTED;
}

static int
decode(struct results *r, const uint8_t *p, size_t len, struct warts_item *ret, struct errbuf *err)
{
	struct errbuf why;
	int rc;

	r->memory = (struct warts_memory){ p, len };
	rc = warts_reader_next(r->reader, ret, &why);
	if (rc == 1)
		return 0;
	return errbuf_set(
	    err, -EPROTO, "the service sent a damaged record: %s", rc == 0 ? "it is empty" : why.text);
}

/* What is in a record, if anybody wants to know: the reader, what others refer to;
 * the progress line, every record while there are few, then a sample that stands
 * for the others; who halts, all. 1: it is not for the output. */
static int
look_into(struct results *r, const uint8_t *p, size_t len, uint16_t type, struct errbuf *err)
{
	bool all = r->halting || type <= WARTS_CYCLE_STOP || (r->count_packets && r->blocks < SAMPLE_FROM);
	struct warts_item item;
	int rc;

	if (!all && (!r->count_packets || r->blocks % SAMPLE_EVERY != 0))
		return 0;
	rc = decode(r, p, len, &item, err);
	if (rc != 0)
		return rc;
	r->packets += (uint64_t)packets_of(&item) * (all ? 1 : SAMPLE_EVERY);
	return has_not_begun(r, &item);
}

/* The hot path: decoded in place, at the end of the output. */
static int
add_warts(struct results *r, const char *bytes, size_t len, struct buf *out, struct errbuf *err)
{
	size_t from = out->len;
	uint16_t type;
	int rc = uu_decode(bytes, len, out);

	if (rc != 0)
		return errbuf_set(err, -EPROTO, "the service sent a block that is not uuencoded");
	rc = check_frame(r, out->p + from, out->len - from, &type, err);
	if (rc == 0)
		rc = look_into(r, out->p + from, out->len - from, type, err);
	if (rc != 0)
		out->len = from;
	return rc;
}

static int
add_text(struct results *r, const char *bytes, size_t len, struct buf *out, struct errbuf *err)
{
	struct warts_item item;
	uint16_t type;
	int rc;

	buf_reset(&r->raw);
	rc = uu_decode(bytes, len, &r->raw);
	if (rc != 0)
		return errbuf_set(err, -EPROTO, "the service sent a block that is not uuencoded");
	rc = check_frame(r, r->raw.p, r->raw.len, &type, err);
	if (rc == 0)
		rc = decode(r, r->raw.p, r->raw.len, &item, err);
	if (rc != 0 || item.kind != WARTS_ITEM_RECORD)
		return rc;
	if (has_not_begun(r, &item))
		return 1;
	r->packets += packets_of(&item);
	tell_error(r, &item);
	rc = text_write(out, item.type, item.rec);
	return rc == 0 ? 0 : errbuf_set(err, rc, "cannot print a record: %s", strerror(-rc));
}

/* The number behind "key":, or 0. */
static uint32_t
json_number(const char *line, size_t len, const char *key)
{
	const char *p = memmem(line, len, key, strlen(key));
	uint32_t v = 0;

	if (p == NULL)
		return 0;
	for (p += strlen(key); p < line + len && *p >= '0' && *p <= '9' && v < UINT32_MAX / 10 - 1; p++)
		v = v * 10 + (uint32_t)(*p - '0');
	return v;
}

static uint32_t
json_packets(const char *line, size_t len)
{
	return json_number(line, len, "\"ping_sent\":") + json_number(line, len, "\"probe_count\":");
}

static bool
json_is(const char *line, size_t len, const char *type)
{
	char start[40];
	int n = snprintf(start, sizeof(start), "{\"type\":\"%s\"", type);

	return len > (size_t)n && memcmp(line, start, (size_t)n) == 0;
}

/* As has_not_begun; ping and trace have each their own spelling. */
static bool
json_has_not_begun(const struct results *r, const char *line, size_t len)
{
	static const char *const stops[] = { "\"stop_reason\":\"halted\"", "\"stop_reason\":\"HALTED\"" };
	bool halted = false;

	for (size_t i = 0; r->halting && i < sizeof(stops) / sizeof(stops[0]); i++)
		halted = halted || memmem(line, len, stops[i], strlen(stops[i])) != NULL;
	return halted && json_packets(line, len) == 0;
}

/* One object on one line, printable: it may be shown on a terminal. */
static bool
json_whole(const char *p, size_t len)
{
	if (len < 3 || p[0] != '{' || p[len - 2] != '}' || p[len - 1] != '\n')
		return false;
	for (size_t i = 0; i < len - 1; i++) {
		if (p[i] < 0x20 || p[i] > 0x7e)
			return false;
	}
	return true;
}

static int
add_json(struct results *r, const char *bytes, size_t len, struct buf *out, struct errbuf *err)
{
	if (!json_whole(bytes, len))
		return errbuf_set(err, -EPROTO, "the service sent a block that is no JSON line");
	if (!r->began && json_is(bytes, len, "cycle-start")) {
		r->began = true;
		buf_bytes(&r->start_line, bytes, len - 1);
		buf_u8(&r->start_line, '\0');
	} else if (json_is(bytes, len, "cycle-stop")) {
		r->ended = true;
	} else if (json_has_not_begun(r, bytes, len)) {
		return 1;
	} else if (r->count_packets) {
		r->packets += json_packets(bytes, len);
	}
	buf_bytes(out, bytes, len);
	return 0;
}

int
results_add(struct results *r, const char *bytes, size_t len, struct buf *out, struct errbuf *reterr)
{
	r->blocks++;
	switch (r->format) {
	case FORMAT_JSON:
		return add_json(r, bytes, len, out, reterr);
	case FORMAT_WARTS:
		return add_warts(r, bytes, len, out, reterr);
	case FORMAT_TEXT:
	case FORMAT_UNSET:
		return add_text(r, bytes, len, out, reterr);
	}
	return -EINVAL;
}

/* The start's line says all that the stop's does. */
static void
end_json(const struct results *r, uint32_t now, struct buf *out)
{
	static const char start[] = "{\"type\":\"cycle-start\"", key[] = "\"start_time\":";
	const char *rest, *time;

	if (r->start_line.failed || r->start_line.len < sizeof(start))
		return;
	rest = (const char *)r->start_line.p + sizeof(start) - 1;
	time = strstr(rest, key);
	if (time == NULL)
		return;
	buf_text(out, "{\"type\":\"cycle-stop\"");
	buf_bytes(out, rest, (size_t)(time - rest));
	buf_printf(out, "\"stop_time\":%u}\n", now);
}

void
results_end_cycle(struct results *r, uint32_t now, struct buf *out)
{
	struct cycle_record cycle = { .stop = now };

	if (!r->began || r->ended)
		return;
	r->ended = true;
	if (r->format == FORMAT_JSON)
		end_json(r, now, out);
	else if (r->format == FORMAT_WARTS)
		warts_write_cycle_stop(out, &cycle, r->cycle);
}

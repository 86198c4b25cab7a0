#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

const char *const golden_names[] = { "ping-icmp", "ping-icmp-time", "ping-icmp6", "ping-loss", "ping-rr",
	"ping-spoof-csum", "ping-tcp", "ping-ts", "ping-ttlexp", "ping-udp", "ping6-frag", "synth-icmpext",
	"synth-legacy-gid", "synth-owamp", "synth-prefixscan-xs", "synth-trace-attrs", "synth-two-lists",
	"synth-unknown-params", "trace-dtree", "trace-extra-hops", "trace-gaplimit", "trace-icmp-paris-q3Q",
	"trace-lastditch", "trace-mpls", "trace-pmtud", "trace-pmtud-silent", "trace-ptr", "trace-tcp",
	"trace-tcp-open", "trace-udp-paris", "trace-udp-squeries", "trace-udp6", "trace-unreach",
	"trace6-pmtud", NULL };

void
golden_read(const char *name, const char *suffix, struct buf *ret)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s%s", GOLDEN_DIR, name, suffix);
	golden_load(path, ret);
}

void
golden_load(const char *path, struct buf *ret)
{
	char chunk[4096];
	size_t n;
	FILE *f = fopen(path, "rb");

	if (f == NULL)
		fail_msg("cannot open %s", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_bytes(ret, chunk, n);
	(void)fclose(f);
}

void
golden_put_warts(struct buf *b, const struct warts_item *i)
{
	switch (i->kind) {
	case WARTS_ITEM_LIST:
		warts_write_list(b, i->list, i->refs.list_id);
		break;
	case WARTS_ITEM_CYCLE_START:
		warts_write_cycle_start(b, i->cycle, i->refs.cycle_id, i->refs.list_id);
		break;
	case WARTS_ITEM_CYCLE_DEF:
		warts_write_cycle_def(b, i->cycle, i->refs.cycle_id, i->refs.list_id);
		break;
	case WARTS_ITEM_CYCLE_STOP:
		warts_write_cycle_stop(b, i->cycle, i->refs.cycle_id);
		break;
	case WARTS_ITEM_RECORD:
		assert_int_equal(warts_write(b, i->type, i->rec, &i->refs), 0);
		break;
	case WARTS_ITEM_SKIPPED:
		break;
	}
}

void
golden_put_json(struct buf *b, const struct warts_item *i)
{
	if (i->kind == WARTS_ITEM_CYCLE_START || i->kind == WARTS_ITEM_CYCLE_STOP)
		json_write_cycle(b, i->cycle, i->kind == WARTS_ITEM_CYCLE_STOP);
	if (i->kind == WARTS_ITEM_RECORD)
		assert_int_equal(json_write(b, i->type, i->rec, &i->refs), 0);
}

void
golden_put_text(struct buf *b, const struct warts_item *i)
{
	if (i->kind == WARTS_ITEM_RECORD)
		assert_int_equal(text_write(b, i->type, i->rec), 0);
}

int
golden_convert(const void *bytes, size_t len, golden_put *put, struct buf *ret, struct errbuf *err)
{
	struct warts_memory memory = { bytes, len };
	struct warts_reader *r = warts_reader_new(warts_memory_read, &memory);
	struct warts_item item;
	int code;

	assert_non_null(r);
	while ((code = warts_reader_next(r, &item, err)) > 0) {
		if (put != NULL)
			put(ret, &item);
	}
	warts_reader_free(r);
	return code;
}

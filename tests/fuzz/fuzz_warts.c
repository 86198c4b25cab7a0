#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/buf.h"
#include "proto/record/stream.h"
#include "proto/record/warts_rd.h"
#include "tests/fuzz/fuzz.h"

/*
 * A warts file as a stranger made it. Property: what decodes encodes, and what
 * was encoded decodes and encodes to the same bytes; JSON and text can be made
 * of all of it.
 */
static void
convert(const uint8_t *data, size_t size, struct buf *out, int *ret_code)
{
	struct warts_memory memory = { data, size };
	struct warts_reader *r = warts_reader_new(warts_memory_read, &memory);
	struct warts_stream stream;
	struct warts_item item;
	struct errbuf err;
	struct buf shown;

	warts_stream_init(&stream);
	buf_init(&shown, 0);
	while ((*ret_code = warts_reader_next(r, &item, &err)) > 0) {
		if (warts_stream_item(&stream, out, &item) < 0 || item.kind != WARTS_ITEM_RECORD)
			continue;
		buf_reset(&shown);
		(void)json_write(&shown, item.type, item.rec, &item.refs);
		(void)text_write(&shown, item.type, item.rec);
	}
	buf_fini(&shown);
	warts_stream_fini(&stream);
	warts_reader_free(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once, twice;
	int code;

	buf_init(&once, 0);
	buf_init(&twice, 0);
	convert(data, size, &once, &code);
	convert(once.p, once.len, &twice, &code);
	must(code == 0 && once.len == twice.len);
	must(once.len == 0 || memcmp(once.p, twice.p, once.len) == 0);
	buf_fini(&once);
	buf_fini(&twice);
	return 0;
}

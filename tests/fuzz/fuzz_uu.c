#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/buf.h"
#include "proto/uu.h"
#include "tests/fuzz/fuzz.h"

/* Any bytes encode and come back; a text that decodes gives bytes that do. */
static void
round_trip(const uint8_t *bytes, size_t n)
{
	struct buf text, back;
	uint8_t *p;

	buf_init(&text, 0);
	buf_init(&back, 0);
	p = buf_room(&text, uu_encoded_len(n));
	must(p != NULL);
	uu_encode(p, bytes, n);
	must(uu_decode((const char *)text.p, text.len, &back) == 0);
	must(back.len == n && (n == 0 || memcmp(back.p, bytes, n) == 0));
	buf_fini(&text);
	buf_fini(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf bytes;

	buf_init(&bytes, 0);
	round_trip(data, size);
	if (uu_decode((const char *)data, size, &bytes) == 0)
		round_trip(bytes.p, bytes.len);
	else
		must(bytes.len == 0);
	buf_fini(&bytes);
	return 0;
}

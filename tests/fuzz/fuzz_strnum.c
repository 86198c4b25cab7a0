#include "fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/strnum.h"

static void
check_number(const char *text)
{
	char again[32];
	int64_t v, w;

	if (strnum_i64(text, -1000000, INT64_MAX, &v) != 0)
		return;
	must(v >= -1000000);
	(void)snprintf(again, sizeof(again), "%" PRId64, v);
	must(strnum_i64(again, INT64_MIN, INT64_MAX, &w) == 0 && v == w);
}

static void
check_time(const char *text)
{
	char again[32];
	uint64_t us, same;

	if (strnum_time_us(text, 1000000, &us) != 0)
		return;
	must(us < UINT64_C(1000000000) * 1000000);
	(void)snprintf(again, sizeof(again), "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
	must(strnum_time_us(again, 1000000, &same) == 0 && us == same);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	uint8_t bytes[17] = { [16] = 0xa5 };
	uint32_t len = 0;

	must(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	check_number(text);
	check_time(text);
	if (strnum_hex(text, bytes, 16, &len) == 0)
		must(len > 0 && len <= 16 && strlen(text) == 2u * len);
	must(bytes[16] == 0xa5);
	free(text);
	return 0;
}

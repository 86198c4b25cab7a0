#include "fuzz.h"

#include <string.h>

#include "common/addr.h"

/* What parses prints, and what is printed parses to the same address. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), again[ADDR_STRLEN];
	struct addr a, b;

	must(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (addr_parse(text, &a) == 0) {
		must(addr_parse(addr_format(&a, again), &b) == 0);
		must(addr_equal(&a, &b) && addr_compare(&a, &b) == 0);
		must(addr_hash(&a, 1) == addr_hash(&b, 1));
	}
	free(text);
	return 0;
}

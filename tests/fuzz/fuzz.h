#ifndef VANTAGE_TESTS_FUZZ_FUZZ_H
#define VANTAGE_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* What libFuzzer calls, and replay.c. Returns 0. */
__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold of any input; unlike assert, never compiled out. */
static inline void
must(bool holds)
{
	if (!holds)
		abort();
}

#endif

#include "fuzz.h"

#include <string.h>

#include "proto/priv/pp.h"

/* What decodes encodes to the same bytes, as a request and as an answer to
 * every question; and is decoded from nothing shorter or longer. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t wire[PP_WIRE_MAX];
	union pp_body body;
	uint32_t id;
	int error;

	if (pp_request_decode(data, size, &id, &body) == 0) {
		must(pp_request_encode(id, &body, wire) == (int)size && memcmp(wire, data, size) == 0);
		must(pp_request_decode(data, size - 1, &id, &body) != 0);
	}
	for (uint32_t asked = 0; asked <= PP_MSG_MAX; asked++) {
		if (pp_answer_decode(asked, data, size, &error, &body) != 0)
			continue;
		must(pp_answer_encode(asked, error, &body, wire) == (int)size &&
		     memcmp(wire, data, size) == 0);
	}
	return 0;
}

#include "proto/record/record.h"

#include <stddef.h>

static const struct record_type *const types[] = { &trace_record_type, &ping_record_type };

const struct record_type *
record_type_find(uint16_t warts_type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i]->warts_type == warts_type)
			return types[i];
	}
	return NULL;
}

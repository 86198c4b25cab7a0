#include "proto/record/ifname.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS (WARTS_NAMES_MAX * 2) /* a power of two, never full */

struct warts_names {
	uint32_t count;
	char *slot[SLOTS];
};

struct warts_names *
warts_names_new(void)
{
	return calloc(1, sizeof(struct warts_names));
}

void
warts_names_free(struct warts_names *n)
{
	if (n == NULL)
		return;
	for (uint32_t i = 0; i < SLOTS; i++)
		free(n->slot[i]);
	free(n);
}

/* FNV-1a. */
static uint32_t
hash(const char *p, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)p[i]) * 16777619u;
	return h;
}

const char *
warts_names_keep(struct warts_names *n, const char *name, size_t len)
{
	uint32_t i = hash(name, len) & (SLOTS - 1);

	if (len > WARTS_NAME_LEN)
		return NULL;
	for (; n->slot[i] != NULL; i = (i + 1) & (SLOTS - 1)) {
		if (strlen(n->slot[i]) == len && memcmp(n->slot[i], name, len) == 0)
			return n->slot[i];
	}
	if (n->count == WARTS_NAMES_MAX)
		return NULL;
	n->slot[i] = strndup(name, len);
	if (n->slot[i] != NULL)
		n->count++;
	return n->slot[i];
}

#include "proto/record/ifname.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 16 /* powers of two, at most half full */

struct warts_names {
	uint32_t count;
	uint32_t slots;
	char **slot;
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
	for (uint32_t i = 0; i < n->slots; i++)
		free(n->slot[i]);
	free(n->slot);
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

/* Where the name is, or would be. */
static char **
find(const struct warts_names *n, const char *name, size_t len)
{
	uint32_t mask = n->slots - 1;
	uint32_t i = hash(name, len) & mask;

	while (n->slot[i] != NULL && (strlen(n->slot[i]) != len || memcmp(n->slot[i], name, len) != 0))
		i = (i + 1) & mask;
	return &n->slot[i];
}

static bool
grow(struct warts_names *n)
{
	struct warts_names more = { .count = n->count, .slots = n->slots == 0 ? FIRST_SLOTS : n->slots * 2 };

	more.slot = calloc(more.slots, sizeof(*more.slot));
	if (more.slot == NULL)
		return false;
	for (uint32_t i = 0; i < n->slots; i++) {
		if (n->slot[i] != NULL)
			*find(&more, n->slot[i], strlen(n->slot[i])) = n->slot[i];
	}
	free(n->slot);
	*n = more;
	return true;
}

const char *
warts_names_keep(struct warts_names *n, const char *name, size_t len)
{
	char **slot;

	if (len > WARTS_NAME_LEN || (n->count * 2 >= n->slots && !grow(n)))
		return NULL;
	slot = find(n, name, len);
	if (*slot != NULL)
		return *slot;
	if (n->count == WARTS_NAMES_MAX)
		return NULL;
	*slot = strndup(name, len);
	if (*slot != NULL)
		n->count++;
	return *slot;
}

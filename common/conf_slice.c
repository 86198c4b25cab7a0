#include "common/conf_slice.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/strnum.h"

#define BLANKS " \t"
#define SLICE_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

enum slice_kind { SLICE_U32, SLICE_USER, SLICE_GROUP, SLICE_METHODS };

struct slice_key {
	const char *key;
	enum slice_kind kind;
	size_t offset;
	uint32_t min;
	uint32_t max;
};

#define AT(name) offsetof(struct conf_slice, name)

static const struct slice_key keys[] = {
	{ "uid", SLICE_USER, 0, 0, 0 },
	{ "gid", SLICE_GROUP, 0, 0, 0 },
	{ "share", SLICE_U32, AT(share), 1, 10000 },
	{ "pps", SLICE_U32, AT(pps), 1, 1000000 },
	{ "window", SLICE_U32, AT(window), 1, 1000000 },
	{ "running", SLICE_U32, AT(running), 1, 10000000 },
	{ "hourly", SLICE_U32, AT(hourly), 1, 1000000000 },
	{ "methods", SLICE_METHODS, AT(methods), 0, 0 },
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static struct conf_slice *
slice_add(struct conf_slices *all, const char *name)
{
	struct conf_slice *s = &all->slice[all->count++];

	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	s->share = 1;
	return s;
}

void
conf_slices_init(struct conf_slices *all)
{
	memset(all, 0, sizeof(*all));
	(void)slice_add(all, CONF_SLICE_OPERATORS);
	(void)slice_add(all, CONF_SLICE_DEFAULT);
}

int
conf_slice_find(const struct conf_slices *all, const char *name)
{
	for (uint32_t i = 0; i < all->count; i++) {
		if (strcmp(all->slice[i].name, name) == 0)
			return (int)i;
	}
	return -ENOENT;
}

static const struct slice_key *
key_find(const char *key)
{
	for (size_t i = 0; i < KEYS; i++) {
		if (strcmp(keys[i].key, key) == 0)
			return &keys[i];
	}
	return NULL;
}

static int
add_member(struct conf_slices *all, uint32_t slice, bool group, const char *value, struct errbuf *reterr)
{
	struct conf_member *m = &all->member[all->members];

	if (all->members == CONF_MEMBERS_MAX)
		return errbuf_set(reterr, -E2BIG, "slice: at most %d users and groups", CONF_MEMBERS_MAX);
	if (strlen(value) >= CONF_NAME_MAX)
		return errbuf_set(reterr, -ERANGE, "slice: a name has at most %d characters", CONF_NAME_MAX - 1);
	for (uint32_t i = 0; i < all->members; i++) {
		if (all->member[i].group == group && strcmp(all->member[i].name, value) == 0)
			return errbuf_set(reterr, -EEXIST, "slice: %s '%s' belongs to slice '%s' already",
			    group ? "group" : "user", value, all->slice[all->member[i].slice].name);
	}
	*m = (struct conf_member){ .slice = slice, .group = group };
	(void)snprintf(m->name, sizeof(m->name), "%s", value);
	all->members++;
	return 0;
}

static int
set_methods(struct conf_slice *s, const char *value, struct errbuf *reterr)
{
	if (strlen(value) >= CONF_METHODS_MAX)
		return errbuf_set(reterr, -ERANGE, "slice: methods has at most %d characters", CONF_METHODS_MAX - 1);
	if (strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789,-") != strlen(value))
		return errbuf_set(reterr, -EINVAL, "slice: methods is a list as ping,trace; '%s' is none", value);
	(void)snprintf(s->methods, sizeof(s->methods), "%s", value);
	return 0;
}

static int
set_key(struct conf_slices *all, struct conf_slice *s, const struct slice_key *k, const char *value,
    struct errbuf *reterr)
{
	uint32_t index = (uint32_t)(s - all->slice);

	switch (k->kind) {
	case SLICE_U32:
		if (strnum_u32(value, k->min, k->max, (uint32_t *)(void *)((char *)s + k->offset)) == 0)
			return 0;
		return errbuf_set(reterr, -EINVAL, "slice: %s '%s' is not a number from %u to %u", k->key, value,
		    k->min, k->max);
	case SLICE_USER:
	case SLICE_GROUP:
		return add_member(all, index, k->kind == SLICE_GROUP, value, reterr);
	case SLICE_METHODS:
		return set_methods(s, value, reterr);
	}
	return -EINVAL;
}

/* Takes the next word; what follows its blanks is *rest. -ERANGE: too long. */
static int
word_take(const char **rest, char *word, size_t cap)
{
	size_t len = strcspn(*rest, BLANKS);

	if (len >= cap)
		return -ERANGE;
	memcpy(word, *rest, len);
	word[len] = '\0';
	*rest += len;
	*rest += strspn(*rest, BLANKS);
	return 0;
}

int
conf_slice_set(struct conf_slices *all, const char *value, struct errbuf *reterr)
{
	char name[CONF_NAME_MAX], key[16] = "";
	const struct slice_key *k;
	int index;

	if (word_take(&value, name, sizeof(name)) != 0 || strspn(name, SLICE_CHARS) != strlen(name))
		return errbuf_set(reterr, -EINVAL, "slice: a name is up to %d letters, digits, '-', '_' and '.'",
		    CONF_NAME_MAX - 1);
	k = word_take(&value, key, sizeof(key)) == 0 ? key_find(key) : NULL;
	if (k == NULL)
		return errbuf_set(reterr, -EINVAL,
		    "slice: NAME, then uid, gid, share, pps, window, running, hourly or methods, then a value");
	if (value[0] == '\0' || strpbrk(value, BLANKS) != NULL)
		return errbuf_set(reterr, -EINVAL, "slice: %s needs one value", key);
	index = conf_slice_find(all, name);
	if (index < 0 && all->count == CONF_SLICES_MAX)
		return errbuf_set(reterr, -E2BIG, "slice: at most %d of them", CONF_SLICES_MAX);
	return set_key(all, index < 0 ? slice_add(all, name) : &all->slice[index], k, value, reterr);
}

void
conf_slices_put(const struct conf_slices *all, const char *word, struct buf *b)
{
	for (uint32_t i = 0; i < all->count; i++) {
		const struct conf_slice *s = &all->slice[i];

		for (size_t k = 0; k < KEYS; k++) {
			uint32_t value = keys[k].kind == SLICE_U32
					     ? *(const uint32_t *)(const void *)((const char *)s + keys[k].offset)
					     : 0;

			/* A share is always said: its line makes the slice, in its place. */
			if (value != 0)
				buf_printf(b, "%s %s %s %" PRIu32 "\n", word, s->name, keys[k].key, value);
		}
		if (s->methods[0] != '\0')
			buf_printf(b, "%s %s methods %s\n", word, s->name, s->methods);
	}
	for (uint32_t i = 0; i < all->members; i++)
		buf_printf(b, "%s %s %s %s\n", word, all->slice[all->member[i].slice].name,
		    all->member[i].group ? "gid" : "uid", all->member[i].name);
}

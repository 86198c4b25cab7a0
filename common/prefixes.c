#include "common/prefixes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/strnum.h"

#define RANGES_MAX 2000000u /* ranges of one family: more than all routed prefixes */
#define LINE_MAX_BYTES 256

int
prefixes_next(uint8_t *a, uint32_t len)
{
	for (uint32_t i = len; i-- > 0;) {
		if (++a[i] != 0)
			return 1;
	}
	return 0;
}

static int
set_add(struct prefix_set *set, const struct prefix_range *range)
{
	if (set->count == set->cap) {
		uint32_t cap = set->cap == 0 ? 1024 : set->cap * 2;
		struct prefix_range *grown;

		if (set->count >= RANGES_MAX)
			return -E2BIG;
		grown = reallocarray(set->range, cap, sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		set->range = grown;
		set->cap = cap;
	}
	set->range[set->count++] = *range;
	return 0;
}

int
prefixes_add(struct prefixes *dnp, const char *prefix, struct errbuf *reterr)
{
	char text[ADDR_STRLEN];
	const char *slash = strchrnul(prefix, '/');
	size_t len = (size_t)(slash - prefix);
	struct prefix_range range = { { 0 }, { 0 } };
	struct addr addr;
	uint32_t bits, all;
	int rc;

	if (len >= sizeof(text))
		return errbuf_set(reterr, -EINVAL, "too long for an address");
	memcpy(text, prefix, len);
	text[len] = '\0';
	if (addr_parse(text, &addr) != 0)
		return errbuf_set(reterr, -EINVAL, "'%s' is no IPv4 or IPv6 address", text);
	all = bits = 8 * (uint32_t)addr_len(addr.family);
	if (*slash == '/' && strnum_u32(slash + 1, 0, all, &bits) != 0)
		return errbuf_set(reterr, -EINVAL, "prefix length '%s' is not 0 to %u", slash + 1, all);
	/* Bits behind the prefix are people's slips; the prefix is meant. */
	for (uint32_t i = 0; i < all; i++) {
		uint8_t bit = (uint8_t)(0x80 >> i % 8);

		if (i >= bits)
			range.hi[i / 8] |= bit;
		else if (addr.b[i / 8] & bit)
			range.lo[i / 8] |= bit, range.hi[i / 8] |= bit;
	}
	rc = set_add(addr.family == ADDR_IP4 ? &dnp->ip4 : &dnp->ip6, &range);
	return rc == 0 ? 0 : errbuf_set(reterr, rc, "too many prefixes: %s", strerror(-rc));
}

static int
line_read(struct prefixes *dnp, char *line, const char *path, uint32_t number, struct errbuf *reterr)
{
	struct errbuf why = { "" };
	char *word, *end;
	int rc;

	line[strcspn(line, "#\r")] = '\0';
	word = line + strspn(line, " \t");
	end = word + strcspn(word, " \t");
	if (*word == '\0')
		return 0;
	if (end[strspn(end, " \t")] != '\0')
		return errbuf_set(
		    reterr, -EINVAL, "%s:%u:%u: one prefix a line", path, number, (unsigned)(end - line) + 2);
	*end = '\0';
	rc = prefixes_add(dnp, word, &why);
	if (rc == 0)
		return 0;
	return errbuf_set(reterr, rc, "%s:%u:%u: %s", path, number, (unsigned)(word - line) + 1, why.text);
}

/* 1: a line, without its end; 0: no more; -EMSGSIZE; -EILSEQ: a NUL, behind which
 * a prefix would be passed over in silence. */
static int
line_take(FILE *file, char line[LINE_MAX_BYTES])
{
	size_t len = 0;
	int c;

	while ((c = getc(file)) != EOF && c != '\n') {
		if (c == '\0')
			return -EILSEQ;
		if (len == LINE_MAX_BYTES - 1)
			return -EMSGSIZE;
		line[len++] = (char)c;
	}
	line[len] = '\0';
	return c != EOF || len > 0;
}

int
prefixes_read(struct prefixes *dnp, const char *path, struct errbuf *reterr)
{
	char line[LINE_MAX_BYTES];
	FILE *file = fopen(path, "re");
	uint32_t number = 1;
	int rc;

	if (file == NULL)
		return errbuf_set(reterr, -errno, "%s: %s", path, strerror(errno));
	for (; (rc = line_take(file, line)) > 0; number++) {
		rc = line_read(dnp, line, path, number, reterr);
		if (rc != 0)
			break;
	}
	if (rc == -EMSGSIZE)
		rc = errbuf_set(
		    reterr, -EINVAL, "%s:%u:1: line longer than %d bytes", path, number, LINE_MAX_BYTES - 1);
	if (rc == -EILSEQ)
		rc = errbuf_set(
		    reterr, -EINVAL, "%s:%u:1: contains a NUL byte: not a text file", path, number);
	if (rc == 0 && ferror(file))
		rc = errbuf_set(reterr, -EIO, "%s: read error", path);
	(void)fclose(file);
	return rc;
}

static int
range_compare(const void *a, const void *b)
{
	return memcmp(((const struct prefix_range *)a)->lo, ((const struct prefix_range *)b)->lo, 16);
}

/* Ranges that overlap or touch become one: the kernel's interval set wants
 * neither. */
static void
set_merge(struct prefix_set *set, uint32_t len)
{
	uint32_t kept = 0;

	if (set->count == 0)
		return;
	qsort(set->range, set->count, sizeof(set->range[0]), range_compare);
	for (uint32_t i = 1; i < set->count; i++) {
		struct prefix_range *last = &set->range[kept];
		uint8_t after[16];

		memcpy(after, last->hi, sizeof(after));
		if (prefixes_next(after, len) && memcmp(set->range[i].lo, after, len) > 0)
			set->range[++kept] = set->range[i];
		else if (memcmp(set->range[i].hi, last->hi, len) > 0)
			memcpy(last->hi, set->range[i].hi, sizeof(last->hi));
	}
	set->count = kept + 1;
}

void
prefixes_merge(struct prefixes *dnp)
{
	set_merge(&dnp->ip4, 4);
	set_merge(&dnp->ip6, 16);
}

void
prefixes_fini(struct prefixes *dnp)
{
	free(dnp->ip4.range);
	free(dnp->ip6.range);
	memset(dnp, 0, sizeof(*dnp));
}

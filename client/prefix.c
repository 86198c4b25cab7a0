#include "client/prefix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/input.h"
#include "common/strnum.h"

static struct prefix_key
key_of(const struct addr *a)
{
	struct prefix_key k = { 0, 0 };

	for (size_t i = 0; i < 8; i++) {
		k.hi = k.hi << 8 | a->b[i];
		k.lo = k.lo << 8 | a->b[i + 8];
	}
	return k;
}

static int
compare_key(struct prefix_key a, struct prefix_key b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return a.lo == b.lo ? 0 : (a.lo < b.lo ? -1 : 1);
}

static int
compare_range(const void *a, const void *b)
{
	return compare_key(((const struct prefix_range *)a)->first, ((const struct prefix_range *)b)->first);
}

/* Ones where the prefix of this many bits does not reach. */
static struct prefix_key
host_mask(uint32_t bits)
{
	return (struct prefix_key){
		.hi = bits >= 64 ? 0 : UINT64_MAX >> bits,
		.lo = bits >= 128 ? 0 : (bits <= 64 ? UINT64_MAX : UINT64_MAX >> (bits - 64)),
	};
}

void
prefix_set_fini(struct prefix_set *set)
{
	for (size_t i = 0; i < 2; i++)
		free(set->of[i].p);
	memset(set, 0, sizeof(*set));
}

static int
append(struct prefix_set *set, size_t family, struct prefix_range r)
{
	if (set->of[family].count == set->of[family].cap) {
		size_t cap = set->of[family].cap == 0 ? 256 : 2 * set->of[family].cap;
		struct prefix_range *p = reallocarray(set->of[family].p, cap, sizeof(*p));

		if (p == NULL)
			return -ENOMEM;
		set->of[family].p = p;
		set->of[family].cap = cap;
	}
	set->of[family].p[set->of[family].count++] = r;
	return 0;
}

int
prefix_set_add(struct prefix_set *set, const char *text)
{
	const char *slash = strchr(text, '/');
	size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
	char word[ADDR_STRLEN];
	struct prefix_key key, host;
	struct addr a;
	uint32_t most, bits;

	if (len >= sizeof(word))
		return -EINVAL;
	memcpy(word, text, len);
	word[len] = '\0';
	if (addr_parse(word, &a) != 0)
		return -EINVAL;
	most = a.family == ADDR_IP4 ? 32 : 128;
	bits = most;
	if (slash != NULL && strnum_u32(slash + 1, 0, most, &bits) != 0)
		return -EINVAL;
	/* An IPv4 address is in the first four of the sixteen bytes, the others
	 * are zero, in the set and in what is looked up. */
	key = key_of(&a);
	host = host_mask(bits);
	return append(set, a.family == ADDR_IP6,
	    (struct prefix_range){
		{ key.hi & ~host.hi, key.lo & ~host.lo }, { key.hi | host.hi, key.lo | host.lo } });
}

void
prefix_set_seal(struct prefix_set *set)
{
	for (size_t f = 0; f < 2; f++) {
		struct prefix_range *p = set->of[f].p;
		size_t kept = 0;

		if (set->of[f].count == 0)
			continue;
		qsort(p, set->of[f].count, sizeof(*p), compare_range);
		for (size_t i = 1; i < set->of[f].count; i++) {
			if (compare_key(p[i].first, p[kept].last) > 0)
				p[++kept] = p[i];
			else if (compare_key(p[i].last, p[kept].last) > 0)
				p[kept].last = p[i].last;
		}
		set->of[f].count = kept + 1;
	}
}

bool
prefix_set_has(const struct prefix_set *set, const struct addr *a)
{
	size_t f = a->family == ADDR_IP6, low = 0, high = set->of[f].count;
	struct prefix_key key;

	if (a->family != ADDR_IP4 && a->family != ADDR_IP6)
		return false;
	key = key_of(a);
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct prefix_range *r = &set->of[f].p[mid];

		if (compare_key(key, r->first) < 0)
			high = mid;
		else if (compare_key(key, r->last) > 0)
			low = mid + 1;
		else
			return true;
	}
	return false;
}

/* The word of the line, or NULL for a blank or comment line. */
static const char *
prefix_word(char *line, enum input_status status)
{
	char *word = line + strspn(line, " \t\r");

	if (status != INPUT_LINE)
		return "";
	word[strcspn(word, " \t\r#")] = '\0';
	return word[0] == '\0' ? NULL : word;
}

int
prefix_set_load(struct prefix_set *set, const char *path, struct errbuf *reterr)
{
	enum input_status status = INPUT_WAIT;
	char none[1] = "", *line = none;
	struct input in;
	size_t len;
	int rc = input_open(&in, path, reterr);

	while (rc == 0 && status != INPUT_END) {
		const char *word;

		status = input_next(&in, &line, &len);
		if (status == INPUT_END)
			break;
		if (status == INPUT_WAIT) {
			rc = input_fill(&in);
			if (rc < 0)
				(void)errbuf_set(reterr, rc, "cannot read '%s': %s", path, strerror(-rc));
			continue;
		}
		word = prefix_word(status == INPUT_LINE ? line : none, status);
		rc = word == NULL ? 0 : prefix_set_add(set, word);
		if (rc < 0)
			(void)errbuf_set(reterr, rc, "%s:%llu: %s", path, (unsigned long long)in.line_no,
			    rc == -ENOMEM ? "out of memory" : "no address prefix");
	}
	input_close(&in);
	return rc;
}

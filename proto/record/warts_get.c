#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/nsec.h"
#include "proto/record/codec.h"
#include "proto/record/ifname.h"

int
warts_get_time(struct warts_get *g, int64_t *ret_wall_ns)
{
	uint32_t sec = rd_u32(&g->rd);
	uint32_t usec = rd_u32(&g->rd);

	if (usec > 999999)
		usec = 999999; /* no reason to give up the file */
	*ret_wall_ns = sec * NSEC_PER_SEC + usec * NSEC_PER_USEC;
	return 0;
}

/* The spelled-out shape. The length byte must fit the type (warts.md 4.1);
 * FireWire addresses occur in no record that we decode. */
static int
get_saddr(struct warts_get *g, uint8_t len, struct addr *ret)
{
	uint8_t type = rd_u8(&g->rd);
	const uint8_t *p = rd_take(&g->rd, len);

	if (p == NULL)
		return errbuf_set(g->err, -EBADMSG, "an address is cut short");
	if (addr_len(type) == 0 || addr_len(type) != len)
		return errbuf_set(g->err, -EBADMSG, "address type %u with %u bytes", type, len);
	*ret = addr_make(type, p);
	return 0;
}

int
warts_get_addr(struct warts_get *g, struct addr *ret)
{
	uint8_t len = rd_u8(&g->rd);
	const struct addr *known;
	uint32_t index;
	int r;

	if (len == 0) {
		index = rd_u32(&g->rd);
		known = addr_dict_get(&g->addrs, index);
		if (g->rd.bad || known == NULL)
			return errbuf_set(g->err, -EBADMSG, "address %u is not defined yet", index);
		*ret = *known;
		return 0;
	}
	r = get_saddr(g, len, ret);
	if (r == 0 && addr_dict_add(&g->addrs, ret) < 0)
		r = errbuf_set(g->err, -ENOMEM, "out of memory");
	return r;
}

static int
get_gid(struct warts_get *g, struct addr *ret)
{
	uint32_t number = rd_u32(&g->rd);

	if (number == 0)
		return 0;
	if (g->globals == NULL || number > g->globals->count)
		return errbuf_set(g->err, -EBADMSG, "address record %u does not exist", number);
	*ret = g->globals->addrs[number - 1];
	return 0;
}

/* A NUL-terminated string in the file; its length without the NUL, or -1. */
static const char *
get_text(struct warts_get *g, size_t *ret_len)
{
	const char *p = (const char *)g->rd.p;
	size_t left = rd_left(&g->rd);

	*ret_len = strnlen(p, left);
	if (*ret_len == left) {
		g->rd.bad = true;
		return NULL;
	}
	(void)rd_take(&g->rd, *ret_len + 1);
	return p;
}

static int
get_string(struct warts_get *g, char **ret)
{
	size_t len;
	const char *p = get_text(g, &len);

	if (p == NULL)
		return errbuf_set(g->err, -EBADMSG, "a string has no end");
	free(*ret);
	*ret = strndup(p, len);
	return *ret == NULL ? errbuf_set(g->err, -ENOMEM, "out of memory") : 0;
}

/* Section 5: an id in the table is a reference, the next id is a definition,
 * 0 is a name that is not remembered. */
static int
get_ifname(struct warts_get *g, const char **ret)
{
	uint8_t id = rd_u8(&g->rd);
	const char *p;
	size_t len;

	if (id > 0 && id <= g->ifname_count) {
		*ret = g->ifnames[id - 1];
		return 0;
	}
	if (id > g->ifname_count + 1 || g->rd.bad)
		return errbuf_set(g->err, -EBADMSG, "interface name %u is not defined yet", id);
	p = get_text(g, &len);
	if (p == NULL)
		return errbuf_set(g->err, -EBADMSG, "an interface name has no end");
	*ret = warts_names_keep(g->names, p, len);
	if (*ret == NULL)
		return errbuf_set(g->err, -E2BIG, "more than %d interface names, or one of over %d bytes",
		    WARTS_NAMES_MAX, WARTS_NAME_LEN);
	if (id > 0)
		g->ifnames[g->ifname_count++] = *ret;
	return 0;
}

static int
get_bytes(struct warts_get *g, uint8_t **ret, uint16_t len)
{
	const uint8_t *p = rd_take(&g->rd, len);
	uint8_t *copy;

	if (p == NULL)
		return errbuf_set(g->err, -EBADMSG, "%u bytes of data are cut short", len);
	copy = malloc(len == 0 ? 1 : len);
	if (copy == NULL)
		return errbuf_set(g->err, -ENOMEM, "out of memory");
	memcpy(copy, p, len);
	free(*ret);
	*ret = copy;
	return 0;
}

/* Section 6 to RFC 4884 section 8: each object's length gains its header. The
 * sum stays the same. */
static int
get_icmpext(struct warts_get *g, uint8_t **ret, uint16_t *ret_len)
{
	uint16_t total = rd_u16(&g->rd), at = 0;
	int r = get_bytes(g, ret, total);

	if (r < 0)
		return r;
	while (total - at >= 4) {
		uint8_t *p = *ret + at;
		uint32_t n = (uint32_t)(p[0] << 8 | p[1]) + 4;

		if (n > (uint32_t)(total - at))
			break;
		p[0] = (uint8_t)(n >> 8);
		p[1] = (uint8_t)n;
		at = (uint16_t)(at + n);
	}
	if (total == 0 || at != total)
		return errbuf_set(
		    g->err, -EBADMSG, "ICMP extension objects do not fill their %u bytes", total);
	*ret_len = total;
	return 0;
}

static int
get_addrs(struct warts_get *g, struct addr *ret, uint8_t max, uint8_t *ret_count)
{
	uint8_t n = rd_u8(&g->rd);
	int r;

	if (n > max)
		return errbuf_set(g->err, -EBADMSG, "%u addresses where at most %u can be", n, max);
	for (uint8_t i = 0; i < n; i++) {
		r = warts_get_addr(g, &ret[i]);
		if (r < 0)
			return r;
	}
	*ret_count = n;
	return 0;
}

static void
set_number(const struct field *f, void *member, uint32_t v)
{
	switch (f->width) {
	case 1:
		*(uint8_t *)member = (uint8_t)v;
		break;
	case 2:
		*(uint16_t *)member = (uint16_t)v;
		break;
	case 4:
		*(uint32_t *)member = v;
		break;
	}
}

static int
get_usec(struct warts_get *g, uint32_t *member)
{
	uint32_t v = rd_u32(&g->rd);

	if (v >= 1000000)
		return errbuf_set(g->err, -EBADMSG, "%u microseconds in a second", v);
	*member += v;
	return 0;
}

static int
get_icmp_tc(struct warts_get *g, uint8_t *type_code)
{
	type_code[0] = rd_u8(&g->rd);
	type_code[1] = rd_u8(&g->rd);
	return 0;
}

static int
get_value(struct warts_get *g, const struct field_ctx *c, const struct field *f)
{
	uint8_t *base = c->base[f->base];
	void *p = base + f->off;

	switch ((enum field_kind)f->kind) {
	case FK_U8:
		set_number(f, p, rd_u8(&g->rd));
		return 0;
	case FK_U16:
		set_number(f, p, rd_u16(&g->rd));
		return 0;
	case FK_U32:
		set_number(f, p, rd_u32(&g->rd));
		return 0;
	case FK_SEC8:
		set_number(f, p, rd_u8(&g->rd) * 1000000u);
		return 0;
	case FK_USEC32:
		return get_usec(g, p);
	case FK_TIME:
		return warts_get_time(g, p);
	case FK_STRING:
		return get_string(g, p);
	case FK_BYTES:
		return get_bytes(g, p, *(uint16_t *)(base + f->aux));
	case FK_ICMP_TC:
		return get_icmp_tc(g, p);
	case FK_ADDR:
		return warts_get_addr(g, p);
	case FK_SADDR:
		return get_saddr(g, rd_u8(&g->rd), p);
	case FK_GID:
		return get_gid(g, p);
	case FK_ADDRS:
		return get_addrs(g, p, f->max, base + f->aux);
	case FK_IFNAME:
		return get_ifname(g, p);
	case FK_ICMPEXT:
		return get_icmpext(g, p, (uint16_t *)(base + f->aux));
	case FK_CUSTOM:
		return f->get(g, c);
	case FK_NONE:
	case FIELD_KINDS:
		break;
	}
	return errbuf_set(g->err, -EINVAL, "a field that no table has");
}

/* Bit p for parameter p. Those beyond bit 63 are dropped: it is long before
 * them that a number is unknown and the walk ends. */
static uint64_t
get_flags(struct rd *rd)
{
	uint64_t set = 0;
	unsigned int shift = 1;
	uint8_t b;

	do {
		b = rd_u8(rd);
		if (shift <= 57)
			set |= (uint64_t)(b & 0x7f) << shift;
		shift = shift <= 57 ? shift + 7 : shift;
	} while ((b & 0x80) != 0);
	return set;
}

/* The parameters' values, within their announced length. */
static int
get_values(struct warts_get *g, const struct record_block *block, const struct field_ctx *c, uint64_t set,
    uint64_t *ret_seen)
{
	uint64_t seen = 0;

	for (uint64_t rest = set; rest != 0; rest &= rest - 1) {
		int p = __builtin_ctzll(rest);
		int r;

		/* Values are not delimited: behind the first unknown one nothing
		 * can be found (section 3). */
		if (p > block->params)
			break;
		r = get_value(g, c, &block->fields[p]);
		if (r == 0 && g->rd.bad)
			r = errbuf_set(g->err, -EBADMSG, "values are cut short");
		if (r < 0)
			return r;
		seen |= SEEN(p);
	}
	*ret_seen = seen;
	return 0;
}

int
warts_get_block(
    struct warts_get *g, const struct record_block *block, const struct field_ctx *c, uint64_t *ret_seen)
{
	uint8_t first = rd_left(&g->rd) > 0 ? g->rd.p[0] : 0;
	uint64_t set = get_flags(&g->rd);
	struct rd outer;
	const uint8_t *values;
	uint16_t len;
	int r;

	*ret_seen = 0;
	if (g->rd.bad)
		return errbuf_set(g->err, -EBADMSG, "%s: cut short", block->name);
	if (first == 0)
		return 0;
	len = rd_u16(&g->rd);
	values = rd_take(&g->rd, len);
	if (values == NULL)
		return errbuf_set(g->err, -EBADMSG, "%s: values of %u bytes are cut short", block->name, len);
	outer = g->rd;
	rd_init(&g->rd, values, len);
	r = get_values(g, block, c, set, ret_seen);
	g->rd = outer;
	return r;
}

int
warts_get_record(struct warts_get *g, const struct record_type *type, void *rec, struct record_refs *ret_refs)
{
	struct field_ctx c = field_ctx_of(type->block, rec, ret_refs);
	uint64_t seen;
	int r;

	memset(ret_refs, 0, sizeof(*ret_refs));
	c.base[BASE_RARE] = type->block->make_rare(rec);
	if (c.base[BASE_RARE] == NULL)
		return errbuf_set(g->err, -ENOMEM, "out of memory");
	r = warts_get_block(g, type->block, &c, &seen);
	if (r == 0)
		r = type->block->get_rest(g, &c, seen);
	return r;
}

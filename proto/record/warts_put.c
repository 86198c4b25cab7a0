#include <errno.h>
#include <string.h>

#include "common/nsec.h"
#include "proto/record/codec.h"

/* The buffer's own functions, without a call where there is room: a record is
 * some forty numbers, and there are 150,000 records a second. */
static inline uint8_t *
room(struct buf *b, size_t n)
{
	uint8_t *p = b->p + b->len;

	if (n > b->cap - b->len)
		return buf_room(b, n);
	b->len += n;
	return p;
}

static inline void
put8(struct buf *b, uint8_t v)
{
	uint8_t *p = room(b, 1);

	if (p != NULL)
		p[0] = v;
}

static inline void
put16(struct buf *b, uint16_t v)
{
	uint8_t *p = room(b, 2);

	if (p != NULL) {
		p[0] = (uint8_t)(v >> 8);
		p[1] = (uint8_t)v;
	}
}

static inline void
put32(struct buf *b, uint32_t v)
{
	uint8_t *p = room(b, 4);

	if (p != NULL) {
		p[0] = (uint8_t)(v >> 24);
		p[1] = (uint8_t)(v >> 16);
		p[2] = (uint8_t)(v >> 8);
		p[3] = (uint8_t)v;
	}
}

void
warts_put_time(struct warts_put *w, int64_t wall_ns)
{
	put32(w->out, (uint32_t)(wall_ns / NSEC_PER_SEC));
	put32(w->out, (uint32_t)(wall_ns % NSEC_PER_SEC / NSEC_PER_USEC));
}

static void
put_saddr(struct buf *out, const struct addr *a)
{
	uint8_t n = (uint8_t)addr_len(a->family);

	put8(out, n);
	put8(out, a->family);
	buf_bytes(out, a->b, n);
}

/* warts.md section 4.1: spelled out the first time, then by number. */
void
warts_put_addr(struct warts_put *w, const struct addr *a)
{
	int64_t i = addr_dict_find(&w->addrs, a);

	if (i >= 0) {
		put8(w->out, 0);
		put32(w->out, (uint32_t)i);
		return;
	}
	put_saddr(w->out, a);
	if (addr_dict_add(&w->addrs, a) < 0)
		w->out->failed = true;
}

/* Section 5: names past the table's end are spelled out each time, under 0. */
static void
put_ifname(struct warts_put *w, const char *name)
{
	for (uint32_t i = 0; i < w->ifname_count; i++) {
		if (w->ifnames[i] == name || strcmp(w->ifnames[i], name) == 0) {
			put8(w->out, (uint8_t)(i + 1));
			return;
		}
	}
	if (w->ifname_count < WARTS_IFNAMES) {
		w->ifnames[w->ifname_count++] = name;
		put8(w->out, (uint8_t)w->ifname_count);
	} else {
		put8(w->out, 0);
	}
	buf_bytes(w->out, name, strlen(name) + 1);
}

/*
 * RFC 4884 section 8 counts an object's own header in its length; warts does
 * not (section 6). Objects are copied while they are whole: what a router cut
 * short ends the list.
 */
static void
put_icmpext(struct buf *out, const uint8_t *ext, uint16_t len)
{
	size_t total = out->len;
	struct rd r;

	rd_init(&r, ext, len);
	put16(out, 0);
	while (rd_left(&r) >= 4) {
		uint16_t n = rd_u16(&r);
		uint16_t class_type = rd_u16(&r);
		const uint8_t *data = n < 4 ? NULL : rd_take(&r, n - 4u);

		if (data == NULL)
			break;
		put16(out, (uint16_t)(n - 4));
		put16(out, class_type);
		buf_bytes(out, data, n - 4u);
	}
	if (!out->failed)
		buf_patch16(out, total, (uint16_t)(out->len - total - 2));
}

static void
put_addrs(struct warts_put *w, const struct addr *a, uint8_t n)
{
	put8(w->out, n);
	for (uint8_t i = 0; i < n; i++)
		warts_put_addr(w, &a[i]);
}

static int
put_value(struct warts_put *w, const struct field_ctx *c, const struct field *f)
{
	static const uint8_t zero[sizeof(struct addr)];
	const uint8_t *base = c->base[f->base];
	const void *p = base == NULL ? zero : base + f->off;

	switch ((enum field_kind)f->kind) {
	case FK_U8:
		put8(w->out, (uint8_t)field_number(f, p));
		break;
	case FK_U16:
		put16(w->out, (uint16_t)field_number(f, p));
		break;
	case FK_U32:
		put32(w->out, field_number(f, p));
		break;
	case FK_SEC8:
		put8(w->out, (uint8_t)(field_number(f, p) / 1000000));
		break;
	case FK_USEC32:
		put32(w->out, field_number(f, p) % 1000000);
		break;
	case FK_TIME:
		warts_put_time(w, *(const nsec_t *)p);
		break;
	case FK_STRING:
		buf_bytes(w->out, *(char *const *)p, strlen(*(char *const *)p) + 1);
		break;
	case FK_BYTES:
		buf_bytes(w->out, *(uint8_t *const *)p, *(const uint16_t *)(base + f->aux));
		break;
	case FK_ICMP_TC:
		buf_bytes(w->out, p, 2);
		break;
	case FK_ADDR:
		warts_put_addr(w, p);
		break;
	case FK_SADDR:
		put_saddr(w->out, p);
		break;
	case FK_ADDRS:
		put_addrs(w, p, *(base + f->aux));
		break;
	case FK_IFNAME:
		put_ifname(w, *(const char *const *)p);
		break;
	case FK_ICMPEXT:
		put_icmpext(w->out, *(uint8_t *const *)p, *(const uint16_t *)(base + f->aux));
		break;
	case FK_CUSTOM:
		return f->put(w, c);
	case FK_NONE:
	case FK_GID:
	case FIELD_KINDS:
		return -EINVAL; /* choose() leaves such rows out */
	}
	return 0;
}

/* Which parameters the block will have: bit p for parameter p. */
static uint64_t
choose(const struct record_block *block, const struct field_ctx *c)
{
	uint64_t set = 0;

	for (uint8_t p = 1; p <= block->params; p++) {
		const struct field *f = &block->fields[p];

		if (f->kind != FK_NONE && f->kind != FK_GID && (f->when == NULL || f->when(c, f)))
			set |= SEEN(p);
	}
	return set;
}

/* warts.md section 3: seven parameters in a byte, the high bit says "more". */
static void
put_flags(struct buf *out, uint64_t set)
{
	uint64_t rest = set >> 1;

	do {
		uint8_t seven = rest & 0x7f;

		rest >>= 7;
		put8(out, (uint8_t)(seven | (rest != 0 ? 0x80 : 0)));
	} while (rest != 0);
}

int
warts_put_block(struct warts_put *w, const struct record_block *block, const struct field_ctx *c)
{
	uint64_t set = choose(block, c);
	size_t start;

	put_flags(w->out, set);
	if (set == 0)
		return 0;
	put16(w->out, 0);
	start = w->out->len;
	for (uint64_t rest = set; rest != 0; rest &= rest - 1) {
		int r = put_value(w, c, &block->fields[__builtin_ctzll(rest)]);

		if (r < 0)
			return r;
	}
	if (w->out->failed)
		return -ENOMEM;
	if (w->out->len - start > UINT16_MAX)
		return -EMSGSIZE;
	buf_patch16(w->out, start - 2, (uint16_t)(w->out->len - start));
	return 0;
}

static size_t
put_header(struct buf *out, uint16_t type)
{
	put16(out, WARTS_MAGIC);
	put16(out, type);
	put32(out, 0);
	return out->len;
}

static void
end_header(struct buf *out, size_t body)
{
	if (!out->failed)
		buf_patch32(out, body - 4, (uint32_t)(out->len - body));
}

static int
put_record(
    struct warts_put *w, const struct record_type *type, const void *rec, const struct record_refs *refs)
{
	struct field_ctx c = field_ctx_of(type->block, rec, refs);
	size_t body = put_header(w->out, type->warts_type);
	int r;

	r = warts_put_block(w, type->block, &c);
	if (r == 0)
		r = type->block->put_rest(w, &c);
	end_header(w->out, body);
	return w->out->failed ? -ENOMEM : r;
}

int
warts_write(struct buf *out, const struct record_type *type, const void *rec, const struct record_refs *refs)
{
	static const struct record_refs none = { 0 };
	size_t before = out->len;
	struct warts_put w __attribute__((uninitialized)); /* tables of 2.5 kB, filled as it goes */
	int r;

	w.out = out;
	w.ifname_count = 0;
	addr_dict_init(&w.addrs);
	r = put_record(&w, type, rec, refs == NULL ? &none : refs);
	addr_dict_fini(&w.addrs);
	if (r < 0) {
		out->len = before;
		out->failed = false;
	}
	return r;
}

/* Two of them fit into one block. */
#define STRING_MAX 32000

static void
put_string(struct buf *out, const char *text)
{
	buf_bytes(out, text, strnlen(text, STRING_MAX));
	put8(out, 0);
}

void
warts_write_list(struct buf *out, const struct list_record *list, uint32_t warts_list_id)
{
	size_t body = put_header(out, WARTS_LIST);
	size_t values;

	put32(out, warts_list_id);
	put32(out, list->id);
	put_string(out, list->name == NULL ? "" : list->name);
	put_flags(out, (list->descr != NULL ? SEEN(1) : 0) | (list->monitor != NULL ? SEEN(2) : 0));
	if (list->descr != NULL || list->monitor != NULL) {
		put16(out, 0);
		values = out->len;
		if (list->descr != NULL)
			put_string(out, list->descr);
		if (list->monitor != NULL)
			put_string(out, list->monitor);
		if (!out->failed)
			buf_patch16(out, values - 2, (uint16_t)(out->len - values));
	}
	end_header(out, body);
}

static void
put_cycle(struct buf *out, uint16_t type, const struct cycle_record *cycle, uint32_t id, uint32_t list)
{
	size_t body = put_header(out, type);
	size_t values;

	put32(out, id);
	put32(out, list);
	put32(out, cycle->id);
	put32(out, cycle->start);
	put_flags(out, (cycle->stop != 0 ? SEEN(1) : 0) | (cycle->hostname != NULL ? SEEN(2) : 0));
	if (cycle->stop != 0 || cycle->hostname != NULL) {
		put16(out, 0);
		values = out->len;
		if (cycle->stop != 0)
			put32(out, cycle->stop);
		if (cycle->hostname != NULL)
			put_string(out, cycle->hostname);
		if (!out->failed)
			buf_patch16(out, values - 2, (uint16_t)(out->len - values));
	}
	end_header(out, body);
}

void
warts_write_cycle_start(
    struct buf *out, const struct cycle_record *cycle, uint32_t warts_cycle_id, uint32_t warts_list_id)
{
	put_cycle(out, WARTS_CYCLE_START, cycle, warts_cycle_id, warts_list_id);
}

void
warts_write_cycle_def(
    struct buf *out, const struct cycle_record *cycle, uint32_t warts_cycle_id, uint32_t warts_list_id)
{
	put_cycle(out, WARTS_CYCLE_DEF, cycle, warts_cycle_id, warts_list_id);
}

void
warts_write_cycle_stop(struct buf *out, const struct cycle_record *cycle, uint32_t warts_cycle_id)
{
	size_t body = put_header(out, WARTS_CYCLE_STOP);

	put32(out, warts_cycle_id);
	put32(out, cycle->stop);
	put8(out, 0);
	end_header(out, body);
}

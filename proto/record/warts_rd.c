#include "proto/record/warts_rd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/record/codec.h"
#include "proto/record/ifname.h"

#define CHUNK 65536u

struct cycle_slot {
	struct cycle_record cycle;
	uint32_t list_id; /* in the file */
	bool stopped;
};

struct warts_reader {
	warts_source *source;
	void *arg;
	uint64_t offset; /* of the record being read */
	int failed;      /* sticks */
	bool skim;
	struct buf body;
	struct list_record **lists; /* [0] is number 1; never moved, records point here */
	struct cycle_slot **cycles;
	uint32_t list_count;
	uint32_t list_cap;
	uint32_t cycle_count;
	uint32_t cycle_cap;
	struct warts_globals globals;
	struct warts_names *names;
	const struct record_type *type; /* of rec */
	void *rec;
};

struct warts_reader *
warts_reader_new(warts_source *source, void *arg)
{
	struct warts_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->names = warts_names_new();
	if (r->names == NULL) {
		free(r);
		return NULL;
	}
	r->source = source;
	r->arg = arg;
	buf_init(&r->body, WARTS_RECORD_MAX);
	return r;
}

static void
drop_record(struct warts_reader *r)
{
	if (r->rec == NULL)
		return;
	r->type->fini(r->rec);
	free(r->rec);
	r->rec = NULL;
}

static void
list_free(struct list_record *l)
{
	free((void *)(uintptr_t)l->name);
	free((void *)(uintptr_t)l->descr);
	free((void *)(uintptr_t)l->monitor);
	free(l);
}

static void
cycle_free(struct cycle_slot *s)
{
	free((void *)(uintptr_t)s->cycle.hostname);
	free(s);
}

void
warts_reader_free(struct warts_reader *r)
{
	if (r == NULL)
		return;
	drop_record(r);
	for (uint32_t i = 0; i < r->list_count; i++)
		list_free(r->lists[i]);
	for (uint32_t i = 0; i < r->cycle_count; i++)
		cycle_free(r->cycles[i]);
	free(r->lists);
	free(r->cycles);
	free(r->globals.addrs);
	warts_names_free(r->names);
	buf_fini(&r->body);
	free(r);
}

void
warts_reader_skim(struct warts_reader *r)
{
	r->skim = true;
}

uint64_t
warts_reader_offset(const struct warts_reader *r)
{
	return r->offset;
}

ssize_t
warts_memory_read(void *memory, void *p, size_t n)
{
	struct warts_memory *m = memory;

	if (n > m->len)
		n = m->len;
	if (n > 0)
		memcpy(p, m->p, n);
	m->p += n;
	m->len -= n;
	return (ssize_t)n;
}

/* Room for one more in an array of count elements, at most WARTS_LISTS_MAX. */
static int
grow(void *array, uint32_t *cap, uint32_t count, size_t size, struct errbuf *err)
{
	void **p = array;
	uint32_t want = *cap == 0 ? 8 : *cap * 2;
	void *more;

	if (count < *cap)
		return 0;
	if (count >= WARTS_LISTS_MAX)
		return errbuf_set(err, -E2BIG, "more than %u lists or cycles", WARTS_LISTS_MAX);
	more = realloc(*p, want * size);
	if (more == NULL)
		return errbuf_set(err, -ENOMEM, "out of memory");
	*p = more;
	*cap = want;
	return 0;
}

/* Rows for lists and cycles: what a block holds, by the same walk as records. */
struct list_cycle {
	uint32_t stop;
	char *text[2];
};

static const struct field list_fields[] = {
	[1] = { .kind = FK_STRING, MEMBER(BASE_SELF, list_cycle, text[0]) },
	[2] = { .kind = FK_STRING, MEMBER(BASE_SELF, list_cycle, text[1]) },
};
static const struct record_block list_block = { .name = "list", .fields = list_fields, .params = 2 };

static const struct field cycle_fields[] = {
	[1] = { .kind = FK_U32, MEMBER(BASE_SELF, list_cycle, stop) },
	[2] = { .kind = FK_STRING, MEMBER(BASE_SELF, list_cycle, text[1]) },
};
static const struct record_block cycle_block = { .name = "cycle", .fields = cycle_fields, .params = 2 };

/* The bytes of a NUL-terminated string, borrowed, or NULL. */
static const char *
rd_string(struct rd *rd)
{
	const char *p = (const char *)rd->p;
	size_t n = strnlen(p, rd_left(rd));

	return rd_take(rd, n + 1) == NULL ? NULL : p;
}

static int
get_list_cycle(struct warts_get *g, const struct record_block *block, struct list_cycle *ret)
{
	struct field_ctx c = { .base = { [BASE_SELF] = ret } };
	uint64_t seen;
	int r = warts_get_block(g, block, &c, &seen);

	if (r < 0) {
		free(ret->text[0]);
		free(ret->text[1]);
	}
	return r;
}

static int
read_list(struct warts_reader *r, struct warts_get *g, struct warts_item *item)
{
	uint32_t id = rd_u32(&g->rd);
	uint32_t number = rd_u32(&g->rd);
	const char *name = rd_string(&g->rd);
	struct list_cycle lc = { 0 };
	struct list_record *l;
	int err;

	if (g->rd.bad)
		return errbuf_set(g->err, -EBADMSG, "list: cut short");
	if (id != r->list_count + 1)
		return errbuf_set(g->err, -EBADMSG, "list number %u where %u is due", id, r->list_count + 1);
	err = grow(&r->lists, &r->list_cap, r->list_count, sizeof(*r->lists), g->err);
	if (err == 0)
		err = get_list_cycle(g, &list_block, &lc);
	if (err < 0)
		return err;
	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		free(lc.text[0]);
		free(lc.text[1]);
		return errbuf_set(g->err, -ENOMEM, "out of memory");
	}
	*l = (struct list_record){
		.id = number, .name = strdup(name), .descr = lc.text[0], .monitor = lc.text[1]
	};
	if (l->name == NULL) {
		list_free(l);
		return errbuf_set(g->err, -ENOMEM, "out of memory");
	}
	r->lists[r->list_count++] = l;
	item->kind = WARTS_ITEM_LIST;
	item->list = l;
	item->refs.list_id = id;
	return 0;
}

/* References, warts.md section 21: 0 or already defined, not stopped. */
static int
resolve(struct warts_reader *r, struct warts_item *item, struct errbuf *err)
{
	uint32_t list = item->refs.list_id, cycle = item->refs.cycle_id;

	if (list > r->list_count)
		return errbuf_set(err, -EBADMSG, "list %u is not defined", list);
	if (cycle > r->cycle_count || (cycle > 0 && r->cycles[cycle - 1]->stopped))
		return errbuf_set(err, -EBADMSG, "cycle %u is not defined", cycle);
	item->list = list == 0 ? NULL : r->lists[list - 1];
	item->cycle = cycle == 0 ? NULL : &r->cycles[cycle - 1]->cycle;
	item->refs.monitor = item->list == NULL ? NULL : item->list->monitor;
	return 0;
}

static int
read_cycle(struct warts_reader *r, struct warts_get *g, struct warts_item *item)
{
	uint32_t id = rd_u32(&g->rd);
	uint32_t list = rd_u32(&g->rd);
	uint32_t number = rd_u32(&g->rd);
	uint32_t start = rd_u32(&g->rd);
	struct list_cycle lc = { 0 };
	struct cycle_slot *s;
	int err;

	if (g->rd.bad)
		return errbuf_set(g->err, -EBADMSG, "cycle: cut short");
	if (id != r->cycle_count + 1)
		return errbuf_set(
		    g->err, -EBADMSG, "cycle number %u where %u is due", id, r->cycle_count + 1);
	item->refs.list_id = list;
	err = resolve(r, item, g->err);
	if (err == 0)
		err = grow(&r->cycles, &r->cycle_cap, r->cycle_count, sizeof(*r->cycles), g->err);
	if (err == 0)
		err = get_list_cycle(g, &cycle_block, &lc);
	if (err < 0)
		return err;
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		free(lc.text[1]);
		return errbuf_set(g->err, -ENOMEM, "out of memory");
	}
	s->list_id = list;
	s->cycle = (struct cycle_record){
		.list = item->list, .id = number, .start = start, .stop = lc.stop, .hostname = lc.text[1]
	};
	r->cycles[r->cycle_count++] = s;
	item->kind = item->warts_type == WARTS_CYCLE_DEF ? WARTS_ITEM_CYCLE_DEF : WARTS_ITEM_CYCLE_START;
	item->cycle = &s->cycle;
	item->refs.cycle_id = id;
	return 0;
}

static int
read_cycle_stop(struct warts_reader *r, struct warts_get *g, struct warts_item *item)
{
	uint32_t stop;
	int err;

	item->refs.cycle_id = rd_u32(&g->rd);
	stop = rd_u32(&g->rd);
	(void)rd_u8(&g->rd); /* a block of parameters that nobody has defined yet */
	if (g->rd.bad || item->refs.cycle_id == 0)
		return errbuf_set(g->err, -EBADMSG, "cycle stop: cut short");
	err = resolve(r, item, g->err);
	if (err < 0)
		return err;
	r->cycles[item->refs.cycle_id - 1]->stopped = true;
	r->cycles[item->refs.cycle_id - 1]->cycle.stop = stop;
	item->refs.list_id = r->cycles[item->refs.cycle_id - 1]->list_id;
	item->kind = WARTS_ITEM_CYCLE_STOP;
	item->list = item->cycle->list;
	return 0;
}

/* Section 8. The check byte counts modulo 255, not 256. */
static int
read_address(struct warts_reader *r, struct warts_get *g, struct warts_item *item)
{
	uint8_t check = rd_u8(&g->rd);
	uint8_t type = rd_u8(&g->rd);
	size_t n = rd_left(&g->rd);
	int err;

	if (g->rd.bad || n == 0 || n != addr_len(type))
		return errbuf_set(g->err, -EBADMSG, "address record of type %u with %zu bytes", type, n);
	if (check != (r->globals.count + 1) % 255)
		return errbuf_set(g->err, -EBADMSG, "address record has number %u, not %u", check,
		    (r->globals.count + 1) % 255);
	err = grow(&r->globals.addrs, &r->globals.cap, r->globals.count, sizeof(struct addr), g->err);
	if (err < 0)
		return err;
	r->globals.addrs[r->globals.count++] = addr_make(type, g->rd.p);
	item->kind = WARTS_ITEM_SKIPPED;
	return 0;
}

static int
read_record(struct warts_reader *r, struct warts_get *g, struct warts_item *item)
{
	int err;

	r->type = record_type_find(item->warts_type);
	r->rec = calloc(1, r->type->size);
	if (r->rec == NULL)
		return errbuf_set(g->err, -ENOMEM, "out of memory");
	err = warts_get_record(g, r->type, r->rec, &item->refs);
	if (err == 0)
		err = resolve(r, item, g->err);
	item->kind = WARTS_ITEM_RECORD;
	item->type = r->type;
	item->rec = r->rec;
	return err;
}

static int
read_body(struct warts_reader *r, struct warts_item *item, struct errbuf *err)
{
	struct warts_get g __attribute__((uninitialized)); /* tables of 2.5 kB, filled as it goes */
	int code;

	rd_init(&g.rd, r->body.p, r->body.len);
	addr_dict_init(&g.addrs);
	g.ifname_count = 0;
	g.names = r->names;
	g.globals = &r->globals;
	g.err = err;
	switch (item->warts_type) {
	case WARTS_LIST:
		code = read_list(r, &g, item);
		break;
	case WARTS_CYCLE_START:
	case WARTS_CYCLE_DEF:
		code = read_cycle(r, &g, item);
		break;
	case WARTS_CYCLE_STOP:
		code = read_cycle_stop(r, &g, item);
		break;
	case WARTS_ADDR:
		code = read_address(r, &g, item);
		break;
	default:
		code = read_record(r, &g, item);
	}
	addr_dict_fini(&g.addrs);
	return code;
}

/* Bytes to body, or to nowhere when keep is false. 0, -ENODATA at a premature
 * end (*ret_got says how many came), or what the source said. */
static int
take(struct warts_reader *r, size_t n, bool keep, size_t *ret_got)
{
	uint8_t scratch[4096];
	ssize_t got;

	*ret_got = 0;
	while (*ret_got < n) {
		size_t room = keep ? CHUNK : sizeof(scratch);
		uint8_t *p = scratch;

		if (room > n - *ret_got)
			room = n - *ret_got;
		if (keep)
			p = buf_room(&r->body, room);
		if (p == NULL)
			return -ENOMEM;
		got = r->source(r->arg, p, room);
		if (keep)
			r->body.len -= room - (got < 0 ? 0 : (size_t)got);
		if (got <= 0)
			return got < 0 ? (int)got : -ENODATA;
		*ret_got += (size_t)got;
	}
	return 0;
}

/* Of what did not come whole. */
static int
describe(struct warts_reader *r, int code, const char *what, struct errbuf *err)
{
	unsigned long long offset = (unsigned long long)r->offset;

	if (code == -ENODATA)
		return errbuf_set(err, -EBADMSG, "offset %llu: the file ends inside %s", offset, what);
	if (code == -EBADMSG) /* what a decompressor says */
		return errbuf_set(
		    err, code, "offset %llu: the compressed data is damaged, or ends too early", offset);
	return errbuf_set(err, code, "offset %llu: cannot read %s: %s", offset, what, strerror(-code));
}

/* 1: a header; 0: the end, cleanly; or an error. */
static int
read_header(struct warts_reader *r, struct warts_item *item, struct errbuf *err)
{
	struct rd rd;
	size_t got;
	int code;

	buf_reset(&r->body);
	code = take(r, WARTS_HEADER, true, &got);
	if (code == -ENODATA && got == 0)
		return 0;
	if (code < 0)
		return describe(r, code, "a record's header", err);
	rd_init(&rd, r->body.p, WARTS_HEADER);
	if (rd_u16(&rd) != WARTS_MAGIC)
		return errbuf_set(
		    err, -EBADMSG, "offset %llu: not a warts record", (unsigned long long)r->offset);
	item->warts_type = rd_u16(&rd);
	item->len = rd_u32(&rd);
	if (item->warts_type == 0)
		return errbuf_set(
		    err, -EBADMSG, "offset %llu: record of type 0", (unsigned long long)r->offset);
	buf_reset(&r->body);
	return 1;
}

static int
read_item(struct warts_reader *r, struct warts_item *item, struct errbuf *err)
{
	bool known;
	struct errbuf why;
	size_t got;
	int code = read_header(r, item, err);

	if (code <= 0)
		return code;
	known = item->warts_type <= WARTS_ADDR || (!r->skim && record_type_find(item->warts_type) != NULL);
	if ((known || r->skim) && item->len > WARTS_RECORD_MAX)
		return errbuf_set(err, -EMSGSIZE, "offset %llu: a record of %u bytes; at most %u are read",
		    (unsigned long long)r->offset, item->len, WARTS_RECORD_MAX);
	code = take(r, item->len, known, &got);
	if (code < 0)
		return describe(r, code, "a record", err);
	item->kind = WARTS_ITEM_SKIPPED;
	if (known)
		code = read_body(r, item, &why);
	if (code < 0)
		return errbuf_set(err, code, "offset %llu: type %u of %u bytes: %s",
		    (unsigned long long)r->offset, item->warts_type, item->len, why.text);
	return 1;
}

int
warts_reader_next(struct warts_reader *r, struct warts_item *item, struct errbuf *err)
{
	int code;

	drop_record(r);
	if (r->failed != 0)
		return errbuf_set(err, r->failed, "offset %llu: damaged", (unsigned long long)r->offset);
	memset(item, 0, sizeof(*item));
	item->offset = r->offset;
	code = read_item(r, item, err);
	if (code < 0)
		r->failed = code;
	if (code > 0)
		r->offset += WARTS_HEADER + (uint64_t)item->len;
	return code;
}

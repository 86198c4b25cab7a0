#include "proto/record/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/nsec.h"
#include "proto/record/codec.h"

void
json_sep(struct buf *b)
{
	uint8_t last = b->len == 0 ? '{' : b->p[b->len - 1];

	if (last != '{' && last != '[')
		buf_u8(b, ',');
}

void
json_key(struct buf *b, const char *key)
{
	size_t n = strlen(key);
	uint8_t *p;

	json_sep(b);
	p = buf_room(b, n + 3);
	if (p == NULL)
		return;
	p[0] = '"';
	memcpy(p + 1, key, n);
	p[n + 1] = '"';
	p[n + 2] = ':';
}

void
json_number(struct buf *b, const char *key, uint64_t v)
{
	json_key(b, key);
	buf_dec(b, v);
}

void
json_addr(struct buf *b, const struct addr *a)
{
	char text[ADDR_STRLEN];

	buf_u8(b, '"');
	buf_text(b, addr_format(a, text));
	buf_u8(b, '"');
}

void
json_time(struct buf *b, int64_t wall_ns)
{
	buf_text(b, "{\"sec\":");
	buf_dec(b, (uint64_t)(wall_ns / NSEC_PER_SEC));
	buf_text(b, ",\"usec\":");
	buf_dec(b, (uint64_t)(wall_ns % NSEC_PER_SEC / NSEC_PER_USEC));
	buf_u8(b, '}');
}

void
json_ms(struct buf *b, uint64_t us)
{
	uint8_t *p;

	buf_dec(b, us / 1000);
	p = buf_room(b, 4);
	if (p == NULL)
		return;
	p[0] = '.';
	p[1] = (uint8_t)('0' + us / 100 % 10);
	p[2] = (uint8_t)('0' + us / 10 % 10);
	p[3] = (uint8_t)('0' + us % 10);
}

void
json_string(struct buf *b, const char *s)
{
	buf_u8(b, '"');
	for (; *s >= ' ' && *s < 0x7f; s++) {
		if (*s == '"' || *s == '\\')
			buf_u8(b, '\\');
		buf_u8(b, (uint8_t)*s);
	}
	buf_u8(b, '"');
}

void
json_hex(struct buf *b, const uint8_t *bytes, uint16_t n)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *p = buf_room(b, n * (size_t)2 + 2);

	if (p == NULL)
		return;
	*p++ = '"';
	for (uint16_t i = 0; i < n; i++) {
		*p++ = (uint8_t)digits[bytes[i] >> 4];
		*p++ = (uint8_t)digits[bytes[i] & 15];
	}
	*p = '"';
}

static void
put_flags(struct buf *b, const struct record_word *words, uint32_t flags)
{
	buf_u8(b, '[');
	for (const struct record_word *w = words; w->name != NULL; w++) {
		if ((flags & w->value) == 0)
			continue;
		json_sep(b);
		json_string(b, w->name);
	}
	buf_u8(b, ']');
}

static void
put_addrs(struct buf *b, const struct addr *a, uint8_t n)
{
	buf_u8(b, '[');
	for (uint8_t i = 0; i < n; i++) {
		json_sep(b);
		json_addr(b, &a[i]);
	}
	buf_u8(b, ']');
}

/* A number, or its word; a number that has no word stays one (a file may be
 * newer than we are). */
static void
put_number(struct buf *b, const struct field *f, uint32_t v)
{
	const char *word = f->words == NULL ? NULL : record_word_name(f->words, v);

	if (word != NULL)
		json_string(b, word);
	else
		buf_dec(b, v);
}

static void
put_auto(struct buf *b, const struct field *f, const uint8_t *base)
{
	const void *p = base + f->off;

	switch ((enum field_kind)f->kind) {
	case FK_STRING:
	case FK_IFNAME:
		json_string(b, *(const char *const *)p);
		break;
	case FK_ADDR:
	case FK_SADDR:
	case FK_GID:
		json_addr(b, p);
		break;
	case FK_ADDRS:
		put_addrs(b, p, base[f->aux]);
		break;
	case FK_TIME:
		json_time(b, *(const nsec_t *)p);
		break;
	case FK_SEC8:
		buf_dec(b, field_number(f, p) / 1000000);
		break;
	case FK_USEC32:
		buf_dec(b, field_number(f, p) % 1000000);
		break;
	case FK_NONE:
	case FK_U8:
	case FK_U16:
	case FK_U32:
	case FK_BYTES:
	case FK_ICMP_TC:
	case FK_ICMPEXT:
	case FK_CUSTOM:
	case FIELD_KINDS:
		put_number(b, f, field_number(f, p));
		break;
	}
}

static void
put_field(struct buf *b, const struct field *f, const struct field_ctx *c)
{
	const uint8_t *base = c->base[f->base];

	if (base == NULL)
		return;
	if (f->form != JF_WHOLE)
		json_key(b, f->key);
	switch ((enum json_form)f->form) {
	case JF_AUTO:
		put_auto(b, f, base);
		break;
	case JF_FLAGS:
		put_flags(b, f->words, field_number(f, base + f->off));
		break;
	case JF_MS:
		json_ms(b, field_number(f, base + f->off));
		break;
	case JF_VALUE:
	case JF_WHOLE:
		f->json(b, c);
		break;
	case JSON_FORMS:
		break;
	}
}

void
json_block(struct buf *b, const struct record_block *block, const struct field_ctx *c)
{
	buf_u8(b, '{');
	for (const uint8_t *row = block->json; *row != 0; row++) {
		const struct field *f = &block->fields[*row];

		if (f->json_when == NULL || f->json_when(c, f))
			put_field(b, f, c);
	}
	buf_u8(b, '}');
}

int
json_write(struct buf *b, const struct record_type *type, const void *rec, const struct record_refs *refs)
{
	static const struct record_refs none = { 0 };
	struct field_ctx c = field_ctx_of(type->block, rec, refs == NULL ? &none : refs);
	size_t before = b->len;

	json_block(b, type->block, &c);
	buf_u8(b, '\n');
	if (!b->failed)
		return 0;
	b->len = before;
	b->failed = false;
	return -ENOMEM;
}

int
text_write(struct buf *b, const struct record_type *type, const void *rec)
{
	size_t before = b->len;

	type->text(b, rec);
	if (!b->failed)
		return 0;
	b->len = before;
	b->failed = false;
	return -ENOMEM;
}

/* Spaced style: a blank behind each comma (text-json.md section 9). */
void
json_write_cycle(struct buf *b, const struct cycle_record *cycle, bool stop)
{
	buf_text(b,
	    stop ? "{\"type\":\"cycle-stop\", \"list_name\":" : "{\"type\":\"cycle-start\", \"list_name\":");
	json_string(b, cycle->list == NULL || cycle->list->name == NULL ? "" : cycle->list->name);
	buf_text(b, ", \"id\":");
	buf_dec(b, cycle->id);
	if (cycle->hostname != NULL) {
		buf_text(b, ", \"hostname\":");
		json_string(b, cycle->hostname);
	}
	buf_text(b, stop ? ", \"stop_time\":" : ", \"start_time\":");
	buf_dec(b, stop ? cycle->stop : cycle->start);
	buf_text(b, "}\n");
}

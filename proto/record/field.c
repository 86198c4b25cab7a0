#include "proto/record/field.h"

#include "common/addr.h"
#include "common/nsec.h"

uint32_t
field_number(const struct field *f, const void *member)
{
	switch (f->width) {
	case 1:
		return *(const uint8_t *)member;
	case 2:
		return *(const uint16_t *)member;
	case 4:
		return *(const uint32_t *)member;
	}
	return 0;
}

struct field_ctx
field_ctx_of(const struct record_block *block, const void *rec, const struct record_refs *refs)
{
	void *self = (void *)(uintptr_t)rec;

	return (struct field_ctx){ .base = { [BASE_REC] = self,
				       [BASE_RARE] = block->rare(rec),
				       [BASE_SELF] = self,
				       [BASE_REFS] = (void *)(uintptr_t)refs } };
}

/* An extension set with no whole object is none: warts forbids an empty one. */
static bool
one_object(const uint8_t *ext, uint16_t len)
{
	uint16_t n;

	if (ext == NULL || len < 4)
		return false;
	n = (uint16_t)(ext[0] << 8 | ext[1]);
	return n >= 4 && n <= len;
}

/* By kind, what "given" means; numbers share the last lines. */
bool
field_given(const struct field_ctx *c, const struct field *f)
{
	const void *p = field_at(c, f);

	if (p == NULL)
		return false;
	switch ((enum field_kind)f->kind) {
	case FK_STRING:
	case FK_IFNAME:
		return *(char *const *)p != NULL;
	case FK_ICMPEXT:
		return one_object(
		    *(uint8_t *const *)p, *(const uint16_t *)((const uint8_t *)c->base[f->base] + f->aux));
	case FK_BYTES:
		return *(uint8_t *const *)p != NULL &&
		       *(const uint16_t *)((const uint8_t *)c->base[f->base] + f->aux) != 0;
	case FK_ADDR:
	case FK_SADDR:
	case FK_GID:
		return ((const struct addr *)p)->family != ADDR_NONE;
	case FK_ADDRS:
		return *((const uint8_t *)c->base[f->base] + f->aux) != 0;
	case FK_TIME:
		return *(const nsec_t *)p / NSEC_PER_SEC != 0;
	case FK_U8:
		return (field_number(f, p) & UINT8_MAX) != 0;
	case FK_USEC32:
		return field_number(f, p) % 1000000 != 0;
	case FK_NONE:
	case FK_U16:
	case FK_U32:
	case FK_SEC8:
	case FK_ICMP_TC:
	case FK_CUSTOM:
	case FIELD_KINDS:
		break;
	}
	return field_number(f, p) != 0;
}

const char *
record_word_name(const struct record_word *w, uint32_t value)
{
	for (; w->name != NULL; w++) {
		if (w->value == value)
			return w->name;
	}
	return NULL;
}

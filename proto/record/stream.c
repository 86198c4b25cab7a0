#include "proto/record/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct warts_stream_list {
	struct list_record list; /* strings are our copies */
};

struct warts_stream_cycle {
	struct cycle_record cycle; /* list is not used, hostname is our copy */
	uint32_t list_id;
	bool stopped;
};

void
warts_stream_init(struct warts_stream *s)
{
	memset(s, 0, sizeof(*s));
}

static void
list_fini(struct list_record *l)
{
	free((void *)(uintptr_t)l->name);
	free((void *)(uintptr_t)l->descr);
	free((void *)(uintptr_t)l->monitor);
}

void
warts_stream_fini(struct warts_stream *s)
{
	for (uint32_t i = 0; i < s->list_count; i++)
		list_fini(&s->lists[i].list);
	for (uint32_t i = 0; i < s->cycle_count; i++)
		free((void *)(uintptr_t)s->cycles[i].cycle.hostname);
	free(s->lists);
	free(s->cycles);
	warts_stream_init(s);
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
copy_text(const char **ret, const char *text)
{
	*ret = text == NULL ? NULL : strdup(text);
	return text == NULL || *ret != NULL;
}

static bool
make_room(void *array, uint32_t *cap, uint32_t count, size_t size)
{
	void **p = array;
	uint32_t want = *cap == 0 ? 4 : *cap * 2;
	void *more;

	if (count < *cap)
		return true;
	if (count >= WARTS_LISTS_MAX)
		return false;
	more = realloc(*p, want * size);
	if (more == NULL)
		return false;
	*p = more;
	*cap = want;
	return true;
}

/* Newest first: a stream mostly uses what it has just defined. 0: not there. */
static uint32_t
find_list(const struct warts_stream *s, const struct list_record *l)
{
	for (uint32_t i = s->list_count; i > 0; i--) {
		const struct list_record *x = &s->lists[i - 1].list;

		if (x->id == l->id && same_text(x->name, l->name) && same_text(x->descr, l->descr) &&
		    same_text(x->monitor, l->monitor))
			return i;
	}
	return 0;
}

static uint32_t
find_cycle(const struct warts_stream *s, const struct cycle_record *c, uint32_t list_id)
{
	for (uint32_t i = s->cycle_count; i > 0; i--) {
		const struct warts_stream_cycle *x = &s->cycles[i - 1];

		if (!x->stopped && x->list_id == list_id && x->cycle.id == c->id &&
		    x->cycle.start == c->start && same_text(x->cycle.hostname, c->hostname))
			return i;
	}
	return 0;
}

static int
add_list(struct warts_stream *s, const struct list_record *l)
{
	struct list_record x = { .id = l->id };

	if (!make_room(&s->lists, &s->list_cap, s->list_count, sizeof(*s->lists)) ||
	    !copy_text(&x.name, l->name) || !copy_text(&x.descr, l->descr) ||
	    !copy_text(&x.monitor, l->monitor)) {
		list_fini(&x);
		return -ENOMEM;
	}
	s->lists[s->list_count++].list = x;
	return 0;
}

static int
add_cycle(struct warts_stream *s, const struct cycle_record *c, uint32_t list_id)
{
	struct warts_stream_cycle x = { .cycle = { .id = c->id, .start = c->start }, .list_id = list_id };

	if (!make_room(&s->cycles, &s->cycle_cap, s->cycle_count, sizeof(*s->cycles)) ||
	    !copy_text(&x.cycle.hostname, c->hostname))
		return -ENOMEM;
	s->cycles[s->cycle_count++] = x;
	return 0;
}

/* What was added in memory but did not reach out is taken back. */
static void
undo(struct warts_stream *s, uint32_t lists, uint32_t cycles, struct buf *out, size_t before)
{
	while (s->list_count > lists)
		list_fini(&s->lists[--s->list_count].list);
	while (s->cycle_count > cycles)
		free((void *)(uintptr_t)s->cycles[--s->cycle_count].cycle.hostname);
	out->len = before;
	out->failed = false;
}

static int
need_list(struct warts_stream *s, struct buf *out, const struct list_record *list, uint32_t *ret)
{
	*ret = list == NULL ? 0 : find_list(s, list);
	if (list == NULL || *ret != 0)
		return 0;
	if (add_list(s, list) < 0)
		return -ENOMEM;
	*ret = s->list_count;
	warts_write_list(out, list, *ret);
	return out->failed ? -ENOMEM : 0;
}

typedef void write_cycle(struct buf *, const struct cycle_record *, uint32_t cycle_id, uint32_t list_id);

static int
need_cycle(struct warts_stream *s, struct buf *out, const struct cycle_record *cycle, write_cycle *write,
    struct record_refs *ret)
{
	int r = need_list(s, out, cycle->list, &ret->list_id);

	if (r < 0)
		return r;
	ret->cycle_id = find_cycle(s, cycle, ret->list_id);
	if (ret->cycle_id != 0)
		return 0;
	if (add_cycle(s, cycle, ret->list_id) < 0)
		return -ENOMEM;
	ret->cycle_id = s->cycle_count;
	write(out, cycle, ret->cycle_id, ret->list_id);
	return out->failed ? -ENOMEM : 0;
}

int
warts_stream_refs(struct warts_stream *s, struct buf *out, const struct list_record *list,
    const struct cycle_record *cycle, struct record_refs *ret)
{
	uint32_t lists = s->list_count, cycles = s->cycle_count;
	struct record_refs refs = { 0 };
	size_t before = out->len;
	int r = 0;

	if (cycle != NULL)
		r = need_cycle(s, out, cycle, warts_write_cycle_def, &refs);
	if (r == 0 && (list != NULL || cycle == NULL))
		r = need_list(s, out, list, &refs.list_id);
	if (r < 0) {
		undo(s, lists, cycles, out, before);
		return r;
	}
	if (list == NULL && cycle != NULL)
		list = cycle->list;
	refs.monitor = list == NULL ? NULL : list->monitor;
	*ret = refs;
	return 0;
}

int
warts_stream_start(struct warts_stream *s, struct buf *out, const struct cycle_record *cycle)
{
	uint32_t lists = s->list_count, cycles = s->cycle_count;
	struct record_refs refs = { 0 };
	size_t before = out->len;
	int r = need_cycle(s, out, cycle, warts_write_cycle_start, &refs);

	if (r < 0)
		undo(s, lists, cycles, out, before);
	return r;
}

int
warts_stream_stop(struct warts_stream *s, struct buf *out, const struct cycle_record *cycle)
{
	uint32_t list = cycle->list == NULL ? 0 : find_list(s, cycle->list);
	uint32_t id = find_cycle(s, cycle, list);
	size_t before = out->len;

	if (id == 0)
		return 0;
	warts_write_cycle_stop(out, cycle, id);
	if (out->failed) {
		undo(s, s->list_count, s->cycle_count, out, before);
		return -ENOMEM;
	}
	s->cycles[id - 1].stopped = true;
	return 0;
}

int
warts_stream_write(struct warts_stream *s, struct buf *out, const struct record_type *type, const void *rec,
    const struct list_record *list, const struct cycle_record *cycle)
{
	uint32_t lists = s->list_count, cycles = s->cycle_count;
	size_t before = out->len;
	struct record_refs refs;
	int r = warts_stream_refs(s, out, list, cycle, &refs);

	if (r < 0)
		return r;
	r = warts_write(out, type, rec, &refs);
	if (r < 0)
		undo(s, lists, cycles, out, before);
	return r;
}

int
warts_stream_item(struct warts_stream *s, struct buf *out, const struct warts_item *i)
{
	struct record_refs refs;

	switch (i->kind) {
	case WARTS_ITEM_LIST:
		return warts_stream_refs(s, out, i->list, NULL, &refs);
	case WARTS_ITEM_CYCLE_START:
		return warts_stream_start(s, out, i->cycle);
	case WARTS_ITEM_CYCLE_DEF:
		return warts_stream_refs(s, out, NULL, i->cycle, &refs);
	case WARTS_ITEM_CYCLE_STOP:
		return warts_stream_stop(s, out, i->cycle);
	case WARTS_ITEM_RECORD:
		return warts_stream_write(s, out, i->type, i->rec, i->list, i->cycle);
	case WARTS_ITEM_SKIPPED:
		break;
	}
	return 0;
}

/* As warts_stream_item, but numbers are the file's own: it may define a list
 * twice, and both must be counted. */
int
warts_stream_learn(struct warts_stream *s, const struct warts_item *i)
{
	switch (i->kind) {
	case WARTS_ITEM_LIST:
		return add_list(s, i->list);
	case WARTS_ITEM_CYCLE_START:
	case WARTS_ITEM_CYCLE_DEF:
		return add_cycle(s, i->cycle, i->refs.list_id);
	case WARTS_ITEM_CYCLE_STOP:
		s->cycles[i->refs.cycle_id - 1].stopped = true;
		break;
	case WARTS_ITEM_RECORD:
	case WARTS_ITEM_SKIPPED:
		break;
	}
	return 0;
}

#include "common/wheel.h"

#include <string.h>

#define SLOT_MASK (WHEEL_SLOTS - 1)

void
wheel_init(struct wheel *w, nsec_t now)
{
	memset(w, 0, sizeof(*w));
	w->origin = now;
}

static void
push(struct wheel_node **head, struct wheel_node *n)
{
	n->next = *head;
	if (n->next != NULL)
		n->next->prev = &n->next;
	n->prev = head;
	*head = n;
}

static void
unlink_node(struct wheel_node *n)
{
	*n->prev = n->next;
	if (n->next != NULL)
		n->next->prev = n->prev;
	n->next = NULL;
	n->prev = NULL;
}

/* The tick at whose end the deadline has surely passed. */
static uint64_t
tick_of(const struct wheel *w, nsec_t deadline)
{
	if (deadline <= w->origin)
		return 0;
	return ((uint64_t)(deadline - w->origin) + WHEEL_TICK_NS - 1) / WHEEL_TICK_NS;
}

static void
place(struct wheel *w, struct wheel_node *n)
{
	uint64_t tick = tick_of(w, n->deadline);
	uint64_t ahead;
	unsigned int level = 0, slot;

	if (tick <= w->tick) {
		push(&w->due, n);
		return;
	}
	/* A node lives on the lowest level whose span holds its distance. The
	 * lowest is a ring: what it has room for is never placed anew. */
	ahead = tick - w->tick < WHEEL_SLOTS ? 0 : tick ^ w->tick;
	while (level + 1 < WHEEL_LEVELS && ahead >> (WHEEL_BITS * (level + 1)) != 0)
		level++;
	slot = (unsigned int)(tick >> (WHEEL_BITS * level)) & SLOT_MASK;
	push(&w->slot[level][slot], n);
	w->used[level][slot / 32] |= 1u << (slot % 32);
}

void
wheel_add(struct wheel *w, struct wheel_node *n, nsec_t deadline)
{
	if (wheel_armed(n))
		wheel_cancel(w, n);
	n->deadline = deadline;
	place(w, n);
	w->count++;
}

void
wheel_cancel(struct wheel *w, struct wheel_node *n)
{
	if (!wheel_armed(n))
		return;
	unlink_node(n);
	w->count--;
}

/* Empties one slot, placing each node anew: lower, or due. */
static void
spill(struct wheel *w, unsigned int level, unsigned int slot)
{
	struct wheel_node *n = w->slot[level][slot];

	w->slot[level][slot] = NULL;
	w->used[level][slot / 32] &= ~(1u << (slot % 32));
	while (n != NULL) {
		struct wheel_node *next = n->next;

		place(w, n);
		n = next;
	}
}

/* First used slot of a level in from..SLOTS-1, or SLOTS. Bits may be stale
 * (cancelled nodes): a stale slot only costs a look. */
static unsigned int
next_used(const struct wheel *w, unsigned int level, unsigned int from)
{
	for (unsigned int i = from / 32; i < WHEEL_SLOTS / 32; i++) {
		uint32_t bits = w->used[level][i];

		if (i == from / 32)
			bits &= ~0u << (from % 32);
		if (bits != 0)
			return i * 32 + (unsigned int)__builtin_ctz(bits);
	}
	return WHEEL_SLOTS;
}

/* The next tick, after the current one, at which a slot must be looked at. */
static uint64_t
next_event(const struct wheel *w)
{
	uint64_t best = UINT64_MAX;

	for (unsigned int level = 0; level < WHEEL_LEVELS; level++) {
		unsigned int shift = WHEEL_BITS * level;
		unsigned int here = (unsigned int)(w->tick >> shift) & SLOT_MASK;
		unsigned int slot = here + 1 < WHEEL_SLOTS ? next_used(w, level, here + 1) : WHEEL_SLOTS;
		uint64_t base = w->tick >> shift & ~(uint64_t)SLOT_MASK;

		if (slot == WHEEL_SLOTS && level == 0) {
			slot = next_used(w, 0, 0);
			base += WHEEL_SLOTS;
		}
		if (slot < WHEEL_SLOTS && (base | slot) << shift < best)
			best = (base | slot) << shift;
	}
	return best;
}

void
wheel_advance(struct wheel *w, nsec_t now)
{
	uint64_t target = now <= w->origin ? 0 : (uint64_t)(now - w->origin) / WHEEL_TICK_NS;

	while (w->tick < target) {
		uint64_t event = next_event(w);

		if (event > target) {
			w->tick = target;
			return;
		}
		w->tick = event;
		/* Highest level first: what it spills may land in the lower. */
		for (unsigned int level = WHEEL_LEVELS; level-- > 0;) {
			unsigned int shift = WHEEL_BITS * level;

			if ((event & ((1ULL << shift) - 1)) == 0)
				spill(w, level, (unsigned int)(event >> shift) & SLOT_MASK);
		}
	}
}

struct wheel_node *
wheel_pop(struct wheel *w)
{
	struct wheel_node *n = w->due;

	if (n != NULL) {
		unlink_node(n);
		w->count--;
	}
	return n;
}

nsec_t
wheel_next(const struct wheel *w)
{
	uint64_t event;

	if (w->count == 0)
		return INT64_MAX;
	if (w->due != NULL)
		return w->origin;
	event = next_event(w);
	return event == UINT64_MAX ? INT64_MAX : w->origin + (nsec_t)event * WHEEL_TICK_NS;
}

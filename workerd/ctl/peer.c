#include "workerd/ctl/peer.h"

#include <stdlib.h>

#include "workerd/ctl/conn.h"

void
peers_init(struct peers *all)
{
	*all = (struct peers){ .unknown.uid = PEER_UNKNOWN };
	all->first = &all->unknown;
}

static struct peer *
find(struct peers *all, uid_t uid)
{
	struct peer *p = all->first;

	while (p != NULL && p->uid != uid)
		p = p->next;
	return p;
}

struct peer *
peers_join(struct peers *all, uid_t uid)
{
	struct peer *p = find(all, uid);

	if (p == NULL && (p = calloc(1, sizeof(*p))) != NULL) {
		p->uid = uid;
		p->next = all->first;
		all->first = p;
	}
	if (p == NULL)
		p = &all->unknown;
	p->sessions++;
	return p;
}

void
peers_leave(struct peers *all, struct peer *p)
{
	struct peer **at = &all->first;

	if (--p->sessions > 0 || p == &all->unknown)
		return;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	free(p);
}

struct peer *
peers_fullest(const struct peers *all)
{
	struct peer *most = all->first;

	for (struct peer *p = all->first; p != NULL; p = p->next) {
		if (p->out_held > most->out_held)
			most = p;
	}
	return most;
}

static void
wait_for_turn(struct turns *t, struct peer *p)
{
	p->turn_next = NULL;
	if (t->first == NULL)
		t->first = p;
	else
		t->last->turn_next = p;
	t->last = p;
}

void
turns_add(struct turns *t, struct peer *p, struct conn *c)
{
	c->turn_next = NULL;
	if (p->waiting++ == 0) {
		p->first = c;
		wait_for_turn(t, p);
	} else {
		p->last->turn_next = c;
	}
	p->last = c;
	t->count++;
}

struct conn *
turns_take(struct turns *t)
{
	struct peer *p = t->first;
	struct conn *c;

	if (p == NULL)
		return NULL;
	t->first = p->turn_next;
	c = p->first;
	p->first = c->turn_next;
	t->count--;
	if (--p->waiting > 0)
		wait_for_turn(t, p);
	return c;
}

#include "workerd/ctl/roster.h"

#include <string.h>

#include "workerd/ctl/session.h"

void
roster_add(struct session_env *env, struct roster_entry *r)
{
	r->prev = NULL;
	r->next = env->roster;
	if (r->next != NULL)
		r->next->prev = r;
	env->roster = r;
}

void
roster_remove(struct session_env *env, struct roster_entry *r)
{
	if (r->prev != NULL)
		r->prev->next = r->next;
	else if (env->roster == r)
		env->roster = r->next;
	else
		return; /* was never added */
	if (r->next != NULL)
		r->next->prev = r->prev;
}

/* Clients without a user (TCP) are strangers to one another. */
bool
roster_visible(const struct session *s, const struct roster_entry *r)
{
	return session_operator(s) || (s->uid != PEER_UNKNOWN && s->uid == r->uid);
}

struct roster_entry *
roster_find(const struct session *s, const char *name)
{
	for (struct roster_entry *r = s->env->roster; r != NULL; r = r->next) {
		if (roster_visible(s, r) && strcmp(r->name, name) == 0)
			return r;
	}
	return NULL;
}

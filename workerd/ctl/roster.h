#ifndef VANTAGE_WORKERD_CTL_ROSTER_H
#define VANTAGE_WORKERD_CTL_ROSTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Whose sources there are: what "status" shows and "halt" finds. Embedded in
 * what owns a source (an attached session, a list file); who asks sees and
 * halts its own, operators all.
 */
struct roster_entry;
struct session;
struct session_env;
struct slice;
struct source;

struct roster_ops {
	/* Commands accepted and not yet begun. */
	uint32_t (*queued)(const struct roster_entry *);
	/* End the tasks that it has now, soon: not in this call. Returns how many. */
	uint32_t (*halt)(struct roster_entry *);
	/* Slices are others now: which is it of? Its tasks count there from now on. */
	struct slice *(*reslice)(struct roster_entry *);
};

struct roster_entry {
	const struct roster_ops *ops;
	struct roster_entry *next;
	struct roster_entry *prev;
	struct source *source;
	const char *name; /* of the connection: no two have the same */
	const char *list; /* the list's name in records; NULL: none */
	struct slice *slice;
	uid_t uid; /* PEER_UNKNOWN: nobody's but operators' */
};

void roster_add(struct session_env *, struct roster_entry *);
void roster_remove(struct session_env *, struct roster_entry *);

/* May this session know of it? */
bool roster_visible(const struct session *, const struct roster_entry *);
/* By its name, of those that this session may know; NULL: none. */
struct roster_entry *roster_find(const struct session *, const char *name);

#endif

#ifndef VANTAGE_WORKERD_CTL_PEER_H
#define VANTAGE_WORKERD_CTL_PEER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A user with all its connections: what they may hold together, and their turns.
 * Users take turns, and the connections of each take turns within them, so that
 * who has a thousand gets no more of the worker's time than who has one. Clients
 * of TCP, of whom no user is known, are one user together.
 */
struct conn;

#define PEER_UNKNOWN ((uid_t)-1) /* a TCP client: no uid */

struct peer {
	struct peer *next; /* of all that have a session, the unknown at the end */
	uid_t uid;
	uint32_t sessions;
	uint32_t tasks;	  /* accepted and not yet ended */
	size_t out_held;	  /* memory for output */
	uint32_t waiting; /* connections that wait for their turn, first to last */
	struct conn *first;
	struct conn *last;
	struct peer *turn_next;
};

struct peers {
	struct peer *first;
	struct peer unknown; /* always there */
};

void peers_init(struct peers *);
/* One session more. Without memory for a user of its own it is the unknown's. */
struct peer *peers_join(struct peers *, uid_t);
void peers_leave(struct peers *, struct peer *);
/* Who holds most output. */
struct peer *peers_fullest(const struct peers *);

/* Whose turn it is: users in a circle, each for one of its connections. */
struct turns {
	struct peer *first;
	struct peer *last;
	uint32_t count; /* connections */
};

/* A connection waits at most once. */
void turns_add(struct turns *, struct peer *, struct conn *);
/* NULL: none waits. */
struct conn *turns_take(struct turns *);

#endif

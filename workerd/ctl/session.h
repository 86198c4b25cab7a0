#ifndef VANTAGE_WORKERD_CTL_SESSION_H
#define VANTAGE_WORKERD_CTL_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/limits.h"
#include "workerd/ctl/ctl.h"
#include "workerd/meas/meas.h"
#include "workerd/ctl/peer.h"
#include "workerd/ctl/sources.h"

/*
 * One client's dialogue, without its socket: received bytes go in, bytes to
 * send come out. The connection that owns it moves them.
 */
struct attach;
struct conf;
struct session;
struct roster_entry;
struct share;
struct slice;

enum shutdown_mode {
	SHUTDOWN_NONE = 0,
	SHUTDOWN_DONE,	/* when no source has anything left */
	SHUTDOWN_FLUSH, /* when what runs has ended */
	SHUTDOWN_NOW,
};

/* What all sessions of a worker share. */
struct session_env {
	struct ctl_config cfg;
	struct engine *engine;
	struct meas_env *envs; /* beside cfg.types */
	struct slices *slices;
	bool own_slices; /* not the caller's */
	struct roster_entry *roster; /* sources, the newest first */
	nsec_t started; /* mono */
	bool with_id; /* DATA headers, whatever the listener */
	struct share *shares; /* beside the slices; the operators' is the engine's own */
	struct buf scratch;    /* one record */
	struct peers peers;
	nsec_t turn_end;      /* mono: lines are for the next turn from then on; 0: never */
	uint32_t running_max; /* CTL_RUNNING_MAX; tests reach less, here and below */
	uint32_t tasks_uid_max;
	uint32_t conns_max;
	uint32_t conns_uid_max;
	size_t out_total;
	nsec_t cuts_since; /* mono: the second whose cuts are counted */
	uint32_t cuts;
	struct outfiles files;
	struct sources sources;
	char monitor[CTL_MONITOR_MAX]; /* "": none set */
	char command[CTL_COMMAND_MAX];
	enum shutdown_mode shutdown;
	void (*on_shutdown)(struct session_env *); /* the mode has been set; NULL: none listens */
	void (*on_slices)(struct session_env *);   /* slices are others now: session_identify each again */
};

/* 0 or -ENOMEM. */
int session_env_init(struct session_env *, const struct ctl_config *, struct engine *);
void session_env_fini(struct session_env *);
/* A measurement by the first len bytes of its word, any case: its place in
 * cfg.types and envs, or -1. */
int session_env_type(const struct session_env *, const char *word, size_t len);
/* The engine learns what the measurement may claim, before it starts. 0, or
 * -ENOMEM. */
int session_env_preclaim(struct meas *);

struct session {
	struct session_env *env;
	/* There is output, room for input, or an end: look soon. */
	void (*attend)(struct session *);
	struct buf out;
	size_t sent; /* bytes at the front of out that have left */
	struct attach *attach; /* NULL: interactive */
	char name[CTL_NAME_MAX];
	struct peer *peer;
	uid_t uid; /* the peer, as the kernel tells it */
	gid_t gid;
	pid_t pid;
	struct slice *slice;
	bool with_id; /* the listener's DATA form */
	struct session *observe_next; /* of those that are told of sources */
	struct session *observe_prev;
	bool observing;
	struct conf *staged; /* between "config begin" and its end; NULL */
	struct errbuf why; /* the last refusal of which the reply does not say why */
	bool closing; /* no more input; close when out has been sent */
	bool cut;     /* close now; nothing more is sent */
};

void session_init(struct session *, struct session_env *, const char *name);
/* The peer, by the kernel's word; a session that has not been identified
 * belongs to the slice of TCP clients. */
void session_identify(struct session *, uid_t uid, const gid_t *groups, uint32_t count);
/* After session_drop has said that all is gone. */
void session_fini(struct session *);

/* Takes the whole lines at the front of received bytes (writable), at most
 * CTL_READ_LINES and not beyond the turn's end; returns how many bytes it is
 * through with. Whole lines are left also when session_reads says no. */
size_t session_input(struct session *, char *bytes, size_t len);
bool session_reads(const struct session *);
/* The client will send nothing more. */
void session_eof(struct session *);

/* n bytes of the unsent output have left. */
void session_sent(struct session *, size_t n);

/* Nothing more will leave: its output goes before its tasks do. */
void session_mute(struct session *);

static inline size_t
session_unsent(const struct session *s)
{
	return s->out.len - s->sent;
}

/* Goes on with what it does piece by piece; true when there is more. */
bool session_work(struct session *);

/* Ends at most max tasks of a session whose client is gone; true when none is
 * left. */
bool session_drop(struct session *, uint32_t max);

/* For the commands: */

bool session_operator(const struct session *);
/* Its slice's part of the engine, for the sources that it makes. */
struct share *session_share(const struct session *);
struct share *session_env_share(const struct session_env *, const struct slice *);
/* A part of the engine for each of the slices; NULL without memory. */
struct share *session_env_make_shares(struct session_env *, struct slices *);
/* One reply line; the newline is added. */
void session_reply(struct session *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Cut the client off, and say why in the log. */
void session_cut(struct session *, const char *why);

#endif

#ifndef VANTAGE_WORKERD_CTL_SOURCES_H
#define VANTAGE_WORKERD_CTL_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/nsec.h"
#include "workerd/out/outfile.h"
#include "workerd/out/state.h"

/*
 * All sources of the service: those of attached sessions, and the managed ones,
 * whose lists, places and output files survive a restart.
 *
 * What they yield goes to disk in commits: first the state file, which says how
 * long each output file will be, then the files. Whatever is killed when, the
 * next start finds the two in step, or can tell how to bring them there.
 */
struct attach;
struct managed;
struct session;
struct session_env;

struct sources {
	struct managed *first; /* oldest first */
	uint32_t count;
	struct attach *attached; /* all attached sessions */
	struct session *observers;
	struct state state;
	struct buf text; /* of the state file */
	bool dirty;      /* there is something to commit */
	bool unflushed;  /* the state file is ahead of the output files */
	bool said;       /* that it cannot be written */
	bool flushing;   /* take nothing more from lists */
	bool stopped;
	/* Call sources_tick in so many ms, or sooner. NULL: somebody does so
	 * anyway. */
	void (*want_tick)(struct session_env *, uint32_t ms);
};

void sources_init(struct session_env *);
/* Reads the state file and goes on where it says; after the sandbox. */
void sources_restore(struct session_env *);
/* Ends all tasks of managed sources, unfinished, and commits. */
void sources_stop(struct session_env *);

void sources_tick(struct session_env *, nsec_t now);
/* Something has changed; commit soon. */
void sources_dirty(struct session_env *);
/* A source wants a tick of its own. */
void sources_want(struct session_env *, uint32_t ms);
/* Commit now. 0, or a negative errno when it has to be tried again. */
int sources_commit(struct session_env *);
/* A managed source still has something to do, of its own accord. */
bool sources_busy(const struct session_env *);

struct managed *sources_find(const struct session_env *, const char *name);
/* Also of an attached session. */
bool sources_has_name(const struct session_env *, const char *name);
/* Opens one for a client. */
int sources_open_outfile(struct session_env *, const struct outfile_options *, struct errbuf *reterr);
/* Where results of sources go that name no file: the default output that was given
 * to us, else a file of the data directory, opened when first needed. */
struct outfile *sources_default_outfile(struct session_env *, struct errbuf *reterr);

#endif

#ifndef VANTAGE_WORKERD_CTL_SOURCES_H
#define VANTAGE_WORKERD_CTL_SOURCES_H

/*
 * What the service keeps on disk for its clients: output files, and what is in
 * them.
 */
struct session_env;

/* Something that is kept has changed: write it. */
void sources_changed(struct session_env *);
/* Write what waits. */
void sources_commit(struct session_env *);

#endif

#ifndef VANTAGE_WORKERD_CTL_CTL_H
#define VANTAGE_WORKERD_CTL_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

/*
 * The control side of the worker: listeners and connections, sessions on them,
 * and each attached session as a source of the engine. It opens no socket: it
 * is given listening and connected ones. System calls: accept4, recvfrom,
 * sendto, close, ioctl(FIONBIO), epoll_ctl; getsockopt(SO_PEERCRED,
 * SO_PEERGROUPS) for each connection on a UNIX socket; getsockname in ctl_listen alone.
 */
struct conf;
struct ctl;
struct dir;
struct engine;
struct errbuf;
struct meas_type;
struct slices;

/* The form of a DATA header unless the client asks for one at attach: clients
 * of each break on the other, and never say which they are. */
enum ctl_form {
	CTL_FORM_PLAIN = 0, /* DATA <length> */
	CTL_FORM_ID,	    /* DATA <length> id-<n>[ inprog] */
};

struct ctl_config {
	const struct meas_type *const *types; /* the registry; NULL at the end */
	const char *version;
	const char *hostname; /* in cycle records */
	const char *monitor;  /* of -M, or NULL */
	const char *command;  /* of -c: the default command */
	const struct dir *data; /* where output files and lists are; NULL: nowhere */
	pid_t pid;	      /* what "get pid" tells */
	uid_t uid;	      /* operators: this one and root, where slices is NULL */
	struct slices *slices; /* borrowed; NULL: operators and others */
	/* What was read at the start; follows what "config" changes. NULL: nothing
	 * can be changed. */
	struct conf *conf;
	/* What holds here of another configuration: the command line has the last
	 * word, and privd's rate is the most. May be NULL. */
	void (*settle)(void *ctx, struct conf *);
	uint32_t max_pps; /* what privd allows; 0: any */

	/* The engine has new work: run it soon. Called at most once per batch of
	 * lines; not NULL. */
	void (*wake)(void *ctx);
	/* Packets that the receive ring had no room for; may be NULL. */
	uint64_t (*ring_drops)(void *ctx);
	/* A connection given to ctl_client has ended; may be NULL. */
	void (*client_done)(void *ctx);
	/* A client's "shutdown" has come to its end: end the service. */
	void (*stop)(void *ctx);
	void *ctx;
};

/* NULL without memory. The texts of the configuration are borrowed until the
 * loop has ended. */
struct ctl *ctl_new(uv_loop_t *, const struct ctl_config *, struct engine *);

/* Serve what connects to a listening socket, UNIX or TCP. A UNIX socket whose
 * path ends in CTL_ID_NAME has the id form in any case. The descriptor is ours from here on, also on failure. 0 or a negative errno. */
#define CTL_ID_NAME "control-id.sock"
int ctl_listen(struct ctl *, int fd, enum ctl_form form);

/* Serve one connected client; as above. */
int ctl_client(struct ctl *, int fd);

/* The default output, opened by who started us; text as outfiles_give takes it.
 * Before the sandbox. */
int ctl_output(struct ctl *, int fd, const char *text, struct errbuf *reterr);

/* Go on with what the data directory says was going on; inside the sandbox. */
void ctl_restore(struct ctl *);

/* Drop every client and its tasks, close everything. The engine must live until
 * this returns; the memory goes when the loop has run the close callbacks. */
void ctl_stop(struct ctl *);

#endif

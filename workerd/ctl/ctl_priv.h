#ifndef VANTAGE_WORKERD_CTL_CTL_PRIV_H
#define VANTAGE_WORKERD_CTL_CTL_PRIV_H

#include <sys/socket.h>
#include <sys/un.h>

#include "proto/line.h"
#include "workerd/ctl/conn.h"
#include "workerd/ctl/ctl.h"

/* What ctl.c, listen.c and conn.c share; nobody else includes it. */

struct listener {
	struct ctl *ctl;
	struct listener *next;
	uv_poll_t poll;
	int fd;
	bool with_id;
	uint32_t accepted;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1]; /* "": TCP */
};

struct ctl {
	uv_loop_t *loop;
	struct session_env env;
	struct listener *listeners;
	struct conn *conns;
	struct turns turns; /* connections to look at before the loop sleeps */
	uv_idle_t idle;	    /* active while there are some */
	nsec_t spent;	    /* on input since the last turns */
	uv_timer_t retry;    /* when accepting failed for lack of something */
	uv_timer_t tick;     /* managed sources and their files want a look */
	uv_timer_t late;     /* the end no longer waits for slow readers */
	uv_timer_t drain;    /* some connection's last output does not leave */
	uint32_t drain_ms;   /* CTL_DRAIN_MS; tests wait less, here and below */
	uint32_t drain_attached_ms;
	size_t out_held; /* memory for output, of all connections */
	uint32_t conn_count;
	uint32_t handles; /* not yet closed */
	uint32_t privates; /* connections given to us so far */
	bool paused; /* listeners do not wait */
	bool stopping;
	bool flushed;	  /* what "shutdown flush" drops has been dropped */
	bool closing_all; /* the service ends once all connections have */
	char read[CTL_READ_BYTES + LINE_MAX_BYTES + 2]; /* one connection's input at a time */
};

/* Look at this connection before the loop sleeps, when it is its turn. */
void ctl_attend(struct ctl *, struct conn *);
/* Look from time to time whether connections that are to close do drain. */
void ctl_watch_drain(struct ctl *);
/* Something has changed that may end the service: look before the loop sleeps. */
void ctl_settle(struct ctl *);
void shutdown_asked(struct ctl *);
void shutdown_step(struct ctl *);
/* A handle has been closed; frees all after the last. */
void ctl_handle_closed(struct ctl *);
/* Listeners wait for connections again. */
void listeners_resume(struct ctl *);
void listener_close(struct listener *);

#endif

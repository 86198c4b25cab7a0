#ifndef VANTAGE_WORKERD_LOOP_H
#define VANTAGE_WORKERD_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/err.h"
#include "workerd/probe/engine.h"
#include "workerd/probe/ports.h"
#include "workerd/probe/route.h"
#include "workerd/probe/rx.h"
#include "workerd/probe/tx.h"

/*
 * The worker's one loop: packets in from the ring, the engine, packets out;
 * one timer descriptor for pace and deadlines. Everything that needs a system
 * call beyond reading and writing is made in loop_init, before the sandbox.
 */
struct loop {
	uv_loop_t uv;
	uv_poll_t ring;   /* readable: frames */
	uv_poll_t timer;  /* readable: the engine wants to run */
	uv_poll_t routes; /* readable: routes have changed */
	uv_poll_t privd;  /* readable: privd has gone, nothing else ever comes */
	uv_check_t after; /* once per wake-up: run the engine */
	uv_idle_t again;  /* the engine has more to do at once */
	uv_signal_t sigterm;
	uv_signal_t sigint;
	uv_signal_t sighup;
	int timerfd;
	nsec_t armed; /* when the timer fires (mono); INT64_MAX: not */
	bool fired;   /* and has done so: readable until it is set anew */
	bool dense;   /* awake so often that the ring is read without being watched */
	bool privd_gone;
	uint32_t random_left;
	uint32_t random[64];            /* at most 256 bytes come whole, getrandom(2) */
	void (*on_stop)(struct loop *); /* a signal, or privd's end */
	void *user;                     /* main's */
	struct rx rx;
	struct tx tx;
	struct ports ports;
	struct routes *routing;
	struct engine *engine;
};

/* Descriptors that privd passed, for as long as the process lives. */
struct loop_fds {
	int ring;
	int departures;
	int raw4;
	int raw6;
	int route;
	int privd; /* watched only; stays the caller's */
	uint32_t frame_size;
	uint32_t frame_count;
	uint32_t mark;
};

/* ports.reserve, release and ctx are set by the caller before. 0 or a negative
 * errno. */
int loop_init(struct loop *, const struct loop_fds *, const struct engine_config *, struct errbuf *);

/* The engine has new work: it runs before the loop sleeps. */
void loop_wake(struct loop *);

/* Runs until loop_end. */
void loop_run(struct loop *);
void loop_end(struct loop *);

#endif

#ifndef VANTAGE_WORKERD_PROBE_ENGINE_H
#define VANTAGE_WORKERD_PROBE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/nsec.h"
#include "common/wheel.h"
#include "workerd/probe/pace.h"
#include "workerd/probe/share.h"
#include "workerd/probe/task.h"

/*
 * The probe engine: when to send, and what a reply belongs to. It knows no
 * socket and no clock; struct engine_io is how probes leave and how the rest
 * of the world answers. The worker gives it the kernel's sockets, the
 * simulator gives it a scripted network under a virtual clock.
 */

/* One probe in a batch: bytes borrowed until send returns. */
struct engine_packet {
	const uint8_t *bytes;
	uint16_t len;
	struct addr to; /* destination, or the first-hop router to hand it to */
	int err;        /* out: 0 sent, else a positive errno */
};

struct engine_io {
	void *ctx;
	/* Sends a batch; sets err in each packet. EAGAIN/ENOBUFS: not sent, try
	 * again; the engine does. */
	void (*send)(void *ctx, struct engine_packet *, uint32_t count);
	int (*route)(void *ctx, const struct addr *dst, const struct addr *via, struct route *ret);
	/* Reserve a source port or ICMP id so that its replies reach us; counted,
	 * released as often as held. tenant: a share's cfg.ports. 0 or a negative
	 * errno (-EADDRINUSE; -EDQUOT: that tenant has its part). */
	int (*port_hold)(void *ctx, uint32_t tenant, uint8_t proto, uint16_t port);
	void (*port_release)(void *ctx, uint8_t proto, uint16_t port);
	uint32_t (*random)(void *ctx);
};

/*
 * Where tasks come from: a connection, a list. The engine calls take when the
 * pace and the window allow a new task. Embedded in its owner.
 */
struct source_ops {
	/* The next task, or NULL when there is none now (call source_wake when
	 * there is again). The task is the engine's until finished(). */
	struct task *(*take)(struct source *);
	/* It ended: encode its record, free it. The task is out of the engine. */
	void (*finished)(struct source *, struct task *);
	/* It wants an in-progress record written (task_progress). */
	void (*progress)(struct source *, struct task *);
};

struct source {
	const struct source_ops *ops;
	struct engine *engine;
	struct share *share;     /* whose it is; outlives it, or source_share gives another */
	struct source *next;     /* ring of the share's active sources */
	struct task *ready_head; /* tasks that want a slot, first come first served */
	struct task *ready_tail;
	struct task *released; /* held once, now free to start; first come first */
	struct task *released_tail;
	uint32_t priority; /* slots in a row, at least 1 */
	uint32_t burst;    /* slots left of it */
	uint32_t running;  /* tasks between start and done */
	uint32_t held;     /* tasks that wait for another's claim */
	uint32_t window;   /* most running at once; 0: no limit */
	uint32_t pps;      /* own rate; 0: only the engine's */
	struct pace pace;  /* own pace, when pps is not 0 */
	struct meter sent; /* probes */
	bool active;       /* in the ring */
	bool hungry;       /* take() may have something; the owner may say no */
};

struct engine_config {
	uint32_t pps;    /* 1 .. 1,000,000 over all sources */
	uint32_t window; /* 0: no limit */
	uint32_t hold_s; /* reply signatures stay reserved after a task's end */
	uint16_t sport;  /* default source port */
	uint16_t icmp_id;
	struct addr nameserver;
};

struct engine_stats {
	uint64_t sent;
	uint64_t refused;  /* by errno from the kernel */
	uint64_t received; /* packets looked at */
	uint64_t matched;
	uint64_t unmatched;
	uint64_t malformed;
	uint64_t tasks_done;
};

/* NULL without memory. cfg is copied. */
struct engine *engine_new(const struct engine_config *, const struct engine_io *, const struct instant *now);
void engine_free(struct engine *);
void engine_configure(struct engine *, const struct engine_config *);
const struct engine_config *engine_config_get(const struct engine *);

/* Of the engine's own share, unless source_share says otherwise: also while it
 * has tasks, which go on; not from inside a callback of the engine's. */
void source_init(struct source *, struct engine *, const struct source_ops *, uint32_t priority);
void source_share(struct source *, struct share *);
/* Tasks may be had from it again. */
void source_wake(struct source *);
/* Leave the ring, for good or until source_wake. Its tasks must have ended:
 * engine_halt each first; their finished() is called as usual. */
void source_drop(struct source *);

/* Before start: the task's claims. Called by the owner inside take(). */
int task_preclaim(struct task *, const struct claim *, uint32_t count);

/* End a task early: its halt() is called, then finished(). Not from inside a
 * callback of that task. */
void engine_halt(struct engine *, struct task *);

/* A captured packet, from its IP header on; stamp: when it came (mono). */
void engine_input(struct engine *, const uint8_t *bytes, size_t len, nsec_t stamp, const char *ifname,
    const struct instant *now);
/* One of our probes as it left, or its beginning; stamp: when (mono). Before
 * the replies to it. */
void engine_departed(struct engine *, const uint8_t *bytes, size_t len, nsec_t stamp);

/* Fire deadlines, take new tasks, send what the pace allows. Returns when it
 * wants to be called again (mono; INT64_MAX: only on input). */
nsec_t engine_run(struct engine *, const struct instant *now);

/* Another share beside the engine's own, with no limit but its weight (at
 * least 1). It lives until share_fini, when it has no source any more, or as
 * long as the engine. */
void share_init(struct share *, struct engine *, uint32_t weight);
void share_fini(struct share *, struct engine *);
/* It goes on from where another was: its turns and its counts. */
void share_inherit(struct share *, const struct share *from);
struct share *engine_share(struct engine *);
void share_configure(struct engine *, struct share *, const struct share_config *);
/* Packets a second that are this share's when all want to send. */
uint32_t share_part(const struct engine *, const struct share *);

const struct engine_stats *engine_stats_get(const struct engine *);
uint32_t engine_running(const struct engine *);

#endif

#ifndef VANTAGE_WORKERD_PROBE_TASK_H
#define VANTAGE_WORKERD_PROBE_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/nsec.h"
#include "common/packet/pkt.h"
#include "common/packet/probe.h"
#include "common/wheel.h"

/*
 * A task is one running measurement, as the probe engine sees it. It is told
 * what happened, asks for probes, waits, and ends; it never sees a descriptor,
 * a clock or a file, so the same task runs against the real network and the
 * simulated one. Everything happens in the loop's one thread.
 *
 * The life of a task:
 *
 *   task_init .. engine_submit -> start() -> any of task_want_probe, task_wait
 *   -> probe() / sent() / reply() / timeout() / refused() ... -> task_done
 *   -> the owner's finished() callback, which takes the record and frees it.
 *
 * The wall clock that a task is told of, with now and with stamps, is the one it
 * began by, and goes on as the monotonic clock does: setting the host's clock
 * changes no round-trip time.
 *
 * Between callbacks a task has asked for a probe, or waits for a deadline, or
 * both (a trace that paces its probes while replies may still come). A task
 * that asks for nothing would hang: the engine ends it as an internal error.
 */

struct engine;
struct task;
struct source;

/* A reply, or an ICMP error, that matched one of the task's claims. */
struct reply {
	const struct pkt *pkt;    /* the packet that came in */
	const struct pkt *quoted; /* for ICMP errors: the quoted probe, else NULL */
	nsec_t rx;                /* wall: the kernel's receive stamp */
	const char *ifname;       /* arrival interface, lives as long as the process; NULL */
	const uint8_t *bytes;     /* pkt as captured, from its IP header on */
	uint16_t len;
};

struct task_ops {
	/* The task may begin: nobody it conflicts with runs. Look up the route,
	 * fill the record's source, then ask for a probe, or end. */
	void (*start)(struct task *, const struct instant *now);

	/* A slot of the pace is yours: describe one probe in *p (zeroed) and note
	 * it in the record with now->wall as provisional send time. true: send
	 * it. false: there is nothing to send after all; the slot is not used. A
	 * task that wants another probe asks again. */
	bool (*probe)(struct task *, struct probe *p, const struct instant *now);

	/* The kernel's transmit stamp for a probe, with the probe as it left.
	 * Comes before the reply to it, or not at all. */
	void (*sent)(struct task *, const struct pkt *probe, nsec_t tx);

	void (*reply)(struct task *, const struct reply *, const struct instant *now);

	/* The deadline of task_wait has passed. */
	void (*timeout)(struct task *, const struct instant *now);

	/* The last probe could not be sent: err is a positive errno (EPERM: the
	 * policy refused it; ENETUNREACH, EMSGSIZE ...). Also called in place of
	 * start: EADDRINUSE when its source port is another program's, EACCES
	 * when it is one of the host's own. */
	void (*refused)(struct task *, int err, const struct instant *now);

	/* A client wants it to end: finish at once with stop reason halted. May
	 * come before start. */
	void (*halt)(struct task *, const struct instant *now);
};

/*
 * What replies a task could claim. A reply belongs to the task if its remote
 * address, protocol and our own port (or ICMP id) are equal and the remote
 * port lies in the range. Two tasks whose claims overlap never run together:
 * the later one waits for the earlier. For ICMP errors all of it is read from
 * the quotation.
 */
struct claim {
	struct addr remote;
	uint8_t proto;       /* of the probe */
	uint16_t local_port; /* source port, or ICMP id */
	uint16_t remote_lo;  /* remote port range; 0..65535 for ICMP */
	uint16_t remote_hi;
};

struct claim_node {
	struct claim_node *other; /* the task's further claims */
	struct task *task;        /* NULL: not in the table */
	struct claim claim;
	bool chosen; /* the local port was picked by task_free_port */
};

enum task_state {
	TASK_NEW = 0,
	TASK_HELD,    /* another task's claim is in the way */
	TASK_RUNNING, /* started, not done */
	TASK_DONE,
};

struct task {
	const struct task_ops *ops;
	struct engine *engine; /* set by engine_submit */
	struct source *source; /* who asked for it; borrowed */
	struct task *next;     /* in its source's ready queue, or its blocker's held list */
	union {
		struct task *prev;  /* in the ready queue */
		struct task **link; /* held: what points at us */
	};
	struct task *held; /* tasks that wait for this one to end */
	struct wheel_node timer;
	struct claim_node first_claim; /* most tasks have one; more are allocated */
	nsec_t ahead; /* of the wall clock, over the monotonic one, when it began */
	uint32_t id;                   /* the owner's number for it (id-<n> of the control protocol) */
	uint8_t state;                 /* enum task_state */
	bool ready;                    /* in the ready queue */
};

/* For a measurement: */

/* Once, when it is made; the owner sets id later. */
void task_init(struct task *, const struct task_ops *, uint32_t id);
/* Ask for a slot; probe() will be called when the pace allows. Idempotent. */
void task_want_probe(struct task *);
/* (Re)arm the one deadline, on the monotonic clock; task_unwait disarms. */
void task_wait(struct task *, nsec_t mono);
void task_unwait(struct task *);
/* The end: the record is complete. No callback follows. */
void task_done(struct task *);
/* A further claim while running (a source port that varies). 0; -EBUSY when
 * another task has it; -EADDRINUSE when another program holds the port;
 * -ENOMEM. */
int task_claim(struct task *, const struct claim *);

/* Where a probe to dst would go. */
struct route {
	struct addr src; /* preferred source address */
	uint32_t ifindex;
	uint32_t mtu; /* of the outgoing interface */
	bool local;   /* to this host itself */
};
/* 0, or a negative errno (-ENETUNREACH ...). via: first-hop router, or NULL. */
int task_route(struct task *, const struct addr *dst, const struct addr *via, struct route *ret);
bool task_owns_address(struct task *, const struct addr *); /* is it one of this host's? */
/* Why a probe was refused, or (in place of start) its source port: err as
 * refused() has it, for people. */
const char *task_refusal(int err, bool at_start);

/* Defaults that the program decides (commands.md section 2). */
uint16_t task_default_sport(const struct task *);   /* (pid & 0x7fff) + 0x8000, or its tenant's own */
uint16_t task_default_icmp_id(const struct task *); /* pid & 0xffff, likewise */
/* That of the claim which its owner made before the start, when the defaults may
 * have been others; false: it made none. */
bool task_claimed_port(const struct task *, uint16_t *ret);
/* A free source port or ICMP id, chosen at random and not used within the hold
 * time; for "0: let the system choose". 0, or a negative errno. */
int task_free_port(struct task *, uint8_t proto, uint16_t *ret);
/* Unpredictable bits; reproducible in the simulator. */
uint32_t task_random(struct task *);
/* The name server for PTR look-ups; family NONE when there is none. */
const struct addr *task_nameserver(const struct task *);
/* An in-progress copy of the record is due (trace and ping -y): the owner
 * encodes it now, while the record says so. */
void task_progress(struct task *);

#endif

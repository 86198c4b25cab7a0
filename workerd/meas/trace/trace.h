#ifndef VANTAGE_WORKERD_MEAS_TRACE_TRACE_H
#define VANTAGE_WORKERD_MEAS_TRACE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/nsec.h"
#include "proto/record/trace.h"
#include "workerd/meas/meas.h"

/*
 * What the files of the trace measurement share; nobody else includes it.
 *
 * A trace goes through rooms: probing (forward, in parallel, or doubletree's
 * first hop), then what was asked for afterwards (backward probing, last ditch,
 * path MTU, names), then it is done. Most traces see only forward and done, so
 * struct trace holds what those need and the rest hangs below struct
 * trace_more, made when an option asks for it.
 */

/* Replies kept for one trace beyond one for each probe: a network that
 * answers every probe many times may not fill our memory. */
#define TRACE_SPARE_REPLIES 64

/* Destination ports that a UDP trace claims from -d on: 255 hops with 20
 * attempts each, and room for path MTU discovery. */
#define TRACE_UDP_PORTS 6000

/* The number of a probe is its index + 1 and must fit IPv4's IP ID, where 0
 * cannot be sent. */
#define TRACE_PROBES_MAX 65534

enum trace_state {
	TR_NEW = 0,
	TR_FIRST, /* doubletree: find a hop to begin at */
	TR_FORWARD,
	TR_PARALLEL, /* -N and -O back */
	TR_BACK,     /* doubletree: from the first hop towards us */
	TR_LASTDITCH,
	TR_PMTUD,
	TR_PTR,
	TR_DONE,
	TR_STATES,
};

struct dtree;
struct parallel;
struct pmtud;
struct ptr;

/* What only some traces have; owned by the trace. */
struct trace_more {
	uint8_t *payload; /* -p, or NULL */
	uint16_t payload_len;
	uint8_t *pad; /* payload of the probe being built, when it is not all zeros */
	uint32_t pad_cap;
	uint8_t progress_every; /* -y; 0: never */
	nsec_t hop_spacing;     /* -H */
	struct dtree *dtree;
	struct parallel *parallel;
	struct pmtud *pmtud;
	struct ptr *ptr;
};

struct trace {
	struct meas meas; /* first */
	struct trace_record rec;
	struct trace_more *more; /* NULL in most traces */
	nsec_t next_probe;       /* mono: -W forbids a probe before */
	uint8_t state;           /* enum trace_state */
	uint8_t ttl;             /* hop under test */
	uint8_t attempt;         /* probes sent in this visit to it */
	uint8_t interfaces;      /* of the hop under test; counted with -c */
	uint8_t loops;           /* found so far */
	uint8_t stop;            /* TRACE_STOP_*: waits for the hop's other attempts */
	uint8_t stop_data;
	uint8_t spare_replies; /* so far, to probes that had one */
	bool spacing;      /* the deadline is -W's, not a reply's */
	bool choose_port;  /* -s 0 */
	bool default_csum; /* icmp-paris without -d */
};

/* One door between rooms, and what differs between them. */
struct trace_room {
	const char *name;
	uint32_t next; /* states one may go to, as bits */
	void (*enter)(struct trace *, const struct instant *now);
	bool (*probe)(struct trace *, struct probe *, const struct instant *now);
	/* A reply was recorded: leg->replies[reply]. */
	void (*reply)(struct trace *, struct trace_leg *leg, uint16_t reply, const struct instant *now);
	void (*timeout)(struct trace *, const struct instant *now);
	void (*hop_over)(struct trace *, const struct instant *now); /* rooms that visit.c serves */
};

/* run.c */
extern const struct task_ops trace_ops;
void trace_goto(struct trace *, enum trace_state to, const struct instant *now);
/* Probing is over for this reason: on to what else was asked for, or the end. */
void trace_stop(struct trace *, uint8_t reason, uint8_t data, const struct instant *now);
/* This room is finished: on to the next that the options ask for. */
void trace_advance(struct trace *, const struct instant *now);
/* It cannot go on: err is a negative errno. */
void trace_fail(struct trace *, int err, const char *what, const struct instant *now);
/* Ask for a slot as soon as -W allows. */
void trace_ask(struct trace *, const struct instant *now);
void trace_room_hop_over(struct trace *, const struct instant *now);

/* begin.c: source, route, ports, first room. */
void trace_begin(struct task *, const struct instant *now);
/* What replies it may get, with this local port. */
void trace_claim(const struct trace_record *, uint16_t local_port, struct claim *ret);

/* reply.c: a reply into the record. 0 or -ENOMEM. */
int trace_note_reply(struct trace *, struct trace_leg *, uint16_t probe, const struct reply *);

/* send.c: the next probe, into *p and into the leg. False: it failed. */
bool trace_send(struct trace *, struct probe *p, struct trace_leg *leg, uint8_t ttl, uint8_t id,
    uint16_t size, const struct instant *now);
uint16_t trace_probe_size(uint8_t family, uint8_t method, uint16_t offset, int32_t payload_len);
/* Are the payload's first bytes chosen for the checksum's sake? */
bool trace_alters_payload(const struct trace_record *);
/* With what the method must have in its payload. */
uint16_t trace_min_size(const struct trace_record *);

/* match.c: which of our probes a packet is about. */
int32_t trace_match(const struct trace *, const struct pkt *reply, const struct pkt *quoted);
int32_t trace_match_own(const struct trace *, const struct pkt *probe);
/* The leg that the probe with this index is in, and its place there; or NULL. */
struct trace_leg *trace_locate(struct trace *, uint16_t index, uint16_t *ret_place);
uint16_t trace_sent(const struct trace *); /* probes so far */
uint8_t trace_proto(const struct trace_record *);

/* visit.c: probe one hop up to its attempts. */
void visit_begin(struct trace *, uint8_t ttl, const struct instant *now);
bool visit_probe(struct trace *, struct probe *, const struct instant *now);
void visit_reply(struct trace *, struct trace_leg *, uint16_t reply, const struct instant *now);
void visit_timeout(struct trace *, const struct instant *now);
nsec_t trace_wait_ns(const struct trace *);
uint8_t trace_last_ttl(const struct trace *); /* -m, or 255 */

/* forward.c */
void forward_enter(struct trace *, const struct instant *now);
void forward_reply(struct trace *, struct trace_leg *, uint16_t reply, const struct instant *now);
void forward_hop_over(struct trace *, const struct instant *now);

/* parallel.c */
int parallel_new(struct trace *);
void parallel_free(struct parallel *);
void parallel_enter(struct trace *, const struct instant *now);
bool parallel_probe(struct trace *, struct probe *, const struct instant *now);
void parallel_reply(struct trace *, struct trace_leg *, uint16_t reply, const struct instant *now);
void parallel_timeout(struct trace *, const struct instant *now);

/* dtree.c */
struct stopset;
struct addr_set;
struct dtree *dtree_new(struct addr_set *gss, struct stopset *lss, bool noback);
void dtree_free(struct dtree *);
bool dtree_in_gss(const struct trace *, const struct addr *);
bool dtree_wants_back(const struct trace *);
uint16_t dtree_astray(const struct trace *); /* probes before those of the main leg: they went too deep */
void dtree_first_enter(struct trace *, const struct instant *now);
void dtree_first_hop_over(struct trace *, const struct instant *now);
void dtree_back_enter(struct trace *, const struct instant *now);
void dtree_back_hop_over(struct trace *, const struct instant *now);

/* lastditch.c */
void lastditch_enter(struct trace *, const struct instant *now);
void lastditch_hop_over(struct trace *, const struct instant *now);

/* pmtud.c */
void pmtud_free(struct pmtud *);
void pmtud_enter(struct trace *, const struct instant *now);
bool pmtud_probe(struct trace *, struct probe *, const struct instant *now);
void pmtud_reply(struct trace *, struct trace_leg *, uint16_t reply, const struct instant *now);
void pmtud_timeout(struct trace *, const struct instant *now);
void pmtud_too_long(struct trace *, const struct instant *now); /* the kernel refused the size */

/* ptr.c */
void ptr_free(struct ptr *);
void ptr_enter(struct trace *, const struct instant *now);
bool ptr_probe(struct trace *, struct probe *, const struct instant *now);
void ptr_answer(struct trace *, const struct pkt *, const struct instant *now);
void ptr_timeout(struct trace *, const struct instant *now);

/* args.c, new.c */
extern const struct arg_spec trace_args[];
int trace_parse(
    const struct meas_type *, struct meas_env *, const char *text, struct meas **ret, struct errbuf *reterr);
void trace_free(struct meas *);
struct trace_more *trace_more(struct trace *); /* made on first use; NULL without memory */

#endif

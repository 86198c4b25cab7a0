#ifndef VANTAGE_PROTO_RECORD_TRACE_H
#define VANTAGE_PROTO_RECORD_TRACE_H

#include <stdint.h>

#include "common/addr.h"
#include "common/nsec.h"

/*
 * What a trace found, and the parameters it ran with; see ping.h for who fills
 * and who walks it. Numbers are those of warts (warts.md section 9). Probes and
 * replies are kept apart and compact: up to 255 hops may be held for each of a
 * hundred thousand running traces.
 */

enum trace_method {
	TRACE_ICMP = 1,
	TRACE_UDP = 2,
	TRACE_TCP = 3,
	TRACE_ICMP_PARIS = 4,
	TRACE_UDP_PARIS = 5,
	TRACE_TCP_ACK = 6,
	TRACE_METHODS,
};

enum trace_stop {
	TRACE_STOP_NONE = 0,
	TRACE_STOP_COMPLETED = 1,
	TRACE_STOP_UNREACH = 2,
	TRACE_STOP_ICMP = 3,
	TRACE_STOP_LOOP = 4,
	TRACE_STOP_GAPLIMIT = 5,
	TRACE_STOP_ERROR = 6,
	TRACE_STOP_HOPLIMIT = 7,
	TRACE_STOP_GSS = 8,
	TRACE_STOP_HALTED = 9,
	TRACE_STOP_INPROGRESS = 10,
};

#define TRACE_FLAG_ALLATTEMPTS 0x001
#define TRACE_FLAG_PMTUD 0x002
#define TRACE_FLAG_DL 0x004
#define TRACE_FLAG_IGNORETTLDST 0x008
#define TRACE_FLAG_DOUBLETREE 0x010
#define TRACE_FLAG_ICMPCSUMDP 0x020
#define TRACE_FLAG_CONSTPAYLOAD 0x040
#define TRACE_FLAG_RXERR 0x080
#define TRACE_FLAG_PTR 0x100
#define TRACE_FLAG_RAW 0x200
#define TRACE_FLAG_BACK 0x400

#define TRACE_PROBE_DLTX 0x01    /* tx is the kernel's stamp from the datalink */
#define TRACE_PROBE_PENDING 0x02 /* no reply yet, and there may still be one */
#define TRACE_PROBE_ANSWERED 0x04
#define TRACE_PROBE_NO_TX 0x08 /* tx is not known (old files) */

/* When it was sent is kept as microseconds since the record's start, 48 bits
 * with a sign: a trace may last for hours, and a clock may step back. Use
 * trace_probe_tx and trace_probe_set_tx; whoever stays within 71 minutes may
 * write tx_us alone. */
struct trace_probe {
	uint32_t tx_us; /* low part */
	int16_t tx_high;
	uint16_t size; /* whole IP packet */
	uint8_t ttl;
	uint8_t id;    /* attempt at this TTL, from 0 */
	uint8_t flags; /* TRACE_PROBE_* */
};

/* warts reply flags, warts.md section 9.2 */
#define TRACE_REPLY_SOCKRX 0x01
#define TRACE_REPLY_DLTX 0x02
#define TRACE_REPLY_DLRX 0x04
#define TRACE_REPLY_TTL 0x10
#define TRACE_REPLY_TCP 0x20
#define TRACE_REPLY_UDP 0x40

/* What only some replies have; owned by the record. */
struct trace_reply_extra {
	char *name;       /* PTR name, or NULL */
	uint16_t ext_len; /* RFC 4884 objects as on the wire, structure header off */
	uint8_t *ext;
};

struct trace_reply {
	struct addr from;
	uint8_t flags; /* TRACE_REPLY_* */
	uint8_t ttl;
	uint8_t tos;
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint8_t q_ttl;
	uint8_t q_tos;
	uint8_t tcp_flags;
	uint16_t probe; /* index into the leg's probes */
	uint16_t size;
	uint16_t ip_id;
	uint16_t nhmtu;
	uint16_t q_len; /* IP length in the quotation */
	uint32_t rtt_us;
	struct trace_reply_extra *extra; /* NULL when there is nothing */
};

/* Probes of one phase and their replies. Replies are in arrival order while
 * the trace runs; trace_leg_sort puts them by TTL, probe, arrival. */
struct trace_leg {
	struct trace_probe *probes;
	struct trace_reply *replies;
	uint16_t probe_count;
	uint16_t probe_cap;
	uint16_t reply_count;
	uint16_t reply_cap;
};

enum trace_note_type {
	TRACE_NOTE_PTB = 1,     /* too-big with a usable next-hop MTU */
	TRACE_NOTE_PTB_BAD = 2, /* too-big with a bad one */
	TRACE_NOTE_SILENCE = 3, /* MTU inferred by search */
};

#define TRACE_NOTE_NO_REPLY 0xffff

struct trace_note {
	uint8_t type;
	uint16_t nhmtu;
	uint16_t reply; /* index into pmtud leg's replies, or TRACE_NOTE_NO_REPLY */
};

struct trace_pmtud {
	uint16_t ifmtu;
	uint16_t pmtu;
	uint16_t outmtu;
	uint8_t version; /* 2 when written by us */
	uint8_t note_count;
	struct trace_note *notes;
	struct trace_leg leg;
};

struct trace_dtree {
	uint8_t firsthop;
	uint8_t flags;        /* 1: no backward probing */
	struct addr lss_stop; /* family NONE: none */
	struct addr gss_stop;
	char *lss_name;
};

/* Parts that few traces have; owned by the record, each may be NULL. */
struct trace_rare {
	struct addr router;
	char *errmsg;
	struct trace_pmtud *pmtud;
	struct trace_leg *lastditch;
	struct trace_dtree *dtree;
};

struct trace_record {
	struct addr src;
	struct addr dst;
	uint8_t method;
	uint8_t stop_reason;
	uint8_t stop_data;
	uint8_t attempts;
	uint8_t hoplimit; /* 0: 255 */
	uint8_t firsthop;
	uint8_t tos;
	uint8_t wait_s;
	uint8_t wait_probe_cs; /* centiseconds */
	uint8_t loops;
	uint8_t loop_action;
	uint8_t gaplimit;
	uint8_t gapaction;
	uint8_t confidence;
	uint8_t squeries; /* hops probed in parallel, 1 at least */
	uint8_t stop_hop; /* 0: not set */
	uint16_t hop_count;
	uint16_t flags;
	uint16_t probe_size;
	uint16_t probe_count; /* of all legs */
	uint16_t sport;
	uint16_t dport; /* with ICMPCSUMDP: the checksum */
	uint16_t offset;
	uint32_t userid;
	nsec_t start; /* wall */
	struct trace_leg leg;
	struct trace_rare *rare;
};

/* The wall time at which a probe was sent; 0 when it is not known. A time too
 * far from start (four years) is set as not known. */
nsec_t trace_probe_tx(const struct trace_probe *, nsec_t start);
void trace_probe_set_tx(struct trace_probe *, nsec_t start, nsec_t tx);

/* Frees what the record owns, not the record; fine on a zeroed one. */
void trace_record_fini(struct trace_record *);

/* Append; NULL without memory or when a count would wrap. The pointer lives
 * until the next append to the same leg. */
struct trace_probe *trace_leg_add_probe(struct trace_leg *);
struct trace_reply *trace_leg_add_reply(struct trace_leg *);
void trace_leg_sort(struct trace_leg *); /* not a PMTUD leg: notes count its replies */
void trace_leg_fini(struct trace_leg *);

/* The rare part, made on first use; NULL without memory. */
struct trace_rare *trace_record_rare(struct trace_record *);

#endif

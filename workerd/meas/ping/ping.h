#ifndef VANTAGE_WORKERD_MEAS_PING_PING_H
#define VANTAGE_WORKERD_MEAS_PING_PING_H

#include "proto/record/ping.h"
#include "workerd/meas/meas.h"

/* What the files of ping share; nobody outside this folder includes it. */

/* Probes back from the last one among which a reply may be by its IPID. */
#define PING_IPID_BACK 5

enum ping_varies {
	PING_VARIES_NOTHING = 0,
	PING_VARIES_SEQ, /* of ICMP */
	PING_VARIES_SPORT,
	PING_VARIES_DPORT,
};

/* One kind of probe, commands.md section 4. */
struct ping_kind {
	uint8_t proto;  /* for IPv4; ICMP becomes ICMPv6 */
	uint8_t varies; /* enum ping_varies */
	uint8_t tcp_flags;
	uint8_t payload;    /* default bytes behind all headers */
	uint8_t header;     /* bytes of the transport header */
	bool number_is_ack; /* -A is the acknowledgement number, else the sequence number */
	bool embeds;        /* carries the real source when it is spoofed */
};

/* Where the source port (or ICMP id) comes from. */
enum ping_port {
	PING_PORT_DEFAULT = 0, /* the program's; not yet known */
	PING_PORT_FREE,        /* any free one, chosen at the start */
	PING_PORT_SET,         /* it is in the record */
};

struct ping_toobig {
	struct ping_toobig *next;
	struct addr src;
	struct addr dst;
	uint16_t len;
	uint8_t quote[];
};

/* What only few pings need while they run. */
struct ping_more {
	struct ping_toobig *toobig;  /* to be sent, oldest first */
	struct ping_toobig *sending; /* quoted until the next probe */
	uint8_t *payload;            /* when not all zeros; payload_len bytes */
};

struct ping {
	struct meas meas; /* first */
	struct ping_record rec;
	uint16_t answered;
	uint16_t payload_len;  /* behind the transport header */
	uint8_t port;          /* enum ping_port */
	uint8_t progress;      /* every so many probes a copy; 0: never */
	bool number_given : 1; /* -A */
	bool due : 1;          /* the next probe's time has come */
	bool has_more : 1;     /* it is the first part of a struct ping_full */
};

/* A ping whose options need more than a hundred thousand others should pay for. */
struct ping_full {
	struct ping ping; /* first */
	struct ping_more more;
};

extern const struct arg_spec ping_args[];
extern const struct task_ops ping_task_ops;
extern const struct meas_type ping_type;

int ping_parse(const struct meas_type *, struct meas_env *, const char *options_and_target, struct meas **ret,
    struct errbuf *reterr);
uint32_t ping_claims(const struct meas *, struct claim *ret, uint32_t max);
void ping_free(struct meas *);

/* decide.c: pure. */
const struct ping_kind *ping_kind_of(uint8_t method);
bool ping_is_icmp(uint8_t method);
bool ping_is_tcp(uint8_t method);
/* Bytes of the probe before the payload that -b, -B and -p are about. */
uint32_t ping_header_bytes(const struct ping_record *);
/* Of those, bytes that lie behind the transport header (time stamps, source). */
uint32_t ping_prefix_bytes(const struct ping_record *);
bool ping_embeds_source(const struct ping_record *);
/* The program's port, lowered so that the last probe's port is one too. */
uint16_t ping_default_port(const struct ping_record *, uint16_t port);
/* Index of the probe that these bytes are: as it left, as quoted, or as a
 * direct reply mirrors it; -1: none. */
int32_t ping_index_sent(const struct ping_record *, const struct pkt *);
int32_t ping_index_quoted(const struct ping_record *, const struct pkt *);
int32_t ping_index_direct(const struct ping_record *, const struct pkt *);

/* probe.c: what leaves. */
struct ping_more *ping_more(struct ping *);                   /* NULL: it has none */
int ping_prepare(struct ping *, const struct addr *real_src); /* 0 or -ENOMEM */
void ping_fill_probe(struct ping *, struct probe *, uint16_t index, const struct instant *);
int ping_queue_toobig(struct ping *, const struct reply *); /* 0, -ENOMEM, -ENOBUFS */
bool ping_fill_toobig(struct ping *, struct probe *);       /* false: none waits */
void ping_more_fini(struct ping_more *);

#endif

#ifndef VANTAGE_PROTO_RECORD_PING_H
#define VANTAGE_PROTO_RECORD_PING_H

#include <stdint.h>

#include "common/addr.h"
#include "common/nsec.h"

/*
 * What a ping found, and the parameters it ran with: the measurement fills it
 * as it goes, the writers walk it by a field table, the readers rebuild it.
 * Kept small: one of these lives for every running ping. Host order. Numbers
 * of methods, flags and reasons are those of warts (warts.md section 10).
 */

enum ping_method {
	PING_ICMP_ECHO = 0,
	PING_TCP_ACK = 1,
	PING_TCP_ACK_SPORT = 2,
	PING_UDP = 3,
	PING_UDP_DPORT = 4,
	PING_ICMP_TIME = 5,
	PING_TCP_SYN = 6,
	PING_TCP_SYNACK = 7,
	PING_TCP_RST = 8,
	PING_TCP_SYN_SPORT = 9,
	PING_UDP_SPORT = 10,
	PING_METHODS,
};

enum ping_stop {
	PING_STOP_NONE = 0,
	PING_STOP_COMPLETED = 1,
	PING_STOP_ERROR = 2,
	PING_STOP_HALTED = 3,
	PING_STOP_INPROGRESS = 4,
};

#define PING_FLAG_RR 0x001
#define PING_FLAG_SPOOF 0x002
#define PING_FLAG_PAYLOAD 0x004 /* data is the whole payload, else a pattern */
#define PING_FLAG_TSONLY 0x008
#define PING_FLAG_TSANDADDR 0x010
#define PING_FLAG_ICMPSUM 0x020
#define PING_FLAG_DL 0x040
#define PING_FLAG_TBT 0x080
#define PING_FLAG_NOSRC 0x100
#define PING_FLAG_RAW 0x200
#define PING_FLAG_SOCKRX 0x400
#define PING_FLAG_DLTX 0x800

#define PING_PROBE_DLTX 0x01    /* tx is the kernel's stamp from the datalink */
#define PING_PROBE_PENDING 0x02 /* no reply yet, and there may still be one */

struct ping_probe {
	nsec_t tx; /* wall clock; 0: unknown (a reader, an unanswered probe) */
	uint16_t ip_id;
	uint16_t sport; /* the port (or ICMP id) really used */
	uint8_t flags;  /* PING_PROBE_* */
};

/* warts reply flags, warts.md section 10.2 */
#define PING_REPLY_TTL 0x01
#define PING_REPLY_IPID 0x02
#define PING_PROBE_IPID 0x04
#define PING_REPLY_DLTX 0x08
#define PING_REPLY_DLRX 0x10
#define PING_REPLY_TOS 0x20

/* What only few replies have: options of the IP header, ICMP timestamps. */
struct ping_reply_extra {
	uint8_t rr_count;
	uint8_t ts_count;
	uint8_t ts_addr_count; /* 0 or ts_count */
	uint8_t has_icmp_times;
	uint32_t icmp_times[3]; /* originate, receive, transmit */
	uint32_t ts[9];
	struct addr rr[9];
	struct addr ts_addr[9];
};

struct ping_reply {
	struct addr from;
	uint8_t flags; /* PING_REPLY_*, PING_PROBE_IPID */
	uint8_t ttl;
	uint8_t tos;
	uint8_t proto; /* 1, 58, 6, 17 */
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint8_t tcp_flags;
	uint16_t probe; /* index of the probe it answers */
	uint16_t size;  /* whole IP packet */
	uint16_t nhmtu; /* of a packet-too-big */
	uint16_t tcp_mss;
	uint32_t ip_id; /* 16 bits, or those of the IPv6 fragment header */
	uint32_t rtt_us;
	const char *ifname;             /* borrowed, lives as long as the process or reader; NULL */
	struct ping_reply_extra *extra; /* owned by the record; NULL */
};

/* Parameters that few pings have; owned by the record. */
struct ping_rare {
	struct addr router; /* family NONE: not given */
	uint8_t tsps_count;
	struct addr tsps[4];
	uint16_t data_len; /* pattern or payload */
	uint8_t *data;
	char *errmsg;
};

struct ping_record {
	struct addr src;
	struct addr dst;
	uint8_t method;
	uint8_t stop_reason;
	uint8_t stop_data;
	uint8_t ttl;
	uint8_t tos;
	uint16_t flags;
	uint16_t probe_count; /* asked for */
	uint16_t probe_size;
	uint16_t sent;
	uint16_t stop_count;
	uint16_t sport;
	uint16_t dport;
	uint16_t icmp_csum;
	uint16_t pmtu;
	uint16_t tcp_mss; /* of our SYN */
	uint16_t probes_cap;
	uint32_t userid;
	uint32_t wait_us;
	uint32_t timeout_us;
	uint32_t tcp_seq;
	uint32_t tcp_ack;
	uint32_t reply_count;
	uint32_t replies_cap;
	nsec_t start;               /* wall */
	struct ping_probe *probes;  /* [sent] */
	struct ping_reply *replies; /* [reply_count], by probe, then arrival */
	struct ping_rare *rare;     /* NULL when nothing of it is needed */
};

/* Frees what the record owns, not the record; fine on a zeroed one. */
void ping_record_fini(struct ping_record *);

/* Appends one probe (sent grows) or reply; NULL without memory, or when a
 * sixteen-bit count would wrap. The pointer lives until the next append. */
struct ping_probe *ping_record_add_probe(struct ping_record *);
struct ping_reply *ping_record_add_reply(struct ping_record *);

/* The rare part, made on first use; NULL without memory. */
struct ping_rare *ping_record_rare(struct ping_record *);

#endif

#ifndef VANTAGE_COMMON_PACKET_PKT_H
#define VANTAGE_COMMON_PACKET_PKT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/nsec.h"

/*
 * A parsed IP packet. One parser (parse.c) makes this from a raw-socket
 * datagram, a captured frame without its link header, and the packet quoted in
 * an ICMP error. All numbers are in host order. Pointers are borrowed from the
 * bytes that were parsed and live as long as those.
 */

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_ECE 0x40
#define TCP_CWR 0x80

/* What the ICMP parser made of type and code, the same for both families. */
enum icmp_kind {
	ICMP_KIND_NONE = 0,   /* not ICMP */
	ICMP_KIND_OTHER,      /* any type not below */
	ICMP_KIND_ECHO,       /* request: 8, v6 128 */
	ICMP_KIND_ECHO_REPLY, /* 0, v6 129 */
	ICMP_KIND_TIME,       /* timestamp request 13 */
	ICMP_KIND_TIME_REPLY, /* timestamp reply 14 */
	ICMP_KIND_EXCEEDED,   /* 11, v6 3 */
	ICMP_KIND_UNREACH,    /* 3 except code 4, v6 1 */
	ICMP_KIND_TOO_BIG,    /* 3 code 4, v6 2; nhmtu is set */
	ICMP_KIND_PARAM,      /* parameter problem: 12, v6 4 */
};

struct pkt_icmp {
	uint8_t type;
	uint8_t code;
	uint8_t kind;	 /* enum icmp_kind */
	bool port_unreach; /* v4 3/3, v6 1/4 */
	uint16_t csum;
	uint16_t id;  /* echo and timestamp kinds */
	uint16_t seq;
	uint32_t nhmtu; /* TOO_BIG: next-hop MTU as announced, may be 0 */
	uint32_t originate, receive, transmit; /* TIME_REPLY, RFC 792 */
	const uint8_t *quote; /* error kinds: the quoted packet, else NULL */
	uint16_t quote_len;
	const uint8_t *ext; /* RFC 4884 objects (structure header taken off, its
			     * checksum verified or zero), or NULL */
	uint16_t ext_len;
};

struct pkt_udp {
	uint16_t csum;
	uint16_t len;
};

struct pkt_tcp {
	uint32_t seq;
	uint32_t ack;
	uint16_t win;
	uint16_t mss;  /* 0: no such option (or not captured) */
	uint8_t flags; /* TCP_* */
};

struct pkt {
	struct addr src;
	struct addr dst;
	uint8_t proto; /* of the transport header: 1, 6, 17, 58, or another */
	uint8_t ttl;   /* or hop limit */
	uint8_t tos;   /* or traffic class */
	bool frag;     /* v4: MF or an offset; v6: a fragment header */
	bool df;
	bool l4;	 /* the transport fields below were present */
	uint16_t ip_len; /* whole packet as its header says; 65535 if more (lo, IPv6) */
	uint16_t ip_hdr_len; /* bytes before the transport header */
	uint16_t frag_off;   /* in 8-byte units */
	uint32_t ip_id;	     /* v4: 16 bits; v6: of the fragment header, or 0 */
	uint32_t flow;	     /* v6 flow label */
	uint16_t sport;	     /* UDP, TCP */
	uint16_t dport;
	union {
		struct pkt_icmp icmp;
		struct pkt_udp udp;
		struct pkt_tcp tcp;
	};
	const uint8_t *ip_opts; /* v4 options, or NULL */
	uint8_t ip_opts_len;
	const uint8_t *payload; /* behind the transport header (of ICMP: 8 bytes), as
				 * captured */
	uint16_t payload_len;
};

enum pkt_result {
	PKT_OK = 0,
	PKT_SHORT,   /* ends before what its own headers announce */
	PKT_BAD,     /* breaks its protocol */
	PKT_UNKNOWN, /* neither IPv4 nor IPv6 */
};

/*
 * Parses a packet from its IP header on. len may be less than the packet's own
 * length (a snapshot): what is missing of the payload is no error, a transport
 * header that is missing is PKT_SHORT.
 */
enum pkt_result pkt_parse(struct pkt *ret, const uint8_t *bytes, size_t len);

/*
 * Parses the packet that an ICMP error quotes. Only the first 8 bytes of the
 * transport header need be there (RFC 792); fields behind them are zero.
 * PKT_BAD when error quotes nothing, or a packet of the other family.
 */
enum pkt_result pkt_parse_quote(struct pkt *ret, const struct pkt *error);

/* One object of an RFC 4884 extension structure. */
struct icmpext_obj {
	uint8_t class_num;
	uint8_t class_type;
	uint16_t data_len;
	const uint8_t *data;
};

/* Walks ext/ext_len: *off starts at 0. True while there is an object; an
 * object that claims more than there is ends the walk. */
bool icmpext_next(const uint8_t *ext, uint16_t ext_len, uint16_t *off, struct icmpext_obj *ret);

/* IPv4 options of a reply (RFC 791): up to 9 addresses of a record route, or
 * the timestamps (with addresses when flag is 1 or 3). Bad lengths end it. */
#define PKT_OPT_MAX 9
struct pkt_ipopts {
	uint8_t rr_count;
	uint8_t ts_count;
	bool ts_has_addrs;
	struct addr rr[PKT_OPT_MAX];
	struct addr ts_addr[PKT_OPT_MAX];
	uint32_t ts[PKT_OPT_MAX]; /* ms since midnight UT, as in the option */
	bool rr_room;             /* for one more */
	bool ts_room;
	struct addr ts_next; /* who has it, by flag 3; family NONE: anybody */
};
void pkt_parse_ipopts(struct pkt_ipopts *ret, const uint8_t *opts, size_t len);

/* The packet has arrived at here at rx (wall): what the host that it is for adds,
 * in its IP layer, behind which others read it and before which we do. */
void pkt_ipopts_arrive(struct pkt_ipopts *, const struct addr *here, nsec_t rx);

#endif

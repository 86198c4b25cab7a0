#ifndef VANTAGE_COMMON_PACKET_PROBE_H
#define VANTAGE_COMMON_PACKET_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/wr.h"

/*
 * What a probe packet looks like: filled by a measurement, made into bytes by
 * probe_build. Zero-initialise, then set what matters. Host order throughout.
 * Lengths and checksums are computed, never given, except where said.
 */

enum probe_csum {
	PROBE_CSUM_NATURAL = 0, /* whatever the bytes sum to */
	PROBE_CSUM_FIXED,	/* header shows .csum; payload bytes at csum_off
				 * (two of them) are chosen so that it is valid.
				 * UDP shows 0 as 0xffff, the same number: 0 is
				 * "none" in IPv4 and forbidden in IPv6 */
};

enum probe_ipopt {
	PROBE_IPOPT_NONE = 0,
	PROBE_IPOPT_RR,		/* record route: type 7, length 39, pointer 4, padded to 40 */
	PROBE_IPOPT_TS_ONLY,	/* type 68, length 40, pointer 5, flag 0 */
	PROBE_IPOPT_TS_ADDR,	/* length 36, flag 1 */
	PROBE_IPOPT_TS_PRESPEC, /* length 4+8n, flag 3, the n addresses of tsps */
};

#define PROBE_TSPS_MAX 4

struct probe {
	struct addr src;
	struct addr dst;
	struct addr router; /* first hop to hand it to; family NONE: by routing */
	uint8_t proto;	    /* IPPROTO_ICMP, ICMPV6, UDP or TCP */
	uint8_t ttl;
	uint8_t tos;
	uint16_t ip_id; /* IPv4, DF is always set; 0 cannot be sent (the kernel fills it) */
	uint32_t flow;	/* IPv6 flow label */

	bool frag;	   /* IPv6: add a fragment header (never MF) */
	uint16_t frag_off; /* in 8-byte units; not 0: a later fragment, whose
			    * header the payload follows at once */
	uint32_t frag_id;

	uint8_t ipopt; /* enum probe_ipopt, IPv4 */
	uint8_t tsps_count;
	struct addr tsps[PROBE_TSPS_MAX];

	uint16_t sport; /* UDP, TCP */
	uint16_t dport;

	uint8_t icmp_type;
	uint8_t icmp_code;
	uint16_t icmp_id;
	uint16_t icmp_seq;
	bool icmp_is_mtu;  /* too-big: type and code are set by the family, and the
			    * next-hop MTU stands where id and seq would */
	uint32_t icmp_mtu;

	uint32_t tcp_seq;
	uint32_t tcp_ack;
	uint16_t tcp_win;
	uint16_t tcp_mss; /* 0: no option */
	uint8_t tcp_flags;

	uint8_t csum_mode;  /* enum probe_csum */
	uint16_t csum;	    /* the value that the header shows */
	uint16_t csum_off;  /* offset in payload of the two compensating bytes */

	const uint8_t *payload; /* borrowed until probe_build returns; NULL: zeros */
	uint16_t payload_len;
};

/* Bytes of the packet that probe_build would make. */
size_t probe_size(const struct probe *);

/*
 * Writes the whole IP packet. 0; -EINVAL for a combination that has no packet
 * (families differ, csum_off outside the payload); -ENOBUFS when it does not
 * fit. The writer's position is the packet's end.
 */
int probe_build(struct wr *, const struct probe *);

#endif

#ifndef VANTAGE_TESTS_SIM_WIRE_H
#define VANTAGE_TESTS_SIM_WIRE_H

#include "common/packet/pkt.h"
#include "common/wr.h"

/* Packets of the simulated network, byte by byte: written apart from
 * common/packet/build.c, so that the two check each other. */

#define WIRE_MAX 65600

struct wire_ip {
	struct addr src;
	struct addr dst;
	uint8_t proto;
	uint8_t ttl;
	uint8_t tos;
	uint16_t id;
	const uint8_t *opts; /* IPv4; a multiple of 4 bytes */
	uint8_t opts_len;
	bool frag;         /* IPv6 fragment header */
	uint16_t frag_off; /* in 8-byte units */
	bool more;
	uint32_t frag_id;
};

/* In network order. */
void wire_put16(uint8_t *, size_t);
void wire_put32(uint8_t *, uint32_t);

/* A whole packet: header, and a segment whose checksum field at csum_at is
 * filled (SIZE_MAX: none is). Returns its length. */
size_t wire_packet(uint8_t *buf, const struct wire_ip *, const uint8_t *seg, size_t len, size_t csum_at);

/* RFC 4884/4950: quote as padded, then one MPLS object. Returns bytes. */
size_t wire_mpls(uint8_t *buf, const uint32_t *labels, uint32_t count);

#endif

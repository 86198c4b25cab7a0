#ifndef VANTAGE_COMMON_ADDR_H
#define VANTAGE_COMMON_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Address families, numbered as warts numbers address types. */
enum addr_family {
	ADDR_NONE = 0,
	ADDR_IP4 = 1,
	ADDR_IP6 = 2,
	ADDR_ETHER = 3,
};

/*
 * An address: 17 bytes, no padding, copied by value. Bytes are in network
 * order; those behind the family's length are zero, so that two equal
 * addresses are equal as memory.
 */
struct addr {
	uint8_t family;
	uint8_t b[16];
};

#define ADDR_STRLEN 48

/* Bytes of the family's address: 4, 16, 6; 0 for an unknown family. */
size_t addr_len(uint8_t family);

/* An address from len raw bytes; len must be addr_len(family). */
struct addr addr_make(uint8_t family, const uint8_t *bytes);

/* Numeric IPv4 or IPv6 text, the whole of it. 0, or -EINVAL. */
int addr_parse(const char *text, struct addr *ret);

/* Likewise, of a host that packets go to or come from, with the sentence: an IPv4
 * address as IPv6 writes it (RFC 4291 section 2.5.5.2) is none. */
int addr_parse_host(const char *text, struct addr *ret, struct errbuf *reterr);

/* RFC 5952 text (dotted quad; MAC for ADDR_ETHER; "" for none). Returns buf. */
const char *addr_format(const struct addr *, char buf[ADDR_STRLEN]);

bool addr_equal(const struct addr *, const struct addr *);

/* memcmp order, family first: for sorting. */
int addr_compare(const struct addr *, const struct addr *);

/* Spread over 64 bits; seed keeps a stranger from choosing collisions. */
uint64_t addr_hash(const struct addr *, uint64_t seed);

#endif

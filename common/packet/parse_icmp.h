#ifndef VANTAGE_COMMON_PACKET_PARSE_ICMP_H
#define VANTAGE_COMMON_PACKET_PARSE_ICMP_H

#include <stddef.h>
#include <stdint.h>

#include "common/packet/pkt.h"
#include "common/rd.h"

/* For parse.c alone: the message behind an IP header, r at its first byte.
 * quoted: 8 bytes are enough and an error inside is not looked into. */
enum pkt_result parse_icmp(struct pkt *ret, struct rd *r, bool quoted);

#endif

#ifndef VANTAGE_COMMON_PACKET_CHECKSUM_H
#define VANTAGE_COMMON_PACKET_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

/* RFC 1071: a running one's complement sum over 16-bit words in network order;
 * an odd last byte counts as padded with zero, so only the last piece may be
 * odd. Start with 0, end with checksum_fold, which complements. */
uint32_t checksum_add(uint32_t sum, const void *bytes, size_t len);
uint16_t checksum_fold(uint32_t sum);

/* The pseudo-header of RFC 768/9293 (v4) and RFC 8200 section 8.1 (v6). */
uint32_t checksum_pseudo(const struct addr *src, const struct addr *dst, uint8_t proto, uint32_t len);

#endif

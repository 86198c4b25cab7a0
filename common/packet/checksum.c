#include "common/packet/checksum.h"

#include <arpa/inet.h>
#include <string.h>

static uint16_t
fold16(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint32_t
checksum_add(uint32_t sum, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t acc = 0;
	uint32_t piece;

	/* RFC 1071 section 2 (B) and (C): the sum may be taken in the machine's
	 * own byte order and over wider words, with the carry brought round. */
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t w;

		memcpy(&w, p, 8);
		acc += w;
		acc += acc < w;
	}
	if (len > 0) {
		uint64_t w = 0;

		memcpy(&w, p, len);
		acc += w;
		acc += acc < w;
	}
	piece = ntohs(fold16(acc));
	sum += piece;
	return sum + (sum < piece);
}

uint16_t
checksum_fold(uint32_t sum)
{
	return (uint16_t)~fold16(sum);
}

uint32_t
checksum_pseudo(const struct addr *src, const struct addr *dst, uint8_t proto, uint32_t len)
{
	uint32_t sum = (len >> 16) + (len & 0xffff) + proto;

	sum = checksum_add(sum, src->b, addr_len(src->family));
	return checksum_add(sum, dst->b, addr_len(dst->family));
}

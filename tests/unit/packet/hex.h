#ifndef VANTAGE_TESTS_UNIT_PACKET_HEX_H
#define VANTAGE_TESTS_UNIT_PACKET_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes of a hex text; what does not fit is left out. */
static inline size_t
hex_bytes(const char *hex, uint8_t *buf, size_t cap)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n && i < cap; i++) {
		unsigned int v = 0;

		(void)sscanf(hex + 2 * i, "%2x", &v);
		buf[i] = (uint8_t)v;
	}
	return n < cap ? n : cap;
}

/* RFC 1071 word by word, as slow and plain as can be: what checksum.c and the
 * builder are compared with. */
static inline uint16_t
naive_sum(const uint8_t *p, size_t len, uint32_t start)
{
	uint32_t sum = start;

	for (size_t i = 0; i < len; i++) {
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
		while (sum > 0xffff)
			sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

#endif

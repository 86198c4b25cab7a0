#include "wire.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "common/packet/checksum.h"

#define SEGMENT_NONE SIZE_MAX

void
wire_put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void
wire_put32(uint8_t *p, uint32_t v)
{
	wire_put16(p, v >> 16);
	wire_put16(p + 2, v & 0xffff);
}

static size_t
put_ip4(uint8_t *p, const struct wire_ip *ip, size_t len)
{
	size_t hdr = 20u + ip->opts_len;

	memset(p, 0, 20);
	p[0] = (uint8_t)(0x40 | hdr / 4);
	p[1] = ip->tos;
	wire_put16(p + 2, hdr + len);
	wire_put16(p + 4, ip->id);
	p[8] = ip->ttl;
	p[9] = ip->proto;
	memcpy(p + 12, ip->src.b, 4);
	memcpy(p + 16, ip->dst.b, 4);
	if (ip->opts_len > 0)
		memcpy(p + 20, ip->opts, ip->opts_len);
	wire_put16(p + 10, checksum_fold(checksum_add(0, p, hdr)));
	return hdr;
}

static size_t
put_ip6(uint8_t *p, const struct wire_ip *ip, size_t len)
{
	memset(p, 0, 48);
	wire_put32(p, 6u << 28 | (uint32_t)ip->tos << 20);
	wire_put16(p + 4, len + (ip->frag ? 8 : 0));
	p[6] = ip->frag ? IPPROTO_FRAGMENT : ip->proto;
	p[7] = ip->ttl;
	memcpy(p + 8, ip->src.b, 16);
	memcpy(p + 24, ip->dst.b, 16);
	if (!ip->frag)
		return 40;
	p[40] = ip->proto;
	wire_put16(p + 42, (size_t)ip->frag_off << 3 | (ip->more ? 1 : 0));
	wire_put32(p + 44, ip->frag_id);
	return 48;
}

size_t
wire_packet(uint8_t *buf, const struct wire_ip *ip, const uint8_t *seg, size_t len, size_t csum_at)
{
	size_t hdr = ip->src.family == ADDR_IP4 ? put_ip4(buf, ip, len) : put_ip6(buf, ip, len);
	uint8_t *p = buf + hdr;
	uint32_t sum = 0;

	memcpy(p, seg, len);
	if (csum_at == SEGMENT_NONE)
		return hdr + len;
	wire_put16(p + csum_at, 0);
	if (ip->proto != IPPROTO_ICMP)
		sum = checksum_pseudo(&ip->src, &ip->dst, ip->proto, (uint32_t)len);
	wire_put16(p + csum_at, checksum_fold(checksum_add(sum, p, len)));
	return hdr + len;
}

size_t
wire_mpls(uint8_t *buf, const uint32_t *labels, uint32_t count)
{
	size_t len = 4 + 4 + 4 * (size_t)count;

	memset(buf, 0, len);
	buf[0] = 2 << 4;
	wire_put16(buf + 4, 4 + 4 * (size_t)count);
	buf[6] = 1; /* class MPLS, type incoming stack */
	buf[7] = 1;
	for (uint32_t i = 0; i < count; i++) /* label, exp 0, bottom of stack, TTL 1 */
		wire_put32(buf + 8 + 4 * i, labels[i] << 12 | (i + 1 == count ? 1u << 8 : 0) | 1);
	wire_put16(buf + 2, checksum_fold(checksum_add(0, buf, len)));
	return len;
}

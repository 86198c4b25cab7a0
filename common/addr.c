#include "common/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

size_t
addr_len(uint8_t family)
{
	static const uint8_t lens[] = { [ADDR_IP4] = 4, [ADDR_IP6] = 16, [ADDR_ETHER] = 6 };

	return family < sizeof(lens) ? lens[family] : 0;
}

struct addr
addr_make(uint8_t family, const uint8_t *bytes)
{
	struct addr a = { .family = family };

	memcpy(a.b, bytes, addr_len(family));
	return a;
}

int
addr_parse(const char *text, struct addr *ret)
{
	struct addr a = { 0 };

	if (inet_pton(AF_INET, text, a.b) == 1)
		a.family = ADDR_IP4;
	else if (inet_pton(AF_INET6, text, a.b) == 1)
		a.family = ADDR_IP6;
	else
		return -EINVAL;
	*ret = a;
	return 0;
}

int
addr_parse_host(const char *text, struct addr *ret, struct errbuf *reterr)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char ip4[ADDR_STRLEN];
	struct addr a;

	if (addr_parse(text, &a) != 0)
		return errbuf_set(reterr, -EINVAL, "'%.64s' is no IPv4 or IPv6 address", text);
	if (a.family == ADDR_IP6 && memcmp(a.b, mapped, sizeof(mapped)) == 0) {
		a = addr_make(ADDR_IP4, a.b + sizeof(mapped));
		return errbuf_set(
		    reterr, -EINVAL, "'%.64s' is an IPv4 address: write %s", text, addr_format(&a, ip4));
	}
	*ret = a;
	return 0;
}

/* Decimal octets by hand: this runs for every address of every text and JSON
 * line, and inet_ntop goes through printf. */
static char *
put_octet(char *p, uint8_t v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

static void
format_ip4(const uint8_t *b, char *p)
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*p++ = '.';
		p = put_octet(p, b[i]);
	}
	*p = '\0';
}

const char *
addr_format(const struct addr *a, char buf[ADDR_STRLEN])
{
	buf[0] = '\0';
	switch (a->family) {
	case ADDR_IP4:
		format_ip4(a->b, buf);
		break;
	case ADDR_IP6:
		(void)inet_ntop(AF_INET6, a->b, buf, ADDR_STRLEN);
		break;
	case ADDR_ETHER:
		(void)snprintf(buf, ADDR_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", a->b[0], a->b[1], a->b[2],
		    a->b[3], a->b[4], a->b[5]);
		break;
	}
	return buf;
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

int
addr_compare(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*a));
}

/* Finaliser of MurmurHash3 (public domain mathematics): every bit of the input
 * moves half of the output. */
static uint64_t
mix64(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

uint64_t
addr_hash(const struct addr *a, uint64_t seed)
{
	uint64_t hi, lo;

	memcpy(&hi, a->b, 8);
	memcpy(&lo, a->b + 8, 8);
	return mix64(mix64(hi ^ seed) + lo + a->family);
}

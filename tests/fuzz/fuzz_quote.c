#include "fuzz.h"

#include "common/packet/pkt.h"

#include <netinet/in.h>

/* The input is what an ICMP error quotes, so that the fuzzer need not find the
 * way through an outer header first. */
static void
parse_as(uint8_t family, uint8_t proto, const uint8_t *data, size_t size)
{
	struct pkt error = { .src.family = family, .proto = proto, .l4 = true };
	struct pkt p;

	error.icmp.quote = data;
	error.icmp.quote_len = size > UINT16_MAX ? UINT16_MAX : (uint16_t)size;
	if (pkt_parse_quote(&p, &error) != PKT_OK)
		return;
	must(p.src.family == family && p.dst.family == family);
	must(p.payload >= data && p.payload + p.payload_len <= data + size);
	must(p.ip_opts == NULL || p.ip_opts + p.ip_opts_len <= data + size);
	/* 8 bytes of a known transport were there, or nothing is said of it. */
	must(!p.l4 || p.ip_hdr_len + 8u <= size);
	must(!p.l4 || p.proto != IPPROTO_ICMP || p.icmp.ext == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse_as(ADDR_IP4, IPPROTO_ICMP, data, size);
	parse_as(ADDR_IP6, IPPROTO_ICMPV6, data, size);
	return 0;
}

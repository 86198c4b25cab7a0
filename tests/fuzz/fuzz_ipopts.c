#include "fuzz.h"

#include "common/packet/pkt.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pkt_ipopts o;

	pkt_parse_ipopts(&o, data, size);
	must(o.rr_count <= PKT_OPT_MAX && o.ts_count <= PKT_OPT_MAX);
	must(4u * (o.rr_count + o.ts_count) <= size);
	for (unsigned int i = 0; i < o.rr_count; i++)
		must(o.rr[i].family == ADDR_IP4);
	for (unsigned int i = 0; i < o.ts_count; i++)
		must((o.ts_addr[i].family == ADDR_IP4) == o.ts_has_addrs);
	return 0;
}

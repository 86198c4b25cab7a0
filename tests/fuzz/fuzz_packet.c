#include "fuzz.h"

#include "common/packet/pkt.h"

#include <netinet/in.h>

static void
within(const uint8_t *p, size_t len, const uint8_t *data, size_t size)
{
	if (p != NULL)
		must(p >= data && len <= (size_t)(data + size - p));
}

static void
check_pkt(const struct pkt *p, const uint8_t *data, size_t size)
{
	struct icmpext_obj obj;
	uint16_t off = 0;

	within(p->payload, p->payload_len, data, size);
	within(p->ip_opts, p->ip_opts_len, data, size);
	must(addr_len(p->src.family) >= 4 && p->src.family == p->dst.family);
	if (!p->l4 || (p->proto != IPPROTO_ICMP && p->proto != IPPROTO_ICMPV6))
		return;
	within(p->icmp.quote, p->icmp.quote_len, data, size);
	within(p->icmp.ext, p->icmp.ext_len, data, size);
	while (icmpext_next(p->icmp.ext, p->icmp.ext_len, &off, &obj))
		within(obj.data, obj.data_len, data, size);
	must(p->icmp.ext == NULL || off == p->icmp.ext_len); /* whole objects only */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pkt p, quote;

	if (pkt_parse(&p, data, size) != PKT_OK)
		return 0;
	check_pkt(&p, data, size);
	if (pkt_parse_quote(&quote, &p) == PKT_OK)
		check_pkt(&quote, data, size);
	return 0;
}

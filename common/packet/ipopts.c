#include "common/packet/pkt.h"

#include "common/rd.h"

/* RFC 791 section 3.1, "Specific Option Definitions". */
#define OPT_EOL 0
#define OPT_NOP 1
#define OPT_RR 7
#define OPT_TS 68
#define OPT_TS_ONLY 0
#define OPT_TS_ADDR 1
#define OPT_TS_PRESPEC 3

/* Bytes in use before the pointer, which counts from 1 at the option's type;
 * a router may leave it anywhere, so body_len has the last word. */
static size_t
bytes_used(uint8_t pointer, size_t head, size_t body_len)
{
	size_t used = pointer > head ? pointer - head - 1 : 0;

	return used < body_len ? used : body_len;
}

static void
parse_rr(struct pkt_ipopts *ret, struct rd *body)
{
	uint8_t pointer = rd_u8(body);
	size_t used = bytes_used(pointer, 3, rd_left(body));

	if (ret->rr_count > 0) /* RFC 791: appears at most once */
		return;
	for (; used >= 4 && ret->rr_count < PKT_OPT_MAX; used -= 4)
		ret->rr[ret->rr_count++] = addr_make(ADDR_IP4, rd_take(body, 4));
	ret->rr_room = pointer > 3 && used == 0 && rd_left(body) >= 4 && ret->rr_count < PKT_OPT_MAX;
}

static void
parse_ts(struct pkt_ipopts *ret, struct rd *body)
{
	uint8_t pointer = rd_u8(body);
	uint8_t flag = rd_u8(body) & 0x0f;
	size_t used = bytes_used(pointer, 4, rd_left(body));
	size_t step = flag == OPT_TS_ONLY ? 4 : 8;

	if (flag != OPT_TS_ONLY && flag != OPT_TS_ADDR && flag != OPT_TS_PRESPEC)
		return;
	if (ret->ts_count > 0) /* RFC 791: appears at most once */
		return;
	ret->ts_has_addrs = flag != OPT_TS_ONLY;
	for (; used >= step && ret->ts_count < PKT_OPT_MAX; used -= step) {
		if (ret->ts_has_addrs)
			ret->ts_addr[ret->ts_count] = addr_make(ADDR_IP4, rd_take(body, 4));
		ret->ts[ret->ts_count++] = rd_u32(body);
	}
	ret->ts_room = pointer > 4 && used == 0 && rd_left(body) >= step && ret->ts_count < PKT_OPT_MAX;
	if (ret->ts_room && flag == OPT_TS_PRESPEC)
		ret->ts_next = addr_make(ADDR_IP4, rd_take(body, 4));
}

void
pkt_parse_ipopts(struct pkt_ipopts *ret, const uint8_t *opts, size_t len)
{
	struct rd r;

	*ret = (struct pkt_ipopts){ 0 };
	rd_init(&r, opts, len);
	while (rd_left(&r) > 0) {
		uint8_t type = rd_u8(&r), opt_len;
		const uint8_t *bytes;
		struct rd body;

		if (type == OPT_EOL)
			return;
		if (type == OPT_NOP)
			continue;
		opt_len = rd_u8(&r);
		if (opt_len < 2)
			return;
		bytes = rd_take(&r, opt_len - 2u);
		if (bytes == NULL)
			return;
		rd_init(&body, bytes, opt_len - 2u);
		if (type == OPT_RR)
			parse_rr(ret, &body);
		else if (type == OPT_TS)
			parse_ts(ret, &body);
	}
}

void
pkt_ipopts_arrive(struct pkt_ipopts *o, const struct addr *here, nsec_t rx)
{
	if (o->rr_room)
		o->rr[o->rr_count++] = *here;
	o->rr_room = false;
	if (o->ts_room && (o->ts_next.family == ADDR_NONE || addr_equal(&o->ts_next, here))) {
		o->ts_addr[o->ts_count] = *here;
		o->ts[o->ts_count++] = (uint32_t)(rx / NSEC_PER_MSEC % 86400000);
	}
	o->ts_room = false;
}

#include "common/packet/parse_icmp.h"

#include "common/packet/checksum.h"


#define ICMP4_UNREACH_PORT 3
#define ICMP4_UNREACH_TOO_BIG 4
#define ICMP6_UNREACH_PORT 4

/* RFC 4884 section 5.5: where senders older than the length field put it. */
#define ICMPEXT_LEGACY_OFF 128
#define ICMPEXT_HDR 4
#define ICMPEXT_OBJ_HDR 4

/* RFC 792 */
static const uint8_t kinds4[] = {
	[0] = ICMP_KIND_ECHO_REPLY,
	[3] = ICMP_KIND_UNREACH,
	[8] = ICMP_KIND_ECHO,
	[11] = ICMP_KIND_EXCEEDED,
	[12] = ICMP_KIND_PARAM,
	[13] = ICMP_KIND_TIME,
	[14] = ICMP_KIND_TIME_REPLY,
};

/* RFC 4443 */
static const uint8_t kinds6[] = {
	[1] = ICMP_KIND_UNREACH,
	[2] = ICMP_KIND_TOO_BIG,
	[3] = ICMP_KIND_EXCEEDED,
	[4] = ICMP_KIND_PARAM,
	[128] = ICMP_KIND_ECHO,
	[129] = ICMP_KIND_ECHO_REPLY,
};

static uint8_t
icmp_kind(bool ip6, uint8_t type, uint8_t code)
{
	uint8_t kind = ICMP_KIND_NONE;

	if (ip6 && type < sizeof(kinds6))
		kind = kinds6[type];
	else if (!ip6 && type < sizeof(kinds4))
		kind = kinds4[type];
	if (kind == ICMP_KIND_NONE)
		return ICMP_KIND_OTHER;
	if (!ip6 && kind == ICMP_KIND_UNREACH && code == ICMP4_UNREACH_TOO_BIG)
		return ICMP_KIND_TOO_BIG;
	return kind;
}

/* RFC 4884 section 4: bytes of the quoted packet as the length field says; 0
 * where the message has no such field or leaves it empty. */
static size_t
quote_bytes_said(const struct pkt *pkt, uint32_t rest)
{
	bool ip6 = pkt->src.family == ADDR_IP6;

	if (!ip6)
		return (rest >> 16 & 0xff) * 4;
	if (pkt->icmp.kind == ICMP_KIND_UNREACH || pkt->icmp.kind == ICMP_KIND_EXCEEDED)
		return (rest >> 24) * 8;
	return 0;
}

/* Bytes of the whole objects at the start of an extension structure's body. */
static uint16_t
objects_len(const uint8_t *ext, uint16_t len)
{
	struct icmpext_obj obj;
	uint16_t off = 0, whole = 0;

	while (icmpext_next(ext, len, &off, &obj))
		whole = off;
	return whole;
}

/* Takes the quote apart at off, when an extension structure starts there. */
static bool
split_at(struct pkt_icmp *icmp, size_t off)
{
	const uint8_t *ext;
	size_t len;
	uint16_t objs;

	if (off + ICMPEXT_HDR > icmp->quote_len)
		return false;
	ext = icmp->quote + off;
	len = icmp->quote_len - off;
	/* RFC 4884 section 7: version 2 in the high nibble; early routers put
	 * it into the low one. */
	if (ext[0] >> 4 != 2 && ext[0] != 2)
		return false;
	if ((ext[2] | ext[3]) != 0 && checksum_fold(checksum_add(0, ext, len)) != 0)
		return false;
	objs = objects_len(ext + ICMPEXT_HDR, (uint16_t)(len - ICMPEXT_HDR));
	if (objs == 0)
		return false;
	icmp->ext = ext + ICMPEXT_HDR;
	icmp->ext_len = objs;
	icmp->quote_len = (uint16_t)off;
	return true;
}

static void
parse_error(struct pkt *pkt, uint32_t rest)
{
	struct pkt_icmp *icmp = &pkt->icmp;
	size_t said = quote_bytes_said(pkt, rest);

	icmp->quote = pkt->payload;
	icmp->quote_len = pkt->payload_len;
	/* The byte of the length field was "unused" before RFC 4884: when no
	 * structure is where it points, it may be an old sender's rubbish. */
	if (said != 0 && said != ICMPEXT_LEGACY_OFF && split_at(icmp, said))
		return;
	/* RFC 4443 section 3.2 has no room for extensions, nor 3.4. */
	if (pkt->src.family == ADDR_IP6 && icmp->kind != ICMP_KIND_UNREACH &&
	    icmp->kind != ICMP_KIND_EXCEEDED)
		return;
	(void)split_at(icmp, ICMPEXT_LEGACY_OFF);
}

static enum pkt_result
parse_body(struct pkt *pkt, struct rd *r, uint32_t rest)
{
	struct pkt_icmp *icmp = &pkt->icmp;

	switch ((enum icmp_kind)icmp->kind) {
	case ICMP_KIND_TIME_REPLY:
		icmp->originate = rd_u32(r);
		icmp->receive = rd_u32(r);
		icmp->transmit = rd_u32(r);
		return r->bad ? PKT_SHORT : PKT_OK;
	case ICMP_KIND_EXCEEDED:
	case ICMP_KIND_UNREACH:
	case ICMP_KIND_TOO_BIG:
	case ICMP_KIND_PARAM:
		parse_error(pkt, rest);
		return PKT_OK;
	case ICMP_KIND_NONE:
	case ICMP_KIND_OTHER:
	case ICMP_KIND_ECHO:
	case ICMP_KIND_ECHO_REPLY:
	case ICMP_KIND_TIME:
		return PKT_OK;
	}
	return PKT_OK;
}

enum pkt_result
parse_icmp(struct pkt *pkt, struct rd *r, bool quoted)
{
	bool ip6 = pkt->src.family == ADDR_IP6;
	struct pkt_icmp *icmp = &pkt->icmp;
	uint32_t rest;

	icmp->type = rd_u8(r);
	icmp->code = rd_u8(r);
	icmp->csum = rd_u16(r);
	rest = rd_u32(r);
	if (r->bad)
		return PKT_SHORT;
	icmp->kind = icmp_kind(ip6, icmp->type, icmp->code);
	icmp->port_unreach = icmp->kind == ICMP_KIND_UNREACH &&
	    icmp->code == (ip6 ? ICMP6_UNREACH_PORT : ICMP4_UNREACH_PORT);
	if (icmp->kind >= ICMP_KIND_ECHO && icmp->kind <= ICMP_KIND_TIME_REPLY) {
		icmp->id = (uint16_t)(rest >> 16);
		icmp->seq = (uint16_t)rest;
	}
	if (icmp->kind == ICMP_KIND_TOO_BIG)
		icmp->nhmtu = ip6 ? rest : rest & 0xffff;
	pkt->payload = r->p;
	pkt->payload_len = (uint16_t)rd_left(r);
	pkt->l4 = true;
	return quoted ? PKT_OK : parse_body(pkt, r, rest);
}

bool
icmpext_next(const uint8_t *ext, uint16_t ext_len, uint16_t *off, struct icmpext_obj *ret)
{
	struct icmpext_obj obj;
	uint16_t len;
	struct rd r;

	if (ext == NULL || *off > ext_len)
		return false;
	rd_init(&r, ext + *off, (size_t)(ext_len - *off));
	len = rd_u16(&r); /* RFC 4884 section 7.1: with its own header */
	obj.class_num = rd_u8(&r);
	obj.class_type = rd_u8(&r);
	if (r.bad || len < ICMPEXT_OBJ_HDR)
		return false;
	obj.data_len = (uint16_t)(len - ICMPEXT_OBJ_HDR);
	obj.data = rd_take(&r, obj.data_len);
	if (r.bad)
		return false;
	*off = (uint16_t)(*off + len);
	*ret = obj;
	return true;
}

#include "common/packet/pkt.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "hex.h"
#include "vectors.h"

/* An ICMP error under construction: an IP header, 8 bytes of ICMP, then what
 * the case adds. */
struct error {
	uint8_t b[1500];
	size_t len;
	size_t icmp; /* where ICMP starts */
};

static void
error_start(struct error *e, bool ip6, uint8_t type, uint8_t code, uint32_t rest)
{
	memset(e, 0, sizeof(*e));
	e->icmp = ip6 ? 40 : 20;
	(void)hex_bytes(ip6 ? vec_toobig6 : vec_toobig4, e->b, e->icmp);
	e->b[e->icmp] = type;
	e->b[e->icmp + 1] = code;
	for (unsigned int i = 0; i < 4; i++)
		e->b[e->icmp + 4 + i] = (uint8_t)(rest >> (24 - 8 * i));
	e->len = e->icmp + 8;
}

static void
error_add(struct error *e, const char *hex)
{
	e->len += hex_bytes(hex, e->b + e->len, sizeof(e->b) - e->len);
}

/* Zeros up to n bytes behind the ICMP header. */
static void
error_pad(struct error *e, size_t n)
{
	e->len = e->icmp + 8 + n;
}

static struct pkt
error_parse(struct error *e)
{
	size_t said = e->icmp == 40 ? e->len - 40 : e->len;
	struct pkt p;

	e->b[e->icmp == 40 ? 4 : 2] = (uint8_t)(said >> 8);
	e->b[e->icmp == 40 ? 5 : 3] = (uint8_t)said;
	assert_int_equal(pkt_parse(&p, e->b, e->len), PKT_OK);
	return p;
}

static void
types_and_codes_are_one_kind_in_both_families(void **state)
{
	static const struct {
		bool ip6;
		uint8_t type, code;
		enum icmp_kind kind;
		bool port;
	} cases[] = {
		{ false, 0, 0, ICMP_KIND_ECHO_REPLY, false },
		{ false, 3, 3, ICMP_KIND_UNREACH, true },
		{ false, 3, 13, ICMP_KIND_UNREACH, false },
		{ false, 3, 4, ICMP_KIND_TOO_BIG, false },
		{ false, 8, 0, ICMP_KIND_ECHO, false },
		{ false, 11, 0, ICMP_KIND_EXCEEDED, false },
		{ false, 12, 0, ICMP_KIND_PARAM, false },
		{ false, 13, 0, ICMP_KIND_TIME, false },
		{ false, 14, 0, ICMP_KIND_TIME_REPLY, false },
		{ false, 5, 0, ICMP_KIND_OTHER, false },
		{ false, 129, 0, ICMP_KIND_OTHER, false },
		{ true, 1, 4, ICMP_KIND_UNREACH, true },
		{ true, 1, 3, ICMP_KIND_UNREACH, false },
		{ true, 2, 0, ICMP_KIND_TOO_BIG, false },
		{ true, 3, 0, ICMP_KIND_EXCEEDED, false },
		{ true, 4, 1, ICMP_KIND_PARAM, false },
		{ true, 128, 0, ICMP_KIND_ECHO, false },
		{ true, 129, 0, ICMP_KIND_ECHO_REPLY, false },
		{ true, 135, 0, ICMP_KIND_OTHER, false },
		{ true, 255, 0, ICMP_KIND_OTHER, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error e;
		struct pkt p;

		error_start(&e, cases[i].ip6, cases[i].type, cases[i].code, 0);
		error_pad(&e, 12);
		p = error_parse(&e);
		assert_int_equal(p.icmp.kind, cases[i].kind);
		assert_int_equal(p.icmp.port_unreach, cases[i].port);
	}
	(void)state;
}

static void
next_hop_mtu_has_16_bits_in_v4_and_32_in_v6(void **state)
{
	struct error e;

	error_start(&e, false, 3, 4, 0x12340578);
	assert_int_equal(error_parse(&e).icmp.nhmtu, 0x0578);
	error_start(&e, true, 2, 0, 0x12340578);
	assert_int_equal(error_parse(&e).icmp.nhmtu, 0x12340578);
	(void)state;
}

static void
a_timestamp_reply_has_three_stamps_or_is_short(void **state)
{
	struct error e;
	struct pkt p;

	error_start(&e, false, 14, 0, 0x00050006);
	error_add(&e, "02932e0002932e0102932e02");
	p = error_parse(&e);
	assert_true(p.icmp.id == 5 && p.icmp.seq == 6);
	assert_true(p.icmp.originate == 43200000 && p.icmp.receive == 43200001);
	assert_int_equal(p.icmp.transmit, 43200002);
	assert_int_equal(pkt_parse(&p, e.b, e.len - 1), PKT_SHORT);
	(void)state;
}

static void
the_quote_is_parsed_with_8_bytes_of_transport(void **state)
{
	static const struct {
		bool ip6;
		const char *hex;
	} cases[] = { { false, vec_udp_paris4 }, { true, vec_udp_paris6 }, { false, vec_icmp_paris4 },
		{ true, vec_icmp_paris6 }, { false, vec_tcp_syn4 }, { true, vec_tcp_syn6 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error e;
		struct pkt p, q, whole;
		uint8_t bytes[256];

		assert_int_equal(pkt_parse(&whole, bytes, hex_bytes(cases[i].hex, bytes, 256)), PKT_OK);
		error_start(&e, cases[i].ip6, cases[i].ip6 ? 3 : 11, 0, 0);
		error_add(&e, cases[i].hex);
		error_pad(&e, (cases[i].ip6 ? 40 : 20) + 8);
		p = error_parse(&e);
		assert_int_equal(p.icmp.kind, ICMP_KIND_EXCEEDED);
		assert_int_equal(pkt_parse_quote(&q, &p), PKT_OK);
		assert_true(q.l4 && addr_equal(&q.src, &whole.src) && addr_equal(&q.dst, &whole.dst));
		assert_true(q.proto == whole.proto && q.ip_id == whole.ip_id && q.ip_len == whole.ip_len);
		assert_true(q.ttl == whole.ttl && q.flow == whole.flow);
		assert_true(q.sport == whole.sport && q.dport == whole.dport);
		if (q.proto == IPPROTO_TCP)
			assert_true(q.tcp.seq == whole.tcp.seq && q.tcp.flags == 0);
		else if (q.proto == IPPROTO_UDP)
			assert_true(q.udp.csum == whole.udp.csum);
		else
			assert_true(q.icmp.id == whole.icmp.id && q.icmp.seq == whole.icmp.seq);
		e.len--;
		p = error_parse(&e);
		assert_int_equal(pkt_parse_quote(&q, &p), PKT_SHORT);
	}
	(void)state;
}

static void
a_quote_with_ip_options_is_parsed_behind_them(void **state)
{
	struct error e;
	struct pkt p, q;

	error_start(&e, false, 11, 0, 0);
	error_add(&e, vec_rr4);
	p = error_parse(&e);
	assert_int_equal(pkt_parse_quote(&q, &p), PKT_OK);
	assert_true(q.ip_opts_len == 40 && q.icmp.kind == ICMP_KIND_ECHO && q.icmp.id == 1);
	error_pad(&e, 59); /* ends within the options */
	p = error_parse(&e);
	assert_int_equal(pkt_parse_quote(&q, &p), PKT_SHORT);
	(void)state;
}

static void
a_quoted_length_that_a_router_altered_does_no_harm(void **state)
{
	static const uint16_t lens[] = { 0, 20, 24, 0x2c00, 44, 65535 };

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct error e;
		struct pkt p, q;

		error_start(&e, false, 11, 0, 0);
		error_add(&e, vec_udp4);
		e.b[e.icmp + 8 + 2] = (uint8_t)(lens[i] >> 8);
		e.b[e.icmp + 8 + 3] = (uint8_t)lens[i];
		p = error_parse(&e);
		assert_int_equal(pkt_parse_quote(&q, &p), PKT_OK);
		assert_true(q.ip_len == lens[i] && q.sport == 41000 && q.dport == 33435);
	}
	(void)state;
}

static void
a_later_fragment_in_the_quote_has_no_ports(void **state)
{
	struct error e;
	struct pkt p, q;

	error_start(&e, true, 3, 0, 0);
	error_add(&e, vec_fragoff6);
	p = error_parse(&e);
	assert_int_equal(pkt_parse_quote(&q, &p), PKT_OK);
	assert_true(q.frag && q.frag_off == 185 && q.ip_id == 0xa0280003);
	assert_true(q.proto == 17 && !q.l4 && q.sport == 0 && q.dport == 0);
	(void)state;
}

static void
what_quotes_nothing_or_another_family_is_bad(void **state)
{
	uint8_t bytes[256];
	struct error e;
	struct pkt p, q;

	assert_int_equal(pkt_parse(&p, bytes, hex_bytes(vec_udp4, bytes, 256)), PKT_OK);
	assert_int_equal(pkt_parse_quote(&q, &p), PKT_BAD);
	assert_int_equal(pkt_parse(&p, bytes, hex_bytes(vec_icmp6, bytes, 256)), PKT_OK);
	assert_int_equal(pkt_parse_quote(&q, &p), PKT_BAD);
	error_start(&e, true, 3, 0, 0);
	error_add(&e, vec_udp4);
	p = error_parse(&e);
	assert_int_equal(pkt_parse_quote(&q, &p), PKT_BAD);
	error_start(&e, false, 3, 1, 0);
	p = error_parse(&e);
	assert_int_equal(pkt_parse_quote(&q, &p), PKT_SHORT);
	(void)state;
}

/* RFC 4950 section 3: one label 299776, S, TTL 1. The checksums of the
 * structures, 0 where the field is 0: 20 00 + objects. */
#define EXT_HDR_NONE "20000000"
#define OBJ_MPLS "0008010149300101"
#define OBJ_IFACE "000c020e00000007c0000209"
#define EXT_MPLS "200094c5" OBJ_MPLS

static void
assert_mpls(const struct pkt *p)
{
	struct icmpext_obj obj;
	uint16_t off = 0;

	assert_true(icmpext_next(p->icmp.ext, p->icmp.ext_len, &off, &obj));
	assert_true(obj.class_num == 1 && obj.class_type == 1 && obj.data_len == 4);
	assert_memory_equal(obj.data, "\x49\x30\x01\x01", 4);
}

static void
extensions_follow_the_length_field(void **state)
{
	static const struct {
		bool ip6;
		uint8_t type;
		uint32_t rest;
		size_t quote;
	} cases[] = {
		{ false, 11, 32u << 16, 128 },
		{ false, 3, 40u << 16, 160 },
		{ false, 12, 8u << 24 | 32u << 16, 128 }, /* beside the pointer */
		{ true, 3, 16u << 24, 128 },
		{ true, 1, 20u << 24, 160 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error e;
		struct pkt p, q;

		error_start(&e, cases[i].ip6, cases[i].type, 0, cases[i].rest);
		error_add(&e, cases[i].ip6 ? vec_udp6 : vec_udp4);
		error_pad(&e, cases[i].quote);
		error_add(&e, EXT_MPLS);
		p = error_parse(&e);
		assert_int_equal(p.icmp.quote_len, cases[i].quote);
		assert_int_equal(p.icmp.ext_len, 8);
		assert_mpls(&p);
		assert_int_equal(pkt_parse_quote(&q, &p), PKT_OK);
		assert_int_equal(q.payload_len, cases[i].ip6 ? 12 : 16);
	}
	(void)state;
}

static void
without_a_length_field_extensions_are_128_bytes_in(void **state)
{
	for (int ip6 = 0; ip6 < 2; ip6++) {
		struct error e;
		struct pkt p;

		error_start(&e, ip6 != 0, ip6 != 0 ? 3 : 11, 0, 0);
		error_add(&e, ip6 != 0 ? vec_udp6 : vec_udp4);
		error_pad(&e, 128);
		error_add(&e, EXT_MPLS);
		p = error_parse(&e);
		assert_true(p.icmp.quote_len == 128 && p.icmp.ext_len == 8);
		assert_mpls(&p);
	}
	(void)state;
}

static void
all_objects_are_there(void **state)
{
	struct icmpext_obj obj;
	struct error e;
	struct pkt p;
	uint16_t off = 0;

	error_start(&e, false, 11, 0, 32u << 16);
	error_pad(&e, 128);
	error_add(&e, EXT_HDR_NONE OBJ_MPLS OBJ_IFACE OBJ_MPLS);
	p = error_parse(&e);
	assert_int_equal(p.icmp.ext_len, 28);
	assert_true(icmpext_next(p.icmp.ext, p.icmp.ext_len, &off, &obj) && obj.class_num == 1);
	assert_true(icmpext_next(p.icmp.ext, p.icmp.ext_len, &off, &obj));
	assert_true(obj.class_num == 2 && obj.class_type == 0x0e && obj.data_len == 8);
	assert_true(icmpext_next(p.icmp.ext, p.icmp.ext_len, &off, &obj) && obj.class_num == 1);
	assert_false(icmpext_next(p.icmp.ext, p.icmp.ext_len, &off, &obj));
	(void)state;
}

static void
an_object_beyond_the_packet_ends_the_walk(void **state)
{
	static const char *const tails[] = { "000901014930010", "00090101493001", "ffff010149300101",
		"00030101", "00000101", "0008" };

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		struct error e;
		struct pkt p;

		error_start(&e, false, 11, 0, 32u << 16);
		error_pad(&e, 128);
		error_add(&e, EXT_HDR_NONE OBJ_MPLS);
		error_add(&e, tails[i]);
		p = error_parse(&e);
		assert_int_equal(p.icmp.ext_len, 8); /* the whole one before it */
		assert_mpls(&p);
		error_start(&e, false, 11, 0, 32u << 16);
		error_pad(&e, 128);
		error_add(&e, EXT_HDR_NONE);
		error_add(&e, tails[i]);
		p = error_parse(&e);
		assert_null(p.icmp.ext);
	}
	(void)state;
}

static void
what_is_no_extension_structure_stays_quote(void **state)
{
	static const char *const no[] = { "10000000" OBJ_MPLS, "200094c6" OBJ_MPLS, "20000001" OBJ_MPLS,
		"20000000", "200000" };

	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		struct error e;
		struct pkt p;

		error_start(&e, false, 11, 0, 0);
		error_pad(&e, 128);
		error_add(&e, no[i]);
		p = error_parse(&e);
		assert_null(p.icmp.ext);
		assert_int_equal(p.icmp.quote_len, 128 + strlen(no[i]) / 2);
	}
	(void)state;
}

static void
messages_without_room_for_extensions_have_none(void **state)
{
	/* RFC 4884 section 4.4 and 4.5 name the v6 messages that may: not 2, not 4. */
	for (uint8_t type = 2; type <= 4; type = (uint8_t)(type + 2)) {
		struct error e;
		struct pkt p;

		error_start(&e, true, type, 0, 1280);
		error_pad(&e, 128);
		error_add(&e, EXT_MPLS);
		p = error_parse(&e);
		assert_null(p.icmp.ext);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_and_codes_are_one_kind_in_both_families),
		cmocka_unit_test(next_hop_mtu_has_16_bits_in_v4_and_32_in_v6),
		cmocka_unit_test(a_timestamp_reply_has_three_stamps_or_is_short),
		cmocka_unit_test(the_quote_is_parsed_with_8_bytes_of_transport),
		cmocka_unit_test(a_quote_with_ip_options_is_parsed_behind_them),
		cmocka_unit_test(a_quoted_length_that_a_router_altered_does_no_harm),
		cmocka_unit_test(a_later_fragment_in_the_quote_has_no_ports),
		cmocka_unit_test(what_quotes_nothing_or_another_family_is_bad),
		cmocka_unit_test(extensions_follow_the_length_field),
		cmocka_unit_test(without_a_length_field_extensions_are_128_bytes_in),
		cmocka_unit_test(all_objects_are_there),
		cmocka_unit_test(an_object_beyond_the_packet_ends_the_walk),
		cmocka_unit_test(what_is_no_extension_structure_stays_quote),
		cmocka_unit_test(messages_without_room_for_extensions_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

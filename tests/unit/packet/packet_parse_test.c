#include "common/packet/pkt.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"
#include "vectors.h"

static const char *const goldens[] = { vec_udp4, vec_udp6, vec_udp_paris4, vec_udp_paris6, vec_icmp4,
	vec_icmp6, vec_icmp_paris4, vec_icmp_paris6, vec_tcp_syn4, vec_tcp_syn6, vec_tcp_ack4,
	vec_tcp_ack6, vec_rr4, vec_tsonly4, vec_tsaddr4, vec_tsprespec4, vec_frag6, vec_fragoff6,
	vec_toobig4, vec_toobig6, vec_time4 };
#define GOLDENS (sizeof(goldens) / sizeof(goldens[0]))

static uint8_t bytes_of[256]; /* the packet that parse_hex parsed last */

static struct pkt
parse_hex(const char *hex)
{
	struct pkt pkt;
	size_t len = hex_bytes(hex, bytes_of, sizeof(bytes_of));

	assert_int_equal(pkt_parse(&pkt, bytes_of, len), PKT_OK);
	assert_int_equal(pkt.ip_len, len);
	return pkt;
}

static void
assert_addr(const struct addr *a, const char *text)
{
	char buf[ADDR_STRLEN];

	assert_string_equal(addr_format(a, buf), text);
}

static void
udp_fields_are_read_in_v4_and_v6(void **state)
{
	struct pkt p = parse_hex(vec_udp_paris4);

	assert_addr(&p.src, "192.0.2.1");
	assert_addr(&p.dst, "198.51.100.9");
	assert_true(p.proto == 17 && p.ttl == 1 && p.tos == 0 && p.ip_id == 1 && p.df && !p.frag && p.l4);
	assert_true(p.sport == 41000 && p.dport == 33435 && p.udp.csum == 1 && p.udp.len == 24);
	assert_true(p.ip_hdr_len == 20 && p.payload_len == 16 && p.payload == bytes_of + 28);
	assert_null(p.ip_opts);
	p = parse_hex(vec_udp_paris6);
	assert_addr(&p.src, "2001:db8::1");
	assert_addr(&p.dst, "2001:db8:9::9");
	assert_true(p.proto == 17 && p.ttl == 1 && p.ip_id == 0 && !p.frag && p.l4 && p.flow == 0);
	assert_true(p.sport == 41000 && p.dport == 33435 && p.udp.csum == 1 && p.udp.len == 20);
	assert_true(p.ip_hdr_len == 40 && p.payload_len == 12 && p.payload == bytes_of + 48);
	(void)state;
}

static void
tcp_fields_are_read_in_v4_and_v6(void **state)
{
	struct pkt p = parse_hex(vec_tcp_syn4);

	assert_true(p.proto == 6 && p.l4 && p.sport == 41000 && p.dport == 443 && p.ip_id == 0x1234);
	assert_true(p.tcp.seq == 0x01020304 && p.tcp.ack == 0 && p.tcp.flags == TCP_SYN);
	assert_true(p.tcp.win == 65535 && p.tcp.mss == 1460 && p.payload_len == 0);
	p = parse_hex(vec_tcp_syn6);
	assert_true(p.flow == 0xabcde && p.tcp.mss == 1440 && p.tcp.seq == 0x01020304);
	p = parse_hex(vec_tcp_ack6);
	assert_true(p.tcp.seq == 7 && p.tcp.ack == 8 && p.tcp.flags == TCP_ACK && p.tcp.mss == 0);
	(void)state;
}

static void
icmp_fields_are_read_in_v4_and_v6(void **state)
{
	struct pkt p = parse_hex(vec_icmp4);

	assert_true(p.tos == 0x20 && p.icmp.type == 8 && p.icmp.kind == ICMP_KIND_ECHO);
	assert_true(p.icmp.id == 0xa028 && p.icmp.seq == 5 && p.icmp.quote == NULL && p.payload_len == 16);
	p = parse_hex(vec_icmp_paris6);
	assert_true(p.icmp.type == 128 && p.icmp.kind == ICMP_KIND_ECHO && p.icmp.csum == 0xa028);
	p = parse_hex(vec_time4);
	assert_true(p.icmp.kind == ICMP_KIND_TIME && p.icmp.id == 5 && p.icmp.seq == 6);
	assert_int_equal(p.payload_len, 12);
	p = parse_hex(vec_toobig4);
	assert_true(p.icmp.kind == ICMP_KIND_TOO_BIG && p.icmp.nhmtu == 1280 && p.icmp.quote_len == 28);
	p = parse_hex(vec_toobig6);
	assert_true(p.icmp.kind == ICMP_KIND_TOO_BIG && p.icmp.nhmtu == 1280 && p.icmp.quote_len == 60);
	(void)state;
}

static void
options_and_fragments_are_seen(void **state)
{
	struct pkt p = parse_hex(vec_rr4);

	assert_true(p.ip_opts == bytes_of + 20 && p.ip_opts_len == 40 && p.ip_hdr_len == 60);
	assert_true(p.icmp.kind == ICMP_KIND_ECHO && p.payload_len == 3);
	p = parse_hex(vec_frag6);
	assert_true(p.frag && p.frag_off == 0 && p.ip_id == 0xa0280003 && p.l4 && p.dport == 33435);
	assert_int_equal(p.ip_hdr_len, 48);
	p = parse_hex(vec_fragoff6);
	assert_true(p.frag && p.frag_off == 185 && p.ip_id == 0xa0280003 && !p.l4 && p.dport == 0);
	(void)hex_bytes(vec_udp4, bytes_of, sizeof(bytes_of));
	bytes_of[6] = 0x20; /* more fragments */
	assert_int_equal(pkt_parse(&p, bytes_of, 44), PKT_OK);
	assert_true(p.frag && !p.df && p.l4);
	bytes_of[7] = 2;
	assert_int_equal(pkt_parse(&p, bytes_of, 44), PKT_OK);
	assert_true(p.frag && p.frag_off == 2 && !p.l4 && p.payload_len == 24);
	(void)state;
}

static void
v6_extension_headers_are_walked(void **state)
{
	/* IP6 2001:db8::1 > 2001:db8:9::9: HBH (pad) RT DSTOPT (len 1) AH (len 1) UDP */
	struct pkt p = parse_hex("600000000034004020010db80000000000000000"
				 "0000000120010db8000900000000000000000009"
				 "2b00010400000000"
				 "3c00000000000000"
				 "3301010c000000000000000000000000"
				 "110100000000000100000002"
				 "a028829b00080000");

	assert_true(p.proto == 17 && p.l4 && p.dport == 33435 && p.ip_hdr_len == 84);
	assert_int_equal(p.payload_len, 0);
	bytes_of[57] = 0xff; /* destination options of 2048 bytes */
	assert_int_equal(pkt_parse(&p, bytes_of, 92), PKT_SHORT);
	(void)state;
}

/* Every pointer the parser hands out lies within the bytes it was given. */
static void
assert_inside(const struct pkt *p, const uint8_t *bytes, size_t len)
{
	uint16_t off = 0;
	struct icmpext_obj obj;

	if (p->payload != NULL)
		assert_true(p->payload >= bytes && p->payload + p->payload_len <= bytes + len);
	if (p->ip_opts != NULL)
		assert_true(p->ip_opts >= bytes && p->ip_opts + p->ip_opts_len <= bytes + len);
	if (!p->l4 || (p->proto != IPPROTO_ICMP && p->proto != IPPROTO_ICMPV6))
		return;
	if (p->icmp.quote != NULL)
		assert_true(p->icmp.quote >= bytes && p->icmp.quote + p->icmp.quote_len <= bytes + len);
	while (icmpext_next(p->icmp.ext, p->icmp.ext_len, &off, &obj))
		assert_true(obj.data >= bytes && obj.data + obj.data_len <= bytes + len);
}

static enum pkt_result
parse_copy(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len + (len == 0)); /* of the exact size, for ASan */
	struct pkt p, quote;
	enum pkt_result rc;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	rc = pkt_parse(&p, copy, len);
	if (rc == PKT_OK) {
		assert_inside(&p, copy, len);
		if (pkt_parse_quote(&quote, &p) == PKT_OK)
			assert_inside(&quote, copy, len);
	}
	free(copy);
	return rc;
}

static void
a_packet_cut_at_every_byte_is_short_or_a_snapshot(void **state)
{
	uint8_t bytes[256];

	for (size_t i = 0; i < GOLDENS; i++) {
		size_t len = hex_bytes(goldens[i], bytes, sizeof(bytes));
		enum pkt_result was = PKT_SHORT;

		for (size_t cut = 0; cut <= len; cut++) {
			enum pkt_result rc = parse_copy(bytes, cut);

			assert_true(rc == PKT_SHORT || rc == PKT_OK);
			/* Once there is enough, more bytes do no harm. */
			assert_true(was == PKT_SHORT || rc == PKT_OK);
			was = rc;
		}
		assert_int_equal(was, PKT_OK);
	}
	(void)state;
}

static void
every_byte_at_its_extremes_stays_inside(void **state)
{
	static const uint8_t extremes[] = { 0x00, 0x01, 0x7f, 0x80, 0xff, 0x4f, 0x6f };
	uint8_t bytes[256];

	for (size_t i = 0; i < GOLDENS; i++) {
		size_t len = hex_bytes(goldens[i], bytes, sizeof(bytes));

		for (size_t at = 0; at < len; at++) {
			uint8_t was = bytes[at], next = at + 1 < len ? bytes[at + 1] : 0;

			for (size_t e = 0; e < sizeof(extremes); e++) {
				bytes[at] = extremes[e];
				(void)parse_copy(bytes, len);
				if (at + 1 < len)
					bytes[at + 1] = extremes[e];
				(void)parse_copy(bytes, len);
				if (at + 1 < len)
					bytes[at + 1] = next;
			}
			bytes[at] = was;
		}
	}
	(void)state;
}

static void
bytes_behind_the_ip_length_are_no_payload(void **state)
{
	struct pkt p;

	memset(bytes_of, 0xee, sizeof(bytes_of));
	(void)hex_bytes(vec_tcp_ack4, bytes_of, sizeof(bytes_of)); /* an Ethernet frame's padding */
	assert_int_equal(pkt_parse(&p, bytes_of, 46), PKT_OK);
	assert_int_equal(p.payload_len, 0);
	(void)hex_bytes(vec_udp6, bytes_of, sizeof(bytes_of));
	assert_int_equal(pkt_parse(&p, bytes_of, 100), PKT_OK);
	assert_int_equal(p.payload_len, 12);
	bytes_of[45] = 12; /* UDP says less than IP: RFC 768 length rules */
	assert_int_equal(pkt_parse(&p, bytes_of, 60), PKT_OK);
	assert_int_equal(p.payload_len, 4);
	(void)state;
}

static void
a_snapshot_of_a_large_packet_is_parsed(void **state)
{
	struct pkt p;

	(void)hex_bytes(vec_udp4, bytes_of, sizeof(bytes_of));
	bytes_of[2] = 0x05; /* total length 1500, of which 44 were captured */
	bytes_of[3] = 0xdc;
	bytes_of[24] = 0x05;
	bytes_of[25] = 0xc8;
	assert_int_equal(pkt_parse(&p, bytes_of, 44), PKT_OK);
	assert_true(p.ip_len == 1500 && p.udp.len == 1480 && p.payload_len == 16);
	(void)state;
}

static void
headers_that_break_their_protocol_are_bad(void **state)
{
	static const struct {
		const char *hex;
		size_t at;
		uint8_t value;
		enum pkt_result want;
	} cases[] = {
		{ vec_udp4, 0, 0x44, PKT_BAD },	     /* header of 16 bytes */
		{ vec_udp4, 3, 19, PKT_BAD },	     /* shorter than its header */
		{ vec_udp4, 3, 27, PKT_SHORT },	     /* no room for UDP */
		{ vec_udp4, 25, 7, PKT_BAD },	     /* UDP shorter than its header */
		{ vec_tcp_ack4, 32, 0x40, PKT_BAD }, /* data offset 4 */
		{ vec_tcp_ack4, 32, 0xf0, PKT_BAD }, /* options behind the end */
		{ vec_tcp_ack6, 52, 0xf0, PKT_BAD },
		{ vec_udp4, 0, 0x55, PKT_UNKNOWN },
		{ vec_udp6, 0, 0x00, PKT_UNKNOWN },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = hex_bytes(cases[i].hex, bytes_of, sizeof(bytes_of));
		struct pkt p;

		bytes_of[cases[i].at] = cases[i].value;
		assert_int_equal(pkt_parse(&p, bytes_of, len), cases[i].want);
	}
	(void)state;
}

static void
mss_is_found_behind_other_options_and_never_beyond_them(void **state)
{
	static const struct {
		uint8_t opts[8];
		uint16_t mss;
	} cases[] = {
		{ { 1, 1, 2, 4, 0x05, 0xb4, 0, 0 }, 1460 },
		{ { 3, 3, 7, 2, 4, 0x02, 0x18, 0 }, 536 },
		{ { 0, 2, 4, 5, 0xb4, 0, 0, 0 }, 0 },	 /* behind the end of options */
		{ { 8, 0, 2, 4, 0x05, 0xb4, 0, 0 }, 0 }, /* length 0 */
		{ { 8, 9, 2, 4, 0x05, 0xb4, 0, 0 }, 0 }, /* runs past the header */
		{ { 2, 3, 5, 2, 4, 0, 9, 0 }, 9 },	 /* length 3 is no MSS */
		{ { 1, 1, 1, 1, 1, 1, 2, 4 }, 0 },	 /* cut in the middle */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pkt p;

		(void)hex_bytes(vec_tcp_ack4, bytes_of, sizeof(bytes_of));
		bytes_of[3] = 48;
		bytes_of[32] = 0x70;
		memcpy(bytes_of + 40, cases[i].opts, 8);
		assert_int_equal(pkt_parse(&p, bytes_of, 48), PKT_OK);
		assert_int_equal(p.tcp.mss, cases[i].mss);
	}
	(void)state;
}

static void
a_v6_packet_of_the_loopback_mtu_is_counted_to_the_limit(void **state)
{
	static uint8_t big[65576];
	struct pkt p;

	(void)hex_bytes(vec_udp6, big, sizeof(big));
	memset(big + 4, 0xff, 2);
	memset(big + 44, 0xff, 2);
	assert_int_equal(pkt_parse(&p, big, sizeof(big)), PKT_OK);
	assert_true(p.ip_len == 65535 && p.payload_len == 65527);
	/* Nothing but extension headers, to the end and past what a u16 counts. */
	memset(big + 40, 0, sizeof(big) - 40);
	big[6] = 0;
	assert_int_equal(pkt_parse(&p, big, sizeof(big)), PKT_SHORT);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp_fields_are_read_in_v4_and_v6),
		cmocka_unit_test(tcp_fields_are_read_in_v4_and_v6),
		cmocka_unit_test(icmp_fields_are_read_in_v4_and_v6),
		cmocka_unit_test(options_and_fragments_are_seen),
		cmocka_unit_test(v6_extension_headers_are_walked),
		cmocka_unit_test(a_packet_cut_at_every_byte_is_short_or_a_snapshot),
		cmocka_unit_test(every_byte_at_its_extremes_stays_inside),
		cmocka_unit_test(bytes_behind_the_ip_length_are_no_payload),
		cmocka_unit_test(a_snapshot_of_a_large_packet_is_parsed),
		cmocka_unit_test(headers_that_break_their_protocol_are_bad),
		cmocka_unit_test(mss_is_found_behind_other_options_and_never_beyond_them),
		cmocka_unit_test(a_v6_packet_of_the_loopback_mtu_is_counted_to_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

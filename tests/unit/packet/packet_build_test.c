#include "common/packet/probe.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "common/packet/pkt.h"
#include "hex.h"
#include "vectors.h"

#define A4(a, b, c, d) { ADDR_IP4, { a, b, c, d } }
#define FROM4 .src = A4(192, 0, 2, 1), .dst = A4(198, 51, 100, 9)
#define FROM6 \
	.src = { ADDR_IP6, { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } }, \
	.dst = { ADDR_IP6, { 0x20, 0x01, 0x0d, 0xb8, 0, 9, [15] = 9 } }
#define UDP_PORTS .proto = IPPROTO_UDP, .sport = 41000, .dport = 33435
#define ECHO4 .proto = IPPROTO_ICMP, .icmp_type = 8, .icmp_id = 0xa028, .icmp_seq = 5
#define ECHO6 .proto = IPPROTO_ICMPV6, .icmp_type = 128, .icmp_id = 0xa028, .icmp_seq = 5
#define FIXED(v) .csum_mode = PROBE_CSUM_FIXED, .csum = v
#define TCP_CONN .proto = IPPROTO_TCP, .sport = 41000
#define OPT4 .proto = IPPROTO_ICMP, .icmp_type = 8, .icmp_id = 1, .ttl = 64, .ip_id = 9

static const uint8_t pattern[] = { 0xde, 0xad, 0xbe };
static const uint8_t counter[16] = { 0, 0, 0, 3 };
static const uint8_t midday[12] = { 0x02, 0x93, 0x2e, 0x00 };

static const struct {
	const char *hex;
	struct probe probe;
} goldens[] = {
	{ vec_udp4, { FROM4, UDP_PORTS, .ttl = 3, .ip_id = 1, .payload_len = 16 } },
	{ vec_udp6, { FROM6, UDP_PORTS, .ttl = 3, .payload_len = 12 } },
	{ vec_udp_paris4, { FROM4, UDP_PORTS, FIXED(1), .ttl = 1, .ip_id = 1, .payload_len = 16 } },
	{ vec_udp_paris6, { FROM6, UDP_PORTS, FIXED(1), .ttl = 1, .payload_len = 12 } },
	{ vec_icmp4, { FROM4, ECHO4, .ttl = 6, .tos = 0x20, .ip_id = 6, .payload_len = 16 } },
	{ vec_icmp6, { FROM6, ECHO6, .ttl = 6, .tos = 0x20, .payload_len = 12 } },
	{ vec_icmp_paris4, { FROM4, ECHO4, FIXED(0xa028), .ttl = 6, .ip_id = 6, .payload_len = 16 } },
	{ vec_icmp_paris6, { FROM6, ECHO6, FIXED(0xa028), .ttl = 6, .payload_len = 12 } },
	{ vec_tcp_syn4, { FROM4, TCP_CONN, .dport = 443, .tcp_seq = 0x01020304, .tcp_flags = TCP_SYN,
			    .tcp_win = 65535, .tcp_mss = 1460, .ttl = 64, .ip_id = 0x1234 } },
	{ vec_tcp_syn6, { FROM6, TCP_CONN, .dport = 443, .tcp_seq = 0x01020304, .tcp_flags = TCP_SYN,
			    .tcp_win = 65535, .tcp_mss = 1440, .ttl = 64, .flow = 0xabcde } },
	{ vec_tcp_ack4, { FROM4, TCP_CONN, .dport = 80, .tcp_seq = 7, .tcp_ack = 8,
			    .tcp_flags = TCP_ACK, .ttl = 9, .ip_id = 2 } },
	{ vec_tcp_ack6, { FROM6, TCP_CONN, .dport = 80, .tcp_seq = 7, .tcp_ack = 8,
			    .tcp_flags = TCP_ACK, .ttl = 9, .flow = 2 } },
	{ vec_rr4, { FROM4, OPT4, .ipopt = PROBE_IPOPT_RR, .payload = pattern, .payload_len = 3 } },
	{ vec_tsonly4, { FROM4, OPT4, .ipopt = PROBE_IPOPT_TS_ONLY } },
	{ vec_tsaddr4, { FROM4, OPT4, .ipopt = PROBE_IPOPT_TS_ADDR } },
	{ vec_tsprespec4, { FROM4, OPT4, .ipopt = PROBE_IPOPT_TS_PRESPEC, .tsps_count = 2,
			      .tsps = { A4(192, 0, 2, 7), A4(192, 0, 2, 8) } } },
	{ vec_frag6, { FROM6, UDP_PORTS, .ttl = 4, .frag = true, .frag_id = 0xa0280003,
			 .payload = counter, .payload_len = 16 } },
	{ vec_fragoff6, { FROM6, UDP_PORTS, .ttl = 4, .frag = true, .frag_off = 185,
			    .frag_id = 0xa0280003, .payload = counter, .payload_len = 16 } },
	{ vec_time4, { FROM4, .proto = IPPROTO_ICMP, .icmp_type = 13, .icmp_id = 5, .icmp_seq = 6,
			 .ttl = 64, .ip_id = 3, .payload = midday, .payload_len = 12 } },
};
#define GOLDENS (sizeof(goldens) / sizeof(goldens[0]))

static void
check_golden(const char *hex, const struct probe *p)
{
	uint8_t want[256], got[256];
	size_t len = hex_bytes(hex, want, sizeof(want));
	struct wr w;

	memset(got, 0xa5, sizeof(got));
	wr_init(&w, got, sizeof(got));
	assert_int_equal(probe_build(&w, p), 0);
	assert_int_equal(wr_len(&w), len);
	assert_int_equal(probe_size(p), len);
	assert_memory_equal(got, want, len);
}

static void
every_probe_is_its_golden_packet(void **state)
{
	for (size_t i = 0; i < GOLDENS; i++)
		check_golden(goldens[i].hex, &goldens[i].probe);
	(void)state;
}

static void
too_big_quotes_its_payload_in_both_families(void **state)
{
	uint8_t quote[128];
	size_t len = hex_bytes(vec_udp4, quote, 28);
	struct probe p4 = { FROM4, .proto = IPPROTO_ICMP, .icmp_is_mtu = true, .icmp_mtu = 1280,
		.ttl = 255, .ip_id = 77, .payload = quote, .payload_len = (uint16_t)len };
	struct probe p6 = { FROM6, .proto = IPPROTO_ICMPV6, .icmp_is_mtu = true, .icmp_mtu = 1280,
		.ttl = 255, .payload = quote };

	check_golden(vec_toobig4, &p4);
	p6.payload_len = (uint16_t)hex_bytes(vec_udp6, quote, sizeof(quote));
	check_golden(vec_toobig6, &p6);
	p4.icmp_mtu = 65536;
	assert_int_equal(probe_build(&(struct wr){ 0 }, &p4), -EINVAL);
	(void)state;
}

static void
a_buffer_one_byte_short_is_refused_untouched(void **state)
{
	for (size_t i = 0; i < GOLDENS; i++) {
		uint8_t buf[256];
		struct wr w;

		for (size_t cap = 0; cap < probe_size(&goldens[i].probe); cap++) {
			memset(buf, 0xa5, sizeof(buf));
			wr_init(&w, buf, cap);
			assert_int_equal(probe_build(&w, &goldens[i].probe), -ENOBUFS);
			assert_int_equal(buf[cap], 0xa5);
			assert_int_equal(wr_len(&w), 0);
		}
	}
	(void)state;
}

/* The sum over pseudo-header and segment, which a receiver wants to be ffff. */
static uint16_t
receiver_sum(const uint8_t *pkt, size_t len, size_t hdr, uint8_t proto)
{
	uint32_t start = 0;

	if (proto != IPPROTO_ICMP) {
		start = (uint32_t)(len - hdr) + proto;
		start += pkt[0] >> 4 == 4 ? naive_sum(pkt + 12, 8, 0) : naive_sum(pkt + 8, 32, 0);
	}
	return naive_sum(pkt + hdr, len - hdr, start);
}

static void
check_fixed(struct probe *p, uint16_t csum, uint16_t off, size_t field)
{
	size_t hdr = p->dst.family == ADDR_IP6 ? 40 : 20;
	uint16_t want = csum == 0 && p->proto == IPPROTO_UDP ? 0xffff : csum;
	uint8_t buf[256];
	struct wr w;

	p->csum_mode = PROBE_CSUM_FIXED;
	p->csum = csum;
	p->csum_off = off;
	wr_init(&w, buf, sizeof(buf));
	assert_int_equal(probe_build(&w, p), 0);
	assert_int_equal(buf[hdr + field] << 8 | buf[hdr + field + 1], want);
	assert_int_equal(receiver_sum(buf, wr_len(&w), hdr, p->proto), 0xffff);
}

static void
any_fixed_checksum_is_valid_at_any_offset(void **state)
{
	static const uint8_t body[17] = { 1, 0xff, 3, 0xfe, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17 };
	struct probe probes[] = {
		{ FROM4, UDP_PORTS },
		{ FROM6, UDP_PORTS },
		{ FROM4, ECHO4 },
		{ FROM6, ECHO6 },
		{ FROM4, TCP_CONN, .tcp_mss = 1460 },
		{ FROM6, TCP_CONN },
	};
	static const size_t fields[] = { 6, 6, 2, 2, 16, 16 };

	for (size_t i = 0; i < 6; i++) {
		probes[i].payload = body;
		probes[i].payload_len = sizeof(body);
		for (uint32_t csum = 0; csum <= 0xffff; csum += 257)
			for (uint16_t off = 0; off + 2u <= sizeof(body); off++)
				check_fixed(&probes[i], (uint16_t)csum, off, fields[i]);
	}
	(void)state;
}

static void
udp_never_shows_a_natural_checksum_of_zero(void **state)
{
	uint8_t two[2], buf[128];
	struct probe p4 = { FROM4, UDP_PORTS, .payload = two, .payload_len = 2 };
	struct probe p6 = { FROM6, UDP_PORTS, .payload = two, .payload_len = 2 };
	int ffff = 0;

	/* One of the values makes the sum ffff, whose complement is 0. */
	for (unsigned int v = 0; v < 0x20000; v++) {
		const struct probe *p = v > 0xffff ? &p6 : &p4;
		size_t at = v > 0xffff ? 46 : 26;
		struct wr w;

		two[0] = (uint8_t)(v >> 8);
		two[1] = (uint8_t)v;
		wr_init(&w, buf, sizeof(buf));
		assert_int_equal(probe_build(&w, p), 0);
		assert_int_not_equal(buf[at] << 8 | buf[at + 1], 0);
		ffff += (buf[at] & buf[at + 1]) == 0xff;
	}
	assert_int_equal(ffff, 2);
	(void)state;
}

static void
combinations_without_a_packet_are_refused(void **state)
{
	static const struct probe bad[] = {
		{ .src = A4(192, 0, 2, 1), .proto = IPPROTO_UDP },
		{ FROM4, .proto = IPPROTO_ICMPV6 },
		{ FROM6, .proto = IPPROTO_ICMP },
		{ FROM4, .proto = 132 },
		{ FROM4, UDP_PORTS, .frag = true },
		{ FROM6, UDP_PORTS, .ipopt = PROBE_IPOPT_RR },
		{ FROM6, UDP_PORTS, .flow = 0x100000 },
		{ FROM6, UDP_PORTS, .frag = true, .frag_off = 0x2000 },
		{ FROM6, UDP_PORTS, FIXED(1), .frag = true, .frag_off = 1, .payload_len = 4 },
		{ FROM4, UDP_PORTS, .ipopt = PROBE_IPOPT_TS_PRESPEC + 1 },
		{ FROM4, UDP_PORTS, .ipopt = PROBE_IPOPT_TS_PRESPEC },
		{ FROM4, UDP_PORTS, .ipopt = PROBE_IPOPT_TS_PRESPEC, .tsps_count = PROBE_TSPS_MAX + 1 },
		{ FROM4, UDP_PORTS, .ipopt = PROBE_IPOPT_TS_PRESPEC, .tsps_count = 1 },
		{ FROM4, UDP_PORTS, FIXED(1) },
		{ FROM4, UDP_PORTS, FIXED(1), .payload_len = 4, .csum_off = 3 },
		{ FROM4, UDP_PORTS, FIXED(1), .payload_len = 4, .csum_off = 65535 },
		{ FROM4, UDP_PORTS, .csum_mode = 2, .payload_len = 4 },
		{ FROM4, UDP_PORTS, .payload_len = 65535 - 27 },
		{ FROM6, UDP_PORTS, .payload_len = 65535 - 7 },
	};
	static uint8_t buf[70000];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct wr w;

		wr_init(&w, buf, sizeof(buf));
		assert_int_equal(probe_build(&w, &bad[i]), -EINVAL);
		assert_int_equal(wr_len(&w), 0);
	}
	(void)state;
}

static void
the_largest_packets_are_built(void **state)
{
	struct probe p4 = { FROM4, UDP_PORTS, .payload_len = 65535 - 28 };
	struct probe p6 = { FROM6, UDP_PORTS, .payload_len = 65535 - 8 };
	static uint8_t buf[70000];
	struct wr w;

	wr_init(&w, buf, sizeof(buf));
	assert_int_equal(probe_build(&w, &p4), 0);
	assert_int_equal(wr_len(&w), 65535);
	wr_init(&w, buf, sizeof(buf));
	assert_int_equal(probe_build(&w, &p6), 0);
	assert_int_equal(wr_len(&w), 65575);
	(void)state;
}

static void
packets_can_be_built_one_behind_the_other(void **state)
{
	uint8_t want[256], got[512];
	size_t a = hex_bytes(vec_udp4, want, sizeof(want));
	size_t b = hex_bytes(vec_rr4, want + a, sizeof(want) - a);
	struct wr w;

	wr_init(&w, got, sizeof(got));
	assert_int_equal(probe_build(&w, &goldens[0].probe), 0);
	assert_int_equal(probe_build(&w, &goldens[12].probe), 0);
	assert_int_equal(wr_len(&w), a + b);
	assert_memory_equal(got, want, a + b);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_probe_is_its_golden_packet),
		cmocka_unit_test(too_big_quotes_its_payload_in_both_families),
		cmocka_unit_test(a_buffer_one_byte_short_is_refused_untouched),
		cmocka_unit_test(any_fixed_checksum_is_valid_at_any_offset),
		cmocka_unit_test(udp_never_shows_a_natural_checksum_of_zero),
		cmocka_unit_test(combinations_without_a_packet_are_refused),
		cmocka_unit_test(the_largest_packets_are_built),
		cmocka_unit_test(packets_can_be_built_one_behind_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

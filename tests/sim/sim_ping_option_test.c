#include <netinet/in.h>
#include <string.h>

#include "common/packet/checksum.h"
#include "sim_ping.h"

/* Payload and header options, read back from the packets. */

/* ---- payload ---- */

static void
zeros_by_default(void **state)
{
	struct sim *net = ping_sim(NET, "-c 1 " DST);
	const struct pkt *p = ping_probe(net, 0);

	assert_int_equal(p->payload_len, 56);
	for (int i = 0; i < 56; i++)
		assert_int_equal(p->payload[i], 0);
	sim_free(net);
	(void)state;
}

static void
a_pattern_fills_the_payload(void **state)
{
	struct sim *net = ping_sim(NET, "-c 1 -p abc " DST);
	const struct pkt *p = ping_probe(net, 0);

	for (int i = 0; i < 56; i++)
		assert_int_equal(p->payload[i], i % 2 == 0 ? 0x0a : 0xbc); /* odd: a leading 0 */
	assert_int_equal(ping_result(net)->rare->data_len, 2);
	sim_free(net);
	net = ping_sim(NET, "-c 1 -P udp -b 40 -p 0102030405060708090a0b0c0d0e0f10 " DST6);
	p = ping_probe(net, 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(p->payload[i], i % 16 + 1);
	sim_free(net);
	(void)state;
}

static void
a_payload_stands_once_with_zeros_behind(void **state)
{
	static const uint8_t want[] = { 1, 2, 3, 0, 0 };
	struct sim *net = ping_sim(NET, "-c 1 -P udp -B 010203 -b 5 " DST);

	assert_int_equal(ping_probe(net, 0)->payload_len, 5);
	assert_memory_equal(ping_probe(net, 0)->payload, want, 5);
	assert_true((ping_result(net)->flags & PING_FLAG_PAYLOAD) != 0);
	sim_free(net);
	(void)state;
}

static void
check_fixed_checksum(const char *dst)
{
	struct sim *net = ping_sim(NET, "-c 3 -i 10ms -C 0xbeef -B 0102 %s", dst);

	for (uint32_t i = 0; i < 3; i++) {
		const struct sim_packet *s = sim_packet(net, i);
		const struct pkt *p = &s->pkt;
		uint32_t sum = 0;
		size_t l4 = s->len - (size_t)p->ip_hdr_len;

		assert_int_equal(p->icmp.csum, 0xbeef);
		assert_int_equal(p->payload_len, 4);
		assert_int_equal(p->payload[2], 1);
		assert_int_equal(p->payload[3], 2);
		if (p->proto == IPPROTO_ICMPV6)
			sum = checksum_pseudo(&p->src, &p->dst, p->proto, (uint32_t)l4);
		assert_int_equal(checksum_fold(checksum_add(sum, s->bytes + p->ip_hdr_len, l4)), 0);
	}
	assert_int_equal(ping_result(net)->icmp_csum, 0xbeef);
	assert_int_equal(ping_result(net)->reply_count, 3);
	sim_free(net);
}

static void
minus_c_keeps_a_valid_checksum_constant(void **state)
{
	check_fixed_checksum(DST);
	check_fixed_checksum(DST6);
	(void)state;
}

static void
icmp_time_carries_the_time_of_day_and_records_the_answers(void **state)
{
	struct sim *net = ping_sim(NET, "-c 2 -P icmp-time " DST);
	const struct ping_record *r = ping_result(net);

	for (uint32_t i = 0; i < 2; i++) {
		const struct pkt *p = ping_probe(net, i);
		uint32_t ms = (uint32_t)p->payload[0] << 24 | (uint32_t)p->payload[1] << 16 |
			      (uint32_t)p->payload[2] << 8 | p->payload[3];

		assert_int_equal(p->icmp.type, 13);
		assert_int_equal(p->icmp.seq, i);
		/* 1700000000 is 22:13:20 UT */
		assert_in_range(ms, 80000123 + i * 1000, 80000125 + i * 1000);
		for (int k = 4; k < 12; k++)
			assert_int_equal(p->payload[k], 0);
		assert_int_equal(r->replies[i].icmp_type, 14);
		assert_non_null(r->replies[i].extra);
		assert_int_equal(r->replies[i].extra->has_icmp_times, 1);
		assert_int_equal(r->replies[i].extra->icmp_times[0], ms);
		assert_in_range(r->replies[i].extra->icmp_times[1], ms, ms + 5);
	}
	sim_free(net);
	(void)state;
}

/* ---- header options ---- */

static void
record_route_goes_out_and_comes_back(void **state)
{
	struct sim *net = ping_sim(NET, "-c 1 -R " DST);
	const struct pkt *p = ping_probe(net, 0);
	const struct ping_reply_extra *x = ping_result(net)->replies[0].extra;

	assert_int_equal(p->ip_opts_len, 40);
	assert_int_equal(p->ip_opts[0], 7);
	assert_int_equal(p->ip_opts[1], 39);
	assert_int_equal(p->ip_opts[2], 4);
	assert_non_null(x);
	assert_int_equal(x->rr_count, 5);
	assert_addr(&x->rr[0], "192.0.2.1");
	assert_addr(&x->rr[3], DST);
	assert_addr(&x->rr[4], "192.0.2.100"); /* ourselves, last */
	assert_int_equal(ping_result(net)->flags, PING_FLAG_RR);
	sim_free(net);
	(void)state;
}

/* The error's own header has no options here, as with most routers. */
static void
an_error_tells_the_way_to_whom_it_is_from(void **state)
{
	struct sim *net = ping_sim(NET, "-c 1 -m 2 -R " DST);
	const struct ping_reply *r = &ping_result(net)->replies[0];

	assert_int_equal(r->icmp_type, 11);
	assert_non_null(r->extra);
	assert_int_equal(r->extra->rr_count, 2);
	assert_addr(&r->extra->rr[0], "192.0.2.1");
	assert_addr(&r->extra->rr[1], "192.0.2.2");
	sim_free(net);
	net = ping_sim(NET, "-c 1 -m 3 -T tsandaddr " DST);
	r = &ping_result(net)->replies[0];
	assert_int_equal(r->extra->ts_count, 3);
	assert_int_equal(r->extra->ts_addr_count, 3);
	assert_addr(&r->extra->ts_addr[2], "192.0.2.3");
	sim_free(net);
	(void)state;
}

struct stamp_row {
	const char *arg;
	uint16_t flags;
	uint8_t wire_flag;
	uint8_t len;
	uint8_t stamps; /* that come back */
	uint8_t addrs;
};

static void
timestamp_options_go_out_and_come_back(void **state)
{
	static const struct stamp_row rows[] = {
		{ "tsonly", PING_FLAG_TSONLY, 0, 40, 5, 0 },
		{ "TSonly", PING_FLAG_TSONLY, 0, 40, 5, 0 },      /* words are of any case */
		{ "tsandaddr", PING_FLAG_TSANDADDR, 1, 36, 4, 4 }, /* it is full */
		{ "tsprespec=198.51.100.9,192.0.2.100", 0, 3, 20, 2, 2 },
		{ "tsprespec=198.51.100.9,192.0.2.101", 0, 3, 20, 1, 1 },
		{ "TSprespec=192.0.2.2,198.51.100.9", 0, 3, 20, 2, 2 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sim *net = ping_sim(NET, "-c 1 -T %s " DST, rows[i].arg);
		const struct pkt *p = ping_probe(net, 0);
		const struct ping_record *r = ping_result(net);

		assert_int_equal(p->ip_opts[0], 68);
		assert_int_equal(p->ip_opts[1], rows[i].len);
		assert_int_equal(p->ip_opts[2], 5);
		assert_int_equal(p->ip_opts[3], rows[i].wire_flag);
		assert_int_equal(r->flags, rows[i].flags);
		assert_non_null(r->replies[0].extra);
		assert_int_equal(r->replies[0].extra->ts_count, rows[i].stamps);
		assert_int_equal(r->replies[0].extra->ts_addr_count, rows[i].addrs);
		sim_free(net);
	}
	(void)state;
}

static void
a_spoofed_probe_carries_the_real_source(void **state)
{
	static const uint8_t here[] = { 192, 0, 2, 100 };
	struct sim *net = ping_sim(NET, "-c 1 -O spoof -S 203.0.113.77 -p ff " DST);
	const struct pkt *p = ping_probe(net, 0);

	assert_addr(&p->src, "203.0.113.77");
	assert_memory_equal(p->payload, here, 4);
	assert_int_equal(p->payload[4], 0xff);
	assert_int_equal(ping_result(net)->flags, PING_FLAG_SPOOF);
	assert_addr(&ping_result(net)->src, "203.0.113.77");
	sim_free(net);
	net = ping_sim(NET, "-c 1 -O spoof -O nosrc -S 203.0.113.77 " DST);
	assert_int_equal(ping_probe(net, 0)->payload[0], 0);
	assert_int_equal(ping_result(net)->flags, PING_FLAG_SPOOF | PING_FLAG_NOSRC);
	sim_free(net);
	(void)state;
}

static void
time_stamps_source_and_checksum_stand_in_that_order(void **state)
{
	static const uint8_t here[] = { 192, 0, 2, 100 };
	struct sim *net = ping_sim(NET, "-c 1 -P icmp-time -O spoof -C 0x77 -B aabb " DST);
	const struct sim_packet *s = sim_packet(net, 0);
	const uint8_t *pl = s->pkt.payload;

	assert_int_equal(s->len, 20 + 8 + 12 + 4 + 2 + 2);
	assert_memory_equal(pl + 12, here, 4);
	assert_int_equal(pl[18], 0xaa);
	assert_int_equal(pl[19], 0xbb);
	assert_int_equal(s->pkt.icmp.csum, 0x77);
	assert_int_equal(checksum_fold(checksum_add(0, s->bytes + 20, s->len - 20u)), 0);
	sim_free(net);
	(void)state;
}

static void
minus_r_hands_probes_to_the_router(void **state)
{
	struct sim *net = ping_sim(NET, "-c 1 -r 192.0.2.254 " DST);

	assert_addr(&sim_packet(net, 0)->to, "192.0.2.254");
	assert_addr(&ping_probe(net, 0)->dst, DST);
	assert_addr(&ping_result(net)->rare->router, "192.0.2.254");
	assert_addr(sim_route_via(net), "192.0.2.254");
	sim_free(net);
	(void)state;
}

static void
mss_is_in_the_syn_and_the_answers_is_recorded(void **state)
{
	struct sim *net = ping_sim(NET "dst: tcp=synack", "-c 1 -P tcp-syn -O mss=1300 " DST);

	assert_int_equal(ping_probe(net, 0)->tcp.mss, 1300);
	assert_int_equal(ping_result(net)->tcp_mss, 1300);
	assert_int_equal(ping_result(net)->replies[0].tcp_mss, 1460);
	assert_int_equal(ping_result(net)->replies[0].tcp_flags, TCP_SYN | TCP_ACK);
	sim_free(net);
	(void)state;
}

struct flag_row {
	const char *options;
	uint16_t flags;
};

static void
the_rest_of_minus_o_is_recorded(void **state)
{
	static const struct flag_row rows[] = {
		{ "-O dl", PING_FLAG_DL },
		{ "-O dltx", PING_FLAG_DLTX },
		{ "-O sockrx", PING_FLAG_SOCKRX },
		{ "-O raw -P tcp-syn", PING_FLAG_RAW },
		{ "-O dl -O dltx -O nosrc", PING_FLAG_DL | PING_FLAG_DLTX | PING_FLAG_NOSRC },
		{ "-C 0", PING_FLAG_ICMPSUM },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sim *net = ping_sim(NET, "-c 1 %s " DST, rows[i].options);

		assert_int_equal(ping_result(net)->flags, rows[i].flags);
		assert_int_equal(ping_result(net)->reply_count, 1);
		sim_free(net);
	}
	(void)state;
}

static void
parameters_are_recorded_as_given(void **state)
{
	struct sim *net = ping_sim(
	    NET, "-c 2 -i 20ms -W 1.5 -m 30 -z 4 -U 77 -o 9 -M 1000 -P udp -F 5 -d 6 -S 192.0.2.100 " DST);
	const struct ping_record *r = ping_result(net);

	assert_int_equal(r->probe_count, 2);
	assert_int_equal(r->wait_us, 20000);
	assert_int_equal(r->timeout_us, 1500000);
	assert_int_equal(r->ttl, 30);
	assert_int_equal(r->tos, 4);
	assert_int_equal(r->userid, 77);
	assert_int_equal(r->stop_count, 9);
	assert_int_equal(r->pmtu, 1000);
	assert_int_equal(r->sport, 5);
	assert_int_equal(r->dport, 6);
	assert_int_equal(ping_probe(net, 0)->ttl, 30);
	assert_int_equal(ping_probe(net, 0)->tos, 4);
	assert_addr(&r->dst, DST);
	sim_free(net);
	(void)state;
}

static void
ipids_are_fresh_and_never_zero(void **state)
{
	struct sim *net = ping_sim(NET, "-c 60000 -i 1ms -W 1ms " DST);
	const struct ping_record *r = ping_result(net);
	uint32_t same = 0;

	for (uint32_t i = 0; i < 60000; i++) {
		assert_int_not_equal(r->probes[i].ip_id, 0);
		assert_int_equal(r->probes[i].ip_id, ping_probe(net, i)->ip_id);
		for (uint32_t k = i < 5 ? 0 : i - 5; k < i; k++)
			assert_int_not_equal(r->probes[i].ip_id, r->probes[k].ip_id);
		same += i > 0 && r->probes[i].ip_id == r->probes[i - 1].ip_id + 1;
	}
	assert_true(same < 20); /* random, not counting */
	sim_free(net);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeros_by_default),
		cmocka_unit_test(a_pattern_fills_the_payload),
		cmocka_unit_test(a_payload_stands_once_with_zeros_behind),
		cmocka_unit_test(minus_c_keeps_a_valid_checksum_constant),
		cmocka_unit_test(icmp_time_carries_the_time_of_day_and_records_the_answers),
		cmocka_unit_test(record_route_goes_out_and_comes_back),
		cmocka_unit_test(an_error_tells_the_way_to_whom_it_is_from),
		cmocka_unit_test(timestamp_options_go_out_and_come_back),
		cmocka_unit_test(a_spoofed_probe_carries_the_real_source),
		cmocka_unit_test(time_stamps_source_and_checksum_stand_in_that_order),
		cmocka_unit_test(minus_r_hands_probes_to_the_router),
		cmocka_unit_test(mss_is_in_the_syn_and_the_answers_is_recorded),
		cmocka_unit_test(the_rest_of_minus_o_is_recorded),
		cmocka_unit_test(parameters_are_recorded_as_given),
		cmocka_unit_test(ipids_are_fresh_and_never_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

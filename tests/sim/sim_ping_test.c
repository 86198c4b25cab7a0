#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/packet/checksum.h"
#include "proto/record/ping.h"
#include "sim.h"
#include "sim_ping.h"

/* What leaves: every method and option, read back from the packets. */

static void
four_echo_requests_one_second_apart_by_default(void **state)
{
	struct sim *net = sim_new(NET);

	sim_run(net, "ping " DST);
	assert_int_equal(sim_sent(net), 4);
	for (uint32_t i = 0; i < 4; i++) {
		const struct pkt *p = ping_probe(net, i);

		assert_int_equal(p->proto, IPPROTO_ICMP);
		assert_int_equal(p->icmp.type, 8);
		assert_int_equal(p->icmp.id, 0x1234);
		assert_int_equal(p->icmp.seq, i);
		assert_int_equal(p->ttl, 64);
		assert_int_equal(p->tos, 0);
		assert_int_not_equal(p->ip_id, 0);
		assert_true(p->df);
		assert_addr(&p->src, "192.0.2.100");
		assert_addr(&p->dst, DST);
		assert_in_range(sim_packet(net, i)->at, i * NSEC_PER_SEC, i * NSEC_PER_SEC + 5 * NSEC_PER_MSEC);
	}
	sim_free(net);
	(void)state;
}

static void
ipv6_echo_requests_are_alike(void **state)
{
	struct sim *net = sim_new(NET);

	sim_run(net, "ping -c 2 -z 32 -m 9 " DST6);
	assert_int_equal(sim_sent(net), 2);
	for (uint32_t i = 0; i < 2; i++) {
		const struct pkt *p = ping_probe(net, i);

		assert_int_equal(p->proto, IPPROTO_ICMPV6);
		assert_int_equal(p->icmp.type, 128);
		assert_int_equal(p->icmp.id, 0x1234);
		assert_int_equal(p->icmp.seq, i);
		assert_int_equal(p->ttl, 9);
		assert_int_equal(p->tos, 32);
		assert_int_equal(p->flow, 0);
		assert_addr(&p->src, "2001:db8::100");
	}
	assert_int_equal(ping_result(net)->reply_count, 2);
	sim_free(net);
	(void)state;
}

struct size_row {
	const char *options;
	uint16_t size;
};

/* commands.md 4.2 */
static const struct size_row sizes[] = {
	{ DST, 84 },
	{ DST6, 104 },
	{ "-P icmp-time " DST, 84 },
	{ "-P tcp-syn " DST, 40 },
	{ "-P tcp-ack " DST6, 60 },
	{ "-P tcp-ack-sport " DST, 40 },
	{ "-P tcp-synack " DST, 40 },
	{ "-P tcp-rst " DST6, 60 },
	{ "-P tcp-syn-sport " DST, 40 },
	{ "-P udp " DST, 40 },
	{ "-P udp " DST6, 60 },
	{ "-P udp-dport " DST, 40 },
	{ "-P udp-sport " DST6, 60 },
	{ "-R " DST, 124 },
	{ "-T tsonly " DST, 124 },
	{ "-T tsandaddr " DST, 120 },
	{ "-T tsprespec=192.0.2.1 " DST, 96 },
	{ "-T tsprespec=192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4 " DST, 120 },
	{ "-P udp -R " DST, 80 },
	{ "-s 28 " DST, 28 },
	{ "-s 1500 " DST, 1500 },
	{ "-s 48 " DST6, 48 },
	{ "-b 0 " DST, 28 },
	{ "-b 100 -P udp " DST, 128 },
	{ "-b 100 -s 128 " DST, 128 },
	{ "-B 0102 " DST, 30 },
	{ "-B 0102 -b 4 " DST, 32 },
	{ "-C 7 " DST, 84 },
	{ "-C 7 -B 0102 " DST, 32 },
	{ "-C 7 -s 30 " DST, 30 },
	{ "-p ab " DST, 84 },
	{ "-O spoof -S 192.0.2.200 " DST, 88 },
	{ "-O spoof " DST6, 120 },
	{ "-O spoof -O nosrc -S 192.0.2.200 " DST, 84 },
	{ "-O spoof -P tcp-syn " DST, 44 },
	{ "-O spoof -P tcp-rst " DST, 40 },
	{ "-O spoof -P tcp-synack " DST6, 60 },
	{ "-O mss=1300 -P tcp-syn " DST, 44 },
	{ "-P tcp-syn -b 10 " DST, 50 },
};

static void
every_probe_has_the_size_that_is_recorded(void **state)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct sim *net = ping_sim(NET, "-c 1 %s", sizes[i].options);

		assert_int_equal(ping_result(net)->probe_size, sizes[i].size);
		assert_int_equal(sim_packet(net, 0)->len, sizes[i].size);
		sim_free(net);
	}
	(void)state;
}

struct method_row {
	const char *word;
	uint8_t method;
	uint8_t proto;
	uint8_t flags;
	int sport_step;
	int dport_step;
};

static const struct method_row methods[] = {
	{ "tcp-syn", PING_TCP_SYN, IPPROTO_TCP, TCP_SYN, 0, 0 },
	{ "TCP-ACK", PING_TCP_ACK, IPPROTO_TCP, TCP_ACK, 0, 0 },
	{ "tcp-ack-sport", PING_TCP_ACK_SPORT, IPPROTO_TCP, TCP_ACK, 1, 0 },
	{ "tcp-synack", PING_TCP_SYNACK, IPPROTO_TCP, TCP_SYN | TCP_ACK, 0, 0 },
	{ "tcp-rst", PING_TCP_RST, IPPROTO_TCP, TCP_RST, 0, 0 },
	{ "tcp-syn-sport", PING_TCP_SYN_SPORT, IPPROTO_TCP, TCP_SYN, 1, 0 },
	{ "udp", PING_UDP, IPPROTO_UDP, 0, 0, 0 },
	{ "udp-dport", PING_UDP_DPORT, IPPROTO_UDP, 0, 0, 1 },
	{ "udp-sport", PING_UDP_SPORT, IPPROTO_UDP, 0, 1, 0 },
};

static void
check_method(const struct method_row *m, const char *dst)
{
	struct sim *net = ping_sim(NET, "-c 3 -i 10ms -P %s -F 5000 -d 6000 %s", m->word, dst);
	const struct ping_record *r = ping_result(net);

	assert_int_equal(r->method, m->method);
	assert_int_equal(sim_sent(net), 3);
	for (int i = 0; i < 3; i++) {
		const struct pkt *p = ping_probe(net, (uint32_t)i);

		assert_int_equal(p->proto, m->proto);
		assert_int_equal(p->sport, 5000 + i * m->sport_step);
		assert_int_equal(r->probes[i].sport, p->sport);
		assert_int_equal(r->probes[i].ip_id, p->ip_id);
		assert_int_equal(p->dport, 6000 + i * m->dport_step);
		if (m->proto != IPPROTO_TCP)
			continue;
		assert_int_equal(p->tcp.flags, m->flags);
		assert_int_equal(p->tcp.win, 65535);
		assert_int_equal(p->tcp.seq, r->tcp_seq);
		assert_int_equal(p->tcp.ack, r->tcp_ack);
	}
	/* a reset is not answered, the others are, each by its own reply */
	assert_int_equal(r->reply_count, m->method == PING_TCP_RST ? 0 : 3);
	for (uint32_t i = 0; i < r->reply_count; i++)
		assert_int_equal(r->replies[i].probe, i);
	sim_free(net);
}

static void
each_method_varies_what_it_says_and_nothing_else(void **state)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		check_method(&methods[i], DST);
		check_method(&methods[i], DST6);
	}
	(void)state;
}

struct number_row {
	const char *word;
	bool seq; /* -A is the sequence number */
	bool ack_zero;
};

static void
minus_a_sets_the_number_of_its_method(void **state)
{
	static const struct number_row rows[] = {
		{ "tcp-syn", true, true }, { "tcp-syn-sport", true, true }, { "tcp-rst", true, true },
		{ "tcp-ack", false, false }, { "tcp-ack-sport", false, false }, { "tcp-synack", false, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sim *net = ping_sim(NET, "-c 1 -A 4000000000 -P %s " DST, rows[i].word);
		struct sim *free_net = ping_sim(NET, "-c 1 -P %s " DST, rows[i].word);
		const struct pkt *p = ping_probe(net, 0), *q = ping_probe(free_net, 0);

		assert_int_equal(rows[i].seq ? p->tcp.seq : p->tcp.ack, 4000000000u);
		assert_int_not_equal(rows[i].seq ? q->tcp.seq : q->tcp.ack, 0);
		assert_int_equal(rows[i].ack_zero ? p->tcp.ack | q->tcp.ack : 0, 0);
		assert_int_not_equal(q->tcp.seq, 0);
		sim_free(net);
		sim_free(free_net);
	}
	(void)state;
}

static void
the_default_ports_are_the_programs(void **state)
{
	struct sim *net = ping_sim(NET, "-c 1 -P udp " DST);

	assert_int_equal(ping_probe(net, 0)->sport, 40000);
	assert_int_equal(ping_probe(net, 0)->dport, 33435);
	sim_free(net);
	net = ping_sim(NET, "-c 3 -i 10ms -d 65535 -F 77 " DST);
	assert_int_equal(ping_probe(net, 0)->icmp.id, 77);
	assert_int_equal(ping_probe(net, 0)->icmp.seq, 65535);
	assert_int_equal(ping_probe(net, 1)->icmp.seq, 0);
	assert_int_equal(ping_probe(net, 2)->icmp.seq, 1);
	assert_int_equal(ping_result(net)->reply_count, 3);
	sim_free(net);
	(void)state;
}

static void
a_default_source_port_is_lowered_to_leave_room(void **state)
{
	struct sim *net = ping_sim(NET, "-c 26000 -o 1 -i 1ms -P udp-sport " DST);

	assert_int_equal(ping_probe(net, 0)->sport, 65536 - 26000);
	sim_free(net);
	(void)state;
}

static void
a_port_that_another_program_has_is_stepped_over(void **state)
{
	struct sim *net = ping_sim(NET "busy 5001", "-c 3 -i 10ms -P tcp-syn-sport -F 5000 " DST);
	const struct ping_record *r = ping_result(net);

	assert_int_equal(ping_probe(net, 0)->sport, 5000);
	assert_in_range(ping_probe(net, 1)->sport, 0x8000, 0xffff);
	assert_int_equal(ping_probe(net, 2)->sport, 5002);
	assert_int_equal(r->probes[1].sport, ping_probe(net, 1)->sport);
	assert_int_equal(r->reply_count, 3);
	assert_int_equal(r->replies[1].probe, 1);
	sim_free(net);
	(void)state;
}

static void
a_first_port_that_another_program_has_is_an_error(void **state)
{
	struct sim *net = ping_sim(NET "busy 5001", "-P udp -F 5001 " DST);

	assert_int_equal(sim_sent(net), 0);
	assert_int_equal(ping_result(net)->stop_reason, PING_STOP_ERROR);
	assert_non_null(ping_result(net)->rare->errmsg);
	sim_free(net);
	(void)state;
}

static void
port_zero_takes_a_free_one_each_time(void **state)
{
	struct sim *net = sim_new(NET);

	sim_add(net, "ping -c 1 -P udp -F 0 " DST);
	sim_add(net, "ping -c 1 -P udp -F 0 " DST);
	sim_add(net, "ping -c 1 -F 0 " DST);
	sim_add(net, "ping -c 1 -F 0 " DST);
	sim_go(net);
	assert_int_not_equal(ping_probe(net, 0)->sport, ping_probe(net, 1)->sport);
	assert_in_range(ping_probe(net, 0)->sport, 0x8000, 0xffff);
	assert_int_not_equal(ping_probe(net, 2)->icmp.id, ping_probe(net, 3)->icmp.id);
	/* at the same time: no claim was in the way */
	assert_true(sim_packet(net, 3)->at < NSEC_PER_MSEC * 10);
	for (uint32_t i = 0; i < 4; i++) {
		const struct ping_record *r = sim_result(net, i);

		assert_int_equal(r->reply_count, 1);
	}
	sim_free(net);
	(void)state;
}

static void
pings_that_could_take_each_others_replies_wait(void **state)
{
	struct sim *net = sim_new(NET);

	sim_add(net, "ping -c 1 " DST);
	sim_add(net, "ping -c 1 " DST);
	sim_add(net, "ping -c 1 -F 9 " DST);
	sim_go(net);
	assert_int_equal(ping_probe(net, 1)->icmp.id, 9);
	assert_true(sim_packet(net, 1)->at < 10 * NSEC_PER_MSEC);
	assert_true(sim_packet(net, 2)->at >= NSEC_PER_SEC);
	sim_free(net);
	(void)state;
}

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
	assert_int_equal(x->rr_count, 4);
	assert_addr(&x->rr[0], "192.0.2.1");
	assert_addr(&x->rr[3], DST);
	assert_int_equal(ping_result(net)->flags, PING_FLAG_RR);
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
		{ "tsonly", PING_FLAG_TSONLY, 0, 40, 4, 0 },
		{ "tsandaddr", PING_FLAG_TSANDADDR, 1, 36, 4, 4 },
		{ "tsprespec=192.0.2.2,198.51.100.9", 0, 3, 20, 2, 2 },
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
	struct sim *net = ping_sim(NET, "-c 2 -i 20ms -W 1.5 -m 30 -z 4 -U 77 -o 9 -M 1000 -P udp -F 5 -d 6 -S 192.0.2.100 " DST);
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
	struct sim *net = ping_sim(NET, "-c 5000 -i 1ms -W 1ms " DST);
	const struct ping_record *r = ping_result(net);
	uint32_t same = 0;

	for (uint32_t i = 0; i < 5000; i++) {
		assert_int_not_equal(r->probes[i].ip_id, 0);
		assert_int_equal(r->probes[i].ip_id, ping_probe(net, i)->ip_id);
		for (uint32_t k = i < 5 ? 0 : i - 5; k < i; k++)
			assert_int_not_equal(r->probes[i].ip_id, r->probes[k].ip_id);
		same += i > 0 && r->probes[i].ip_id == r->probes[i - 1].ip_id + 1;
	}
	assert_true(same < 10); /* random, not counting */
	sim_free(net);
	(void)state;
}

/* ---- refusals ---- */

struct refusal_row {
	const char *text;
	const char *error;
};

static const struct refusal_row refusals[] = {
	{ "", "expected address to ping" },
	{ "-c 2", "expected address to ping" },
	{ "host.example", "invalid destination address" },
	{ DST " extra", "invalid destination address" },
	{ "-c 0 " DST, "-c failed: count must be within 1 - 65535" },
	{ "-c 65536 " DST, "-c failed: count must be within 1 - 65535" },
	{ "-A 4294967296 -P tcp-syn " DST, "-A failed: number must be within 0 - 4294967295" },
	{ "-b 65536 " DST, "-b failed: payload-size must be within 0 - 65535" },
	{ "-C 65536 " DST, "-C failed: checksum must be within 0 - 65535" },
	{ "-d 65536 " DST, "-d failed: dport must be within 0 - 65535" },
	{ "-F 65536 " DST, "-F failed: sport must be within 0 - 65535" },
	{ "-i 0.9ms " DST, "-i failed: wait must be within 1ms - 20s" },
	{ "-i 21 " DST, "-i failed: wait must be within 1ms - 20s" },
	{ "-m 0 " DST, "-m failed: ttl must be within 1 - 255" },
	{ "-m 256 " DST, "-m failed: ttl must be within 1 - 255" },
	{ "-M 65536 " DST, "-M failed: mtu must be within 0 - 65535" },
	{ "-o 65536 " DST, "-o failed: replies must be within 0 - 65535" },
	{ "-s 65536 " DST, "-s failed: size must be within 0 - 65535" },
	{ "-U 4294967296 " DST, "-U failed: userid must be within 0 - 4294967295" },
	{ "-W 0 " DST, "-W failed: timeout must be within 1ms - 255s" },
	{ "-W 256 " DST, "-W failed: timeout must be within 1ms - 255s" },
	{ "-y 21 " DST, "-y failed: progress must be within 0 - 20" },
	{ "-z 256 " DST, "-z failed: tos must be within 0 - 255" },
	{ "-P ping " DST, "-P failed: method must be one of icmp-echo, icmp-time, tcp-syn, tcp-ack, tcp-ack-sport, "
			  "tcp-synack, tcp-rst, tcp-syn-sport, udp, udp-dport, udp-sport" },
	{ "-O fast " DST, "-O failed: option must be one of dl, dltx, mss=N, nosrc, raw, sockrx, spoof, tbt" },
	{ "-O mss=0 -P tcp-syn " DST, "-O failed: mss must be within 1 - 65535" },
	{ "-O mss=65536 -P tcp-syn " DST, "-O failed: mss must be within 1 - 65535" },
	{ "-O mss= -P tcp-syn " DST, "-O failed: mss must be within 1 - 65535" },
	{ "-T all " DST, "-T failed: timestamp must be one of tsonly, tsandaddr, tsprespec=a[,b[,c[,d]]]" },
	{ "-T tsprespec= " DST, "-T failed: tsprespec must be 1 - 4 IPv4 addresses" },
	{ "-T tsprespec=192.0.2.1, " DST, "-T failed: tsprespec must be 1 - 4 IPv4 addresses" },
	{ "-T tsprespec=2001:db8::1 " DST, "-T failed: tsprespec must be 1 - 4 IPv4 addresses" },
	{ "-T tsprespec=192.0.2.1,192.0.2.1,192.0.2.1,192.0.2.1,192.0.2.1 " DST,
	    "-T failed: tsprespec must be 1 - 4 IPv4 addresses" },
	{ "-B 123 " DST, "-B failed: payload must be 1 - 1000 bytes as pairs of hex digits" },
	{ "-B xy " DST, "-B failed: payload must be 1 - 1000 bytes as pairs of hex digits" },
	{ "-B '' " DST, "-B failed: payload must be 1 - 1000 bytes as pairs of hex digits" },
	{ "-p xy " DST, "-p failed: pattern must be 1 - 32 hex digits" },
	{ "-p '' " DST, "-p failed: pattern must be 1 - 32 hex digits" },
	{ "-p 112233445566778899001122334455667 " DST, "-p failed: pattern must be 1 - 32 hex digits" },
	/* combinations */
	{ "-p 00 -B 00 " DST, "cannot set both payload and pattern" },
	{ "-s 27 " DST, "specified probe size too small" },
	{ "-s 47 " DST6, "specified probe size too small" },
	{ "-s 67 -R " DST, "specified probe size too small" },
	{ "-s 29 -C 1 " DST, "specified probe size too small" },
	{ "-s 39 -P tcp-syn " DST, "specified probe size too small" },
	{ "-s 31 -B 0102 " DST, "specified probe size inconsistent with payload" },
	{ "-s 85 -b 56 " DST, "specified probe size inconsistent with payload" },
	{ "-b 1 -B 0102 " DST, "-b failed: payload-size must be at least 2 with this payload" },
	{ "-b 1 -C 1 " DST, "-b failed: payload-size must be at least 2 with this payload" },
	{ "-b 65535 " DST, "-b failed: probe would exceed 65535 bytes" },
	{ "-C 1 -P udp " DST, "-C failed: checksum is for ICMP methods only" },
	{ "-A 1 " DST, "-A failed: number is for TCP methods only" },
	{ "-R -T tsonly " DST, "cannot set both record route and timestamp options" },
	{ "-R " DST6, "-R failed: IPv6 has no record route option" },
	{ "-T tsonly " DST6, "-T failed: IPv6 has no timestamp option" },
	{ "-P icmp-time " DST6, "-P failed: IPv6 has no icmp-time" },
	{ "-O tbt -M 1280 -s 1300 " DST, "-O failed: tbt is for IPv6 only" },
	{ "-O tbt " DST6, "specify valid path-mtu" },
	{ "-O tbt -M 1280 -s 1280 " DST6, "probe size must be larger than the path-mtu" },
	{ "-M 1280 -O sockrx " DST, "cannot use a pseudo mtu with sockrx" },
	{ "-O mss=1000 " DST, "-O failed: mss is for tcp-syn and tcp-syn-sport only" },
	{ "-O mss=1000 -P tcp-synack " DST, "-O failed: mss is for tcp-syn and tcp-syn-sport only" },
	{ "-P udp-dport -d 65533 " DST, "-d failed: dport of the last probe would exceed 65535" },
	{ "-P udp-sport -F 65533 " DST, "-F failed: sport of the last probe would exceed 65535" },
	{ "-P tcp-ack-sport -F 65533 " DST, "-F failed: sport of the last probe would exceed 65535" },
	{ "-O raw " DST, "-O failed: raw is for IPv4 TCP methods only" },
	{ "-O raw -P tcp-syn " DST6, "-O failed: raw is for IPv4 TCP methods only" },
	{ "-S 2001:db8::1 " DST, "-S failed: source address and destination differ in family" },
	{ "-S nowhere " DST, "-S failed: source 'nowhere' is not an address" },
	{ "-r 192.0.2.1 " DST6, "-r failed: router address and destination differ in family" },
	{ "-R -R " DST, "repeated option -R" },
	{ "-T tsonly -T tsonly " DST, "repeated option -T" },
	{ "-B 00 -B 00 " DST, "repeated option -B" },
	{ "-x " DST, "could not parse ping command: unknown option -x" },
	{ "-c", "could not parse ping command: option -c needs a value" },
};

static void
each_bad_command_is_refused_by_its_reason(void **state)
{
	struct sim *net = sim_new(NET);

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		char command[256];

		(void)snprintf(command, sizeof(command), "ping %s", refusals[i].text);
		assert_string_equal(sim_refusal(net, command), refusals[i].error);
	}
	assert_int_equal(sim_sent(net), 0);
	sim_free(net);
	(void)state;
}

static void
edges_of_the_ranges_are_taken(void **state)
{
	static const char *const good[] = { "-c 65535", "-c 1", "-i 1ms", "-i 20", "-W 255", "-m 255", "-y 20", "-z 255",
		"-d 0 -P udp", "-P udp-dport -d 65532", "-P udp-sport -F 65532", "-s 65535", "-U 0xffffffff", "-C 0",
		"-b 65507", "-P tcp-syn -O mss=65535", "-p 11223344556677889900112233445566", "-O dl -O dl", "-o 65535" };
	struct sim *net = sim_new(NET);

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char command[256];

		(void)snprintf(command, sizeof(command), "ping %s " DST "  ", good[i]);
		assert_string_equal(sim_refusal(net, command), "");
	}
	sim_free(net);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_echo_requests_one_second_apart_by_default),
		cmocka_unit_test(ipv6_echo_requests_are_alike),
		cmocka_unit_test(every_probe_has_the_size_that_is_recorded),
		cmocka_unit_test(each_method_varies_what_it_says_and_nothing_else),
		cmocka_unit_test(minus_a_sets_the_number_of_its_method),
		cmocka_unit_test(the_default_ports_are_the_programs),
		cmocka_unit_test(a_default_source_port_is_lowered_to_leave_room),
		cmocka_unit_test(a_port_that_another_program_has_is_stepped_over),
		cmocka_unit_test(a_first_port_that_another_program_has_is_an_error),
		cmocka_unit_test(port_zero_takes_a_free_one_each_time),
		cmocka_unit_test(pings_that_could_take_each_others_replies_wait),
		cmocka_unit_test(zeros_by_default),
		cmocka_unit_test(a_pattern_fills_the_payload),
		cmocka_unit_test(a_payload_stands_once_with_zeros_behind),
		cmocka_unit_test(minus_c_keeps_a_valid_checksum_constant),
		cmocka_unit_test(icmp_time_carries_the_time_of_day_and_records_the_answers),
		cmocka_unit_test(record_route_goes_out_and_comes_back),
		cmocka_unit_test(timestamp_options_go_out_and_come_back),
		cmocka_unit_test(a_spoofed_probe_carries_the_real_source),
		cmocka_unit_test(time_stamps_source_and_checksum_stand_in_that_order),
		cmocka_unit_test(minus_r_hands_probes_to_the_router),
		cmocka_unit_test(mss_is_in_the_syn_and_the_answers_is_recorded),
		cmocka_unit_test(the_rest_of_minus_o_is_recorded),
		cmocka_unit_test(parameters_are_recorded_as_given),
		cmocka_unit_test(ipids_are_fresh_and_never_zero),
		cmocka_unit_test(each_bad_command_is_refused_by_its_reason),
		cmocka_unit_test(edges_of_the_ranges_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <netinet/in.h>
#include <string.h>

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
		assert_in_range(
		    sim_packet(net, i)->at, i * NSEC_PER_SEC, i * NSEC_PER_SEC + 5 * NSEC_PER_MSEC);
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
		{ "tcp-syn", true, true },
		{ "tcp-syn-sport", true, true },
		{ "tcp-rst", true, true },
		{ "tcp-ack", false, false },
		{ "tcp-ack-sport", false, false },
		{ "tcp-synack", false, false },
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
	assert_string_equal(ping_result(net)->rare->errmsg, "not started: the source port is in use");
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

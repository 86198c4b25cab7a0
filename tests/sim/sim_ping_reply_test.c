#include <netinet/in.h>
#include <string.h>

#include "common/limits.h"
#include "sim_ping.h"

/* What comes back, when, and how a ping ends. */

static void
every_reply_is_recorded_with_kernel_stamps(void **state)
{
	struct sim *net = ping_sim(NET "dst: delay=12.345", DST);
	const struct ping_record *r = ping_result(net);

	assert_int_equal(r->reply_count, 4);
	assert_int_equal(r->stop_reason, PING_STOP_COMPLETED);
	for (uint32_t i = 0; i < 4; i++) {
		const struct ping_reply *re = &r->replies[i];

		assert_addr(&re->from, DST);
		assert_int_equal(re->probe, i);
		assert_int_equal(re->rtt_us, 12345);
		assert_int_equal(re->ttl, 61);
		assert_int_equal(re->size, 84);
		assert_int_equal(re->icmp_type, 0);
		assert_int_equal(re->proto, IPPROTO_ICMP);
		assert_string_equal(re->ifname, "sim0");
		assert_null(re->extra);
		assert_int_equal(re->flags, PING_REPLY_TTL | PING_REPLY_IPID | PING_PROBE_IPID |
						PING_REPLY_DLTX | PING_REPLY_DLRX | PING_REPLY_TOS);
		assert_int_equal(r->probes[i].flags, PING_PROBE_DLTX);
	}
	sim_free(net);
	(void)state;
}

static void
without_a_transmit_stamp_the_send_time_serves(void **state)
{
	struct sim *net = ping_sim(NET "notx", "-c 1 " DST6);
	const struct ping_reply *re = &ping_result(net)->replies[0];

	assert_int_equal(re->flags, PING_REPLY_TTL | PING_REPLY_DLRX | PING_REPLY_TOS);
	assert_int_equal(re->rtt_us, 4005); /* with the 5 us that the probe took to leave */
	sim_free(net);
	(void)state;
}

static void
the_record_is_written_with_its_fields(void **state)
{
	struct sim *net = ping_sim(NET "dst: drop=2", "-c 2 -P tcp-syn -F 5000 -d 80 -U 7 " DST);

	assert_string_equal(sim_field(net, "type"), "ping");
	assert_string_equal(sim_field(net, "method"), "tcp-syn");
	assert_string_equal(sim_field(net, "dst"), DST);
	assert_string_equal(sim_field(net, "src"), "192.0.2.100");
	assert_string_equal(sim_field(net, "stop_reason"), "done");
	assert_string_equal(sim_field(net, "ping_sent"), "2");
	assert_string_equal(sim_field(net, "probe_size"), "40");
	assert_string_equal(sim_field(net, "userid"), "7");
	assert_string_equal(sim_field(net, "sport"), "5000");
	assert_string_equal(sim_field(net, "rtt"), "4.000");
	assert_string_equal(sim_field(net, "reply_flags"), "[\"dltxts\",\"dlrxts\"]");
	assert_string_equal(sim_field(net, "loss"), "0.50");
	sim_free(net);
	(void)state;
}

/* ---- time ---- */

static void
the_whole_timeout_is_waited_after_the_last_probe(void **state)
{
	struct sim *net = ping_sim(NET, DST);

	assert_in_range(sim_now(net), 4 * NSEC_PER_SEC, 4 * NSEC_PER_SEC + 5 * NSEC_PER_MSEC);
	sim_free(net);
	net = ping_sim(NET, "-c 3 -i 200ms -W 2.5 " DST);
	assert_in_range(sim_now(net), 2900 * NSEC_PER_MSEC, 2910 * NSEC_PER_MSEC);
	sim_free(net);
	(void)state;
}

static void
the_wait_is_kept_over_many_probes(void **state)
{
	struct sim *net = ping_sim(NET, "-c 10000 -i 3ms -W 1ms " DST);

	for (uint32_t i = 1; i < 10000; i++) {
		assert_in_range(sim_packet(net, i)->at, i * 3 * NSEC_PER_MSEC, (i * 3 + 1) * NSEC_PER_MSEC);
		assert_true(sim_packet(net, i)->at - sim_packet(net, i - 1)->at > 2 * NSEC_PER_MSEC);
	}
	sim_free(net);
	/* a pace slower than the wait decides, without bursts */
	net = ping_sim(NET "pps 100", "-c 50 -i 3ms -W 1ms " DST);
	for (uint32_t i = 1; i < 50; i++)
		assert_true(sim_packet(net, i)->at - sim_packet(net, i - 1)->at >= 9 * NSEC_PER_MSEC);
	sim_free(net);
	(void)state;
}

static void
the_timeout_is_raised_to_the_wait_unless_given(void **state)
{
	struct sim *net = ping_sim(NET, "-c 1 -i 7 " DST);

	assert_int_equal(ping_result(net)->timeout_us, 7000000);
	sim_free(net);
	net = ping_sim(NET, "-c 1 -i 7 -W 1 " DST);
	assert_int_equal(ping_result(net)->timeout_us, 1000000);
	sim_free(net);
	net = ping_sim(NET, "-c 1 -i 10ms " DST);
	assert_int_equal(ping_result(net)->timeout_us, 1000000);
	sim_free(net);
	(void)state;
}

static void
enough_answered_probes_end_it_at_once(void **state)
{
	struct sim *net = ping_sim(NET "dst: drop=1,3 dup=2", "-c 9 -o 2 " DST);
	const struct ping_record *r = ping_result(net);

	/* probes 2 and 4 are answered, three times each: duplicates do not count */
	assert_int_equal(r->sent, 4);
	assert_int_equal(r->stop_reason, PING_STOP_COMPLETED);
	assert_true(sim_now(net) < 3100 * NSEC_PER_MSEC);
	sim_free(net);
	(void)state;
}

static void
progress_is_told_every_so_many_probes(void **state)
{
	struct sim *net = ping_sim(NET, "-c 10 -i 10ms -y 3 " DST);

	assert_int_equal(sim_progress(net), 3); /* after 3, 6 and 9 */
	assert_int_equal(ping_result(net)->stop_reason, PING_STOP_COMPLETED);
	sim_free(net);
	net = ping_sim(NET, "-c 10 -i 10ms " DST);
	assert_int_equal(sim_progress(net), 0);
	sim_free(net);
	(void)state;
}

/* ---- loss, duplicates, overtaking ---- */

static void
a_silent_destination_leaves_no_replies(void **state)
{
	struct sim *net = ping_sim(NET "dst: silent", "-c 3 " DST);
	const struct ping_record *r = ping_result(net);

	assert_int_equal(r->sent, 3);
	assert_int_equal(r->reply_count, 0);
	assert_int_equal(r->stop_reason, PING_STOP_COMPLETED);
	assert_int_equal(r->probes[2].flags & PING_PROBE_PENDING, 0);
	sim_free(net);
	(void)state;
}

static void
lost_replies_are_missing_and_the_others_in_place(void **state)
{
	struct sim *net = ping_sim(NET "dst: drop=2,4", "-c 5 " DST);
	const struct ping_record *r = ping_result(net);

	assert_int_equal(r->reply_count, 3);
	assert_int_equal(r->replies[0].probe, 0);
	assert_int_equal(r->replies[1].probe, 2);
	assert_int_equal(r->replies[2].probe, 4);
	sim_free(net);
	(void)state;
}

static void
duplicates_are_all_kept(void **state)
{
	struct sim *net = ping_sim(NET "dst: dup=3", "-c 2 " DST);
	const struct ping_record *r = ping_result(net);

	assert_int_equal(r->reply_count, 8);
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(r->replies[i].probe, i / 4);
		assert_int_equal(r->replies[i].rtt_us, 4000 + i % 4 * 10); /* in the order of arrival */
	}
	sim_free(net);
	(void)state;
}

static void
overtaking_replies_are_put_in_probe_order(void **state)
{
	struct sim *net = ping_sim(NET "dst: jitter=300ms dup=1", "-c 50 -i 10ms -W 2 " DST);
	const struct ping_record *r = ping_result(net);

	assert_int_equal(r->reply_count, 100);
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(r->replies[i].probe, i / 2);
		assert_in_range(r->replies[i].rtt_us, 4000, 304011);
	}
	sim_free(net);
	(void)state;
}

static void
a_flood_of_duplicates_fills_no_memory(void **state)
{
	struct sim *net = ping_sim(NET "dst: dup=3000", "-c 2 " DST);

	assert_int_equal(ping_result(net)->reply_count, 2 + PING_SURPLUS_MAX);
	sim_free(net);
	(void)state;
}

/* The copies of the first reply still come in when the others arrive. */
static void
a_flood_of_duplicates_takes_no_other_probes_place(void **state)
{
	struct sim *net = ping_sim(NET "dst: dup=9000", "-c 8 -i 2ms " DST);
	const struct ping_record *r = ping_result(net);
	uint32_t first[8] = { 0 };

	for (uint32_t i = 0; i < r->reply_count; i++)
		first[r->replies[i].probe] += r->replies[i].rtt_us == 4000;
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(first[i], 1);
	sim_free(net);
	(void)state;
}

/* A record has sixteen bits for its replies: here they are all first ones'. */
static void
the_longest_ping_has_no_room_for_duplicates(void **state)
{
	struct sim *net = ping_sim(NET "dst: dup=1", "-c 65535 -i 1ms -d 9 " DST);
	const struct ping_record *r = ping_result(net);

	assert_int_equal(r->sent, UINT16_MAX);
	assert_int_equal(r->reply_count, UINT16_MAX);
	for (uint32_t i = 0; i < UINT16_MAX; i++)
		assert_int_equal(r->replies[i].probe, i);
	assert_non_null(sim_json(net));
	sim_free(net);
	(void)state;
}

/* Loss, duplicates and overtaking at once: whatever arrives is credited to the
 * probe that it answers. The simulator's delay tells which that was. */
static void
thousands_of_rough_networks_give_true_records(void **state)
{
	static const char *const methods[] = { "icmp-echo", "udp-dport", "udp-sport", "tcp-ack-sport",
		"tcp-syn-sport" };

	for (uint32_t seed = 0; seed < 4000; seed++) {
		char topology[256];
		struct sim *net;
		const struct ping_record *r;

		(void)snprintf(
		    topology, sizeof(topology), NET "seed %u; dst: loss=20 dup=1 delay=20 jitter=30ms", seed);
		net = ping_sim(
		    topology, "-c 5 -i 10ms -P %s %s", methods[seed % 5], seed % 2 == 0 ? DST : DST6);
		r = ping_result(net);
		assert_int_equal(r->sent, 5);
		assert_true(r->reply_count <= 10);
		for (uint32_t i = 0; i < r->reply_count; i++) {
			assert_in_range(r->replies[i].rtt_us, 20000, 50011);
			assert_true(i == 0 || r->replies[i - 1].probe <= r->replies[i].probe);
		}
		sim_free(net);
	}
	(void)state;
}

/* ---- errors on the way ---- */

static void
check_errors(const char *method, const char *dst, uint8_t type, uint8_t unreach)
{
	struct sim *net = ping_sim(NET, "-c 3 -i 50ms -m 2 -P %s %s", method, dst);
	const struct ping_record *r = ping_result(net);

	assert_int_equal(r->reply_count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(r->replies[i].probe, i);
		assert_int_equal(r->replies[i].icmp_type, type);
		assert_addr(&r->replies[i].from, dst[0] == '2' ? "2001:db8::2" : "192.0.2.2");
		assert_int_equal(r->replies[i].rtt_us, 2000);
	}
	sim_free(net);
	net = ping_sim(NET "ttl 3: 192.0.2.3 2001:db8::3 unreach=1", "-c 2 -i 50ms -P %s %s", method, dst);
	r = ping_result(net);
	assert_int_equal(r->reply_count, 2);
	assert_int_equal(r->replies[1].probe, 1);
	assert_int_equal(r->replies[1].icmp_type, unreach);
	assert_int_equal(r->replies[1].icmp_code, 1);
	sim_free(net);
}

static void
errors_are_matched_by_the_quoted_probe(void **state)
{
	static const char *const all[] = { "icmp-echo", "icmp-time", "tcp-syn", "tcp-ack", "tcp-ack-sport",
		"tcp-synack", "tcp-rst", "tcp-syn-sport", "udp", "udp-dport", "udp-sport" };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		check_errors(all[i], DST, 11, 3);
		if (strcmp(all[i], "icmp-time") != 0)
			check_errors(all[i], DST6, 3, 1);
	}
	(void)state;
}

static void
a_too_big_records_its_mtu(void **state)
{
	struct sim *net = ping_sim(NET "ttl 2: 192.0.2.2 2001:db8::2 mtu=1280", "-c 1 -s 1400 " DST6);
	const struct ping_reply *re = ping_result(net)->replies;

	assert_int_equal(re->icmp_type, 2);
	assert_int_equal(re->nhmtu, 1280);
	assert_addr(&re->from, "2001:db8::2");
	sim_free(net);
	net = ping_sim(NET "ttl 2: 192.0.2.2 mtu=1000 nhmtu=0", "-c 1 -s 1400 -P udp " DST);
	assert_int_equal(ping_result(net)->replies[0].icmp_code, 4);
	assert_int_equal(ping_result(net)->replies[0].nhmtu, 0);
	sim_free(net);
	(void)state;
}

static void
late_errors_of_a_fixed_port_method_are_told_by_ipid(void **state)
{
	/* 35 ms later, three more probes have left */
	struct sim *net = ping_sim(NET "dst: delay=35", "-c 6 -i 10ms -P udp " DST);
	const struct ping_record *r = ping_result(net);

	assert_int_equal(r->reply_count, 6);
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(r->replies[i].probe, i);
		assert_int_equal(r->replies[i].rtt_us, 35000);
	}
	sim_free(net);
	net = ping_sim(NET "dst: delay=35 badid", "-c 2 -i 10ms -P udp " DST);
	r = ping_result(net);
	assert_int_equal(r->reply_count, 2);
	assert_int_equal(r->replies[0].probe, 1); /* the last one, when nothing tells */
	sim_free(net);
	(void)state;
}

static void
a_reset_that_echoes_the_ipid_is_told_by_it(void **state)
{
	struct sim *net = ping_sim(NET "dst: delay=35 echoid", "-c 6 -i 10ms -P tcp-ack " DST);
	const struct ping_record *r = ping_result(net);

	assert_int_equal(r->reply_count, 6);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(r->replies[i].probe, i);
	sim_free(net);
	(void)state;
}

static void
udp_data_is_a_reply_too(void **state)
{
	struct sim *net = ping_sim(NET "dst: udp=reply", "-c 1 -P udp-dport " DST);

	assert_int_equal(ping_result(net)->replies[0].proto, IPPROTO_UDP);
	assert_int_equal(ping_result(net)->replies[0].size, 32);
	sim_free(net);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reply_is_recorded_with_kernel_stamps),
		cmocka_unit_test(without_a_transmit_stamp_the_send_time_serves),
		cmocka_unit_test(the_record_is_written_with_its_fields),
		cmocka_unit_test(the_whole_timeout_is_waited_after_the_last_probe),
		cmocka_unit_test(the_wait_is_kept_over_many_probes),
		cmocka_unit_test(the_timeout_is_raised_to_the_wait_unless_given),
		cmocka_unit_test(enough_answered_probes_end_it_at_once),
		cmocka_unit_test(progress_is_told_every_so_many_probes),
		cmocka_unit_test(a_silent_destination_leaves_no_replies),
		cmocka_unit_test(lost_replies_are_missing_and_the_others_in_place),
		cmocka_unit_test(duplicates_are_all_kept),
		cmocka_unit_test(overtaking_replies_are_put_in_probe_order),
		cmocka_unit_test(a_flood_of_duplicates_fills_no_memory),
		cmocka_unit_test(a_flood_of_duplicates_takes_no_other_probes_place),
		cmocka_unit_test(the_longest_ping_has_no_room_for_duplicates),
		cmocka_unit_test(thousands_of_rough_networks_give_true_records),
		cmocka_unit_test(errors_are_matched_by_the_quoted_probe),
		cmocka_unit_test(a_too_big_records_its_mtu),
		cmocka_unit_test(late_errors_of_a_fixed_port_method_are_told_by_ipid),
		cmocka_unit_test(a_reset_that_echoes_the_ipid_is_told_by_it),
		cmocka_unit_test(udp_data_is_a_reply_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

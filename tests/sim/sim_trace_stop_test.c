#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trace_util.h"

/* When a serial trace goes on, and why it stops. */

static void
stops(const char *topology, const char *command, uint8_t reason, uint8_t data, uint32_t sent)
{
	struct sim *net = sim_new(topology);

	util_assert_stop(util_trace(net, command), reason, data);
	if (sim_sent(net) != sent)
		fail_msg("'%s' on '%s': %u probes, not %u", command, topology, sim_sent(net), sent);
	sim_free(net);
}

static void
gap_of_five_ends_the_trace(void **state)
{
	stops("ttl 1: 192.0.2.1; ttl 2-9: silent; dst: silent", "trace " DST, TRACE_STOP_GAPLIMIT, 0,
	    1 + 5 * 2);
	stops("ttl 1: 192.0.2.1; ttl 2-9: silent; dst: silent", "trace -g 2 -q 3 " DST, TRACE_STOP_GAPLIMIT,
	    0, 1 + 2 * 3);
	(void)state;
}

static void
gap_counts_from_the_first_hop(void **state)
{
	stops("dst: silent hops=40", "trace -f 7 -g 3 -q 1 " DST, TRACE_STOP_GAPLIMIT, 0, 3);
	(void)state;
}

static void
an_answer_begins_the_gap_anew(void **state)
{
	stops("ttl 1-4: silent; ttl 5: 192.0.2.5; ttl 6-9: silent; dst: silent", "trace -q 1 " DST,
	    TRACE_STOP_GAPLIMIT, 0, 4 + 1 + 5);
	(void)state;
}

static void
gap_limit_zero_is_no_limit(void **state)
{
	struct sim *net = sim_new("dst: silent hops=255");

	util_assert_stop(util_trace(net, "trace -g 0 -q 1 -w 1 " DST), TRACE_STOP_HOPLIMIT, 0);
	assert_int_equal(sim_sent(net), 255);
	assert_int_equal(util_record(net)->hop_count, 255);
	sim_free(net);
	(void)state;
}

static void
lastditch_asks_the_destination(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1; ttl 2-9: silent");
	const struct trace_record *rec = util_trace(net, "trace -G 2 " DST);
	const struct trace_leg *ld = rec->rare->lastditch;

	util_assert_stop(rec, TRACE_STOP_GAPLIMIT, 0);
	assert_int_equal(ld->probe_count, 1);
	assert_int_equal(ld->probes[0].ttl, 255);
	assert_int_equal(ld->reply_count, 1);
	util_assert_addr(&ld->replies[0].from, DST);
	assert_int_equal(rec->leg.reply_count, 1);
	assert_int_equal(rec->probe_count, 12);
	assert_int_equal(rec->hop_count, 6);
	sim_free(net);
	(void)state;
}

static void
lastditch_gives_up_after_its_attempts(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1; dst: silent hops=9");
	const struct trace_record *rec = util_trace(net, "trace -G 2 -q 3 -g 2 -Q " DST);

	util_assert_stop(rec, TRACE_STOP_GAPLIMIT, 0);
	assert_int_equal(rec->rare->lastditch->probe_count, 3);
	assert_int_equal(rec->rare->lastditch->reply_count, 0);
	sim_free(net);
	(void)state;
}

static void
unreachable_ends_with_its_code(void **state)
{
	stops(NET "ttl 4: 192.0.2.4 unreach=13", "trace " DST, TRACE_STOP_UNREACH, 13, 4);
	stops(NET "ttl 4: 192.0.2.4 unreach=3", "trace " DST, TRACE_STOP_COMPLETED, 0, 4);
	stops(NET "ttl 4: 192.0.2.4 unreach=3", "trace -P icmp " DST, TRACE_STOP_UNREACH, 3, 4);
	stops(NET "ttl 4: 192.0.2.4 unreach=3", "trace -P tcp " DST, TRACE_STOP_COMPLETED, 0, 4);
	stops(NET "ttl 4: 2001:db8::4 unreach=1", "trace " DST6, TRACE_STOP_UNREACH, 1, 4);
	stops(NET "ttl 4: 2001:db8::4 unreach=4", "trace -P icmp-paris " DST6, TRACE_STOP_UNREACH, 4, 4);
	(void)state;
}

/* 1,500 bytes of probe on a link of 1,280: type 2 of RFC 4443. */
static void
too_big_in_ipv6_ends_with_its_type(void **state)
{
	char zeros[2801], command[4096];

	memset(zeros, '0', 2800);
	zeros[2800] = '\0';
	(void)snprintf(command, sizeof(command), "trace -p %s " DST6, zeros);
	stops("ttl 1: 2001:db8::1; ttl 2: 2001:db8::2 mtu=1280", command, TRACE_STOP_ICMP, 2, 3);
	(void)state;
}

static void
exceeded_from_the_destination_completes_unless_told_otherwise(void **state)
{
	/* the destination is also a router on its own path */
	stops("ttl 1: 192.0.2.1; ttl 2: " DST "; ttl 3: 192.0.2.3", "trace " DST, TRACE_STOP_COMPLETED, 0, 2);
	stops("ttl 1: 192.0.2.1; ttl 2: " DST "; ttl 3: 192.0.2.3", "trace -T " DST, TRACE_STOP_COMPLETED, 0,
	    4);
	(void)state;
}

static void
hoplimit_ends_the_trace(void **state)
{
	stops(NET, "trace -m 3 " DST, TRACE_STOP_HOPLIMIT, 0, 3);
	stops(NET, "trace -f 2 -m 2 " DST, TRACE_STOP_HOPLIMIT, 0, 1);
	(void)state;
}

/* There is no hop left to give up, and nobody asked for a last ditch. */
static void
hoplimit_at_the_end_of_a_gap_is_hoplimit(void **state)
{
	static const char silent[] = "ttl 1: 192.0.2.1; dst: silent hops=20";

	stops(silent, "trace -q 1 -g 2 -m 3 " DST, TRACE_STOP_HOPLIMIT, 0, 3);
	stops(silent, "trace -q 1 -g 2 -m 3 -G 2 " DST, TRACE_STOP_HOPLIMIT, 0, 3);
	stops(silent, "trace -q 1 -g 2 -m 3 -N 2 " DST, TRACE_STOP_HOPLIMIT, 0, 3);
	stops(silent, "trace -q 1 -g 2 -m 4 " DST, TRACE_STOP_GAPLIMIT, 0, 3);
	stops(silent, "trace -q 1 -g 2 -m 4 -N 2 " DST, TRACE_STOP_GAPLIMIT, 0, 3);
	(void)state;
}

static void
an_address_seen_again_is_a_loop(void **state)
{
	const char *loop =
	    "ttl 1: 192.0.2.1; ttl 2: 192.0.2.2; ttl 3: 192.0.2.1; ttl 4: 192.0.2.2; ttl 5: 192.0.2.1";

	stops(loop, "trace " DST, TRACE_STOP_LOOP, 0, 3);
	stops(loop, "trace -l 2 " DST, TRACE_STOP_LOOP, 0, 4);
	stops(loop, "trace -l 3 " DST, TRACE_STOP_LOOP, 0, 5);
	stops(loop, "trace -l 0 " DST, TRACE_STOP_COMPLETED, 0, 6);
	(void)state;
}

static void
neighbours_are_no_loop(void **state)
{
	stops("ttl 1: 192.0.2.1; ttl 2-3: 192.0.2.2; ttl 4: 192.0.2.4", "trace " DST, TRACE_STOP_COMPLETED, 0,
	    5);
	stops("ttl 1-3: 192.0.2.1", "trace " DST, TRACE_STOP_LOOP, 0, 3);
	(void)state;
}

static void
an_address_is_judged_once_for_each_hop(void **state)
{
	/* three replies from hop 3 are one loop */
	stops("ttl 1: 192.0.2.1; ttl 2: 192.0.2.2; ttl 3: 192.0.2.1", "trace -Q -q 3 -l 2 " DST,
	    TRACE_STOP_COMPLETED, 0, 12);
	stops("ttl 1: 192.0.2.1; ttl 2: 192.0.2.2; ttl 3: 192.0.2.1", "trace -Q -q 3 " DST, TRACE_STOP_LOOP,
	    0, 9);
	(void)state;
}

static void
all_attempts_are_sent_even_after_replies(void **state)
{
	struct sim *net = sim_new(NET);
	const struct trace_record *rec = util_trace(net, "trace -Q -q 3 " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	assert_int_equal(sim_sent(net), 12);
	assert_int_equal(rec->leg.reply_count, 12);
	for (uint16_t i = 0; i < 12; i++) {
		assert_int_equal(rec->leg.probes[i].ttl, i / 3 + 1);
		assert_int_equal(rec->leg.probes[i].id, i % 3);
	}
	sim_free(net);
	(void)state;
}

static void
a_lost_answer_costs_another_attempt(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1; ttl 2: 192.0.2.2 drop=1; ttl 3: 192.0.2.3 drop=1,2");
	const struct trace_record *rec = util_trace(net, "trace -w 3 " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	assert_string_equal(util_hops(rec), "1:192.0.2.1 2:192.0.2.2 4:" DST);
	assert_int_equal(util_count(&rec->leg, 2), 2);
	assert_int_equal(util_count(&rec->leg, 3), 2);
	assert_int_equal(rec->leg.probes[rec->leg.replies[1].probe].id, 1);
	assert_in_range(sim_now(net), 9 * NSEC_PER_SEC, 9 * NSEC_PER_SEC + 20 * NSEC_PER_MSEC);
	sim_free(net);
	(void)state;
}

/* k(n) of the table: 6 probes for one interface, 11 for two. */
static void
confidence_stops_at_its_number_of_probes(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1; ttl 2: packet=192.0.2.21,192.0.2.22; ttl 3: silent");
	const struct trace_record *rec = util_trace(net, "trace -c 95 -w 1 " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	assert_int_equal(util_count(&rec->leg, 1), 6);
	assert_int_equal(util_count(&rec->leg, 2), 11);
	assert_int_equal(util_count(&rec->leg, 3), 6);
	assert_int_equal(util_count(&rec->leg, 4), 6);
	sim_free(net);
	net = sim_new("ttl 1: packet=192.0.2.1,192.0.2.2,192.0.2.3");
	rec = util_trace(net, "trace -c 99 " DST);
	assert_int_equal(util_count(&rec->leg, 1), 21);
	assert_int_equal(util_count(&rec->leg, 2), 8);
	sim_free(net);
	(void)state;
}

static void
a_flow_takes_one_way_where_udp_takes_many(void **state)
{
	const char *diamond = "ttl 1: 192.0.2.1; ttl 2: flow=192.0.2.21,192.0.2.22,192.0.2.23,192.0.2.24";
	struct sim *net = sim_new(diamond);
	const struct trace_record *rec = util_trace(net, "trace -Q -q 16 " DST);

	for (uint16_t i = 17; i < 32; i++)
		assert_true(addr_equal(&rec->leg.replies[i].from, &rec->leg.replies[16].from));
	sim_free(net);
	net = sim_new(diamond);
	rec = util_trace(net, "trace -P udp -Q -q 16 " DST);
	for (uint16_t i = 17; i < 32; i++) {
		if (!addr_equal(&rec->leg.replies[i].from, &rec->leg.replies[16].from))
			break;
		assert_int_not_equal(i, 31);
	}
	sim_free(net);
	(void)state;
}

static void
a_late_reply_is_kept_at_its_hop(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1; ttl 2: 192.0.2.2 delay=2500 drop=2; "
				  "ttl 3: 192.0.2.3 delay=1500 drop=2");
	const struct trace_record *rec = util_trace(net, "trace -w 1 -q 2 " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	assert_string_equal(util_hops(rec), "1:192.0.2.1 2:192.0.2.2 3:192.0.2.3 4:" DST);
	assert_int_equal(rec->leg.replies[1].rtt_us, 2500000);
	assert_int_equal(rec->leg.replies[2].rtt_us, 1500000);
	sim_free(net);
	(void)state;
}

/* The reply to the first attempt comes when the second is out: with -Q it is
 * no answer to the second. */
static void
a_late_reply_does_not_answer_the_next_attempt(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1 delay=1500 drop=2");
	const struct trace_record *rec = util_trace(net, "trace -w 1 -q 2 -Q " DST);

	assert_int_equal(util_count(&rec->leg, 1), 2);
	assert_int_equal(rec->leg.probes[rec->leg.replies[0].probe].id, 0);
	assert_in_range(rec->leg.probes[2].tx_us, 2000000, 2010000);
	sim_free(net);
	(void)state;
}

static void
a_late_unreachable_still_ends_the_trace(void **state)
{
	struct sim *net = sim_new(
	    "ttl 1: 192.0.2.1; ttl 2: silent; ttl 3: 192.0.2.3 unreach=1 delay=2500; dst: silent hops=30");

	util_assert_stop(util_trace(net, "trace -w 1 -q 1 " DST), TRACE_STOP_UNREACH, 1);
	assert_in_range(sim_now(net), 3500 * NSEC_PER_MSEC, 3520 * NSEC_PER_MSEC);
	assert_int_equal(util_record(net)->hop_count, 3);
	assert_int_equal(util_record(net)->probe_count, 5);
	sim_free(net);
	(void)state;
}

static void
duplicates_are_kept_and_change_nothing(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1 dup=2; ttl 2: 192.0.2.2 dup=1; ttl 3: 192.0.2.3");
	const struct trace_record *rec = util_trace(net, "trace -q 2 -Q " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	assert_int_equal(sim_sent(net), 8);
	assert_int_equal(rec->leg.reply_count, 3 * 2 + 2 * 2 + 2 + 2);
	sim_free(net);
	(void)state;
}

static void
a_flood_of_replies_fills_no_memory(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1 dup=5000; ttl 2: 192.0.2.2 delay=100");
	const struct trace_record *rec = util_trace(net, "trace " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	assert_in_range(rec->leg.reply_count, 3, 4 + 64);
	sim_free(net);
	(void)state;
}

/* Copies of the first hop's reply still come in when the next hops answer. */
static void
a_flood_of_replies_makes_no_hop_silent(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1 dup=5000; ttl 2: 192.0.2.2; ttl 3: 192.0.2.3");
	const struct trace_record *rec = util_trace(net, "trace " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	assert_int_equal(sim_sent(net), 4);
	sim_free(net);
	(void)state;
}

static void
rewritten_identification_is_tolerated_by_udp_paris(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1 badid; ttl 2: 192.0.2.2 badid; ttl 3: 192.0.2.3");
	const struct trace_record *rec = util_trace(net, "trace -q 1 -w 1 " DST);

	/* checksum and identification differ, and the latter is far off */
	assert_string_equal(util_hops(rec), "3:192.0.2.3 4:" DST);
	sim_free(net);
	(void)state;
}

static void
probes_keep_their_distance(void **state)
{
	struct sim *net = sim_new(NET);
	const struct trace_record *rec = util_trace(net, "trace -W 50ms " DST);

	assert_int_equal(rec->wait_probe_cs, 5);
	for (uint32_t i = 1; i < 4; i++)
		assert_in_range(sim_packet(net, i)->at - sim_packet(net, i - 1)->at, 50 * NSEC_PER_MSEC,
		    51 * NSEC_PER_MSEC);
	sim_free(net);
	(void)state;
}

static void
direct_udp_counts_only_with_dl(void **state)
{
	struct sim *net = sim_new(NET "dst: udp=reply");
	const struct trace_record *rec = util_trace(net, "trace -O dl " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	assert_int_equal(rec->leg.replies[3].flags & TRACE_REPLY_UDP, TRACE_REPLY_UDP);
	assert_int_equal(rec->flags, TRACE_FLAG_DL);
	sim_free(net);
	stops(NET "dst: udp=reply", "trace -q 1 " DST, TRACE_STOP_GAPLIMIT, 0, 8);
	(void)state;
}

static void
halted_means_halted(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1; dst: silent hops=9");

	sim_halt_at(net, 7 * NSEC_PER_SEC);
	util_assert_stop(util_trace(net, "trace " DST), TRACE_STOP_HALTED, 0);
	assert_int_equal(util_record(net)->leg.reply_count, 1);
	assert_int_equal(sim_ports_held(net), 0);
	sim_free(net);
	(void)state;
}

static void
a_refused_probe_is_an_error_with_its_number(void **state)
{
	struct sim *net = sim_new(NET "refuse 3 EPERM");
	const struct trace_record *rec = util_trace(net, "trace " DST);

	util_assert_stop(rec, TRACE_STOP_ERROR, 1);
	assert_string_equal(rec->rare->errmsg, "forbidden by the host's policy, see vantage.conf(5)");
	assert_int_equal(rec->probe_count, 2);
	assert_int_equal(rec->leg.probe_count, 2);
	assert_int_equal(rec->hop_count, 2);
	sim_free(net);
	(void)state;
}

static void
errors_at_the_start_are_told(void **state)
{
	struct sim *net = sim_new("noroute");

	util_assert_stop(util_trace(net, "trace " DST), TRACE_STOP_ERROR, 101);
	assert_string_equal(util_record(net)->rare->errmsg, "no route to the destination");
	sim_free(net);
	net = sim_new("busy 7000");
	util_assert_stop(util_trace(net, "trace -s 7000 " DST), TRACE_STOP_ERROR, 98);
	assert_string_equal(util_record(net)->rare->errmsg, "the source port is in use");
	assert_int_equal(sim_sent(net), 0);
	sim_free(net);
	net = sim_new("");
	util_assert_stop(util_trace(net, "trace -S 192.0.2.200 " DST), TRACE_STOP_ERROR, 99);
	assert_string_equal(
	    util_record(net)->rare->errmsg, "the source address is not one of this host's");
	assert_int_equal(sim_sent(net), 0);
	sim_free(net);
	(void)state;
}

static void
progress_is_told_every_so_many_probes(void **state)
{
	struct sim *net = sim_new(NET);

	util_assert_stop(util_trace(net, "trace -y 3 -Q " DST), TRACE_STOP_COMPLETED, 0);
	assert_int_equal(sim_sent(net), 8);
	assert_int_equal(sim_progress(net), 2);
	sim_free(net);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gap_of_five_ends_the_trace),
		cmocka_unit_test(gap_counts_from_the_first_hop),
		cmocka_unit_test(an_answer_begins_the_gap_anew),
		cmocka_unit_test(gap_limit_zero_is_no_limit),
		cmocka_unit_test(lastditch_asks_the_destination),
		cmocka_unit_test(lastditch_gives_up_after_its_attempts),
		cmocka_unit_test(unreachable_ends_with_its_code),
		cmocka_unit_test(too_big_in_ipv6_ends_with_its_type),
		cmocka_unit_test(exceeded_from_the_destination_completes_unless_told_otherwise),
		cmocka_unit_test(hoplimit_ends_the_trace),
		cmocka_unit_test(hoplimit_at_the_end_of_a_gap_is_hoplimit),
		cmocka_unit_test(an_address_seen_again_is_a_loop),
		cmocka_unit_test(neighbours_are_no_loop),
		cmocka_unit_test(an_address_is_judged_once_for_each_hop),
		cmocka_unit_test(all_attempts_are_sent_even_after_replies),
		cmocka_unit_test(a_lost_answer_costs_another_attempt),
		cmocka_unit_test(confidence_stops_at_its_number_of_probes),
		cmocka_unit_test(a_flow_takes_one_way_where_udp_takes_many),
		cmocka_unit_test(a_late_reply_is_kept_at_its_hop),
		cmocka_unit_test(a_late_reply_does_not_answer_the_next_attempt),
		cmocka_unit_test(a_late_unreachable_still_ends_the_trace),
		cmocka_unit_test(duplicates_are_kept_and_change_nothing),
		cmocka_unit_test(a_flood_of_replies_fills_no_memory),
		cmocka_unit_test(a_flood_of_replies_makes_no_hop_silent),
		cmocka_unit_test(rewritten_identification_is_tolerated_by_udp_paris),
		cmocka_unit_test(probes_keep_their_distance),
		cmocka_unit_test(direct_udp_counts_only_with_dl),
		cmocka_unit_test(halted_means_halted),
		cmocka_unit_test(a_refused_probe_is_an_error_with_its_number),
		cmocka_unit_test(errors_at_the_start_are_told),
		cmocka_unit_test(progress_is_told_every_so_many_probes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workerd/meas/trace/decide.h"
#include "workerd/meas/trace/mtusearch.h"
#include "workerd/meas/trace/stopping.h"

/* The pure decisions, one by one. */

static struct trace_reply
icmp(const char *from, uint8_t type, uint8_t code)
{
	struct trace_reply r = { .icmp_type = type, .icmp_code = code };

	assert_int_equal(addr_parse(from, &r.from), 0);
	return r;
}

static struct trace_record
record(uint8_t method, const char *dst, uint16_t flags)
{
	struct trace_record rec = { .method = method, .flags = flags };

	assert_int_equal(addr_parse(dst, &rec.dst), 0);
	return rec;
}

static void
judged(
    uint8_t method, uint16_t flags, struct trace_reply r, bool loops, bool gss, uint8_t reason, uint8_t data)
{
	struct trace_record rec =
	    record(method, r.from.family == ADDR_IP6 ? "2001:db8::9" : "192.0.2.9", flags);
	struct verdict v = trace_judge(&rec, &r, loops, gss);

	assert_int_equal(v.reason, reason);
	assert_int_equal(v.data, data);
}

static void
unreachable_comes_before_all_else(void **state)
{
	judged(TRACE_UDP, 0, icmp("192.0.2.9", 3, 3), true, true, TRACE_STOP_COMPLETED, 0);
	judged(TRACE_ICMP, 0, icmp("192.0.2.9", 3, 3), true, true, TRACE_STOP_UNREACH, 3);
	judged(TRACE_TCP_ACK, 0, icmp("192.0.2.9", 3, 10), true, true, TRACE_STOP_UNREACH, 10);
	judged(TRACE_UDP, 0, icmp("192.0.2.9", 3, 4), true, true, TRACE_STOP_UNREACH, 4);
	judged(TRACE_UDP, 0, icmp("2001:db8::9", 1, 4), true, true, TRACE_STOP_COMPLETED, 0);
	judged(TRACE_UDP, 0, icmp("2001:db8::9", 1, 3), true, true, TRACE_STOP_UNREACH, 3);
	(void)state;
}

static void
echo_reply_then_too_big_then_loop(void **state)
{
	judged(TRACE_ICMP, 0, icmp("192.0.2.9", 0, 0), true, true, TRACE_STOP_COMPLETED, 0);
	judged(TRACE_ICMP, 0, icmp("2001:db8::9", 129, 0), true, true, TRACE_STOP_COMPLETED, 0);
	judged(TRACE_UDP, 0, icmp("2001:db8::9", 2, 0), true, true, TRACE_STOP_ICMP, 2);
	judged(TRACE_UDP, 0, icmp("192.0.2.9", 11, 0), true, true, TRACE_STOP_LOOP, 0);
	(void)state;
}

static void
destination_then_tcp_then_stop_set(void **state)
{
	struct trace_reply tcp = icmp("192.0.2.9", 0, 0);

	tcp.flags = TRACE_REPLY_TCP;
	judged(TRACE_UDP, 0, icmp("192.0.2.9", 11, 0), false, true, TRACE_STOP_COMPLETED, 0);
	judged(
	    TRACE_UDP, TRACE_FLAG_IGNORETTLDST, icmp("192.0.2.9", 11, 0), false, false, TRACE_STOP_NONE, 0);
	judged(TRACE_TCP, 0, tcp, false, true, TRACE_STOP_COMPLETED, 0);
	judged(TRACE_UDP, 0, icmp("192.0.2.1", 11, 0), false, true, TRACE_STOP_GSS, 0);
	judged(TRACE_UDP, 0, icmp("192.0.2.1", 11, 0), false, false, TRACE_STOP_NONE, 0);
	(void)state;
}

/* A leg of one probe and one reply for each row. */
static void
leg_of(struct trace_leg *leg, const uint8_t *ttls, const char *const *from, uint16_t n)
{
	*leg = (struct trace_leg){ 0 };
	for (uint16_t i = 0; i < n; i++) {
		struct trace_reply *r = trace_leg_add_reply(leg);

		assert_non_null(r);
		*r = icmp(from[i], 11, 0);
		r->probe = i;
		trace_leg_add_probe(leg)->ttl = ttls[i];
	}
}

static void
loops_are_far_and_new(void **state)
{
	static const uint8_t ttls[] = { 1, 2, 3, 3, 4, 4, 2 };
	static const char *const from[] = { "192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.1", "192.0.2.2",
		"192.0.2.2", "192.0.2.1" };
	static const bool by_arrival[] = { false, false, false, true, true, false, false };
	static const bool by_ttl[] = { false, false, false, true, true, false, false };
	struct trace_leg leg;

	leg_of(&leg, ttls, from, 7);
	for (uint16_t i = 0; i < 7; i++) {
		assert_int_equal(trace_is_loop(&leg, i, false), by_arrival[i]);
		assert_int_equal(trace_is_loop(&leg, i, true), by_ttl[i]);
	}
	trace_leg_fini(&leg);
	(void)state;
}

static void
gap_needs_as_many_hops(void **state)
{
	static const uint8_t ttls[] = { 2, 6 };
	static const char *const from[] = { "192.0.2.2", "192.0.2.6" };
	struct trace_record rec = record(TRACE_UDP, "192.0.2.9", 0);

	leg_of(&rec.leg, ttls, from, 2);
	rec.gaplimit = 3;
	assert_false(trace_gap_reached(&rec, 1, 1));
	assert_false(trace_gap_reached(&rec, 1, 4));
	assert_true(trace_gap_reached(&rec, 1, 5));
	assert_false(trace_gap_reached(&rec, 4, 5));
	assert_false(trace_gap_reached(&rec, 1, 6));
	assert_false(trace_gap_reached(&rec, 1, 8));
	assert_true(trace_gap_reached(&rec, 1, 9));
	rec.gaplimit = 0;
	assert_false(trace_gap_reached(&rec, 1, 255));
	trace_record_fini(&rec);
	(void)state;
}

static void
quota_grows_with_interfaces(void **state)
{
	struct trace_record rec = record(TRACE_UDP, "192.0.2.9", 0);

	rec.attempts = 7;
	assert_int_equal(trace_quota(&rec, 2), 7);
	rec.confidence = 95;
	assert_int_equal(trace_quota(&rec, 0), 6);
	assert_int_equal(trace_quota(&rec, 1), 6);
	assert_int_equal(trace_quota(&rec, 2), 11);
	assert_int_equal(trace_quota(&rec, 200), 152);
	rec.confidence = 99;
	assert_int_equal(trace_quota(&rec, 2), 15);
	assert_int_equal(trace_quota(&rec, 200), 192);
	(void)state;
}

static void
an_interface_is_new_once_for_each_hop(void **state)
{
	static const uint8_t ttls[] = { 1, 2, 2, 2, 1 };
	static const char *const from[] = { "192.0.2.1", "192.0.2.1", "192.0.2.3", "192.0.2.1", "192.0.2.3" };
	static const bool want[] = { true, true, true, false, true };
	struct trace_leg leg;

	leg_of(&leg, ttls, from, 5);
	for (uint16_t i = 0; i < 5; i++)
		assert_int_equal(trace_is_new_interface(&leg, i), want[i]);
	trace_leg_fini(&leg);
	(void)state;
}

static void
stopping_points_are_the_published_ones(void **state)
{
	assert_int_equal(stopping_point(95, 2), 6);
	assert_int_equal(stopping_point(99, 2), 8);
	assert_int_equal(stopping_point(95, 16), 90);
	assert_int_equal(stopping_point(99, 25), 192);
	assert_int_equal(stopping_point(95, 99), 746);
	assert_int_equal(stopping_point(99, 99), 906);
	assert_int_equal(stopping_point(95, 0), 6);
	assert_int_equal(stopping_point(99, 1000), 906);
	for (uint32_t n = 3; n <= 99; n++) {
		assert_true(stopping_point(95, n) > stopping_point(95, n - 1));
		assert_true(stopping_point(99, n) > stopping_point(99, n - 1));
		assert_true(stopping_point(99, n) > stopping_point(95, n));
	}
	(void)state;
}

static void
first_guess_is_ethernet_then_tunnel_then_the_table(void **state)
{
	static const uint16_t want[][2] = { { 65535, 1500 }, { 1501, 1500 }, { 1500, 1454 }, { 1455, 1454 },
		{ 1454, 1280 }, { 1280, 1006 }, { 577, 576 }, { 576, 552 }, { 69, 68 }, { 68, 0 }, { 1, 0 } };

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(mtu_first_guess(want[i][0]), want[i][1]);
	(void)state;
}

static void
next_guess_follows_the_table(void **state)
{
	static const uint16_t want[][3] = {
		{ 1280, 1454, 1281 },
		{ 1281, 1454, 1367 },
		{ 1281, 1367, 1324 },
		{ 1300, 1302, 1301 },
		{ 1300, 1301, 0 },
		{ 1500, 9000, 1501 },
		{ 1501, 9000, 1514 },
		{ 1006, 1500, 1280 },
		{ 1454, 1500, 1480 },
		{ 1481, 1500, 1492 },
		{ 60000, 65535, 62767 },
		{ 17914, 65535, 17915 },
		{ 9000, 10000, 9192 },
		{ 100, 300, 296 },
		{ 297, 508, 402 },
		{ 65534, 65535, 0 },
		{ 0, 1, 0 },
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(mtu_next_guess(want[i][0], want[i][1]), want[i][2]);
	(void)state;
}

/* For every MTU and every first failure, in few steps. */
static void
the_search_finds_every_mtu(void **state)
{
	for (uint32_t mtu = 68; mtu < 65535; mtu += mtu < 2000 ? 1 : 97) {
		uint16_t upper = UINT16_MAX, lower = 0, guess;
		int steps = 0;

		while (lower == 0) {
			guess = mtu_first_guess(upper);
			assert_true(guess > 0 && guess < upper);
			if (guess <= mtu)
				lower = guess;
			else
				upper = guess;
			steps++;
		}
		while ((guess = mtu_next_guess(lower, upper)) != 0) {
			assert_true(guess > lower && guess < upper);
			if (guess <= mtu)
				lower = guess;
			else
				upper = guess;
			assert_true(++steps < 60);
		}
		assert_int_equal(lower, mtu);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unreachable_comes_before_all_else),
		cmocka_unit_test(echo_reply_then_too_big_then_loop),
		cmocka_unit_test(destination_then_tcp_then_stop_set),
		cmocka_unit_test(loops_are_far_and_new),
		cmocka_unit_test(gap_needs_as_many_hops),
		cmocka_unit_test(quota_grows_with_interfaces),
		cmocka_unit_test(an_interface_is_new_once_for_each_hop),
		cmocka_unit_test(stopping_points_are_the_published_ones),
		cmocka_unit_test(first_guess_is_ethernet_then_tunnel_then_the_table),
		cmocka_unit_test(next_guess_follows_the_table),
		cmocka_unit_test(the_search_finds_every_mtu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

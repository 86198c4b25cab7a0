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

/* Doubletree: the first hop, the two stop sets, both directions. */

#define PATH "ttl 1: 192.0.2.1; ttl 2: 192.0.2.2; ttl 3: 192.0.2.3; ttl 4: 192.0.2.4; ttl 5: 192.0.2.5;"

static void
order_is(struct sim *net, const char *want)
{
	char got[400] = "";
	size_t n = 0;

	for (uint32_t i = 0; i < sim_sent(net); i++)
		n += (size_t)snprintf(
		    got + n, sizeof(got) - n, "%s%u", i > 0 ? " " : "", util_probe(net, i)->ttl);
	assert_string_equal(got, want);
}

static void
forward_then_backward(void **state)
{
	struct sim *net = sim_new(PATH);
	const struct trace_record *rec = util_trace(net, "trace -f 3 -Z lss " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	order_is(net, "3 4 5 6 2 1");
	assert_int_equal(rec->flags, TRACE_FLAG_DOUBLETREE);
	assert_int_equal(rec->rare->dtree->firsthop, 3);
	assert_string_equal(rec->rare->dtree->lss_name, "lss");
	assert_int_equal(rec->rare->dtree->lss_stop.family, ADDR_NONE);
	assert_int_equal(rec->rare->dtree->gss_stop.family, ADDR_NONE);
	assert_string_equal(
	    util_hops(rec), "1:192.0.2.1 2:192.0.2.2 3:192.0.2.3 4:192.0.2.4 5:192.0.2.5 6:" DST);
	assert_int_equal(rec->firsthop, 1);
	assert_int_equal(rec->hop_count, 6);
	sim_free(net);
	(void)state;
}

static void
the_local_stop_set_outlives_a_trace(void **state)
{
	struct sim *net = sim_new(PATH);
	const struct trace_record *rec;

	sim_run(net, "trace -f 3 -Z mine 198.51.100.1");
	sim_run(net, "trace -f 4 -Z MINE 198.51.100.2");
	rec = util_record(net);
	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	/* hops 4 to 6, then 3, which was a first hop and is new, then 2 */
	order_is(net, "3 4 5 6 2 1 4 5 6 3 2");
	util_assert_addr(&rec->rare->dtree->lss_stop, "192.0.2.2");
	assert_int_equal(rec->firsthop, 2);
	sim_run(net, "trace -f 3 -Z other 198.51.100.3");
	assert_int_equal(util_record(net)->rare->dtree->lss_stop.family, ADDR_NONE);
	sim_free(net);
	(void)state;
}

static void
an_address_that_the_trace_itself_added_does_not_stop_it(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1; ttl 2-4: 192.0.2.2; ttl 5: 192.0.2.5;");
	const struct trace_record *rec = util_trace(net, "trace -l 0 -f 5 -Z lss " DST);

	order_is(net, "5 6 4 3 2 1");
	assert_int_equal(rec->rare->dtree->lss_stop.family, ADDR_NONE);
	sim_free(net);
	(void)state;
}

static void
the_global_stop_set_ends_forward_probing(void **state)
{
	struct sim *net = sim_new(PATH);
	const struct trace_record *rec = util_trace(net, "trace -f 3 -z 192.0.2.5 -z 192.0.2.77 " DST);

	util_assert_stop(rec, TRACE_STOP_GSS, 0);
	order_is(net, "3 4 5 2 1");
	util_assert_addr(&rec->rare->dtree->gss_stop, "192.0.2.5");
	assert_null(rec->rare->dtree->lss_name);
	sim_free(net);
	(void)state;
}

static void
a_first_hop_in_the_global_stop_set_skips_forward(void **state)
{
	struct sim *net = sim_new(PATH);
	const struct trace_record *rec = util_trace(net, "trace -f 3 -z 192.0.2.3 " DST);

	util_assert_stop(rec, TRACE_STOP_GSS, 0);
	order_is(net, "3 2 1");
	util_assert_addr(&rec->rare->dtree->gss_stop, "192.0.2.3");
	sim_free(net);
	(void)state;
}

static void
too_deep_halves_the_first_hop(void **state)
{
	struct sim *net = sim_new(PATH);
	const struct trace_record *rec = util_trace(net, "trace -f 16 -Z a " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	order_is(net, "16 8 4 5 6 3 2 1");
	assert_int_equal(rec->rare->dtree->firsthop, 4);
	assert_int_equal(rec->hop_count, 6);
	assert_int_equal(rec->probe_count, 8);
	assert_string_equal(
	    util_hops(rec), "1:192.0.2.1 2:192.0.2.2 3:192.0.2.3 4:192.0.2.4 5:192.0.2.5 6:" DST);
	sim_free(net);
	(void)state;
}

/* What went too deep is no part of the path, and its attempts do not count. */
static void
a_second_visit_begins_anew(void **state)
{
	struct sim *net = sim_new(PATH);
	const struct trace_record *rec = util_trace(net, "trace -f 12 -Z a " DST);

	/* 12 and 6 are the destination, 3 is the first hop, then 6 once more */
	order_is(net, "12 6 3 4 5 6 2 1");
	assert_int_equal(rec->probe_count, 8);
	assert_int_equal(rec->leg.probe_count, 6);
	for (uint32_t i = 0; i < sim_sent(net); i++) /* numbers are not used again */
		assert_int_equal(util_probe(net, i)->ip_id, i + 1);
	for (uint16_t i = 0; i < rec->leg.probe_count; i++)
		assert_int_equal(rec->leg.probes[i].id, 0);
	assert_int_equal(rec->leg.replies[0].probe, 5);
	sim_free(net);
	(void)state;
}

static void
silence_halves_the_first_hop_too(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1; ttl 2: 192.0.2.2; ttl 3: 192.0.2.3; ttl 4: silent");
	const struct trace_record *rec = util_trace(net, "trace -f 4 -q 2 -w 1 -Z a " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	order_is(net, "4 4 2 3 4 4 5 1");
	assert_int_equal(rec->rare->dtree->firsthop, 2);
	sim_free(net);
	net = sim_new("ttl 1: silent; ttl 2: 192.0.2.2");
	util_assert_stop(util_trace(net, "trace -f 1 -q 1 -w 1 -Z a " DST), TRACE_STOP_COMPLETED, 0);
	order_is(net, "1 2 3");
	sim_free(net);
	(void)state;
}

static void
a_neighbour_is_reached_at_one_hop(void **state)
{
	struct sim *net = sim_new("dst: hops=1");

	util_assert_stop(util_trace(net, "trace -f 4 -Z a " DST), TRACE_STOP_COMPLETED, 0);
	order_is(net, "4 2 1");
	assert_int_equal(util_record(net)->rare->dtree->firsthop, 1);
	sim_free(net);
	(void)state;
}

static void
noback_leaves_the_way_back_out(void **state)
{
	struct sim *net = sim_new(PATH);
	const struct trace_record *rec = util_trace(net, "trace -f 3 -O dtree-noback -Z a " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	order_is(net, "3 4 5 6");
	assert_int_equal(rec->rare->dtree->flags, 1);
	assert_int_equal(rec->firsthop, 3);
	sim_free(net);
	(void)state;
}

static void
silent_hops_are_skipped_on_the_way_back(void **state)
{
	struct sim *net =
	    sim_new("ttl 1: 192.0.2.1; ttl 2: silent; ttl 3: 192.0.2.3 drop=1; ttl 4: 192.0.2.4");

	util_assert_stop(util_trace(net, "trace -f 4 -w 1 -Z a " DST), TRACE_STOP_COMPLETED, 0);
	order_is(net, "4 5 3 3 2 2 1");
	sim_free(net);
	(void)state;
}

static void
lastditch_comes_after_the_way_back(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1; ttl 2: 192.0.2.2; ttl 3: 192.0.2.3; dst: hops=20");
	const struct trace_record *rec = util_trace(net, "trace -f 3 -q 1 -g 2 -G 2 -w 1 -Z a " DST);

	util_assert_stop(rec, TRACE_STOP_GAPLIMIT, 0);
	order_is(net, "3 4 5 2 1 255");
	assert_int_equal(rec->rare->lastditch->reply_count, 1);
	assert_string_equal(util_hops(rec), "1:192.0.2.1 2:192.0.2.2 3:192.0.2.3");
	sim_free(net);
	(void)state;
}

static void
it_works_in_ipv6(void **state)
{
	struct sim *net = sim_new(NET);
	const struct trace_record *rec = util_trace(net, "trace -P icmp-paris -f 2 -z 2001:db8::3 " DST6);

	util_assert_stop(rec, TRACE_STOP_GSS, 0);
	order_is(net, "2 3 1");
	sim_free(net);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward_then_backward),
		cmocka_unit_test(the_local_stop_set_outlives_a_trace),
		cmocka_unit_test(an_address_that_the_trace_itself_added_does_not_stop_it),
		cmocka_unit_test(the_global_stop_set_ends_forward_probing),
		cmocka_unit_test(a_first_hop_in_the_global_stop_set_skips_forward),
		cmocka_unit_test(too_deep_halves_the_first_hop),
		cmocka_unit_test(a_second_visit_begins_anew),
		cmocka_unit_test(silence_halves_the_first_hop_too),
		cmocka_unit_test(a_neighbour_is_reached_at_one_hop),
		cmocka_unit_test(noback_leaves_the_way_back_out),
		cmocka_unit_test(silent_hops_are_skipped_on_the_way_back),
		cmocka_unit_test(lastditch_comes_after_the_way_back),
		cmocka_unit_test(it_works_in_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

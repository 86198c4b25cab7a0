#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "trace_util.h"

#define PATH_TEXT 4096

/* Several hops at once, and from the far end: the same result as serially. */

static uint64_t rng;

static uint32_t
dice(uint32_t n)
{
	rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(rng >> 33) % n;
}

/* A path of up to 20 hops: silent ones, loops, unreachables, a destination
 * that answers or not, delays that differ. */
static void
random_path(char text[PATH_TEXT])
{
	uint32_t hops = 1 + dice(20);
	struct buf b;

	buf_init(&b, PATH_TEXT);
	for (uint32_t ttl = 1; ttl <= hops; ttl++) {
		uint32_t what = dice(20);

		if (what < 4) {
			buf_printf(&b, "ttl %u: silent;", ttl);
			continue;
		}
		buf_printf(&b, "ttl %u: 192.0.2.%u", ttl,
		    what == 4   ? 1 + dice(ttl)
		    : what == 5 ? ttl - 1
				: ttl);
		if (what == 6)
			buf_printf(&b, " unreach=%u", dice(2) ? 1 : 13);
		buf_printf(&b, " delay=%u;", 1 + dice(900));
	}
	buf_text(&b, dice(4) == 0 ? "dst: delay=5 silent" : "dst: delay=5");
	buf_u8(&b, 0);
	assert_false(b.failed);
	memcpy(text, b.p, b.len);
	buf_fini(&b);
}

/* What the trace found up to its stop hop, and why it ended. */
static void
outcome(const char *path, const char *command, char *ret, size_t cap)
{
	struct sim *net = sim_new(path);
	const struct trace_record *rec = util_trace(net, command);
	uint8_t last = rec->stop_hop != 0 ? rec->stop_hop : (uint8_t)rec->hop_count;
	size_t n = (size_t)snprintf(ret, cap, "stop %u/%u at %u:", rec->stop_reason, rec->stop_data, last);

	for (uint16_t i = 0; i < rec->leg.reply_count && n < cap; i++) {
		char a[ADDR_STRLEN];

		if (util_ttl(&rec->leg, i) > last)
			continue;
		n += (size_t)snprintf(ret + n, cap - n, " %u=%s", util_ttl(&rec->leg, i),
		    addr_format(&rec->leg.replies[i].from, a));
	}
	sim_free(net);
}

static void
compare(const char *path, const char *options, const char *parallel)
{
	char command[100], serial[8192], other[8192];

	(void)snprintf(command, sizeof(command), "trace -w 1 %s " DST, options);
	outcome(path, command, serial, sizeof(serial));
	(void)snprintf(command, sizeof(command), "trace -w 1 %s %s " DST, options, parallel);
	outcome(path, command, other, sizeof(other));
	if (strcmp(serial, other) != 0)
		fail_msg("%s\n%s\nserial:   %s\nparallel: %s", path, command, serial, other);
}

static void
parallel_finds_what_serial_finds(void **state)
{
	static const char *const options[] = { "-q 1", "-q 2", "-q 3 -Q", "-g 3 -q 1", "-l 2", "-c 95 -g 9",
		"-m 9 -q 1", "-f 3 -q 1" };
	static const char *const parallel[] = { "-N 2", "-N 3", "-N 3 -H 1s", "-N 2 -W 20ms" };

	rng = 1;
	for (int i = 0; i < 1500; i++) {
		char path[PATH_TEXT];

		random_path(path);
		compare(path, options[dice(8)], parallel[dice(4)]);
	}
	(void)state;
}

static void
a_wide_window_finds_the_same_in_less_time(void **state)
{
	static const char path[] =
	    "ttl 1: 192.0.2.1; ttl 2-5: silent; ttl 6: 192.0.2.6; ttl 7-9: silent; dst: hops=10";
	struct sim *net = sim_new(path);
	const struct trace_record *rec = util_trace(net, "trace -w 1 -q 2 -N 5 " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	/* two attempts at hops 2 to 5 side by side, then at 7 to 9 */
	assert_in_range(sim_now(net), NSEC_PER_SEC, 4 * NSEC_PER_SEC + 100 * NSEC_PER_MSEC);
	assert_string_equal(util_hops(rec) + strlen("1:192.0.2.1 6:192.0.2.6 "), "10:" DST " 11:" DST);
	assert_int_equal(rec->stop_hop, 10);
	sim_free(net);
	compare(path, "-q 2", "-N 5");
	(void)state;
}

static void
hops_probed_beyond_the_end_are_extra(void **state)
{
	struct sim *net = sim_new("ttl 1-3: silent; ttl 1: 192.0.2.1 delay=30; ttl 2: 192.0.2.2 delay=30; "
				  "ttl 3: 192.0.2.3 delay=30; dst: delay=30");
	const struct trace_record *rec = util_trace(net, "trace -q 1 -g 10 -N 6 " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	assert_int_equal(rec->stop_hop, 4);
	assert_in_range(rec->hop_count, 6, 10);
	assert_int_equal(rec->leg.reply_count, rec->leg.probe_count); /* those that were out are awaited */
	sim_free(net);
	(void)state;
}

/* A new hop is opened at most the gap limit above the last that replied. */
static void
the_window_does_not_pass_the_gap_limit(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1; dst: silent hops=40");
	const struct trace_record *rec = util_trace(net, "trace -q 2 -w 1 -N 5 " DST);

	util_assert_stop(rec, TRACE_STOP_GAPLIMIT, 0);
	assert_int_equal(rec->hop_count, 6);
	assert_int_equal(rec->stop_hop, 0);
	assert_int_equal(sim_sent(net), 11);
	sim_free(net);
	(void)state;
}

static void
probes_to_one_hop_keep_their_distance(void **state)
{
	struct sim *net = sim_new(NET);

	(void)util_trace(net, "trace -Q -q 3 -N 2 -H 300ms " DST);
	for (uint32_t i = 0; i < sim_sent(net); i++) {
		for (uint32_t j = 0; j < i; j++) {
			const struct sim_packet *a = sim_packet(net, j), *b = sim_packet(net, i);

			if (a->pkt.ttl == b->pkt.ttl)
				assert_true(b->at - a->at >= 300 * NSEC_PER_MSEC);
		}
	}
	sim_free(net);
	(void)state;
}

/* The reply to the first attempt comes when the second is out: with -Q it is
 * no answer to the second, which is waited for. */
static void
a_late_reply_does_not_answer_the_next_attempt(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1 delay=1500 drop=2; ttl 2: 192.0.2.2");
	const struct trace_record *rec = util_trace(net, "trace -w 1 -q 3 -Q -N 2 " DST);

	assert_int_equal(util_count(&rec->leg, 1), 3);
	for (uint16_t i = 0; i < rec->leg.probe_count; i++) {
		if (rec->leg.probes[i].ttl == 1)
			assert_in_range(rec->leg.probes[i].tx_us, rec->leg.probes[i].id * 1000000,
			    rec->leg.probes[i].id * 1000000 + 5000);
	}
	sim_free(net);
	(void)state;
}

static void
a_late_unreachable_still_ends_the_trace(void **state)
{
	struct sim *net = sim_new(
	    "ttl 1: 192.0.2.1; ttl 2: silent; ttl 3: 192.0.2.3 unreach=1 delay=1500; dst: silent hops=30");
	const struct trace_record *rec = util_trace(net, "trace -w 1 -q 1 -N 2 " DST);

	util_assert_stop(rec, TRACE_STOP_UNREACH, 1);
	assert_in_range(rec->hop_count, 4, 6);
	sim_free(net);
	(void)state;
}

static void
confidence_counts_interfaces_hop_by_hop(void **state)
{
	struct sim *net = sim_new("ttl 1: packet=192.0.2.11,192.0.2.12,192.0.2.13; ttl 2: 192.0.2.2");
	const struct trace_record *rec = util_trace(net, "trace -c 95 -N 3 " DST);

	assert_int_equal(util_count(&rec->leg, 1), 16);
	assert_int_equal(util_count(&rec->leg, 2), 6);
	sim_free(net);
	(void)state;
}

static void
lastditch_follows_a_parallel_gap(void **state)
{
	struct sim *net = sim_new("ttl 1: 192.0.2.1; dst: hops=40");
	const struct trace_record *rec = util_trace(net, "trace -q 1 -w 1 -N 3 -G 2 " DST);

	util_assert_stop(rec, TRACE_STOP_GAPLIMIT, 0);
	assert_int_equal(rec->rare->lastditch->reply_count, 1);
	sim_free(net);
	(void)state;
}

static void
back_descends_from_the_hop_limit(void **state)
{
	struct sim *net = sim_new(NET);
	const struct trace_record *rec = util_trace(net, "trace -O back -m 6 " DST);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	assert_int_equal(sim_sent(net), 6);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(util_probe(net, i)->ttl, 6 - i);
	assert_int_equal(rec->stop_hop, 4);
	assert_int_equal(rec->hop_count, 6);
	assert_int_equal(rec->flags, TRACE_FLAG_BACK);
	assert_string_equal(util_hops(rec), "1:192.0.2.1 2:192.0.2.2 3:192.0.2.3 4:" DST " 5:" DST " 6:" DST);
	sim_free(net);
	(void)state;
}

static void
back_falls_back_to_gap_or_hop_limit(void **state)
{
	struct sim *net = sim_new(NET "dst: silent hops=20");

	util_assert_stop(util_trace(net, "trace -O back -m 9 -q 1 -w 1 " DST), TRACE_STOP_GAPLIMIT, 0);
	assert_int_equal(sim_sent(net), 9);
	sim_free(net);
	net = sim_new(NET "dst: silent hops=20");
	util_assert_stop(util_trace(net, "trace -O back -m 7 -q 1 -w 1 " DST), TRACE_STOP_HOPLIMIT, 0);
	sim_free(net);
	(void)state;
}

static void
back_with_a_window_finds_the_same(void **state)
{
	rng = 2;
	for (int i = 0; i < 300; i++) {
		char path[PATH_TEXT], one[8192], many[8192];

		random_path(path);
		outcome(path, "trace -w 1 -O back -m 20 " DST, one, sizeof(one));
		outcome(path, "trace -w 1 -O back -m 20 -N 5 " DST, many, sizeof(many));
		assert_string_equal(one, many);
	}
	(void)state;
}

static void
loss_and_reordering_do_not_confuse_it(void **state)
{
	for (uint32_t seed = 1; seed <= 200; seed++) {
		char path[300];
		struct sim *net;
		const struct trace_record *rec;

		(void)snprintf(path, sizeof(path),
		    "seed %u; ttl 1: 192.0.2.1 loss=20 jitter=900 dup=1; "
		    "ttl 2: 192.0.2.2 loss=20 jitter=900; ttl 3: 192.0.2.3 jitter=1500; dst: loss=10 "
		    "jitter=500",
		    seed);
		net = sim_new(path);
		rec = util_trace(net, "trace -w 1 -q 4 -N 4 " DST);
		if (rec->stop_reason == TRACE_STOP_COMPLETED)
			assert_in_range(rec->stop_hop == 0 ? rec->hop_count : rec->stop_hop, 4, 9);
		for (uint16_t i = 0; i < rec->leg.reply_count; i++) {
			char want[ADDR_STRLEN], got[ADDR_STRLEN];
			uint8_t ttl = util_ttl(&rec->leg, i);

			(void)snprintf(want, sizeof(want), "192.0.2.%u", ttl);
			assert_string_equal(
			    addr_format(&rec->leg.replies[i].from, got), ttl > 3 ? DST : want);
		}
		sim_free(net);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parallel_finds_what_serial_finds),
		cmocka_unit_test(a_wide_window_finds_the_same_in_less_time),
		cmocka_unit_test(hops_probed_beyond_the_end_are_extra),
		cmocka_unit_test(the_window_does_not_pass_the_gap_limit),
		cmocka_unit_test(probes_to_one_hop_keep_their_distance),
		cmocka_unit_test(a_late_reply_does_not_answer_the_next_attempt),
		cmocka_unit_test(a_late_unreachable_still_ends_the_trace),
		cmocka_unit_test(confidence_counts_interfaces_hop_by_hop),
		cmocka_unit_test(lastditch_follows_a_parallel_gap),
		cmocka_unit_test(back_descends_from_the_hop_limit),
		cmocka_unit_test(back_falls_back_to_gap_or_hop_limit),
		cmocka_unit_test(back_with_a_window_finds_the_same),
		cmocka_unit_test(loss_and_reordering_do_not_confuse_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

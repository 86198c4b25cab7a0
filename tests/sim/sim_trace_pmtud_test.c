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

/* Path MTU discovery after the trace. */

#define A "ttl 1: 192.0.2.1 2001:db8::1"
#define B "ttl 2: 192.0.2.2 2001:db8::2"
#define C "ttl 3: 192.0.2.3 2001:db8::3"

static const struct trace_pmtud *
pmtud(struct sim *net, const char *command)
{
	const struct trace_record *rec = util_trace(net, command);

	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	assert_non_null(rec->rare);
	assert_non_null(rec->rare->pmtud);
	assert_int_equal(rec->rare->pmtud->version, 2);
	assert_int_equal(rec->probe_count, rec->leg.probe_count + rec->rare->pmtud->leg.probe_count);
	return rec->rare->pmtud;
}

/* The sizes that were tried to the end, as text. */
static const char *
sizes(const struct trace_pmtud *m)
{
	static char text[2000];
	size_t n = 0;

	text[0] = '\0';
	for (uint16_t i = 0; i < m->leg.probe_count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    m->leg.probes[i].ttl == 255 ? " %u" : " %u@%u", m->leg.probes[i].size,
		    m->leg.probes[i].ttl);
	return text;
}

static void
note_is(const struct trace_pmtud *m, uint8_t n, uint8_t type, uint16_t nhmtu, const char *from)
{
	assert_in_range(n, 0, m->note_count - 1);
	assert_int_equal(m->notes[n].type, type);
	assert_int_equal(m->notes[n].nhmtu, nhmtu);
	if (from == NULL)
		assert_int_equal(m->notes[n].reply, TRACE_NOTE_NO_REPLY);
	else
		util_assert_addr(&m->leg.replies[m->notes[n].reply].from, from);
}

static void
every_method_finds_a_path_without_limits(void **state)
{
	static const char *const methods[] = { "udp", "udp-paris", "icmp", "icmp-paris", "tcp-ack" };

	for (size_t i = 0; i < 10; i++) {
		struct sim *net = sim_new(A ";" B);
		char command[100];
		const struct trace_pmtud *m;

		(void)snprintf(
		    command, sizeof(command), "trace -M -P %s %s", methods[i / 2], i % 2 ? DST6 : DST);
		m = pmtud(net, command);
		assert_int_equal(m->ifmtu, 1500);
		assert_int_equal(m->pmtu, 1500);
		assert_int_equal(m->outmtu, 0);
		assert_int_equal(m->note_count, 0);
		assert_string_equal(sizes(m), " 1500");
		assert_int_equal(sim_packet(net, 3)->len, 1500);
		assert_int_equal(util_probe(net, 3)->ttl, 255);
		sim_free(net);
	}
	(void)state;
}

static void
a_good_too_big_is_believed(void **state)
{
	struct sim *net = sim_new(A "; " B " mtu=1400; " C " mtu=1300");
	const struct trace_pmtud *m = pmtud(net, "trace -M " DST);

	assert_string_equal(sizes(m), " 1500 1400 1300");
	assert_int_equal(m->pmtu, 1300);
	assert_int_equal(m->note_count, 2);
	note_is(m, 0, TRACE_NOTE_PTB, 1400, "192.0.2.2");
	note_is(m, 1, TRACE_NOTE_PTB, 1300, "192.0.2.3");
	assert_int_equal(m->leg.replies[0].nhmtu, 1400);
	assert_int_equal(m->leg.replies[0].q_len, 1500);
	sim_free(net);
	net = sim_new(A "; " B " mtu=1400");
	m = pmtud(net, "trace -M -P icmp-paris " DST6);
	assert_string_equal(sizes(m), " 1500 1400");
	note_is(m, 0, TRACE_NOTE_PTB, 1400, "2001:db8::2");
	assert_int_equal(m->pmtu, 1400);
	sim_free(net);
	(void)state;
}

static void
a_bad_too_big_begins_a_search(void **state)
{
	static const char *const lies[] = { "nhmtu=0", "nhmtu=1500", "nhmtu=9000" };

	for (int i = 0; i < 3; i++) {
		char path[300];
		struct sim *net;
		const struct trace_pmtud *m;

		(void)snprintf(path, sizeof(path), A "; " B " mtu=1300 %s; " C, lies[i]);
		net = sim_new(path);
		m = pmtud(net, "trace -M " DST);
		assert_string_equal(sizes(m), " 1500 1454 1280 1281 1367 1324 1302 1291 1296 1299 1300 1301");
		note_is(m, 0, TRACE_NOTE_PTB_BAD, 1300, "192.0.2.2");
		assert_int_equal(m->note_count, 1);
		assert_int_equal(m->pmtu, 1300);
		sim_free(net);
	}
	(void)state;
}

static void
a_too_big_below_any_header_ends_it(void **state)
{
	struct sim *net = sim_new(A "; " B " mtu=1300 nhmtu=20; " C);
	const struct trace_pmtud *m = pmtud(net, "trace -M " DST);

	assert_string_equal(sizes(m), " 1500");
	note_is(m, 0, TRACE_NOTE_PTB_BAD, 0, "192.0.2.2");
	assert_int_equal(m->pmtu, 0);
	sim_free(net);
	(void)state;
}

/* The sizes are those of the reference capture for 1,300 behind hop 3. */
static void
silence_is_searched_for_size_and_hop(void **state)
{
	struct sim *net = sim_new(A "; " B "; " C " mtu=1300 nobig");
	const struct trace_pmtud *m = pmtud(net, "trace -M -q 1 -w 1 " DST);

	assert_string_equal(
	    sizes(m), " 1500 1454 1280 1281 1367 1324 1302 1291 1296 1299 1300 1301 1301@2 1301@3");
	assert_int_equal(m->note_count, 1);
	note_is(m, 0, TRACE_NOTE_SILENCE, 1300, "192.0.2.3");
	assert_int_equal(m->pmtu, 1300);
	assert_int_equal(m->outmtu, 0);
	assert_int_equal(util_record(net)->probe_count, 18);
	sim_free(net);
	net = sim_new(A " mtu=1400 nobig; " B "; " C);
	m = pmtud(net, "trace -M -q 2 -w 1 " DST6);
	note_is(m, 0, TRACE_NOTE_SILENCE, 1400, "2001:db8::1");
	assert_int_equal(m->pmtu, 1400);
	sim_free(net);
	(void)state;
}

static bool
first_link_drops(void *ctx, struct sim *net, const struct sim_packet *p)
{
	(void)net;
	return p->len <= *(const uint16_t *)ctx;
}

static void
a_silent_first_hop_limits_what_goes_out(void **state)
{
	struct sim *net = sim_new(A "; " B);
	const struct trace_pmtud *m;
	uint16_t limit = 1480;

	sim_on_send(net, first_link_drops, &limit);
	m = pmtud(net, "trace -M -q 1 -w 1 " DST);
	assert_int_equal(m->outmtu, 1480);
	assert_int_equal(m->pmtu, 1480);
	note_is(m, 0, TRACE_NOTE_SILENCE, 1480, NULL);
	sim_free(net);
	(void)state;
}

static void
silence_hides_no_announcement_behind_it(void **state)
{
	struct sim *net = sim_new(A " mtu=1400 nobig; " B " mtu=1300; " C);
	const struct trace_pmtud *m = pmtud(net, "trace -M -q 1 -w 1 " DST);

	assert_int_equal(m->note_count, 2);
	note_is(m, 0, TRACE_NOTE_SILENCE, 1400, "192.0.2.1");
	note_is(m, 1, TRACE_NOTE_PTB, 1300, "192.0.2.2");
	assert_int_equal(m->pmtu, 1300);
	sim_free(net);
	net = sim_new(A " mtu=1400 nhmtu=0; " B " mtu=1300; " C);
	m = pmtud(net, "trace -M -q 1 -w 1 " DST);
	note_is(m, 0, TRACE_NOTE_PTB_BAD, 1400, "192.0.2.1");
	note_is(m, 1, TRACE_NOTE_PTB, 1300, "192.0.2.2");
	assert_int_equal(m->pmtu, 1300);
	sim_free(net);
	(void)state;
}

/* Every MTU is found, however the router tells or hides it. */
static void
any_mtu_is_found(void **state)
{
	static const char *const ways[] = { "", "nhmtu=0", "nobig" };

	for (uint32_t mtu = 100; mtu < 1500; mtu += 7) {
		for (int way = 0; way < 3; way++) {
			char path[300];
			struct sim *net;

			(void)snprintf(path, sizeof(path), A "; " B " mtu=%u %s; " C, mtu, ways[way]);
			net = sim_new(path);
			assert_int_equal(pmtud(net, "trace -M -q 1 -w 1 " DST)->pmtu, mtu);
			sim_free(net);
		}
	}
	(void)state;
}

static void
it_runs_only_after_an_end_that_answers(void **state)
{
	struct sim *net = sim_new(A "; dst: silent hops=30");
	const struct trace_record *rec = util_trace(net, "trace -M -q 1 -w 1 " DST);

	util_assert_stop(rec, TRACE_STOP_GAPLIMIT, 0);
	assert_true(rec->rare == NULL || rec->rare->pmtud == NULL);
	sim_free(net);
	net = sim_new(A "; " B " unreach=1");
	rec = util_trace(net, "trace -M " DST);
	util_assert_stop(rec, TRACE_STOP_UNREACH, 1);
	assert_int_equal(rec->rare->pmtud->pmtu, 1500);
	sim_free(net);
	(void)state;
}

static void
payload_is_padded_with_zeros(void **state)
{
	struct sim *net = sim_new(A "; " B);
	const struct pkt *p;

	(void)pmtud(net, "trace -M -P icmp -p 0102030405 " DST);
	p = util_probe(net, 3);
	assert_int_equal(p->ip_len, 1500);
	assert_memory_equal(p->payload, "\1\2\3\4\5\0\0", 7);
	sim_free(net);
	(void)state;
}

/* The kernel knows a smaller path MTU than the interface's. */
static void
a_size_that_the_kernel_refuses_is_too_big(void **state)
{
	struct sim *net = sim_new(A "; " B "; refuse 4 EMSGSIZE");
	const struct trace_pmtud *m = pmtud(net, "trace -M " DST);

	assert_in_range(m->pmtu, 1454, 1500);
	assert_int_equal(m->notes[0].type, TRACE_NOTE_SILENCE);
	sim_free(net);
	(void)state;
}

static void
a_hostile_router_cannot_keep_it_going(void **state)
{
	/* every size is too big, and none is announced */
	struct sim *net = sim_new(A " mtu=60 nhmtu=0; " B);
	const struct trace_pmtud *m = pmtud(net, "trace -M " DST);

	assert_true(m->leg.probe_count < 100);
	assert_int_equal(m->pmtu, 60);
	sim_free(net);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_finds_a_path_without_limits),
		cmocka_unit_test(a_good_too_big_is_believed),
		cmocka_unit_test(a_bad_too_big_begins_a_search),
		cmocka_unit_test(a_too_big_below_any_header_ends_it),
		cmocka_unit_test(silence_is_searched_for_size_and_hop),
		cmocka_unit_test(a_silent_first_hop_limits_what_goes_out),
		cmocka_unit_test(silence_hides_no_announcement_behind_it),
		cmocka_unit_test(any_mtu_is_found),
		cmocka_unit_test(it_runs_only_after_an_end_that_answers),
		cmocka_unit_test(payload_is_padded_with_zeros),
		cmocka_unit_test(a_size_that_the_kernel_refuses_is_too_big),
		cmocka_unit_test(a_hostile_router_cannot_keep_it_going),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

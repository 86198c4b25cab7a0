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

/* Any options that are accepted, on any network, with loss, copies, reordering
 * and lies: the trace ends, and its record holds together. */

#define RUNS 4000
#define TEXT_MAX 4096

static uint64_t rng = 7;

static uint32_t
dice(uint32_t n)
{
	rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(rng >> 33) % n;
}

static const char *
one_of(const char *const *words)
{
	uint32_t n = 0;

	while (words[n] != NULL)
		n++;
	return words[dice(n)];
}

static void
finish(struct buf *b, char text[TEXT_MAX])
{
	buf_u8(b, 0);
	assert_false(b->failed);
	memcpy(text, b->p, b->len);
	buf_fini(b);
}

static void
add_hop(struct buf *b, uint32_t ttl)
{
	static const char *const quirks[] = { "", "", "", "", "", "", "", "", "", "", "mtu=1300",
		"mtu=1300 nobig", "mtu=1280 nhmtu=0", "mtu=700 nhmtu=9000", "mtu=1400 nhmtu=10", "unreach=1",
		"unreach=3", "badid", "qttl=0", "quote=20", "quote=28", "quote=200", "mpls=16,17 quote=128",
		"block", "silent", "rate=1", NULL };

	if (dice(6) == 0)
		return;
	buf_printf(b, "ttl %u: ", ttl);
	if (dice(8) == 0)
		buf_printf(b, "packet=192.0.2.%u,192.0.2.%u 2001:db8::%x", ttl, 100 + ttl, ttl);
	else if (dice(8) == 0)
		buf_printf(b, "flow=192.0.2.%u,192.0.2.%u 2001:db8::%x", ttl, 100 + ttl, ttl);
	else
		buf_printf(b, "192.0.2.%u 2001:db8::%x", 1 + dice(ttl), 1 + dice(ttl));
	buf_printf(b, " %s loss=%u dup=%u jitter=%u delay=%u;", one_of(quirks), dice(3) ? 0 : dice(60),
	    dice(5) ? 0 : dice(4), 1 + dice(3000), 1 + dice(1500));
}

static void
random_net(char text[TEXT_MAX])
{
	static const char *const dst[] = { "", "", "", "silent", "udp=reply", "udp=silent tcp=synack",
		"tcp=silent echo=no", "unreach=10", "loss=50", NULL };
	static const char *const rest[] = { "", "", "", "notx", "refuse 3 EPERM", "refuse 5 EMSGSIZE",
		"refuse 6 EMSGSIZE", "busy 40000", "nameserver 192.0.2.53", "pps 50", "mtu 9000", "mtu 1280",
		NULL };
	uint32_t hops = dice(16);
	struct buf b;

	buf_init(&b, TEXT_MAX);
	buf_printf(&b, "seed %u; ", 1 + dice(1000));
	for (uint32_t ttl = 1; ttl <= hops; ttl++)
		add_hop(&b, ttl);
	buf_printf(&b, "dst: %s hops=%u delay=%u; %s", one_of(dst), hops + 1, 1 + dice(1200), one_of(rest));
	finish(&b, text);
}

static void
random_command(char text[TEXT_MAX])
{
	static const char *const options[] = { "", "", "-c 95", "-c 99", "-d 1", "-d 65535", "-f 3", "-f 9",
		"-g 0", "-g 2", "-g 9", "-G 2", "-H 1s", "-l 0", "-l 2", "-m 5", "-m 12", "-M", "-M", "-N 2",
		"-N 5", "-o 9", "-O back -m 9", "-O const-payload", "-O dl", "-O dtree-noback", "-O ptr",
		"-O raw", "-p 010203", "-q 1", "-q 4", "-Q", "-r 192.0.2.1", "-s 0", "-s 99", "-t 255", "-T",
		"-W 500ms", "-y 1", "-y 3", "-z 192.0.2.2", "-z 2001:db8::2", "-Z a", "-Z b", NULL };
	static const char *const methods[] = { "udp", "udp-paris", "icmp", "icmp-paris", "tcp", "tcp-ack",
		NULL };
	struct buf b;

	buf_init(&b, TEXT_MAX);
	buf_printf(&b, "trace -w 1 -P %s", one_of(methods));
	for (uint32_t n = dice(5); n > 0; n--)
		buf_printf(&b, " %s", one_of(options));
	buf_printf(&b, " %s", dice(2) ? DST : DST6);
	finish(&b, text);
}

static void
leg_holds(const struct trace_leg *leg)
{
	for (uint16_t i = 0; i < leg->probe_count; i++) {
		assert_true(leg->probes[i].ttl >= 1);
		assert_true(leg->probes[i].size >= 28);
	}
	for (uint16_t i = 0; i < leg->reply_count; i++) {
		assert_in_range(leg->replies[i].probe, 0, leg->probe_count - 1);
		assert_int_not_equal(leg->probes[leg->replies[i].probe].flags & TRACE_PROBE_ANSWERED, 0);
	}
}

static void
pmtud_holds(const struct trace_pmtud *m)
{
	leg_holds(&m->leg);
	assert_true(m->pmtu <= m->ifmtu);
	for (uint8_t i = 0; i < m->note_count; i++) {
		assert_in_range(m->notes[i].type, TRACE_NOTE_PTB, TRACE_NOTE_SILENCE);
		assert_true(m->notes[i].nhmtu < m->ifmtu);
		assert_true(
		    m->notes[i].reply == TRACE_NOTE_NO_REPLY || m->notes[i].reply < m->leg.reply_count);
	}
}

static void
record_holds(const struct trace_record *rec)
{
	uint32_t probes = rec->leg.probe_count;
	uint8_t highest = 0, answered;

	assert_in_range(rec->stop_reason, TRACE_STOP_COMPLETED, TRACE_STOP_GSS);
	leg_holds(&rec->leg);
	for (uint16_t i = 0; i < rec->leg.probe_count; i++)
		highest = rec->leg.probes[i].ttl > highest ? rec->leg.probes[i].ttl : highest;
	for (uint16_t i = 1; i < rec->leg.reply_count; i++)
		assert_true(util_ttl(&rec->leg, i) >= util_ttl(&rec->leg, (uint16_t)(i - 1)));
	answered = rec->leg.reply_count == 0 ? 0 : util_ttl(&rec->leg, (uint16_t)(rec->leg.reply_count - 1));
	assert_true(rec->hop_count == highest || rec->hop_count == answered); /* a late end cuts it */
	assert_true(rec->stop_hop < rec->hop_count || rec->stop_hop == 0);
	if (rec->rare != NULL && rec->rare->lastditch != NULL) {
		leg_holds(rec->rare->lastditch);
		probes += rec->rare->lastditch->probe_count;
	}
	if (rec->rare != NULL && rec->rare->pmtud != NULL) {
		pmtud_holds(rec->rare->pmtud);
		probes += rec->rare->pmtud->leg.probe_count;
	}
	if ((rec->flags & TRACE_FLAG_DOUBLETREE) != 0)
		assert_true(rec->probe_count >= probes); /* some went too deep */
	else
		assert_int_equal(rec->probe_count, probes);
}

static void
any_trace_ends_with_a_record_that_holds(void **state)
{
	uint32_t ran = 0;

	for (int i = 0; i < RUNS; i++) {
		char path[TEXT_MAX], command[TEXT_MAX];
		struct sim *net;

		random_net(path);
		random_command(command);
		net = sim_new(path);
		if (sim_refusal(net, command)[0] == '\0') {
			sim_run(net, command);
			record_holds(util_record(net));
			assert_true(strlen(sim_json(net)) > 0);
			assert_int_equal(sim_ports_held(net), 0);
			ran++;
		}
		sim_free(net);
	}
	assert_true(ran > RUNS / 4);
	(void)state;
}

/* Several at once, some to the same address, and a client that gives up. */
static void
many_end_together(void **state)
{
	for (int i = 0; i < RUNS / 20; i++) {
		char text[TEXT_MAX];
		struct sim *net;
		uint32_t added = 0;

		random_net(text);
		net = sim_new(text);
		for (int n = 0; n < 12; n++) {
			random_command(text);
			if (sim_refusal(net, text)[0] != '\0')
				continue;
			sim_add(net, text);
			added++;
		}
		if (dice(2))
			sim_halt_at(net, (nsec_t)dice(9000) * NSEC_PER_MSEC);
		sim_go(net);
		assert_int_equal(sim_ended(net), added);
		assert_int_equal(sim_ports_held(net), 0);
		sim_free(net);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_trace_ends_with_a_record_that_holds),
		cmocka_unit_test(many_end_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

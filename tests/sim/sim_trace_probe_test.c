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

/* What the probes of each method look like, and what is read from replies. */

static void
common4(const struct pkt *p, uint32_t n, uint8_t proto, uint16_t len)
{
	assert_int_equal(p->src.family, ADDR_IP4);
	util_assert_addr(&p->src, "192.0.2.100");
	util_assert_addr(&p->dst, DST);
	assert_int_equal(p->proto, proto);
	assert_int_equal(p->ttl, n + 1);
	assert_int_equal(p->tos, 0);
	assert_int_equal(p->ip_id, n + 1);
	assert_int_equal(p->ip_len, len);
	assert_true(p->df);
	assert_false(p->frag);
}

static void
common6(const struct pkt *p, uint32_t n, uint8_t proto, uint16_t len)
{
	util_assert_addr(&p->src, "2001:db8::100");
	util_assert_addr(&p->dst, DST6);
	assert_int_equal(p->proto, proto);
	assert_int_equal(p->ttl, n + 1);
	assert_int_equal(p->tos, 0);
	assert_int_equal(p->ip_len, len);
	assert_false(p->frag);
}

static void
assert_zeros(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(p[i], 0);
}

/* Four probes, to the destination's distance. */
static struct sim *
four(const char *command)
{
	struct sim *net = sim_new(NET);
	const struct trace_record *rec = util_trace(net, command);

	assert_int_equal(sim_sent(net), 4);
	assert_int_equal(rec->leg.probe_count, 4);
	assert_int_equal(rec->leg.reply_count, 4);
	assert_int_equal(rec->hop_count, 4);
	assert_int_equal(rec->probe_count, 4);
	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	return net;
}

static void
udp_paris_is_the_default_and_its_checksum_is_the_number(void **state)
{
	struct sim *net = four("trace " DST);

	for (uint32_t i = 0; i < 4; i++) {
		const struct pkt *p = util_probe(net, i);

		common4(p, i, IPPROTO_UDP, 44);
		assert_int_equal(p->sport, 40000);
		assert_int_equal(p->dport, 33435);
		assert_int_equal(p->udp.csum, i + 1);
		assert_int_equal(p->payload_len, 16);
		assert_zeros(p->payload + 2, 14);
	}
	assert_int_equal(util_record(net)->method, TRACE_UDP_PARIS);
	assert_int_equal(util_record(net)->sport, 40000);
	assert_int_equal(util_record(net)->dport, 33435);
	assert_int_equal(util_record(net)->probe_size, 44);
	sim_free(net);
	(void)state;
}

static void
udp_paris_in_ipv6_has_the_number_in_its_checksum_too(void **state)
{
	struct sim *net = four("trace " DST6);

	for (uint32_t i = 0; i < 4; i++) {
		const struct pkt *p = util_probe(net, i);

		common6(p, i, IPPROTO_UDP, 60);
		assert_int_equal(p->udp.csum, i + 1);
		assert_int_equal(p->flow, 0);
		assert_int_equal(p->payload_len, 12);
		assert_zeros(p->payload + 2, 10);
	}
	sim_free(net);
	(void)state;
}

static void
udp_counts_its_destination_port_up(void **state)
{
	struct sim *net = four("trace -P udp -d 50000 -s 1234 " DST);

	for (uint32_t i = 0; i < 4; i++) {
		const struct pkt *p = util_probe(net, i);

		common4(p, i, IPPROTO_UDP, 44);
		assert_int_equal(p->sport, 1234);
		assert_int_equal(p->dport, 50000 + i);
		assert_zeros(p->payload, 16);
	}
	sim_free(net);
	net = four("trace -P UDP " DST6);
	for (uint32_t i = 0; i < 4; i++) {
		common6(util_probe(net, i), i, IPPROTO_UDP, 60);
		assert_int_equal(util_probe(net, i)->dport, 33435 + i);
		assert_int_equal(util_probe(net, i)->flow, 0);
	}
	sim_free(net);
	(void)state;
}

static void
udp_ports_wrap_and_are_still_matched(void **state)
{
	struct sim *net = four("trace -P udp -d 65534 " DST);

	assert_int_equal(util_probe(net, 1)->dport, 65535);
	assert_int_equal(util_probe(net, 2)->dport, 0);
	assert_int_equal(util_probe(net, 3)->dport, 1);
	sim_free(net);
	(void)state;
}

static void
const_payload_puts_the_number_into_the_ip_header(void **state)
{
	struct sim *net = four("trace -O const-payload " DST);
	uint16_t csum = util_probe(net, 0)->udp.csum;

	for (uint32_t i = 0; i < 4; i++) {
		const struct pkt *p = util_probe(net, i);

		common4(p, i, IPPROTO_UDP, 44);
		assert_int_equal(p->udp.csum, csum);
		assert_int_equal(p->dport, 33435);
		assert_zeros(p->payload, 16);
	}
	assert_int_equal(util_record(net)->flags, TRACE_FLAG_CONSTPAYLOAD);
	sim_free(net);
	net = four("trace -O const-payload " DST6);
	csum = util_probe(net, 0)->udp.csum;
	for (uint32_t i = 0; i < 4; i++) {
		common6(util_probe(net, i), i, IPPROTO_UDP, 60);
		assert_int_equal(util_probe(net, i)->flow, i + 1);
		assert_int_equal(util_probe(net, i)->udp.csum, csum);
		assert_zeros(util_probe(net, i)->payload, 12);
	}
	sim_free(net);
	(void)state;
}

static void
icmp_counts_its_sequence_number_up(void **state)
{
	struct sim *net = four("trace -P icmp -s 77 " DST);

	for (uint32_t i = 0; i < 4; i++) {
		const struct pkt *p = util_probe(net, i);

		common4(p, i, IPPROTO_ICMP, 44);
		assert_int_equal(p->icmp.type, 8);
		assert_int_equal(p->icmp.code, 0);
		assert_int_equal(p->icmp.id, 77);
		assert_int_equal(p->icmp.seq, i);
		assert_zeros(p->payload, 16);
	}
	assert_int_equal(util_record(net)->sport, 77);
	sim_free(net);
	net = four("trace -P icmp " DST6);
	for (uint32_t i = 0; i < 4; i++) {
		common6(util_probe(net, i), i, IPPROTO_ICMPV6, 60);
		assert_int_equal(util_probe(net, i)->icmp.type, 128);
		assert_int_equal(util_probe(net, i)->icmp.id, 40000);
		assert_int_equal(util_probe(net, i)->icmp.seq, i);
	}
	sim_free(net);
	(void)state;
}

static void
icmp_paris_keeps_its_checksum(void **state)
{
	struct sim *net = four("trace -P icmp-paris -d 4660 " DST);

	for (uint32_t i = 0; i < 4; i++) {
		common4(util_probe(net, i), i, IPPROTO_ICMP, 44);
		assert_int_equal(util_probe(net, i)->icmp.csum, 4660);
		assert_int_equal(util_probe(net, i)->icmp.seq, i);
		assert_zeros(util_probe(net, i)->payload + 2, 14);
	}
	assert_int_equal(util_record(net)->flags, TRACE_FLAG_ICMPCSUMDP);
	assert_int_equal(util_record(net)->dport, 4660);
	sim_free(net);
	/* without -d: the program's source port, whatever -s says */
	net = four("trace -P icmp-paris -s 99 " DST6);
	for (uint32_t i = 0; i < 4; i++) {
		common6(util_probe(net, i), i, IPPROTO_ICMPV6, 60);
		assert_int_equal(util_probe(net, i)->icmp.id, 99);
		assert_int_equal(util_probe(net, i)->icmp.csum, 40000);
	}
	assert_int_equal(util_record(net)->dport, 40000);
	sim_free(net);
	(void)state;
}

static void
tcp_is_an_empty_syn(const char *command, uint8_t flags, bool ip6)
{
	struct sim *net = four(command);

	for (uint32_t i = 0; i < 4; i++) {
		const struct pkt *p = util_probe(net, i);

		if (ip6) {
			common6(p, i, IPPROTO_TCP, 60);
			assert_int_equal(p->flow, i + 1);
		} else {
			common4(p, i, IPPROTO_TCP, 40);
		}
		assert_int_equal(p->sport, 40000);
		assert_int_equal(p->dport, 80);
		assert_int_equal(p->tcp.flags, flags);
		assert_int_equal(p->tcp.seq, 0);
		assert_int_equal(p->tcp.ack, 0);
		assert_int_equal(p->tcp.win, 0);
		assert_int_equal(p->tcp.mss, 0);
		assert_int_equal(p->payload_len, 0);
	}
	assert_int_equal(util_record(net)->leg.replies[3].flags & TRACE_REPLY_TCP, TRACE_REPLY_TCP);
	sim_free(net);
}

static void
tcp_probes_are_bare_segments(void **state)
{
	tcp_is_an_empty_syn("trace -P tcp -d 80 " DST, TCP_SYN, false);
	tcp_is_an_empty_syn("trace -P tcp -d 80 " DST6, TCP_SYN, true);
	tcp_is_an_empty_syn("trace -P tcp-ack -d 80 " DST, TCP_ACK, false);
	tcp_is_an_empty_syn("trace -P tcp-ack -d 80 " DST6, TCP_ACK, true);
	(void)state;
}

static void
an_open_port_shows_in_the_reply(void **state)
{
	struct sim *net = sim_new(NET "dst: tcp=synack");
	const struct trace_record *rec = util_trace(net, "trace -P tcp -d 80 -O raw " DST);

	assert_int_equal(rec->leg.replies[3].tcp_flags, TCP_SYN | TCP_ACK);
	assert_int_equal(rec->leg.replies[3].probe, 3);
	assert_int_equal(rec->flags, TRACE_FLAG_RAW);
	sim_free(net);
	(void)state;
}

static void
tos_payload_source_and_router_are_obeyed(void **state)
{
	struct sim *net = sim_new(NET "here 192.0.2.77");

	(void)util_trace(net, "trace -t 184 -p 0102030405 -S 192.0.2.77 -r 192.0.2.1 -U 7 " DST);
	assert_int_equal(sim_sent(net), 4);
	for (uint32_t i = 0; i < 4; i++) {
		const struct pkt *p = util_probe(net, i);

		assert_int_equal(p->tos, 184);
		assert_int_equal(p->ip_len, 28 + 5);
		util_assert_addr(&p->src, "192.0.2.77");
		util_assert_addr(&sim_packet(net, i)->to, "192.0.2.1");
		/* the first two bytes make the checksum what it is to be */
		assert_memory_equal(p->payload + 2, "\3\4\5", 3);
	}
	assert_int_equal(util_record(net)->probe_size, 33);
	assert_int_equal(util_record(net)->userid, 7);
	util_assert_addr(&util_record(net)->rare->router, "192.0.2.1");
	sim_free(net);
	net = four("trace -P icmp -p 0a0b " DST6);
	assert_int_equal(util_probe(net, 0)->ip_len, 48 + 2);
	assert_memory_equal(util_probe(net, 0)->payload, "\x0a\x0b", 2);
	sim_free(net);
	(void)state;
}

/* The fragment header of RFC 8200 section 4.5, behind the fixed header. */
static void
offset_makes_every_probe_a_later_fragment(void **state)
{
	static const char *const methods[] = { "udp-paris", "udp", "icmp", "icmp-paris", "tcp", "tcp-ack" };

	for (size_t m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
		struct sim *net = sim_new(NET);
		char command[100];

		(void)snprintf(command, sizeof(command), "trace -o 5 -s 4660 -m 3 -P %s " DST6, methods[m]);
		(void)util_trace(net, command);
		for (uint32_t i = 0; i < 3; i++) {
			const struct sim_packet *p = sim_packet(net, i);

			assert_int_equal(p->len, 72);
			assert_int_equal(p->bytes[6], IPPROTO_FRAGMENT);
			assert_int_equal(p->bytes[42] << 8 | p->bytes[43], 5 << 3);
			assert_memory_equal(p->bytes + 44, "\x12\x34\0", 3);
			assert_int_equal(p->bytes[47], i);
			/* no transport header: a later fragment has none */
			assert_int_equal(p->bytes[48 + 3], i);
		}
		assert_string_equal(util_hops(util_record(net)), "1:2001:db8::1 2:2001:db8::2 3:2001:db8::3");
		util_assert_stop(util_record(net), TRACE_STOP_HOPLIMIT, 0);
		sim_free(net);
	}
	(void)state;
}

static void
a_fragment_carries_the_counter_then_the_payload(void **state)
{
	struct sim *net = sim_new(NET);
	const struct sim_packet *p;

	(void)util_trace(net, "trace -o 5 -m 2 -p 0a0b0c " DST6);
	p = sim_packet(net, 1);
	assert_int_equal(p->len, 52 + 3);
	assert_memory_equal(p->bytes + 48, "\0\0\0\1\x0a\x0b\x0c", 7);
	assert_int_equal(util_record(net)->probe_size, 52 + 3);
	sim_free(net);
	(void)state;
}

static void
replies_tell_what_was_quoted(void **state)
{
	struct sim *net =
	    sim_new("ttl 1: 192.0.2.1; ttl 2: 192.0.2.2 mpls=24015,301 qttl=2 quote=128; ttl 3: 192.0.2.3");
	const struct trace_record *rec = util_trace(net, "trace -t 32 " DST);
	const struct trace_reply *r = rec->leg.replies;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(r[i].icmp_type, 11);
		assert_int_equal(r[i].icmp_code, 0);
		assert_int_equal(r[i].q_ttl, i == 1 ? 2 : 1);
		assert_int_equal(r[i].q_tos, 32);
		assert_int_equal(r[i].q_len, 44);
		assert_int_equal(r[i].rtt_us, (i + 1) * 1000);
		assert_int_equal(r[i].ttl, 255 - i);
		assert_int_equal(r[i].tos, 0xc0);
		assert_int_equal(r[i].flags, TRACE_REPLY_TTL | TRACE_REPLY_DLTX | TRACE_REPLY_DLRX);
	}
	assert_null(r[0].extra);
	assert_non_null(r[1].extra);
	assert_int_equal(r[1].extra->ext_len, 12);
	assert_memory_equal(r[1].extra->ext, "\0\x0c\1\1\x05\xdc\xf0\x01\0\x12\xd1\x01", 12);
	assert_int_equal(r[3].icmp_type, 3);
	assert_int_equal(r[3].icmp_code, 3);
	sim_free(net);
	(void)state;
}

static void
without_transmit_stamps_the_flag_is_not_set(void **state)
{
	struct sim *net = sim_new(NET "notx");
	const struct trace_record *rec = util_trace(net, "trace " DST);

	for (int i = 0; i < 4; i++) {
		assert_int_equal(rec->leg.replies[i].flags, TRACE_REPLY_TTL | TRACE_REPLY_DLRX);
		assert_int_equal(rec->leg.probes[i].flags & TRACE_PROBE_DLTX, 0);
	}
	sim_free(net);
	(void)state;
}

static void
a_free_port_is_chosen_and_held(void **state)
{
	struct sim *net = four("trace -s 0 " DST);
	uint16_t port = util_record(net)->sport;

	assert_in_range(port, 0x8000, 0xffff);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(util_probe(net, i)->sport, port);
	assert_int_equal(sim_ports_held(net), 0);
	sim_free(net);
	net = four("trace -s 0 -P icmp " DST);
	assert_int_equal(util_probe(net, 0)->icmp.id, util_record(net)->sport);
	sim_free(net);
	(void)state;
}

static void
two_traces_to_one_address_run_one_after_the_other(void **state)
{
	struct sim *net = sim_new(NET);
	const struct trace_record *a, *b;

	sim_add(net, "trace " DST);
	sim_add(net, "trace " DST);
	sim_add(net, "trace -s 2000 " DST);
	sim_go(net);
	assert_int_equal(sim_ended(net), 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(((const struct trace_record *)sim_result(net, i))->leg.reply_count, 4);
	a = sim_result(net, 0);
	b = sim_result(net, 2);
	assert_true(b->start >= a->start + 10 * NSEC_PER_MSEC);
	sim_free(net);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp_paris_is_the_default_and_its_checksum_is_the_number),
		cmocka_unit_test(udp_paris_in_ipv6_has_the_number_in_its_checksum_too),
		cmocka_unit_test(udp_counts_its_destination_port_up),
		cmocka_unit_test(udp_ports_wrap_and_are_still_matched),
		cmocka_unit_test(const_payload_puts_the_number_into_the_ip_header),
		cmocka_unit_test(icmp_counts_its_sequence_number_up),
		cmocka_unit_test(icmp_paris_keeps_its_checksum),
		cmocka_unit_test(tcp_probes_are_bare_segments),
		cmocka_unit_test(an_open_port_shows_in_the_reply),
		cmocka_unit_test(tos_payload_source_and_router_are_obeyed),
		cmocka_unit_test(offset_makes_every_probe_a_later_fragment),
		cmocka_unit_test(a_fragment_carries_the_counter_then_the_payload),
		cmocka_unit_test(replies_tell_what_was_quoted),
		cmocka_unit_test(without_transmit_stamps_the_flag_is_not_set),
		cmocka_unit_test(a_free_port_is_chosen_and_held),
		cmocka_unit_test(two_traces_to_one_address_run_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

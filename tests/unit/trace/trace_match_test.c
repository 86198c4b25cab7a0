#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workerd/meas/trace/trace.h"

/* Which probe a quotation is about. */

#define SENT 5
#define NONE (-1)

static struct trace
trace_of(uint8_t method, uint16_t flags, bool ip6)
{
	struct trace t = { .rec = { .method = method, .flags = flags, .sport = 40000, .dport = 33435 } };

	assert_int_equal(addr_parse(ip6 ? "2001:db8::9" : "192.0.2.9", &t.rec.dst), 0);
	for (int i = 0; i < SENT; i++)
		assert_non_null(trace_leg_add_probe(&t.rec.leg));
	return t;
}

static struct pkt
quote_of(const struct trace *t)
{
	struct pkt q = { .dst = t->rec.dst, .src = t->rec.dst, .l4 = true, .sport = 40000, .dport = 33435 };

	q.proto = trace_proto(&t->rec);
	return q;
}

static int32_t
matched(struct trace *t, const struct pkt *q, uint8_t kind)
{
	struct pkt error = { .src = t->rec.dst, .proto = IPPROTO_ICMP, .l4 = true, .icmp = { .kind = kind } };

	return trace_match(t, &error, q);
}

static void
udp_paris_reads(uint16_t csum, uint16_t ip_id, int32_t want)
{
	struct trace t = trace_of(TRACE_UDP_PARIS, 0, false);
	struct pkt q = quote_of(&t);

	q.udp.csum = csum;
	q.ip_id = ip_id;
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), want);
	trace_record_fini(&t.rec);
}

static void
udp_paris_tolerates_what_middleboxes_do(void **state)
{
	udp_paris_reads(1, 1, 0);
	udp_paris_reads(5, 5, 4);
	udp_paris_reads(6, 6, NONE);   /* agree on a probe that was not sent */
	udp_paris_reads(0xbeef, 3, 2); /* the checksum was rewritten */
	udp_paris_reads(0xbeef, 5, 4);
	udp_paris_reads(0xbeef, 6, 4); /* one was added */
	udp_paris_reads(0xbeef, 7, NONE);
	udp_paris_reads(0xbeef, 0, NONE);
	udp_paris_reads(3, 0, NONE);
	udp_paris_reads(0xbeef, 0x0200, 1); /* the other byte order */
	udp_paris_reads(0xbeef, 0x0600, NONE);
	udp_paris_reads(0, 0, NONE);
	(void)state;
}

static void
udp_paris_in_ipv6_reads_the_checksum_alone(void **state)
{
	struct trace t = trace_of(TRACE_UDP_PARIS, 0, true);
	struct pkt q = quote_of(&t);

	for (uint16_t csum = 0; csum < 9; csum++) {
		q.udp.csum = csum;
		assert_int_equal(
		    matched(&t, &q, ICMP_KIND_EXCEEDED), csum >= 1 && csum <= SENT ? csum - 1 : NONE);
	}
	trace_record_fini(&t.rec);
	(void)state;
}

static void
the_ip_header_tells_for_tcp_and_constant_payload(void **state)
{
	static const struct {
		uint8_t method;
		uint16_t flags;
	} rows[] = { { TRACE_TCP, 0 }, { TRACE_TCP_ACK, 0 }, { TRACE_UDP_PARIS, TRACE_FLAG_CONSTPAYLOAD } };

	for (size_t i = 0; i < 6; i++) {
		struct trace t = trace_of(rows[i / 2].method, rows[i / 2].flags, i % 2);
		struct pkt q = quote_of(&t);

		for (uint32_t n = 0; n < 9; n++) {
			q.ip_id = i % 2 ? 0 : n;
			q.flow = i % 2 ? n : 0;
			if (i % 2 == 0 && n == SENT + 1)
				continue; /* one was added, see below */
			assert_int_equal(
			    matched(&t, &q, ICMP_KIND_UNREACH), n >= 1 && n <= SENT ? (int)n - 1 : NONE);
		}
		trace_record_fini(&t.rec);
	}
	(void)state;
}

static void
an_altered_ip_id_still_tells_for_tcp(void **state)
{
	struct trace t = trace_of(TRACE_TCP, 0, false);
	struct pkt q = quote_of(&t);

	q.ip_id = SENT + 1; /* one was added */
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), SENT - 1);
	q.ip_id = 0x0200; /* the other byte order */
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), 1);
	q.ip_id = 0x0600;
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), NONE);
	trace_record_fini(&t.rec);
	(void)state;
}

static void
udp_reads_the_port_and_icmp_the_sequence(void **state)
{
	struct trace t = trace_of(TRACE_UDP, 0, false);
	struct pkt q = quote_of(&t);

	for (uint16_t i = 0; i < 9; i++) {
		q.dport = (uint16_t)(33435 + i);
		assert_int_equal(matched(&t, &q, ICMP_KIND_TOO_BIG), i < SENT ? i : NONE);
	}
	q.dport = 33434;
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), NONE);
	trace_record_fini(&t.rec);
	t = trace_of(TRACE_ICMP_PARIS, 0, true);
	q = quote_of(&t);
	assert_int_equal(q.proto, IPPROTO_ICMPV6);
	q.icmp.kind = ICMP_KIND_ECHO;
	q.icmp.seq = SENT - 1;
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), SENT - 1);
	q.icmp.seq = SENT;
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), NONE);
	q.icmp.seq = 0;
	q.icmp.kind = ICMP_KIND_ECHO_REPLY;
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), NONE);
	trace_record_fini(&t.rec);
	(void)state;
}

static void
other_errors_and_strangers_are_nobodys(void **state)
{
	struct trace t = trace_of(TRACE_UDP, 0, false);
	struct pkt q = quote_of(&t);

	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), 0);
	assert_int_equal(matched(&t, &q, ICMP_KIND_PARAM), NONE);
	assert_int_equal(matched(&t, &q, ICMP_KIND_OTHER), NONE);
	q.proto = IPPROTO_TCP;
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), NONE);
	q = quote_of(&t);
	q.l4 = false;
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), NONE);
	q = quote_of(&t);
	q.dst.b[3] ^= 1;
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), NONE);
	trace_record_fini(&t.rec);
	(void)state;
}

static void
fragments_are_known_by_offset_port_and_counter(void **state)
{
	struct trace t = trace_of(TRACE_UDP, 0, true);
	struct pkt q = quote_of(&t);

	t.rec.offset = 7;
	q.frag = true;
	q.frag_off = 7;
	q.ip_id = 40000u << 16 | 1;
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), 1);
	q.ip_id = 40001u << 16 | 1;
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), NONE);
	q.ip_id = 40000u << 16 | SENT;
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), NONE);
	q.ip_id = 40000u << 16 | 1;
	q.frag_off = 8;
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), NONE);
	q.frag_off = 7;
	q.frag = false;
	assert_int_equal(matched(&t, &q, ICMP_KIND_EXCEEDED), NONE);
	trace_record_fini(&t.rec);
	(void)state;
}

static void
direct_replies_belong_to_the_last_probe(void **state)
{
	struct trace t = trace_of(TRACE_TCP, 0, false);
	struct pkt p = { .src = t.rec.dst, .proto = IPPROTO_TCP, .l4 = true };

	assert_int_equal(trace_match(&t, &p, NULL), SENT - 1);
	p.src.b[3] ^= 1;
	assert_int_equal(trace_match(&t, &p, NULL), NONE);
	trace_record_fini(&t.rec);
	assert_int_equal(trace_match(&t, &p, NULL), NONE); /* none was sent */
	t = trace_of(TRACE_UDP_PARIS, 0, false);
	p = (struct pkt){ .src = t.rec.dst, .proto = IPPROTO_UDP, .l4 = true };
	assert_int_equal(trace_match(&t, &p, NULL), NONE);
	t.rec.flags = TRACE_FLAG_DL;
	assert_int_equal(trace_match(&t, &p, NULL), SENT - 1);
	trace_record_fini(&t.rec);
	t = trace_of(TRACE_ICMP, 0, false);
	p = (struct pkt){ .src = t.rec.dst, .proto = IPPROTO_ICMP, .l4 = true };
	p.icmp.kind = ICMP_KIND_ECHO_REPLY;
	p.icmp.seq = 2;
	assert_int_equal(trace_match(&t, &p, NULL), 2);
	p.icmp.seq = SENT;
	assert_int_equal(trace_match(&t, &p, NULL), NONE);
	p.icmp.seq = 2;
	p.icmp.kind = ICMP_KIND_ECHO;
	assert_int_equal(trace_match(&t, &p, NULL), NONE);
	trace_record_fini(&t.rec);
	(void)state;
}

static void
numbers_go_on_into_the_second_leg(void **state)
{
	struct trace t = trace_of(TRACE_UDP, 0, false);
	struct trace_rare *rare = trace_record_rare(&t.rec);
	uint16_t at = 99;

	assert_null(trace_locate(&t, SENT, &at));
	rare->lastditch = calloc(1, sizeof(*rare->lastditch));
	(void)trace_leg_add_probe(rare->lastditch);
	(void)trace_leg_add_probe(rare->lastditch);
	assert_int_equal(trace_sent(&t), SENT + 2);
	assert_ptr_equal(trace_locate(&t, SENT - 1, &at), &t.rec.leg);
	assert_int_equal(at, SENT - 1);
	assert_ptr_equal(trace_locate(&t, SENT + 1, &at), rare->lastditch);
	assert_int_equal(at, 1);
	assert_null(trace_locate(&t, SENT + 2, &at));
	trace_record_fini(&t.rec);
	(void)state;
}

static void
sizes_are_those_of_the_table(void **state)
{
	assert_int_equal(trace_probe_size(ADDR_IP4, TRACE_UDP, 0, -1), 44);
	assert_int_equal(trace_probe_size(ADDR_IP4, TRACE_ICMP, 0, 10), 38);
	assert_int_equal(trace_probe_size(ADDR_IP4, TRACE_TCP, 0, -1), 40);
	assert_int_equal(trace_probe_size(ADDR_IP6, TRACE_UDP_PARIS, 0, -1), 60);
	assert_int_equal(trace_probe_size(ADDR_IP6, TRACE_ICMP_PARIS, 0, 10), 58);
	assert_int_equal(trace_probe_size(ADDR_IP6, TRACE_TCP_ACK, 0, -1), 60);
	assert_int_equal(trace_probe_size(ADDR_IP6, TRACE_UDP, 1, -1), 72);
	assert_int_equal(trace_probe_size(ADDR_IP6, TRACE_ICMP_PARIS, 1, 7), 59);
	(void)state;
}

static void
claims(uint8_t method, uint16_t dport, uint8_t confidence, uint16_t low, uint16_t high)
{
	struct trace t = trace_of(method, 0, false);
	struct claim c;

	t.rec.dport = dport;
	t.rec.confidence = confidence;
	trace_claim(&t.rec, 1234, &c);
	assert_true(addr_equal(&c.remote, &t.rec.dst));
	assert_int_equal(c.proto, trace_proto(&t.rec));
	assert_int_equal(c.local_port, 1234);
	assert_int_equal(c.remote_lo, low);
	assert_int_equal(c.remote_hi, high);
	trace_record_fini(&t.rec);
}

/* Every port that a probe may go to, so that two traces never share one. */
static void
claims_cover_what_may_be_sent(void **state)
{
	claims(TRACE_UDP_PARIS, 33435, 0, 33435, 33435);
	claims(TRACE_TCP, 80, 99, 80, 80);
	claims(TRACE_ICMP, 7, 0, 0, 65535);
	claims(TRACE_UDP, 33435, 0, 33435, 39435);
	claims(TRACE_UDP, 59535, 0, 59535, 65535);
	claims(TRACE_UDP, 59536, 0, 0, 65535);
	claims(TRACE_UDP, 2, 95, 0, 65535);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp_paris_tolerates_what_middleboxes_do),
		cmocka_unit_test(udp_paris_in_ipv6_reads_the_checksum_alone),
		cmocka_unit_test(the_ip_header_tells_for_tcp_and_constant_payload),
		cmocka_unit_test(an_altered_ip_id_still_tells_for_tcp),
		cmocka_unit_test(udp_reads_the_port_and_icmp_the_sequence),
		cmocka_unit_test(other_errors_and_strangers_are_nobodys),
		cmocka_unit_test(fragments_are_known_by_offset_port_and_counter),
		cmocka_unit_test(direct_replies_belong_to_the_last_probe),
		cmocka_unit_test(numbers_go_on_into_the_second_leg),
		cmocka_unit_test(claims_cover_what_may_be_sent),
		cmocka_unit_test(sizes_are_those_of_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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
#include "wire.h"

/* Names of hops, asked from a name server that the test plays. */

#define SERVER "192.0.2.53"
#define QUERY_HEADER 12

struct server {
	uint32_t queries;
	uint32_t silent_until; /* queries before this one (from 1) get no answer */
	bool forge;            /* the wrong id, then the wrong question */
	bool nxdomain;
};

static void
answer(struct sim *net, const struct sim_packet *q, uint8_t *dns, size_t len)
{
	uint8_t seg[600], packet[700];
	struct wire_ip ip = {
		.src = q->pkt.dst, .dst = q->pkt.src, .proto = IPPROTO_UDP, .ttl = 60, .id = 9
	};

	seg[0] = 0;
	seg[1] = 53;
	seg[2] = (uint8_t)(q->pkt.sport >> 8);
	seg[3] = (uint8_t)q->pkt.sport;
	seg[4] = (uint8_t)((8 + len) >> 8);
	seg[5] = (uint8_t)(8 + len);
	memcpy(seg + 8, dns, len);
	sim_inject(net, sim_now(net) + 3 * NSEC_PER_MSEC, packet,
	    (uint16_t)wire_packet(packet, &ip, seg, 8 + len, 6));
}

/* The question with one PTR record: "r" and the first label of the question,
 * then "example". */
static size_t
record_for(uint8_t *dns, const struct pkt *q)
{
	size_t n = q->payload_len, label = q->payload[QUERY_HEADER];

	memcpy(dns, q->payload, n);
	dns[2] = 0x81;
	dns[3] = 0x80;
	dns[7] = 1;
	memcpy(dns + n, "\xc0\x0c\0\x0c\0\1\0\0\0\x3c\0", 11);
	n += 11;
	dns[n++] = (uint8_t)(1 + 1 + label + 1 + 7 + 1);
	dns[n++] = (uint8_t)(1 + label);
	dns[n++] = 'r';
	memcpy(dns + n, q->payload + QUERY_HEADER + 1, label);
	n += label;
	memcpy(dns + n, "\7example", 9);
	return n + 9;
}

static bool
serve(void *ctx, struct sim *net, const struct sim_packet *q)
{
	struct server *s = ctx;
	uint8_t dns[600];
	size_t len;

	if (q->pkt.proto != IPPROTO_UDP || q->pkt.dport != 53)
		return true;
	if (++s->queries < s->silent_until)
		return false;
	len = record_for(dns, &q->pkt);
	if (s->nxdomain) {
		dns[3] |= 3;
		dns[7] = 0;
		len = q->pkt.payload_len;
	}
	if (s->forge) {
		dns[0] ^= 1;
		answer(net, q, dns, len);
		dns[0] ^= 1;
		dns[QUERY_HEADER + 1] ^= 1;
		answer(net, q, dns, len);
		return false;
	}
	answer(net, q, dns, len);
	return false;
}

static const char *
name_of(const struct trace_record *rec, uint16_t reply)
{
	const struct trace_reply_extra *x = rec->leg.replies[reply].extra;

	return x == NULL ? NULL : x->name;
}

static void
each_address_is_asked_for_once(void **state)
{
	struct sim *net = sim_new(NET "nameserver " SERVER);
	struct server s = { 0 };
	const struct trace_record *rec;

	sim_on_send(net, serve, &s);
	rec = util_trace(net, "trace -Q -O ptr " DST);
	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	assert_int_equal(s.queries, 4);
	assert_int_equal(rec->leg.reply_count, 8);
	for (uint16_t i = 0; i < 6; i++) {
		char want[20];

		(void)snprintf(want, sizeof(want), "r%d.example", i / 2 + 1);
		assert_string_equal(name_of(rec, i), want);
	}
	assert_string_equal(name_of(rec, 7), "r9.example");
	assert_int_equal(rec->flags, TRACE_FLAG_PTR | TRACE_FLAG_ALLATTEMPTS);
	assert_int_equal(rec->probe_count, 8); /* queries are no probes */
	assert_int_equal(sim_ports_held(net), 0);
	sim_free(net);
	(void)state;
}

/* RFC 3596 section 2.5: nibbles, the last first. */
static void
ipv6_addresses_are_asked_for_by_nibbles(void **state)
{
	struct sim *net = sim_new("ttl 1: 2001:db8::a1; nameserver " SERVER);
	struct server s = { 0 };
	const struct trace_record *rec;

	sim_on_send(net, serve, &s);
	rec = util_trace(net, "trace -O ptr 2001:db8::7");
	assert_string_equal(name_of(rec, 0), "r1.example");
	assert_memory_equal(util_probe(net, 2)->payload + 12,
	    "\1"
	    "1\1"
	    "a\1"
	    "0",
	    6);
	assert_int_equal(util_probe(net, 2)->payload_len, 12 + 32 * 2 + 10 + 4);
	assert_string_equal(name_of(rec, 1), "r7.example");
	sim_free(net);
	(void)state;
}

static void
silence_gets_one_more_query(void **state)
{
	struct sim *net = sim_new(NET "nameserver " SERVER);
	struct server s = { .silent_until = 4 };
	const struct trace_record *rec;

	sim_on_send(net, serve, &s);
	rec = util_trace(net, "trace -O ptr " DST);
	assert_int_equal(s.queries, 4 + 3);
	for (uint16_t i = 0; i < 4; i++)
		assert_non_null(name_of(rec, i));
	sim_free(net);
	(void)state;
}

static void
no_answer_at_all_ends_it(void **state)
{
	struct sim *net = sim_new(NET "nameserver " SERVER);
	struct server s = { .silent_until = 1000 };
	const struct trace_record *rec;

	sim_on_send(net, serve, &s);
	rec = util_trace(net, "trace -O ptr " DST);
	util_assert_stop(rec, TRACE_STOP_COMPLETED, 0);
	assert_int_equal(s.queries, 8);
	for (uint16_t i = 0; i < 4; i++)
		assert_null(name_of(rec, i));
	assert_true(sim_now(net) < 5 * NSEC_PER_SEC);
	sim_free(net);
	(void)state;
}

static void
forged_answers_are_no_answers(void **state)
{
	struct sim *net = sim_new(NET "nameserver " SERVER);
	struct server s = { .forge = true };
	const struct trace_record *rec;

	sim_on_send(net, serve, &s);
	rec = util_trace(net, "trace -O ptr " DST);
	assert_int_equal(s.queries, 8);
	for (uint16_t i = 0; i < 4; i++)
		assert_null(name_of(rec, i));
	sim_free(net);
	(void)state;
}

static void
an_address_without_a_name_is_asked_for_once(void **state)
{
	struct sim *net = sim_new(NET "nameserver " SERVER);
	struct server s = { .nxdomain = true };

	sim_on_send(net, serve, &s);
	assert_null(name_of(util_trace(net, "trace -O ptr " DST), 0));
	assert_int_equal(s.queries, 4);
	assert_true(sim_now(net) < NSEC_PER_SEC);
	sim_free(net);
	(void)state;
}

static void
without_a_name_server_there_are_no_names(void **state)
{
	struct sim *net = sim_new(NET);

	assert_null(name_of(util_trace(net, "trace -O ptr " DST), 0));
	assert_int_equal(sim_sent(net), 4);
	sim_free(net);
	(void)state;
}

static void
numbers_cannot_be_guessed_from_one_another(void **state)
{
	struct sim *net = sim_new(NET "nameserver " SERVER);
	struct server s = { 0 };
	uint16_t ids[4];

	sim_on_send(net, serve, &s);
	(void)util_trace(net, "trace -O ptr " DST);
	for (uint32_t i = 0; i < 4; i++)
		ids[i] =
		    (uint16_t)(util_probe(net, 4 + i)->payload[0] << 8 | util_probe(net, 4 + i)->payload[1]);
	assert_false(ids[1] - ids[0] == ids[2] - ids[1] && ids[2] - ids[1] == ids[3] - ids[2]);
	assert_int_not_equal(util_probe(net, 4)->sport, util_probe(net, 0)->sport);
	sim_free(net);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_address_is_asked_for_once),
		cmocka_unit_test(ipv6_addresses_are_asked_for_by_nibbles),
		cmocka_unit_test(silence_gets_one_more_query),
		cmocka_unit_test(no_answer_at_all_ends_it),
		cmocka_unit_test(forged_answers_are_no_answers),
		cmocka_unit_test(an_address_without_a_name_is_asked_for_once),
		cmocka_unit_test(without_a_name_server_there_are_no_names),
		cmocka_unit_test(numbers_cannot_be_guessed_from_one_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

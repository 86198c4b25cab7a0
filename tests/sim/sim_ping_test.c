#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/record/ping.h"
#include "sim.h"

/* Three routers, then any destination that answers. */
#define NET "ttl 1: 192.0.2.1 2001:db8::1; ttl 2: 192.0.2.2 2001:db8::2; ttl 3: 192.0.2.3 2001:db8::3;"
#define DST "198.51.100.9"
#define DST6 "2001:db8:9::9"

static const struct ping_record *
record(struct sim *net)
{
	return sim_record(net);
}

static const struct pkt *
probe(struct sim *net, uint32_t n)
{
	return &sim_packet(net, n)->pkt;
}

static struct addr
addr(const char *text)
{
	struct addr a = { 0 };

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void
assert_addr(const struct addr *a, const char *text)
{
	char got[ADDR_STRLEN];

	assert_string_equal(addr_format(a, got), text);
}

/* ---- what is sent without options ---- */

static void
four_echo_requests_one_second_apart_by_default(void **state)
{
	struct sim *net = sim_new(NET);
	const struct ping_record *r;

	sim_run(net, "ping " DST);
	r = record(net);
	assert_int_equal(sim_sent(net), 4);
	for (uint32_t i = 0; i < 4; i++) {
		const struct pkt *p = probe(net, i);

		assert_int_equal(p->proto, IPPROTO_ICMP);
		assert_int_equal(p->icmp.type, 8);
		assert_int_equal(p->icmp.id, 0x1234);
		assert_int_equal(p->icmp.seq, i);
		assert_int_equal(p->ttl, 64);
		assert_int_equal(p->tos, 0);
		assert_int_equal(p->ip_len, 84);
		assert_int_not_equal(p->ip_id, 0);
		assert_true(p->df);
		assert_addr(&p->src, "192.0.2.100");
		assert_addr(&p->dst, DST);
		assert_in_range(sim_packet(net, i)->at, i * NSEC_PER_SEC, i * NSEC_PER_SEC + 5 * NSEC_PER_MSEC);
	}
	assert_int_equal(r->reply_count, 4);
	assert_int_equal(r->sent, 4);
	assert_int_equal(r->stop_reason, PING_STOP_COMPLETED);
	for (uint32_t i = 0; i < 4; i++) {
		const struct ping_reply *re = &r->replies[i];

		assert_addr(&re->from, DST);
		assert_int_equal(re->probe, i);
		assert_int_equal(re->rtt_us, 4000);
		assert_int_equal(re->ttl, 61);
		assert_int_equal(re->size, 84);
		assert_int_equal(re->icmp_type, 0);
		assert_int_equal(re->proto, IPPROTO_ICMP);
		assert_string_equal(re->ifname, "sim0");
		assert_int_equal(re->flags, PING_REPLY_TTL | PING_REPLY_IPID | PING_PROBE_IPID | PING_REPLY_DLTX |
		    PING_REPLY_DLRX | PING_REPLY_TOS);
	}
	/* the whole of -W is waited after the last probe, though it is answered */
	assert_in_range(sim_now(net), 4 * NSEC_PER_SEC, 4 * NSEC_PER_SEC + 5 * NSEC_PER_MSEC);
	sim_free(net);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_echo_requests_one_second_apart_by_default),
	};

	(void)addr;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

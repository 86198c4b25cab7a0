#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "sim_ping.h"
#include "wire.h"

/* Too-big messages, ends before the end, and strangers. */

/* ---- what waits for another's end ---- */

static bool
change_ports(void *ctx, struct sim *net, const struct sim_packet *p)
{
	uint32_t *packets = ctx;

	(void)p;
	if (++*packets == 2)
		sim_default_ports(net, 5);
	return true;
}

/* A reload may give its tenant others meanwhile: replies to those would be
 * nobody's. */
static void
who_waits_keeps_the_port_that_it_has_claimed(void **state)
{
	static const char *const commands[] = { "ping -c 2 " DST, "trace -P icmp-paris " DST };

	for (int i = 0; i < 2; i++) {
		struct sim *net = sim_new(NET "pps 1000000");
		uint32_t packets = 0;
		uint16_t id;

		sim_on_send(net, change_ports, &packets);
		sim_add(net, commands[i]);
		sim_add(net, commands[i]);
		sim_go(net);
		assert_int_equal(sim_ended(net), 2);
		id = sim_packet(net, 0)->pkt.icmp.id;
		assert_int_equal(sim_packet(net, sim_sent(net) - 1)->pkt.icmp.id, id);
		sim_run(net, commands[i]);
		assert_int_not_equal(sim_packet(net, sim_sent(net) - 1)->pkt.icmp.id, id);
		sim_free(net);
	}
	(void)state;
}

/* ---- pseudo MTU and the too-big trick ---- */

static void
a_large_reply_is_answered_with_too_big(void **state)
{
	struct sim *net = ping_sim(NET, "-c 2 -s 1200 -M 1000 " DST);
	const struct sim_packet *p = sim_packet(net, 1);

	assert_int_equal(sim_sent(net), 4);
	assert_int_equal(p->pkt.proto, IPPROTO_ICMP);
	assert_int_equal(p->pkt.icmp.type, 3);
	assert_int_equal(p->pkt.icmp.code, 4);
	assert_int_equal(p->pkt.icmp.nhmtu, 1000);
	assert_int_equal(p->pkt.ttl, 255);
	assert_addr(&p->pkt.dst, DST);
	assert_addr(&p->pkt.src, "192.0.2.100");
	assert_int_equal(p->len, 20 + 8 + 20 + 8); /* IP header and 8 bytes of the reply */
	assert_int_equal(p->pkt.icmp.quote[0], 0x45);
	assert_int_equal(p->pkt.icmp.quote[20], 0); /* an echo reply */
	/* about 4 ms after the probe, and the next probe keeps its time */
	assert_in_range(p->at, 4 * NSEC_PER_MSEC, 6 * NSEC_PER_MSEC);
	assert_in_range(sim_packet(net, 2)->at, NSEC_PER_SEC, NSEC_PER_SEC + NSEC_PER_MSEC);
	assert_int_equal(ping_result(net)->sent, 2);
	sim_free(net);
	net = ping_sim(NET, "-c 2 -s 1000 -M 1000 " DST);
	assert_int_equal(sim_sent(net), 2); /* not larger */
	sim_free(net);
	(void)state;
}

static void
an_ipv6_too_big_quotes_1232_bytes(void **state)
{
	struct sim *net = ping_sim(NET "dst: noptb", "-c 1 -s 1400 -M 1280 " DST6);
	const struct sim_packet *p = sim_packet(net, 1);

	assert_int_equal(sim_sent(net), 2);
	assert_int_equal(p->pkt.icmp.type, 2);
	assert_int_equal(p->pkt.icmp.nhmtu, 1280);
	assert_int_equal(p->len, 1280);
	assert_int_equal(p->pkt.icmp.quote_len, 1232);
	sim_free(net);
	(void)state;
}

static void
after_a_too_big_the_replies_are_fragments(void **state)
{
	struct sim *net = ping_sim(NET, "-c 3 -s 1400 -M 1280 " DST6);
	const struct ping_record *r = ping_result(net);

	assert_int_equal(r->reply_count, 3);
	assert_int_equal(r->replies[0].flags & PING_REPLY_IPID, 0);
	for (uint32_t i = 1; i < 3; i++) {
		assert_int_not_equal(r->replies[i].flags & PING_REPLY_IPID, 0);
		assert_int_not_equal(r->replies[i].ip_id, 0);
		assert_int_equal(r->replies[i].size, 1280);
	}
	sim_free(net);
	(void)state;
}

static void
the_trick_counts_fragmented_replies_only(void **state)
{
	struct sim *net = ping_sim(NET, "-c 10 -o 2 -s 1400 -M 1280 -O tbt " DST6);
	const struct ping_record *r = ping_result(net);

	assert_int_equal(r->sent, 3);
	assert_int_equal(r->reply_count, 3);
	assert_int_equal(r->replies[0].flags & PING_REPLY_IPID, 0);
	assert_int_equal(r->replies[0].size, 1400);
	assert_int_not_equal(r->replies[1].flags & PING_REPLY_IPID, 0);
	assert_int_equal(r->stop_reason, PING_STOP_COMPLETED);
	sim_free(net);
	net = ping_sim(NET "dst: noptb", "-c 3 -o 2 -s 1400 -M 1280 -O tbt " DST6);
	assert_int_equal(ping_result(net)->sent, 3);
	assert_int_equal(ping_result(net)->reply_count, 3);
	sim_free(net);
	(void)state;
}

static void
an_error_before_any_fragment_ends_the_trick(void **state)
{
	struct sim *net = ping_sim(NET "dst: unreach=1", "-c 9 -o 2 -s 1400 -M 1280 -O tbt " DST6);

	assert_int_equal(ping_result(net)->sent, 1);
	assert_int_equal(ping_result(net)->reply_count, 1);
	assert_int_equal(ping_result(net)->stop_reason, PING_STOP_COMPLETED);
	sim_free(net);
	(void)state;
}

static void
too_big_is_for_data_never_for_errors(void **state)
{
	struct sim *net = ping_sim(NET "dst: unreach=1", "-c 1 -s 1200 -M 50 " DST6);

	assert_int_equal(sim_sent(net), 1);
	assert_int_equal(ping_result(net)->reply_count, 1);
	sim_free(net);
	(void)state;
}

static void
a_flood_of_large_replies_is_answered_by_few(void **state)
{
	struct sim *net = ping_sim(NET "pps 20; dst: dup=500", "-c 1 -s 1200 -M 1000 " DST);

	assert_in_range(sim_sent(net), 9, 30);
	sim_free(net);
	(void)state;
}

static void
a_refused_too_big_does_not_end_the_ping(void **state)
{
	struct sim *net = ping_sim(NET "refuse 2 EPERM", "-c 2 -s 1200 -M 1000 " DST);

	assert_int_equal(ping_result(net)->sent, 2);
	assert_int_equal(ping_result(net)->stop_reason, PING_STOP_COMPLETED);
	sim_free(net);
	(void)state;
}

/* ---- other ends ---- */

struct error_row {
	const char *topology;
	int err;
	uint16_t sent;
	const char *message;
};

static void
what_cannot_be_sent_ends_with_its_errno(void **state)
{
	static const struct error_row rows[] = {
		{ "noroute", ENETUNREACH, 0, "no route: Network is unreachable" },
		{ "noroute EACCES", EACCES, 0, "no route: Permission denied" }, /* ip route add prohibit */
		{ "refuse 1 EPERM", EPERM, 0, "probe not sent: forbidden by the host's policy, see vantage.conf(5)" },
		{ "refuse 3 ENETUNREACH", ENETUNREACH, 2, "probe not sent: Network is unreachable" },
		{ "mtu 50", EMSGSIZE, 0, "probe not sent: Message too long" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sim *net = ping_sim(rows[i].topology, DST);
		const struct ping_record *r = ping_result(net);

		assert_int_equal(r->stop_reason, PING_STOP_ERROR);
		assert_int_equal(r->stop_data, rows[i].err);
		assert_int_equal(r->sent, rows[i].sent);
		assert_string_equal(r->rare->errmsg, rows[i].message);
		assert_int_not_equal(r->start, 0);
		sim_free(net);
	}
	(void)state;
}

static void
a_foreign_source_needs_spoof(void **state)
{
	struct sim *net = ping_sim(NET, "-S 192.0.2.200 " DST);

	assert_int_equal(ping_result(net)->stop_reason, PING_STOP_ERROR);
	assert_int_equal(ping_result(net)->stop_data, EADDRNOTAVAIL);
	assert_string_equal(ping_result(net)->rare->errmsg,
	    "-S: not an address of this host, and -O spoof is not given");
	assert_int_equal(sim_sent(net), 0);
	sim_free(net);
	(void)state;
}

static void
a_full_queue_is_tried_again(void **state)
{
	struct sim *net = ping_sim(NET "refuse 1 EAGAIN; refuse 3 ENOBUFS", "-c 2 " DST);

	assert_int_equal(ping_result(net)->sent, 2);
	assert_int_equal(ping_result(net)->reply_count, 2);
	sim_free(net);
	(void)state;
}

static void
a_halt_keeps_what_there_is(void **state)
{
	struct sim *net = sim_new(NET);

	sim_halt_at(net, 1500 * NSEC_PER_MSEC);
	sim_add(net, "ping -c 9 " DST);
	sim_add(net, "ping -c 9 " DST); /* waits for the first */
	sim_go(net);
	for (uint32_t i = 0; i < 2; i++) {
		const struct ping_record *r = sim_result(net, i);

		assert_int_equal(r->stop_reason, PING_STOP_HALTED);
		assert_int_equal(r->sent, i == 0 ? 2 : 0);
		assert_int_equal(r->reply_count, i == 0 ? 2 : 0);
		assert_int_not_equal(r->start, 0);
	}
	assert_true(sim_now(net) < 1600 * NSEC_PER_MSEC);
	sim_free(net);
	(void)state;
}

/* ---- strangers ---- */

/* An echo reply to us from the address that is pinged. */
static size_t
forge(uint8_t *packet, uint8_t type, uint16_t id, uint16_t seq)
{
	struct wire_ip ip = { .proto = IPPROTO_ICMP, .ttl = 64 };
	uint8_t seg[64] = { type, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(seq >> 8),
		(uint8_t)seq };

	(void)addr_parse(DST, &ip.src);
	(void)addr_parse("192.0.2.100", &ip.dst);
	return wire_packet(packet, &ip, seg, sizeof(seg), 2);
}

static void
replies_to_what_was_not_sent_are_nobodys(void **state)
{
	static const uint16_t bad[][3] = {
		/* type, id, seq */
		{ 0, 0x1234, 2 },     /* not yet sent */
		{ 0, 0x1234, 65535 }, /* before the first */
		{ 0, 0x1235, 0 },     /* another id */
		{ 14, 0x1234, 0 },    /* a timestamp reply */
		{ 8, 0x1234, 0 },     /* a request */
	};
	struct sim *net = sim_new(NET "dst: silent");
	uint8_t packet[WIRE_MAX];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t len = forge(packet, (uint8_t)bad[i][0], bad[i][1], bad[i][2]);

		sim_inject(net, NSEC_PER_SEC + 50 * NSEC_PER_MSEC, packet, (uint16_t)len);
	}
	sim_run(net, "ping -c 3 " DST);
	assert_int_equal(ping_result(net)->reply_count, 0);
	sim_free(net);
	(void)state;
}

/* The first probe leaves 5 us after the beginning. */
static void
round_trips_are_rounded_to_the_microsecond(void **state)
{
	static const nsec_t at[] = { 1500499, 1500500 };
	static const uint32_t rtt[] = { 1495, 1496 };

	for (size_t i = 0; i < 2; i++) {
		struct sim *net = sim_new("dst: silent");
		uint8_t packet[WIRE_MAX];

		sim_inject(net, at[i], packet, (uint16_t)forge(packet, 0, 0x1234, 0));
		sim_run(net, "ping -c 1 " DST);
		assert_int_equal(ping_result(net)->reply_count, 1);
		assert_int_equal(ping_result(net)->replies[0].rtt_us, rtt[i]);
		sim_free(net);
	}
	(void)state;
}

/* Another program's request may have our ICMP id. */
static void
errors_about_another_kind_of_request_are_nobodys(void **state)
{
	static const uint8_t quoted[] = { 8, 13, 0 };

	for (size_t i = 0; i < sizeof(quoted); i++) {
		struct sim *net = sim_new("dst: silent");
		struct wire_ip ip = { .proto = IPPROTO_ICMP, .ttl = 64 };
		uint8_t packet[WIRE_MAX], seg[100] = { 11 };

		(void)forge(seg + 8, quoted[i], 0x1234, 0);
		/* as it left: from us to the destination */
		memcpy(seg + 8 + 12, (uint8_t[]){ 192, 0, 2, 100, 198, 51, 100, 9 }, 8);
		(void)addr_parse("192.0.2.1", &ip.src);
		(void)addr_parse("192.0.2.100", &ip.dst);
		sim_inject(net, NSEC_PER_MSEC, packet, (uint16_t)wire_packet(packet, &ip, seg, 36, 2));
		sim_run(net, "ping -c 1 " DST);
		assert_int_equal(ping_result(net)->reply_count, quoted[i] == 8);
		sim_free(net);
	}
	(void)state;
}

static uint32_t
roll(uint32_t *rng)
{
	*rng = *rng * 1664525u + 1013904223u;
	return *rng >> 8;
}

/* Each answer arrives once more with some bytes changed, and cut. */
static bool
mutate(void *ctx, struct sim *net, const struct sim_packet *p)
{
	uint32_t *rng = ctx;
	uint8_t packet[WIRE_MAX];

	for (int i = 0; i < 20; i++) {
		size_t len = forge(packet, i % 3 == 0 ? 11 : 0, p->pkt.icmp.id, p->pkt.icmp.seq);

		memcpy(packet + 28, p->bytes, 28);
		for (uint32_t k = roll(rng) % 4; k > 0; k--)
			packet[roll(rng) % len] = (uint8_t)roll(rng);
		if (roll(rng) % 3 == 0)
			len = roll(rng) % (len + 1);
		sim_inject(net, sim_now(net) + NSEC_PER_MSEC, packet, (uint16_t)len);
	}
	return true;
}

static void
mangled_packets_break_nothing(void **state)
{
	uint32_t rng = 7;

	for (uint32_t seed = 0; seed < 300; seed++) {
		struct sim *net = sim_new(NET);
		const struct ping_record *r;

		sim_on_send(net, mutate, &rng);
		sim_run(net,
		    seed % 2 == 0 ? "ping -c 5 -i 2ms " DST : "ping -c 5 -i 2ms -M 60 -P icmp-time " DST);
		r = ping_result(net);
		for (uint32_t i = 0; i < r->reply_count; i++)
			assert_true(r->replies[i].probe < r->sent);
		sim_free(net);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_waits_keeps_the_port_that_it_has_claimed),
		cmocka_unit_test(a_large_reply_is_answered_with_too_big),
		cmocka_unit_test(an_ipv6_too_big_quotes_1232_bytes),
		cmocka_unit_test(after_a_too_big_the_replies_are_fragments),
		cmocka_unit_test(the_trick_counts_fragmented_replies_only),
		cmocka_unit_test(an_error_before_any_fragment_ends_the_trick),
		cmocka_unit_test(too_big_is_for_data_never_for_errors),
		cmocka_unit_test(a_flood_of_large_replies_is_answered_by_few),
		cmocka_unit_test(a_refused_too_big_does_not_end_the_ping),
		cmocka_unit_test(what_cannot_be_sent_ends_with_its_errno),
		cmocka_unit_test(a_foreign_source_needs_spoof),
		cmocka_unit_test(a_full_queue_is_tried_again),
		cmocka_unit_test(a_halt_keeps_what_there_is),
		cmocka_unit_test(replies_to_what_was_not_sent_are_nobodys),
		cmocka_unit_test(round_trips_are_rounded_to_the_microsecond),
		cmocka_unit_test(errors_about_another_kind_of_request_are_nobodys),
		cmocka_unit_test(mangled_packets_break_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

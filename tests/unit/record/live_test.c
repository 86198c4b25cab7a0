#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden.h"
#include "live.h"
#include "proto/record/record.h"

static void
text_is(struct buf *b, const char *want)
{
	buf_u8(b, 0);
	assert_false(b->failed);
	assert_string_equal((char *)b->p, want);
	buf_fini(b);
}

static void
contains(const struct record_type *type, const void *rec, const char *want)
{
	struct buf b;

	buf_init(&b, 0);
	assert_int_equal(json_write(&b, type, rec, NULL), 0);
	buf_u8(&b, 0);
	if (strstr((char *)b.p, want) == NULL)
		fail_msg("no %s in %s", want, (char *)b.p);
	buf_fini(&b);
}

/* The reference's own line for a ping without any reply (text-json.md 11.4). */
static void
silent_ping_lists_its_probes(void **state)
{
	struct ping_record p;
	struct buf b;

	buf_init(&b, 0);
	live_ping(&p);
	p.probes[1].tx = 1795306560 * NSEC_PER_SEC + 958089 * NSEC_PER_USEC;
	p.probes[0].tx = LIVE_START + 230 * NSEC_PER_USEC;
	p.probes[1].ip_id = 41316;
	assert_int_equal(json_write(&b, &ping_record_type, &p, NULL), 0);
	text_is(&b,
	    "{\"type\":\"ping\",\"version\":\"0.4\",\"method\":\"icmp-echo\",\"src\":\"192.0.2.1\","
	    "\"dst\":\"203.0.113.9\",\"start\":{\"sec\":1795306560,\"usec\":757135},\"stop_reason\":\"done\","
	    "\"stop_data\":0,\"ping_sent\":2,\"probe_size\":84,\"userid\":0,\"ttl\":64,\"tos\":0,\"wait\":0,"
	    "\"wait_us\":200000,\"timeout\":0,\"timeout_us\":300000,\"responses\":[],\"no_responses\":["
	    "{\"seq\":0,\"tx\":{\"sec\":1795306560,\"usec\":757365},\"icmp_id\":25890,\"icmp_seq\":0,"
	    "\"probe_ipid\":1698},{\"seq\":1,\"tx\":{\"sec\":1795306560,\"usec\":958089},\"icmp_id\":25890,"
	    "\"icmp_seq\":1,\"probe_ipid\":41316}],\"statistics\":{\"replies\":0,\"loss\":1}}\n");
	ping_record_fini(&p);
	(void)state;
}

static void
ping_counts_duplicates_errors_and_pending(void **state)
{
	struct ping_record p;
	struct buf b;

	buf_init(&b, 0);
	live_ping(&p);
	(void)ping_record_add_probe(&p);
	p.probes[2].flags = PING_PROBE_PENDING;
	live_ping_reply(&p, 0, "203.0.113.9", 1000);
	live_ping_reply(&p, 0, "203.0.113.9", 3000);
	live_ping_reply(&p, 1, "192.0.2.2", 2000); /* an error: the target is unreachable */
	p.replies[2].icmp_type = 3;
	text_write(&b, &ping_record_type, &p);
	text_is(&b, "ping from 192.0.2.1 to 203.0.113.9: 84 byte packets\n"
		    "84 bytes from 203.0.113.9, seq=0 ttl=61 time=1.000 ms\n"
		    "84 bytes from 203.0.113.9, seq=0 ttl=61 time=3.000 ms\n"
		    "84 bytes from 192.0.2.2, seq=1 ttl=61 time=2.000 ms\n"
		    "--- 203.0.113.9 ping statistics ---\n"
		    "3 packets transmitted, 1 packets received, +1 duplicates, +1 errors, +1 pending, 50% "
		    "packet loss\n"
		    "round-trip min/avg/max/stddev = 1.000/2.000/3.000/1.000 ms\n");
	contains(&ping_record_type, &p,
	    "\"loss\":0.50,\"min\":1.000,\"max\":3.000,\"avg\":2.000,\"stddev\":1.000,"
	    "\"ndups\":1,\"nerrs\":1,\"npend\":1}}");
	ping_record_fini(&p);
	(void)state;
}

static void
a_ping_without_a_route_names_no_source(void **state)
{
	struct ping_record p = { .src.family = ADDR_IP4, .probe_size = 84, .stop_reason = PING_STOP_ERROR };
	struct buf b;

	buf_init(&b, 0);
	(void)addr_parse("203.0.113.9", &p.dst);
	text_write(&b, &ping_record_type, &p);
	text_is(&b, "ping to 203.0.113.9: 84 byte packets\n"
		    "--- 203.0.113.9 ping statistics ---\n"
		    "0 packets transmitted, 0 packets received\n");
	contains(&ping_record_type, &p, "\"icmp-echo\",\"dst\":\"203.0.113.9\"");
	(void)state;
}

/* An interface or list may have any name; the line stays JSON. */
static void
foreign_strings_are_escaped_and_cut(void **state)
{
	struct list_record list = { 1, "a\"b\\c\x1b[2J", NULL, NULL };
	struct cycle_record cycle = { &list, 2, 3, 0, "h\xc3\xa9" };
	struct ping_record p;
	struct buf b;

	buf_init(&b, 0);
	json_write_cycle(&b, &cycle, false);
	text_is(&b, "{\"type\":\"cycle-start\", \"list_name\":\"a\\\"b\\\\c\", \"id\":2, \"hostname\":\"h\", "
		    "\"start_time\":3}\n");
	live_ping(&p);
	live_ping_reply(&p, 0, "203.0.113.9", 1);
	p.replies[0].ifname = "e\"0";
	contains(&ping_record_type, &p, "\"ifname\":\"e\\\"0\"");
	ping_record_fini(&p);
	(void)state;
}

static void
silent_hops_are_listed_by_ttl(void **state)
{
	struct trace_record t;

	live_trace(&t, "203.0.113.2");
	live_probe(&t, &t.leg, 1, 0, 44);
	live_hop(&t.leg, "192.0.2.2", 50);
	live_probe(&t, &t.leg, 3, 0, 44);
	live_probe(&t, &t.leg, 2, 0, 44);
	t.leg.probes[2].flags |= TRACE_PROBE_PENDING;
	contains(&trace_record_type, &t,
	    "\"no_hops\":[{\"probe_ttl\":2,\"probe_id\":1,\"probe_size\":44,"
	    "\"tx\":{\"sec\":1795306560,\"usec\":759135},\"flags\":[\"pending\"]},{\"probe_ttl\":3,");
	t.squeries = 3;
	t.stop_hop = 2;
	contains(&trace_record_type, &t, "\"extra_no_hops\":[{\"probe_ttl\":3,");
	contains(&trace_record_type, &t, "\"hop_count\":2,");
	trace_record_fini(&t);
	(void)state;
}

static void
replies_are_sorted_by_ttl_then_arrival(void **state)
{
	struct trace_record t;
	struct buf b;

	live_trace(&t, "203.0.113.2");
	live_probe(&t, &t.leg, 3, 0, 44);
	live_hop(&t.leg, "192.0.2.3", 70);
	live_hop(&t.leg, "192.0.2.3", 60);
	live_probe(&t, &t.leg, 1, 0, 44);
	live_hop(&t.leg, "192.0.2.1", 50);
	buf_init(&b, 0);
	assert_int_equal(
	    warts_write(&b, &trace_record_type, &t, NULL), -EINVAL); /* no reader would have it */
	trace_leg_sort(&t.leg);
	assert_int_equal(warts_write(&b, &trace_record_type, &t, NULL), 0);
	t.hop_count = 2;
	assert_int_equal(warts_write(&b, &trace_record_type, &t, NULL), -EINVAL);
	buf_fini(&b);
	assert_int_equal(t.leg.probes[t.leg.replies[0].probe].ttl, 1);
	assert_int_equal(t.leg.replies[1].rtt_us, 60);
	assert_int_equal(t.leg.replies[2].rtt_us, 70);
	trace_record_fini(&t);
	(void)state;
}

static void
a_probe_time_keeps_its_hours(void **state)
{
	const nsec_t far[] = { 0, 5000000000 * NSEC_PER_USEC, -NSEC_PER_SEC, 86400 * NSEC_PER_SEC };
	struct trace_probe p = { 0 };

	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		trace_probe_set_tx(&p, LIVE_START, LIVE_START + far[i]);
		assert_true(trace_probe_tx(&p, LIVE_START) == LIVE_START + far[i]);
	}
	trace_probe_set_tx(&p, LIVE_START, LIVE_START + 5 * 365 * 86400 * NSEC_PER_SEC);
	assert_true(trace_probe_tx(&p, LIVE_START) == 0);
	(void)state;
}

/* Back through warts, into *ret (of type's size, to be freed by the reader). */
static struct warts_reader *
through_warts(const struct record_type *type, const void *rec, struct buf *bytes, struct warts_item *ret)
{
	struct warts_memory *memory = malloc(sizeof(*memory));
	struct warts_reader *r;
	struct errbuf err;

	assert_int_equal(warts_write(bytes, type, rec, NULL), 0);
	*memory = (struct warts_memory){ bytes->p, bytes->len };
	r = warts_reader_new(warts_memory_read, memory);
	if (warts_reader_next(r, ret, &err) != 1)
		fail_msg("%s", err.text);
	assert_ptr_equal(ret->type, type);
	free(memory);
	return r;
}

/* 300 hop records of PMTUD need more than the 4095 bytes of an attribute. */
static void
pmtud_hops_are_dropped_to_fit(void **state)
{
	struct trace_record t;
	struct trace_pmtud *pm;
	const struct trace_record *back;
	struct warts_reader *r;
	struct warts_item item;
	struct buf b;

	buf_init(&b, 0);
	live_trace(&t, "203.0.113.2");
	pm = trace_record_rare(&t)->pmtud = calloc(1, sizeof(*pm));
	pm->version = 2;
	pm->ifmtu = 1500;
	pm->note_count = 1;
	pm->notes = calloc(1, sizeof(*pm->notes));
	for (uint16_t i = 0; i < 300; i++) {
		live_probe(&t, &pm->leg, 255, 0, (uint16_t)(1000 + i));
		live_hop(&pm->leg, "192.0.2.2", i);
	}
	pm->notes[0] = (struct trace_note){ TRACE_NOTE_SILENCE, 1280, 299 };
	r = through_warts(&trace_record_type, &t, &b, &item);
	back = item.rec;
	pm = back->rare->pmtud;
	assert_in_range(pm->leg.reply_count, 50, 150);
	assert_int_equal(pm->leg.replies[0].rtt_us, 0);
	assert_int_equal(pm->note_count, 1);
	assert_int_equal(pm->notes[0].reply, pm->leg.reply_count - 1);
	assert_int_equal(pm->leg.replies[pm->notes[0].reply].rtt_us, 299);
	warts_reader_free(r);
	trace_record_fini(&t);
	buf_fini(&b);
	(void)state;
}

/* warts.md 23, no. 7: a 1500-byte probe whose quotation says 44, the size of
 * the trace's other probes. */
static void
quoted_length_is_written_where_sizes_differ(void **state)
{
	struct trace_record t;
	const struct trace_record *back;
	struct warts_reader *r;
	struct warts_item item;
	struct buf b;

	buf_init(&b, 0);
	live_trace(&t, "203.0.113.2");
	live_probe(&t, &t.leg, 1, 0, 1500);
	live_hop(&t.leg, "192.0.2.2", 5)->q_len = 44;
	r = through_warts(&trace_record_type, &t, &b, &item);
	back = item.rec;
	assert_int_equal(back->leg.replies[0].q_len, 44);
	warts_reader_free(r);
	trace_record_fini(&t);
	buf_fini(&b);
	(void)state;
}

static void
broken_extension_objects_are_left_out(void **state)
{
	/* one whole MPLS object, then one that claims 64 bytes of the 4 there are */
	static const uint8_t ext[] = { 0, 8, 1, 1, 0x05, 0xdc, 0xf1, 0x01, 0, 64, 2, 1 };
	struct trace_record t;
	struct trace_reply_extra *x = calloc(1, sizeof(*x));
	const struct trace_record *back;
	struct warts_reader *r;
	struct warts_item item;
	struct buf b;

	buf_init(&b, 0);
	live_trace(&t, "203.0.113.2");
	live_probe(&t, &t.leg, 1, 0, 44);
	x->ext = malloc(sizeof(ext));
	memcpy(x->ext, ext, sizeof(ext));
	x->ext_len = sizeof(ext);
	live_hop(&t.leg, "192.0.2.2", 5)->extra = x;
	contains(&trace_record_type, &t,
	    "\"icmpext\":[{\"ie_cn\":1,\"ie_ct\":1,\"ie_dl\":4,\"mpls_labels\":["
	    "{\"mpls_ttl\":1,\"mpls_s\":1,\"mpls_exp\":0,\"mpls_label\":24015}]}]}");
	r = through_warts(&trace_record_type, &t, &b, &item);
	back = item.rec;
	assert_int_equal(back->leg.replies[0].extra->ext_len, 8);
	assert_memory_equal(back->leg.replies[0].extra->ext, ext, 8);
	warts_reader_free(r);
	trace_record_fini(&t);
	buf_fini(&b);
	(void)state;
}

/* More addresses than the dictionary keeps inside: all come back. */
static void
a_thousand_addresses_come_back(void **state)
{
	struct ping_record p;
	const struct ping_record *back;
	struct warts_reader *r;
	struct warts_item item;
	struct buf b;
	char text[32];

	buf_init(&b, 0);
	live_ping(&p);
	for (uint32_t i = 0; i < 2000; i++) {
		(void)snprintf(text, sizeof(text), "10.0.%u.%u", i % 1000 / 250, i % 250);
		live_ping_reply(&p, 1, text, i);
	}
	r = through_warts(&ping_record_type, &p, &b, &item);
	back = item.rec;
	assert_int_equal(back->reply_count, 2000);
	for (uint32_t i = 0; i < 2000; i++)
		assert_memory_equal(&back->replies[i].from, &p.replies[i].from, sizeof(struct addr));
	assert_in_range(b.len, 2000 * 30, 2000 * 42);
	warts_reader_free(r);
	ping_record_fini(&p);
	buf_fini(&b);
	(void)state;
}

static void
what_does_not_fit_leaves_the_buffer_as_it_was(void **state)
{
	struct ping_record p;
	struct buf b;

	live_ping(&p);
	buf_init(&b, 40);
	buf_text(&b, "before");
	assert_true(warts_write(&b, &ping_record_type, &p, NULL) < 0);
	assert_true(json_write(&b, &ping_record_type, &p, NULL) < 0);
	assert_int_equal(b.len, 6);
	assert_false(b.failed);
	buf_fini(&b);
	ping_record_fini(&p);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silent_ping_lists_its_probes),
		cmocka_unit_test(ping_counts_duplicates_errors_and_pending),
		cmocka_unit_test(a_ping_without_a_route_names_no_source),
		cmocka_unit_test(foreign_strings_are_escaped_and_cut),
		cmocka_unit_test(silent_hops_are_listed_by_ttl),
		cmocka_unit_test(replies_are_sorted_by_ttl_then_arrival),
		cmocka_unit_test(a_probe_time_keeps_its_hours),
		cmocka_unit_test(pmtud_hops_are_dropped_to_fit),
		cmocka_unit_test(quoted_length_is_written_where_sizes_differ),
		cmocka_unit_test(broken_extension_objects_are_left_out),
		cmocka_unit_test(a_thousand_addresses_come_back),
		cmocka_unit_test(what_does_not_fit_leaves_the_buffer_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

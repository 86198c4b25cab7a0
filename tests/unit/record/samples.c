#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "golden.h"
#include "live.h"
#include "proto/record/stream.h"

/*
 * Writes every sample, joined, and records as a running measurement makes
 * them, as one stream to standard output: "samples warts", json or text. What
 * oracle_test.py gives to the reference tools. With a file, "samples json FILE"
 * shows that instead.
 */
static const struct list_record list = { 3, "live", "made by a test", "mon.example" };
static const struct cycle_record cycle = { &list, 4, 1795306560, 0, "vm" };

static void
copy_item(struct warts_stream *s, struct buf *b, const struct warts_item *item)
{
	assert_int_equal(warts_stream_item(s, b, item), 0);
}

static void
put_golden(struct warts_stream *s, struct buf *b)
{
	for (size_t i = 0; golden_names[i] != NULL; i++) {
		struct warts_memory memory;
		struct warts_reader *r;
		struct warts_item item;
		struct errbuf err;
		struct buf in;

		buf_init(&in, 0);
		golden_read(golden_names[i], ".warts", &in);
		memory = (struct warts_memory){ in.p, in.len };
		r = warts_reader_new(warts_memory_read, &memory);
		assert_non_null(r);
		while (warts_reader_next(r, &item, &err) > 0)
			copy_item(s, b, &item);
		warts_reader_free(r);
		buf_fini(&in);
	}
}

static void
put_pings(struct warts_stream *s, struct buf *b)
{
	struct ping_record p;

	live_ping(&p);
	assert_int_equal(warts_stream_write(s, b, &ping_record_type, &p, NULL, &cycle), 0);
	live_ping_reply(&p, 0, "203.0.113.9", 17);
	live_ping_reply(&p, 0, "203.0.113.10", 18);
	live_ping_reply(&p, 1, "203.0.113.9", 19);
	p.replies[1].ifname = "eth0";
	p.flags = PING_FLAG_DL | PING_FLAG_RAW;
	p.stop_count = 2;
	ping_record_rare(&p)->router = live_addr("192.0.2.254");
	p.rare->errmsg = strdup("none really");
	assert_int_equal(warts_stream_write(s, b, &ping_record_type, &p, NULL, &cycle), 0);
	ping_record_fini(&p);
}

static struct trace_pmtud *
pmtud_of(struct trace_record *t)
{
	struct trace_pmtud *pm = calloc(1, sizeof(*pm));

	live_probe(t, &pm->leg, 255, 0, 1500);
	live_hop(&pm->leg, "2001:db8::2", 90)->q_len = 1500;
	pm->leg.replies[0].icmp_type = 2;
	pm->leg.replies[0].nhmtu = 1280;
	pm->version = 2;
	pm->ifmtu = 1500;
	pm->pmtu = 1280;
	pm->note_count = 1;
	pm->notes = calloc(1, sizeof(*pm->notes));
	pm->notes[0] = (struct trace_note){ TRACE_NOTE_PTB, 1280, 0 };
	return pm;
}

static void
put_traces(struct warts_stream *s, struct buf *b)
{
	struct trace_record t;

	live_trace(&t, "2001:db8::9");
	t.src = live_addr("2001:db8::1");
	live_probe(&t, &t.leg, 1, 0, 44);
	live_hop(&t.leg, "2001:db8::2", 50);
	live_hop(&t.leg, "2001:db8::2", 51); /* twice for one probe */
	live_probe(&t, &t.leg, 2, 0, 44);
	live_probe(&t, &t.leg, 2, 1, 44);
	live_hop(&t.leg, "2001:db8::3", 60);
	t.flags = TRACE_FLAG_PMTUD | TRACE_FLAG_DOUBLETREE | TRACE_FLAG_PTR;
	trace_record_rare(&t)->pmtud = pmtud_of(&t);
	t.rare->lastditch = calloc(1, sizeof(*t.rare->lastditch));
	live_probe(&t, t.rare->lastditch, 255, 0, 44);
	live_hop(t.rare->lastditch, "2001:db8::3", 70);
	t.rare->dtree = calloc(1, sizeof(*t.rare->dtree));
	t.rare->dtree->firsthop = 2;
	t.rare->dtree->lss_stop = live_addr("2001:db8::3");
	t.rare->dtree->lss_name = strdup("near");
	t.rare->router = live_addr("2001:db8::fe");
	assert_int_equal(warts_stream_write(s, b, &trace_record_type, &t, NULL, &cycle), 0);
	trace_record_fini(&t);
}

static void
put_all(struct buf *b)
{
	struct warts_stream s;

	warts_stream_init(&s);
	put_golden(&s, b);
	assert_int_equal(warts_stream_start(&s, b, &cycle), 0);
	put_pings(&s, b);
	put_traces(&s, b);
	assert_int_equal(warts_stream_stop(&s, b, &cycle), 0);
	warts_stream_fini(&s);
}

int
main(int argc, char **argv)
{
	golden_put *put = argc > 1 && strcmp(argv[1], "text") == 0 ? golden_put_text : golden_put_json;
	struct errbuf err = { 0 };
	struct buf b, shown;
	int code = 0;

	tzset();
	buf_init(&b, 0);
	buf_init(&shown, 0);
	if (argc > 2)
		golden_load(argv[2], &b);
	else
		put_all(&b);
	if (argc > 1 && strcmp(argv[1], "warts") == 0)
		buf_bytes(&shown, b.p, b.len);
	else
		code = golden_convert(b.p, b.len, put, &shown, &err);
	if (code != 0)
		(void)fprintf(stderr, "%s\n", err.text);
	if (fwrite(shown.p, 1, shown.len, stdout) != shown.len)
		return 1;
	buf_fini(&b);
	buf_fini(&shown);
	return code != 0;
}

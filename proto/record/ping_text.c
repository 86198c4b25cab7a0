#include <netinet/in.h>
#include <string.h>

#include "proto/record/json.h"
#include "proto/record/ping_priv.h"
#include "proto/record/ping_stat.h"
#include "proto/record/text.h"

/* Bits of the TCP flags byte, RFC 9293 section 3.1. */
#define FLAG_SYN 0x02
#define FLAG_RST 0x04
#define FLAG_ACK 0x10
#define FLAG_ECE 0x40

static void
put_tcp_state(struct buf *b, uint8_t flags)
{
	buf_text(b, " tcp=");
	if ((flags & FLAG_RST) != 0)
		buf_text(b, "closed");
	else if ((flags & (FLAG_SYN | FLAG_ACK)) == (FLAG_SYN | FLAG_ACK))
		buf_text(b, (flags & FLAG_ECE) != 0 ? "open,ecn" : "open");
	else
		buf_printf(b, "0x%02x", flags);
}

/* Milliseconds since midnight UT, RFC 792. */
static void
put_clock(struct buf *b, const char *key, uint32_t ms)
{
	buf_printf(
	    b, " %s=%02u:%02u:%02u.%03u", key, ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

static void
put_options(struct buf *b, const struct ping_reply_extra *x)
{
	char text[ADDR_STRLEN];

	for (uint8_t i = 0; i < x->rr_count; i++) {
		buf_text(b, i == 0 ? " RR: " : "     ");
		text_addr(b, &x->rr[i]);
		buf_u8(b, '\n');
	}
	for (uint8_t i = 0; i < x->ts_count; i++) {
		buf_text(b, i == 0 ? " TS: " : "     ");
		if (i < x->ts_addr_count)
			buf_printf(b, "%-15s ", addr_format(&x->ts_addr[i], text));
		buf_dec(b, x->ts[i]);
		buf_u8(b, '\n');
	}
}

static void
put_reply(struct buf *b, const struct ping_reply *r)
{
	buf_dec(b, r->size);
	buf_text(b, " bytes from ");
	text_addr(b, &r->from);
	buf_text(b, ", seq=");
	buf_dec(b, r->probe);
	if (r->proto == IPPROTO_TCP)
		put_tcp_state(b, r->tcp_flags);
	buf_text(b, " ttl=");
	buf_dec(b, r->ttl);
	buf_text(b, " time=");
	json_ms(b, r->rtt_us);
	buf_text(b, " ms");
	if (r->extra != NULL && r->extra->has_icmp_times != 0) {
		put_clock(b, "tso", r->extra->icmp_times[0]);
		put_clock(b, "tsr", r->extra->icmp_times[1]);
		put_clock(b, "tst", r->extra->icmp_times[2]);
	}
	buf_u8(b, '\n');
	if (r->extra != NULL)
		put_options(b, r->extra);
}

static void
put_count(struct buf *b, uint32_t n, const char *what)
{
	if (n == 0)
		return;
	buf_text(b, ", +");
	buf_dec(b, n);
	buf_text(b, what);
}

static void
put_summary(struct buf *b, const struct ping_record *p, const struct ping_stat *s)
{
	uint32_t done = p->sent - s->pending;

	buf_text(b, "--- ");
	text_addr(b, &p->dst);
	buf_text(b, " ping statistics ---\n");
	buf_dec(b, p->sent);
	buf_text(b, " packets transmitted, ");
	buf_dec(b, s->replies);
	buf_text(b, " packets received");
	put_count(b, s->dups, " duplicates");
	put_count(b, s->errors, " errors");
	put_count(b, s->pending, " pending");
	if (done > 0) {
		buf_text(b, ", ");
		buf_dec(b, s->replies >= done ? 0 : (uint64_t)(done - s->replies) * 100 / done);
		buf_text(b, "% packet loss");
	}
	buf_u8(b, '\n');
	if (s->replies == 0)
		return;
	buf_text(b, "round-trip min/avg/max/stddev = ");
	json_ms(b, s->min_us);
	buf_u8(b, '/');
	json_ms(b, s->avg_us);
	buf_u8(b, '/');
	json_ms(b, s->max_us);
	buf_u8(b, '/');
	json_ms(b, s->stddev_us);
	buf_text(b, " ms\n");
}

void
ping_text(struct buf *b, const void *rec)
{
	const struct ping_record *p = rec;
	struct ping_stat s;

	buf_text(b, "ping");
	if (ping_has_source(p)) {
		buf_text(b, " from ");
		text_addr(b, &p->src);
	}
	buf_text(b, " to ");
	text_addr(b, &p->dst);
	buf_text(b, ": ");
	buf_dec(b, p->probe_size);
	buf_text(b, " byte packets\n");
	for (uint32_t i = 0; i < p->reply_count; i++)
		put_reply(b, &p->replies[i]);
	ping_stat(p, &s);
	put_summary(b, p, &s);
}

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"
#include "workerd/meas/ping/ping.h"

/* Tries to find a port or ICMP id that nobody has. */
#define FREE_PORT_TRIES 8

static struct ping *
ping_of(struct task *t)
{
	return (struct ping *)t; /* the task is the first thing in it */
}

/* ---- the end ---- */

static void
end(struct ping *p, enum ping_stop reason)
{
	struct ping_record *rec = &p->rec;

	for (uint16_t i = 0; i < rec->sent; i++)
		rec->probes[i].flags &= (uint8_t)~PING_PROBE_PENDING;
	rec->stop_reason = (uint8_t)reason;
	/* Ended before there was a route: a zero address of its family, since
	 * readers give up a file at a ping without a source. */
	if (rec->src.family == ADDR_NONE)
		rec->src.family = rec->dst.family;
	task_done(&p->meas.task);
}

static void
end_error(struct ping *p, int err, const char *what, const char *why)
{
	struct ping_rare *rare = ping_record_rare(&p->rec);

	p->rec.stop_data = (uint8_t)err;
	if (rare != NULL && rare->errmsg == NULL &&
	    asprintf(&rare->errmsg, "%s: %s", what, why) < 0)
		rare->errmsg = NULL; /* the number alone, then */
	end(p, PING_STOP_ERROR);
}

/* ---- ports ---- */

static struct claim
claim_of(const struct ping *p, uint16_t port)
{
	const struct ping_record *rec = &p->rec;
	const struct ping_kind *kind = ping_kind_of(rec->method);
	struct claim c = { .remote = rec->dst,
		.proto = kind->proto,
		.local_port = port,
		.remote_lo = rec->dport,
		.remote_hi = rec->dport };

	if (kind->proto == IPPROTO_ICMP) {
		if (rec->dst.family == ADDR_IP6)
			c.proto = IPPROTO_ICMPV6;
		c.remote_lo = 0;
		c.remote_hi = UINT16_MAX;
	} else if (kind->varies == PING_VARIES_DPORT) {
		c.remote_hi = (uint16_t)(rec->dport + rec->probe_count - 1);
	}
	return c;
}

static uint16_t
default_port(const struct ping *p)
{
	const struct task *t = &p->meas.task;
	uint16_t port = ping_is_icmp(p->rec.method) ? task_default_icmp_id(t) : task_default_sport(t);

	return ping_default_port(&p->rec, port);
}

uint32_t
ping_claims(const struct meas *m, struct claim *ret, uint32_t max)
{
	const struct ping *p = (const struct ping *)m;

	if (p->port == PING_PORT_FREE || max == 0)
		return 0;
	ret[0] = claim_of(p, p->port == PING_PORT_SET ? p->rec.sport : default_port(p));
	return 1;
}

/* A port that is free now, ours from now on. */
static int
claim_free_port(struct ping *p, uint16_t *ret)
{
	struct task *t = &p->meas.task;
	uint16_t port;
	int rc = -EADDRINUSE;

	for (int i = 0; i < FREE_PORT_TRIES; i++) {
		struct claim c;

		rc = task_free_port(t, claim_of(p, 0).proto, &port);
		if (rc != 0)
			return rc;
		c = claim_of(p, port);
		rc = task_claim(t, &c);
		if (rc == 0) {
			*ret = port;
			return 0;
		}
		if (rc != -EBUSY && rc != -EADDRINUSE)
			return rc;
	}
	return rc;
}

static int
settle_port(struct ping *p)
{
	int rc = 0;

	switch ((enum ping_port)p->port) {
	case PING_PORT_DEFAULT:
		if (!task_claimed_port(&p->meas.task, &p->rec.sport))
			p->rec.sport = default_port(p);
		break;
	case PING_PORT_FREE:
		rc = claim_free_port(p, &p->rec.sport);
		break;
	case PING_PORT_SET:
		break;
	}
	p->port = PING_PORT_SET;
	return rc;
}

/* The source port of probe n. Those that vary go up from the first; where
 * another program or measurement has one, any free one serves. */
static int
probe_port(struct ping *p, uint16_t n, uint16_t *ret)
{
	uint32_t port = (uint32_t)p->rec.sport + n;
	struct claim c;
	int rc;

	*ret = p->rec.sport;
	if (n == 0 || ping_kind_of(p->rec.method)->varies != PING_VARIES_SPORT)
		return 0;
	if (port <= UINT16_MAX) {
		c = claim_of(p, (uint16_t)port);
		rc = task_claim(&p->meas.task, &c);
		if (rc == 0)
			*ret = (uint16_t)port;
		if (rc != -EBUSY && rc != -EADDRINUSE)
			return rc;
	}
	return claim_free_port(p, ret);
}

/* ---- the beginning ---- */

/* What -A did not say is random, but a SYN and a RST acknowledge nothing. */
static void
settle_tcp_numbers(struct ping *p)
{
	struct ping_record *rec = &p->rec;
	bool is_ack = ping_kind_of(rec->method)->number_is_ack;

	if (!ping_is_tcp(rec->method))
		return;
	if (is_ack || !p->number_given)
		rec->tcp_seq = task_random(&p->meas.task);
	if (is_ack && !p->number_given)
		rec->tcp_ack = task_random(&p->meas.task);
}

static void
start(struct task *t, const struct instant *now)
{
	struct ping *p = ping_of(t);
	const struct addr *via = p->rec.rare != NULL ? &p->rec.rare->router : NULL;
	struct route route;
	int rc;

	p->rec.start = now->wall;
	if (via != NULL && via->family == ADDR_NONE)
		via = NULL;
	rc = task_route(t, &p->rec.dst, via, &route);
	if (rc != 0) {
		end_error(p, -rc, "no route", task_refusal(-rc, false));
		return;
	}
	if (p->rec.src.family == ADDR_NONE)
		p->rec.src = route.src;
	else if ((p->rec.flags & PING_FLAG_SPOOF) == 0 && !task_owns_address(t, &p->rec.src)) {
		end_error(p, EADDRNOTAVAIL, "-S", "not an address of this host, and -O spoof is not given");
		return;
	}
	rc = settle_port(p);
	if (rc != 0) {
		end_error(p, -rc, "not started", task_refusal(-rc, true));
		return;
	}
	settle_tcp_numbers(p);
	rc = ping_prepare(p, &route.src);
	if (rc != 0) {
		end_error(p, -rc, "payload", task_refusal(-rc, true));
		return;
	}
	p->due = true;
	task_want_probe(t);
}

/* ---- probes ---- */

/* IPv4 fragments are put together by IPID, and we tell probes apart by it. */
static uint16_t
fresh_ipid(struct ping *p)
{
	const struct ping_record *rec = &p->rec;
	uint16_t id, first = rec->sent > PING_IPID_BACK ? (uint16_t)(rec->sent - PING_IPID_BACK) : 0;
	bool again;

	if (rec->dst.family != ADDR_IP4)
		return 0;
	do {
		id = (uint16_t)(task_random(&p->meas.task) % UINT16_MAX + 1);
		again = false;
		for (uint16_t i = first; i < rec->sent; i++)
			again = again || rec->probes[i].ip_id == id;
	} while (again);
	return id;
}

static void
tell_progress(struct ping *p)
{
	if (p->progress == 0 || p->rec.sent == 0 || p->rec.sent % p->progress != 0)
		return;
	p->rec.stop_reason = PING_STOP_INPROGRESS;
	task_progress(&p->meas.task);
	p->rec.stop_reason = PING_STOP_NONE;
}

static int
add_probe(struct ping *p, const struct instant *now)
{
	uint16_t ip_id = fresh_ipid(p), port;
	struct ping_probe *probe;
	int rc = probe_port(p, p->rec.sent, &port);

	if (rc != 0)
		return rc;
	probe = ping_record_add_probe(&p->rec);
	if (probe == NULL)
		return -ENOMEM;
	*probe = (struct ping_probe){
		.tx = now->wall, .ip_id = ip_id, .sport = port, .flags = PING_PROBE_PENDING
	};
	return 0;
}

/* When the probe that is leaving should have left: the wake-up that it owes its
 * slot to is a fraction of a millisecond late, and such fractions must not add
 * up. Later than half the wait is a stall, which is not made up for. */
static nsec_t
left_at(const struct task *t, bool first, nsec_t wait, nsec_t mono)
{
	nsec_t due = t->timer.deadline;

	return first || mono - due > wait / 2 ? mono : due;
}

static void
arm(struct ping *p, const struct instant *now)
{
	const struct ping_record *rec = &p->rec;
	struct task *t = &p->meas.task;
	nsec_t wait = (nsec_t)rec->wait_us * NSEC_PER_USEC;

	if (rec->sent == rec->probe_count)
		task_wait(t, now->mono + (nsec_t)rec->timeout_us * NSEC_PER_USEC);
	else
		task_wait(t, left_at(t, rec->sent == 1, wait, now->mono) + wait);
}

static bool
send_next(struct task *t, struct probe *pr, const struct instant *now)
{
	struct ping *p = ping_of(t);
	int rc;

	if (ping_fill_toobig(p, pr)) {
		if (p->due || ping_more(p)->toobig != NULL)
			task_want_probe(t);
		return true;
	}
	if (!p->due)
		return false;
	tell_progress(p);
	rc = add_probe(p, now);
	if (rc != 0) {
		end_error(p, -rc, "next probe", task_refusal(-rc, true));
		return false;
	}
	p->due = false;
	ping_fill_probe(p, pr, (uint16_t)(p->rec.sent - 1), now);
	arm(p, now);
	return true;
}

static void
sent(struct task *t, const struct pkt *pkt, nsec_t tx)
{
	struct ping_record *rec = &ping_of(t)->rec;
	int32_t i = ping_index_sent(rec, pkt);

	if (i < 0)
		return;
	rec->probes[i].tx = tx;
	rec->probes[i].flags |= PING_PROBE_DLTX;
}

static void
timed_out(struct task *t, const struct instant *now)
{
	struct ping *p = ping_of(t);

	(void)now;
	if (p->rec.sent == p->rec.probe_count) {
		end(p, PING_STOP_COMPLETED);
		return;
	}
	p->due = true;
	task_want_probe(t);
}

static void
refused(struct task *t, int err, const struct instant *now)
{
	struct ping *p = ping_of(t);
	struct ping_record *rec = &p->rec;

	if (rec->start == 0) { /* in place of start */
		rec->start = now->wall;
		end_error(p, err, "not started", task_refusal(err, true));
		return;
	}
	if (p->has_more && ping_more(p)->sending != NULL)
		return; /* a too-big message, which was a favour */
	if (rec->sent > 0)
		rec->sent--;
	end_error(p, err, "probe not sent", task_refusal(err, false));
}

static void
halt(struct task *t, const struct instant *now)
{
	struct ping *p = ping_of(t);

	if (p->rec.start == 0)
		p->rec.start = now->wall;
	end(p, PING_STOP_HALTED);
}

/* ---- replies ---- */

/* The options of an error are those of the probe that it quotes: the way there.
 * Few routers put them into the error's own header, where its way back would
 * follow. */
static int
add_extra(struct ping_reply *r, const struct pkt *pkt, const struct pkt *quoted, nsec_t rx)
{
	bool times = pkt->l4 && (pkt->proto == IPPROTO_ICMP && pkt->icmp.kind == ICMP_KIND_TIME_REPLY);
	const struct pkt *with = quoted != NULL ? quoted : pkt;
	struct pkt_ipopts opts = { 0 };

	if (with->ip_opts_len > 0)
		pkt_parse_ipopts(&opts, with->ip_opts, with->ip_opts_len);
	if (quoted == NULL)
		pkt_ipopts_arrive(&opts, &pkt->dst, rx);
	if (!times && opts.rr_count == 0 && opts.ts_count == 0)
		return 0;
	r->extra = calloc(1, sizeof(*r->extra));
	if (r->extra == NULL)
		return -ENOMEM;
	if (times) {
		r->extra->has_icmp_times = 1;
		r->extra->icmp_times[0] = pkt->icmp.originate;
		r->extra->icmp_times[1] = pkt->icmp.receive;
		r->extra->icmp_times[2] = pkt->icmp.transmit;
	}
	r->extra->rr_count = opts.rr_count;
	memcpy(r->extra->rr, opts.rr, sizeof(opts.rr));
	r->extra->ts_count = opts.ts_count;
	memcpy(r->extra->ts, opts.ts, sizeof(opts.ts));
	if (opts.ts_has_addrs) {
		r->extra->ts_addr_count = opts.ts_count;
		memcpy(r->extra->ts_addr, opts.ts_addr, sizeof(opts.ts_addr));
	}
	return 0;
}

static void
note_transport(struct ping_reply *r, const struct pkt *pkt)
{
	r->proto = pkt->proto;
	if (pkt->proto == IPPROTO_TCP) {
		r->tcp_flags = pkt->tcp.flags;
		r->tcp_mss = pkt->tcp.mss;
	} else if (pkt->proto == IPPROTO_ICMP || pkt->proto == IPPROTO_ICMPV6) {
		r->icmp_type = pkt->icmp.type;
		r->icmp_code = pkt->icmp.code;
		if (pkt->icmp.kind == ICMP_KIND_TOO_BIG)
			r->nhmtu = pkt->icmp.nhmtu > UINT16_MAX ? UINT16_MAX : (uint16_t)pkt->icmp.nhmtu;
	}
}

/* To the microsecond, which is what records hold; a clock that was set back
 * in between makes it 0, not four thousand seconds. */
static uint32_t
rtt_us(nsec_t tx, nsec_t rx)
{
	nsec_t us = (rx - tx + NSEC_PER_USEC / 2) / NSEC_PER_USEC;

	if (rx < tx)
		return 0;
	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* Replies are kept by probe, then by arrival; most arrive like that. */
static void
sort_last(struct ping_record *rec)
{
	struct ping_reply r = rec->replies[rec->reply_count - 1];
	uint32_t i = rec->reply_count - 1;

	while (i > 0 && rec->replies[i - 1].probe > r.probe)
		i--;
	if (i == rec->reply_count - 1)
		return;
	memmove(&rec->replies[i + 1], &rec->replies[i], (rec->reply_count - 1 - i) * sizeof(r));
	rec->replies[i] = r;
}

/* A probe's first reply is always kept, however often others were answered; a
 * record has sixteen bits for them all. */
static bool
has_room(const struct ping *p, uint16_t index)
{
	const struct ping_record *rec = &p->rec;
	uint32_t surplus = UINT16_MAX - rec->probe_count;

	if ((rec->probes[index].flags & PING_PROBE_PENDING) != 0)
		return true;
	if (surplus > PING_SURPLUS_MAX)
		surplus = PING_SURPLUS_MAX;
	return rec->reply_count < p->answered + surplus;
}

static int
add_reply(struct ping_record *rec, const struct reply *r, uint16_t index)
{
	const struct ping_probe *probe = &rec->probes[index];
	const struct pkt *pkt = r->pkt;
	struct ping_reply *pr = ping_record_add_reply(rec);

	if (pr == NULL)
		return -ENOMEM;
	*pr = (struct ping_reply){ .from = pkt->src,
		.ttl = pkt->ttl,
		.tos = pkt->tos,
		.probe = index,
		.size = pkt->ip_len,
		.rtt_us = rtt_us(probe->tx, r->rx),
		.ifname = r->ifname,
		.flags = PING_REPLY_TTL | PING_REPLY_TOS | PING_REPLY_DLRX };
	if (pkt->src.family == ADDR_IP4)
		pr->flags |= PING_REPLY_IPID | PING_PROBE_IPID;
	else if (pkt->frag)
		pr->flags |= PING_REPLY_IPID;
	if ((pr->flags & PING_REPLY_IPID) != 0)
		pr->ip_id = pkt->ip_id;
	if ((probe->flags & PING_PROBE_DLTX) != 0)
		pr->flags |= PING_REPLY_DLTX;
	note_transport(pr, pkt);
	(void)add_extra(pr, pkt, r->quoted, r->rx); /* without memory the reply stands without its options */
	sort_last(rec);
	return 0;
}

/* commands.md 4.5, the too-big trick: what counts is an echo reply in fragments.
 * One that is whole comes before our too-big has arrived; anything else before
 * the first fragment means that there will be none. */
static bool
counts(struct ping *p, const struct reply *r)
{
	bool echo = r->quoted == NULL && r->pkt->icmp.kind == ICMP_KIND_ECHO_REPLY;

	if ((p->rec.flags & PING_FLAG_TBT) == 0 || (echo && r->pkt->frag))
		return true;
	if (!echo && p->answered == 0)
		end(p, PING_STOP_COMPLETED);
	return false;
}

static void
count_reply(struct ping *p, const struct reply *r, uint16_t index)
{
	struct ping_record *rec = &p->rec;
	bool first = (rec->probes[index].flags & PING_PROBE_PENDING) != 0;

	rec->probes[index].flags &= (uint8_t)~PING_PROBE_PENDING;
	if (!counts(p, r) || !first)
		return;
	p->answered++;
	if (rec->stop_count != 0 && p->answered >= rec->stop_count)
		end(p, PING_STOP_COMPLETED);
}

static void
answer(struct task *t, const struct reply *r, const struct instant *now)
{
	struct ping *p = ping_of(t);
	int32_t i =
	    r->quoted != NULL ? ping_index_quoted(&p->rec, r->quoted) : ping_index_direct(&p->rec, r->pkt);

	(void)now;
	if (i < 0)
		return;
	/* Only what carries data is asked to shrink: an error about an error
	 * is forbidden (RFC 1122 section 3.2.2, RFC 4443 section 2.4(e)). */
	if (p->rec.pmtu != 0 && r->quoted == NULL && r->pkt->ip_len > p->rec.pmtu &&
	    ping_queue_toobig(p, r) == 0)
		task_want_probe(t);
	if (has_room(p, (uint16_t)i) && add_reply(&p->rec, r, (uint16_t)i) == 0)
		count_reply(p, r, (uint16_t)i);
}

const struct task_ops ping_task_ops = {
	.start = start,
	.probe = send_next,
	.sent = sent,
	.reply = answer,
	.timeout = timed_out,
	.refused = refused,
	.halt = halt,
};

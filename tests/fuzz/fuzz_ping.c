#include "fuzz_meas.h"

#include <netinet/in.h>

#include "proto/record/ping.h"

/* A ping: fuzz_meas.h. */

extern const struct meas_type ping_type;

/* As the engine hands it over: from the destination, to the probe's port. */
static bool
mirrored(struct world *w, struct pkt *ret)
{
	struct pkt probe;

	if (!fuzz_some_probe(w, &probe))
		return false;
	*ret = (struct pkt){ .src = probe.dst,
		.dst = probe.src,
		.proto = probe.proto,
		.ttl = 60,
		.l4 = true,
		.sport = probe.dport,
		.dport = probe.sport,
		.ip_id = probe.ip_id,
		.ip_hdr_len = probe.src.family == ADDR_IP6 ? 40 : 20,
		.ip_len = rd_u16(&w->in) };
	if (probe.proto == IPPROTO_TCP) {
		ret->tcp.flags = rd_u8(&w->in);
		ret->tcp.mss = ret->tcp.flags;
	} else if (probe.proto != IPPROTO_UDP) {
		ret->icmp.kind = ICMP_KIND_ECHO + rd_u8(&w->in) % 4;
		ret->icmp.seq = probe.icmp.seq;
	}
	return true;
}

static void
direct(struct world *w)
{
	static const uint8_t whole[2000];
	struct pkt p;
	struct reply r = { .pkt = &p, .bytes = whole, .ifname = "fuzz0" };
	uint8_t how = rd_u8(&w->in);

	if (!mirrored(w, &p))
		return;
	p.frag = how % 2 != 0;
	if (p.src.family == ADDR_IP4 && how % 4 / 2 != 0) {
		uint8_t len = rd_u8(&w->in) % 11 * 4;

		p.ip_opts = rd_take(&w->in, len);
		p.ip_opts_len = p.ip_opts == NULL ? 0 : len;
		p.ip_hdr_len = (uint16_t)(p.ip_hdr_len + p.ip_opts_len);
	}
	r.len = (uint16_t)(p.ip_len < sizeof(whole) ? p.ip_len : sizeof(whole));
	r.rx = w->now.wall + (int32_t)rd_u32(&w->in);
	w->task->ops->reply(w->task, &r, &w->now);
}

static void
check_progress(const void *result)
{
	const struct ping_record *rec = result;

	must(rec->stop_reason == PING_STOP_INPROGRESS);
}

static void
check_record(const void *result)
{
	const struct ping_record *rec = result;

	must(rec->stop_reason > PING_STOP_NONE && rec->stop_reason < PING_STOP_INPROGRESS);
	must(rec->sent <= rec->probe_count && rec->reply_count <= UINT16_MAX);
	for (uint16_t i = 0; i < rec->sent; i++)
		must((rec->probes[i].flags & PING_PROBE_PENDING) == 0);
	for (uint32_t i = 0; i < rec->reply_count; i++) {
		must(rec->replies[i].probe < rec->sent);
		must(i == 0 || rec->replies[i].probe >= rec->replies[i - 1].probe);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_meas kind = { &ping_type, direct, check_progress, check_record };

	return fuzz_meas(&kind, data, size);
}

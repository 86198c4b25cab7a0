#include "fuzz_meas.h"

#include <netinet/in.h>

#include "proto/record/trace.h"

/* A trace: fuzz_meas.h. */

extern const struct meas_type trace_type;

static void
direct(struct world *w)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6 };
	const struct trace_record *rec = trace_type.result((struct meas *)w->task);
	struct pkt p = {
		.l4 = true, .ttl = 60, .ip_len = 40, .src = rec->dst, .proto = protos[rd_u8(&w->in) % 4]
	};
	struct reply r = { .pkt = &p, .rx = w->now.wall };

	if (p.proto == IPPROTO_UDP && rd_u8(&w->in) % 2) {
		p.src = *task_nameserver(w->task);
		p.sport = 53;
		p.dport = 50000;
		p.payload_len = rd_u8(&w->in);
		p.payload = rd_take(&w->in, p.payload_len);
		p.payload_len = p.payload == NULL ? 0 : p.payload_len;
	} else if (p.proto != IPPROTO_TCP) {
		p.icmp.kind = ICMP_KIND_ECHO_REPLY;
		p.icmp.seq = rd_u8(&w->in);
	}
	w->task->ops->reply(w->task, &r, &w->now);
}

static void
check_progress(const void *result)
{
	const struct trace_record *rec = result;

	must(rec->stop_reason == TRACE_STOP_INPROGRESS);
}

static void
check_leg(const struct trace_leg *leg)
{
	for (uint16_t i = 0; i < leg->reply_count; i++)
		must(leg->replies[i].probe < leg->probe_count);
	for (uint16_t i = 0; i < leg->probe_count; i++)
		must(leg->probes[i].ttl > 0);
}

static void
check_record(const void *result)
{
	const struct trace_record *rec = result;

	must(rec->stop_reason > TRACE_STOP_NONE && rec->stop_reason < TRACE_STOP_INPROGRESS);
	check_leg(&rec->leg);
	for (uint16_t i = 0; i < rec->leg.reply_count; i++)
		must(rec->leg.probes[rec->leg.replies[i].probe].ttl <= rec->hop_count);
	if (rec->rare == NULL || rec->rare->pmtud == NULL)
		return;
	check_leg(&rec->rare->pmtud->leg);
	for (uint8_t i = 0; i < rec->rare->pmtud->note_count; i++)
		must(rec->rare->pmtud->notes[i].reply == TRACE_NOTE_NO_REPLY ||
		     rec->rare->pmtud->notes[i].reply < rec->rare->pmtud->leg.reply_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_meas kind = { &trace_type, direct, check_progress, check_record };

	return fuzz_meas(&kind, data, size);
}

#ifndef VANTAGE_TESTS_UNIT_RECORD_LIVE_H
#define VANTAGE_TESTS_UNIT_RECORD_LIVE_H

#include "proto/record/ping.h"
#include "proto/record/trace.h"

/* Records as a running measurement makes them; *_record_fini frees them. */
#define LIVE_START (1795306560 * NSEC_PER_SEC + 757135 * NSEC_PER_USEC)

struct addr live_addr(const char *text);

/* Two probes to 203.0.113.9; no reply. */
void live_ping(struct ping_record *);
void live_ping_reply(struct ping_record *, uint16_t probe, const char *from, uint32_t rtt_us);

/* udp-paris from 192.0.2.1 to dst, no probe yet. */
void live_trace(struct trace_record *, const char *dst);
void live_probe(struct trace_record *, struct trace_leg *, uint8_t ttl, uint8_t id, uint16_t size);

/* A time exceeded that answers the leg's last probe. */
struct trace_reply *live_hop(struct trace_leg *, const char *from, uint32_t rtt_us);

#endif

#ifndef VANTAGE_TESTS_SIM_TRACE_UTIL_H
#define VANTAGE_TESTS_SIM_TRACE_UTIL_H

#include "proto/record/trace.h"
#include "sim.h"

/* What the tests of trace share. */

#define DST "198.51.100.9"
#define DST6 "2001:db8:9::9"
/* Three routers, then any destination that answers. */
#define NET "ttl 1: 192.0.2.1 2001:db8::1; ttl 2: 192.0.2.2 2001:db8::2; ttl 3: 192.0.2.3 2001:db8::3;"

void util_assert_addr(const struct addr *, const char *text);

/* The last record. */
const struct trace_record *util_record(struct sim *);
const struct trace_record *util_trace(struct sim *, const char *command); /* runs it first */
const struct pkt *util_probe(struct sim *, uint32_t n);

void util_assert_stop(const struct trace_record *, uint8_t reason, uint8_t data);
/* Addresses that answered, by TTL, as "1:a 2:b 2:c"; into a static buffer. */
const char *util_hops(const struct trace_record *);
uint8_t util_ttl(const struct trace_leg *, uint16_t reply);
/* Probes in a leg with this TTL. */
uint32_t util_count(const struct trace_leg *, uint8_t ttl);

#endif

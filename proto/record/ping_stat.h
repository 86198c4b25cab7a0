#ifndef VANTAGE_PROTO_RECORD_PING_STAT_H
#define VANTAGE_PROTO_RECORD_PING_STAT_H

#include <stdbool.h>

#include "proto/record/ping.h"

/* The summary of a ping, text-json.md section 4. Times in microseconds, over
 * all replies from the target. */
struct ping_stat {
	uint32_t replies; /* probes with a reply from the target */
	uint32_t dups;    /* further such replies */
	uint32_t errors;  /* all other replies */
	uint32_t pending; /* probes that may still be answered */
	uint32_t min_us;
	uint32_t max_us;
	uint32_t avg_us;
	uint32_t stddev_us;
};

void ping_stat(const struct ping_record *, struct ping_stat *ret);

/* What kind of reply it is; dst gives the family. */
bool ping_reply_is_icmp(const struct ping_reply *);
bool ping_reply_is_toobig(const struct ping_record *, const struct ping_reply *);
bool ping_method_is_icmp(uint8_t method);
bool ping_method_is_tcp(uint8_t method);
bool ping_method_is_udp(uint8_t method);

#endif

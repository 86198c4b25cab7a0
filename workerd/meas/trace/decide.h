#ifndef VANTAGE_WORKERD_MEAS_TRACE_DECIDE_H
#define VANTAGE_WORKERD_MEAS_TRACE_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/record/trace.h"

/* Pure decisions of a trace: what was found in, a verdict out. */

struct verdict {
	uint8_t reason; /* TRACE_STOP_*; NONE: go on */
	uint8_t data;
};

/* What a reply is, the same for both families. */
enum reply_kind {
	REPLY_EXCEEDED,
	REPLY_UNREACH, /* IPv4: too-big is among them, as code 4 */
	REPLY_TOO_BIG, /* IPv6 only */
	REPLY_ECHO,
	REPLY_TCP,
	REPLY_UDP,
	REPLY_OTHER,
};
enum reply_kind reply_kind(const struct trace_reply *);
bool reply_too_big(const struct trace_reply *); /* either family */

/* Does the reply end the path by itself? loops_full: it completes the count of
 * loops; in_gss: its address is in the global stop set. */
struct verdict trace_judge(
    const struct trace_record *, const struct trace_reply *, bool loops_full, bool in_gss);

/* Is this reply a loop? Earlier replies are those before it in the leg, or,
 * with by_ttl, those with a lower TTL. */
bool trace_is_loop(const struct trace_leg *, uint16_t reply, bool by_ttl);

/* Has the gap limit been reached with this hop? No hop below first counts. */
bool trace_gap_reached(const struct trace_record *, uint8_t first, uint8_t ttl);

/* Probes to send to a hop that has shown so many interfaces; the caller stops
 * at the first reply unless trace_wants_all. */
uint8_t trace_quota(const struct trace_record *, uint32_t interfaces);
/* Is this the first reply of its hop from its address? */
bool trace_is_new_interface(const struct trace_leg *, uint16_t reply);
bool trace_wants_all(const struct trace_record *);

/* Does path MTU discovery make sense after this end? */
bool trace_responsive_end(uint8_t stop_reason);

#endif

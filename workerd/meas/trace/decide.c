#include "workerd/meas/trace/decide.h"

#include "workerd/meas/trace/stopping.h"

/* commands.md section 3.4: confidence looks for at most 25 interfaces. */
#define CONFIDENCE_N_MAX 25

/* RFC 792, RFC 4443 */
#define ICMP4_ECHO_REPLY 0
#define ICMP4_UNREACH 3
#define ICMP4_UNREACH_PORT 3
#define ICMP4_UNREACH_TOO_BIG 4
#define ICMP4_EXCEEDED 11
#define ICMP6_UNREACH 1
#define ICMP6_UNREACH_PORT 4
#define ICMP6_TOO_BIG 2
#define ICMP6_EXCEEDED 3
#define ICMP6_ECHO_REPLY 129

static enum reply_kind
kind4(uint8_t type)
{
	switch (type) {
	case ICMP4_EXCEEDED:
		return REPLY_EXCEEDED;
	case ICMP4_UNREACH:
		return REPLY_UNREACH;
	case ICMP4_ECHO_REPLY:
		return REPLY_ECHO;
	default:
		return REPLY_OTHER;
	}
}

static enum reply_kind
kind6(uint8_t type)
{
	switch (type) {
	case ICMP6_EXCEEDED:
		return REPLY_EXCEEDED;
	case ICMP6_UNREACH:
		return REPLY_UNREACH;
	case ICMP6_TOO_BIG:
		return REPLY_TOO_BIG;
	case ICMP6_ECHO_REPLY:
		return REPLY_ECHO;
	default:
		return REPLY_OTHER;
	}
}

enum reply_kind
reply_kind(const struct trace_reply *r)
{
	if ((r->flags & TRACE_REPLY_TCP) != 0)
		return REPLY_TCP;
	if ((r->flags & TRACE_REPLY_UDP) != 0)
		return REPLY_UDP;
	return r->from.family == ADDR_IP6 ? kind6(r->icmp_type) : kind4(r->icmp_type);
}

bool
reply_too_big(const struct trace_reply *r)
{
	enum reply_kind kind = reply_kind(r);

	return kind == REPLY_TOO_BIG ||
	       (kind == REPLY_UNREACH && r->from.family == ADDR_IP4 && r->icmp_code == ICMP4_UNREACH_TOO_BIG);
}

static bool
is_icmp_method(uint8_t method)
{
	return method == TRACE_ICMP || method == TRACE_ICMP_PARIS;
}

static struct verdict
judge_unreach(const struct trace_record *rec, const struct trace_reply *r)
{
	uint8_t port = r->from.family == ADDR_IP6 ? ICMP6_UNREACH_PORT : ICMP4_UNREACH_PORT;

	if (r->icmp_code == port && !is_icmp_method(rec->method))
		return (struct verdict){ TRACE_STOP_COMPLETED, 0 };
	return (struct verdict){ TRACE_STOP_UNREACH, r->icmp_code };
}

struct verdict
trace_judge(const struct trace_record *rec, const struct trace_reply *r, bool loops_full, bool in_gss)
{
	enum reply_kind kind = reply_kind(r);
	bool from_dst = addr_equal(&r->from, &rec->dst);

	if (kind == REPLY_UNREACH)
		return judge_unreach(rec, r);
	if (kind == REPLY_ECHO)
		return (struct verdict){ TRACE_STOP_COMPLETED, 0 };
	if (kind == REPLY_TOO_BIG)
		return (struct verdict){ TRACE_STOP_ICMP, r->icmp_type };
	if (loops_full)
		return (struct verdict){ TRACE_STOP_LOOP, 0 };
	if (kind == REPLY_EXCEEDED && from_dst && (rec->flags & TRACE_FLAG_IGNORETTLDST) == 0)
		return (struct verdict){ TRACE_STOP_COMPLETED, 0 };
	if (kind == REPLY_TCP || kind == REPLY_UDP)
		return (struct verdict){ TRACE_STOP_COMPLETED, 0 };
	if (in_gss)
		return (struct verdict){ TRACE_STOP_GSS, 0 };
	return (struct verdict){ TRACE_STOP_NONE, 0 };
}

static uint8_t
ttl_of(const struct trace_leg *leg, uint16_t reply)
{
	return leg->probes[leg->replies[reply].probe].ttl;
}

/* The same address at TTLs that are neighbours is no loop: a router that
 * forwards packets whose TTL has run out shows itself twice. */
static bool
apart(uint8_t a, uint8_t b)
{
	return a > b ? a - b > 1 : b - a > 1;
}

static bool
same_router(const struct trace_reply *a, const struct trace_reply *b)
{
	return addr_equal(&a->from, &b->from) && reply_kind(b) == REPLY_EXCEEDED;
}

/* Backwards, since other replies of the same hop are near: a trace may have
 * tens of thousands. */
bool
trace_is_loop(const struct trace_leg *leg, uint16_t reply, bool by_ttl)
{
	const struct trace_reply *r = &leg->replies[reply];
	uint8_t ttl = ttl_of(leg, reply);
	bool found = false;

	if (reply_kind(r) != REPLY_EXCEEDED)
		return false;
	for (uint16_t i = reply; i-- > 0;) {
		uint8_t ottl = ttl_of(leg, i);

		if (!same_router(r, &leg->replies[i]))
			continue;
		if (ottl == ttl)
			return false; /* judged once for each hop */
		if (apart(ottl, ttl) && (!by_ttl || ottl < ttl))
			found = true;
	}
	for (uint16_t i = (uint16_t)(reply + 1); by_ttl && !found && i < leg->reply_count; i++)
		found =
		    ttl_of(leg, i) < ttl && apart(ttl_of(leg, i), ttl) && same_router(r, &leg->replies[i]);
	return found;
}

bool
trace_is_new_interface(const struct trace_leg *leg, uint16_t reply)
{
	uint8_t ttl = ttl_of(leg, reply);

	for (uint16_t i = reply; i-- > 0;) {
		if (ttl_of(leg, i) == ttl && addr_equal(&leg->replies[i].from, &leg->replies[reply].from))
			return false;
	}
	return true;
}

bool
trace_gap_reached(const struct trace_record *rec, uint8_t first, uint8_t ttl)
{
	uint8_t low;

	if (rec->gaplimit == 0 || ttl < first || ttl - first + 1 < rec->gaplimit)
		return false;
	low = (uint8_t)(ttl - rec->gaplimit + 1);
	for (uint16_t i = 0; i < rec->leg.reply_count; i++) {
		uint8_t at = ttl_of(&rec->leg, i);

		if (at >= low && at <= ttl)
			return false;
	}
	return true;
}

bool
trace_wants_all(const struct trace_record *rec)
{
	return rec->confidence != 0 || (rec->flags & TRACE_FLAG_ALLATTEMPTS) != 0;
}

uint8_t
trace_quota(const struct trace_record *rec, uint32_t interfaces)
{
	uint32_t n = interfaces + 1;

	if (rec->confidence == 0)
		return rec->attempts;
	return (uint8_t)stopping_point(rec->confidence, n > CONFIDENCE_N_MAX ? CONFIDENCE_N_MAX : n);
}

bool
trace_responsive_end(uint8_t stop_reason)
{
	return stop_reason == TRACE_STOP_COMPLETED || stop_reason == TRACE_STOP_UNREACH ||
	       stop_reason == TRACE_STOP_ICMP;
}

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "workerd/meas/trace/opts.h"
#include "workerd/meas/trace/trace.h"

/* The options of a trace: commands.md section 3.1. */

#define DEFAULT_GAPLIMIT 5
#define DEFAULT_ATTEMPTS 2
#define SECOND_US 1000000
#define CENTISECOND_US 10000
#define GSS_MAX 65534

static const struct word methods[] = {
	{ "UDP-paris", TRACE_UDP_PARIS },
	{ "UDP", TRACE_UDP },
	{ "ICMP-paris", TRACE_ICMP_PARIS },
	{ "ICMP", TRACE_ICMP },
	{ "TCP", TRACE_TCP },
	{ "TCP-ack", TRACE_TCP_ACK },
	{ NULL, 0 },
};

/* Every probe leaves by a raw socket and every stamp is the datalink's, so dl
 * and raw change no path: dl lets direct UDP replies count, both are recorded. */
static const struct word option_words[] = {
	{ "back", TRACE_O_BACK },
	{ "const-payload", TRACE_O_CONSTPAYLOAD },
	{ "dl", TRACE_O_DL },
	{ "dtree-noback", TRACE_O_NOBACK },
	{ "ptr", TRACE_O_PTR },
	{ "raw", TRACE_O_RAW },
	{ NULL, 0 },
};

static int
take_gss(void *dst, const char *text, struct errbuf *err)
{
	struct addr_set **set = dst;
	struct addr a;

	if (addr_parse(text, &a) != 0)
		return errbuf_set(err, -EINVAL, "global stop set entry must be an address");
	if (*set == NULL) {
		*set = malloc(sizeof(**set));
		if (*set == NULL)
			return errbuf_set(err, -ENOMEM, "out of memory");
		addr_set_init(*set, GSS_MAX);
	}
	switch (addr_set_add(*set, &a)) {
	case 0:
		return 0;
	case -EEXIST:
		return errbuf_set(err, -EINVAL, "duplicate global stop set entry");
	case -ENOSPC:
		return errbuf_set(err, -EINVAL, "too many global stop set entries");
	default:
		return errbuf_set(err, -ENOMEM, "out of memory");
	}
}

#define AT(field) .off = offsetof(struct trace_opts, field)
const struct arg_spec trace_args[] = {
	/* letter, name, help, kind, where, min, max, default */
	{ 'c', "confidence", "probe each hop to this confidence: 95 or 99", ARG_NUM, AT(confidence), 95, 99,
	    0 },
	{ 'd', "dport", "first destination port, or checksum of ICMP-paris", ARG_NUM, AT(dport), 1,
	    UINT16_MAX, TRACE_ABSENT, .otherwise = "33435, or the slice's source port" },
	{ 'f', "firsthop", "TTL of the first probe", ARG_NUM, AT(firsthop), 1, 255, 1 },
	{ 'g', "gaplimit", "unanswered hops in a row that end the trace; 0: no limit", ARG_NUM, AT(gaplimit),
	    0, 255, DEFAULT_GAPLIMIT },
	{ 'G', "gapaction", "at the gap limit: 1 stop, 2 send a last-ditch probe", ARG_NUM, AT(gapaction), 1,
	    2, 1 },
	{ 'H', "hop wait", "least time between probes of equal TTL, with -N", ARG_TIME, AT(hop_spacing_us), 0,
	    2 * SECOND_US, 0, .unit_us = SECOND_US },
	{ 'l', "loops", "loops that end the trace; 0: no check", ARG_NUM, AT(loops), 0, 255, 1 },
	{ 'm', "hoplimit", "largest TTL; 0: 255", ARG_NUM, AT(hoplimit), 0, 255, 0 },
	{ 'M', "pmtud", "find the path MTU after the trace", ARG_FLAG, AT(pmtud) },
	{ 'N', "squeries", "hops probed in parallel", ARG_NUM, AT(squeries), 1, 255, 1 },
	{ 'o', "offset", "IPv6 fragment offset, in 8-byte units; 0: no fragment", ARG_NUM, AT(offset), 0,
	    8190, 0 },
	{ 'O', "option", "how else to probe; may be given again", ARG_WORDS, AT(words),
	    .words = option_words },
	{ 'p', "payload", "hex bytes that probes carry", ARG_STR, AT(payload) },
	{ 'P', "method", "kind of probe", ARG_WORD, AT(method), .def = TRACE_UDP_PARIS, .words = methods },
	{ 'q', "attempts", "probes for each hop", ARG_NUM, AT(attempts), 1, 20, DEFAULT_ATTEMPTS },
	{ 'Q', "all-attempts", "send all attempts even after replies", ARG_FLAG, AT(allattempts) },
	{ 'r', "router", "address of the first-hop router to use", ARG_ADDR, AT(router),
	    .otherwise = "by routing" },
	{ 's', "sport", "source port, or ICMP id; 0: a free one", ARG_NUM, AT(sport), 0, UINT16_MAX,
	    TRACE_ABSENT, .otherwise = "the slice's" },
	{ 'S', "source", "source address", ARG_ADDR, AT(src), .otherwise = "by routing" },
	{ 't', "tos", "TOS or traffic class", ARG_NUM, AT(tos), 0, 255, 0 },
	{ 'T', "ignore-ttl-dst", "time-exceeded from the destination does not end the trace", ARG_FLAG,
	    AT(ignorettldst) },
	{ 'U', "userid", "number kept with the result", ARG_U32, AT(userid), 0, UINT32_MAX, 0 },
	{ 'w', "wait", "time to wait for a reply, whole seconds", ARG_TIME, AT(wait_us), SECOND_US,
	    10 * SECOND_US, 5 * SECOND_US, .unit_us = SECOND_US },
	{ 'W', "wait-probe", "least time between probes, in steps of 10ms", ARG_TIME, AT(wait_probe_us), 0,
	    2 * SECOND_US, 0, .unit_us = CENTISECOND_US },
	{ 'y', "progress", "report the result so far every so many probes; 0: off", ARG_NUM, AT(progress), 0,
	    20, 0 },
	{ 'z', "gss", "address of the global stop set; may be given again", ARG_CALL, AT(gss), .call = take_gss },
	{ 'Z', "lss", "name of the local stop set", ARG_STR, AT(lss) },
	{ 0 },
};
#undef AT

/* ---- combinations: commands.md 3.1, below the table ---- */

static bool
is_tcp(const struct trace_opts *o)
{
	return o->method == TRACE_TCP || o->method == TRACE_TCP_ACK;
}

static bool
is_dtree(const struct trace_opts *o)
{
	return o->gss != NULL || o->lss.p != NULL;
}

static bool
family_differs(const struct addr *a, const struct addr *dst)
{
	return a->family != ADDR_NONE && a->family != dst->family;
}

static bool
gss_differs(const struct addr_set *set, const struct addr *dst)
{
	if (set == NULL)
		return false;
	for (uint32_t i = 0; i < set->cap; i++) {
		if (family_differs(&set->slot[i], dst))
			return true;
	}
	return false;
}

static const char *
check_values(const struct trace_opts *o)
{
	if (o->confidence != 0 && o->confidence != 95 && o->confidence != 99)
		return "-c failed: confidence must be 95 or 99";
	if (o->wait_us % SECOND_US != 0)
		return "-w failed: wait must be a whole number of seconds";
	if (o->wait_probe_us % CENTISECOND_US != 0)
		return "-W failed: wait-probe must be a multiple of 10ms";
	if (o->lss.p != NULL && o->lss.len == 0)
		return "-Z failed: local stop set needs a name";
	return NULL;
}

static const char *
check_addresses(const struct trace_opts *o, const struct addr *dst)
{
	bool ip4 = dst->family == ADDR_IP4;

	if (family_differs(&o->src, dst))
		return "-S failed: source address and destination differ in family";
	if (family_differs(&o->router, dst))
		return "-r failed: router address and destination differ in family";
	if (gss_differs(o->gss, dst))
		return "-z failed: global stop set entry and destination differ in family";
	if (o->offset != 0 && ip4)
		return "-o failed: fragment offset is for IPv6 only";
	if ((o->words & TRACE_O_RAW) != 0 && !(ip4 && is_tcp(o)))
		return "-O failed: raw is for IPv4 TCP methods only";
	return NULL;
}

static const char *
check_hops(const struct trace_opts *o)
{
	if ((o->words & TRACE_O_BACK) != 0 && o->hoplimit == 0)
		return "backwards probing must be used with a hoplimit";
	if (o->hoplimit != 0 && o->firsthop > o->hoplimit)
		return "firsthop cannot be beyond hoplimit";
	if (o->pmtud && (o->firsthop > 1 || is_dtree(o)))
		return "cannot do pmtud without all of path";
	if (o->gaplimit != 0 && o->squeries > o->gaplimit)
		return "squeries cannot be greater than gaplimit";
	if (is_dtree(o) && o->squeries > 1)
		return "cannot send parallel probes with doubletree";
	if (is_dtree(o) && (o->words & TRACE_O_BACK) != 0)
		return "cannot probe backwards with doubletree";
	return NULL;
}

static const char *
check_methods(const struct trace_opts *o)
{
	if (o->pmtud && o->method == TRACE_TCP)
		return "cannot do pmtud with this probe method";
	if (o->confidence != 0 && o->allattempts)
		return "cannot set both all-attempts and confidence";
	if (is_tcp(o) && o->payload.p != NULL)
		return "cannot include a payload with TCP traceroute";
	if (is_tcp(o) && o->squeries > 1)
		return "cannot send parallel probes with TCP methods";
	if ((o->words & TRACE_O_CONSTPAYLOAD) != 0 && o->method == TRACE_ICMP_PARIS)
		return "cannot keep the payload constant with ICMP-paris";
	return NULL;
}

const char *
trace_opts_check(const struct trace_opts *o, const struct addr *dst)
{
	const char *why = check_values(o);

	if (why == NULL)
		why = check_hops(o);
	if (why == NULL)
		why = check_methods(o);
	if (why == NULL)
		why = check_addresses(o, dst);
	return why;
}

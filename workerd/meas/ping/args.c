#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/strnum.h"
#include "workerd/meas/ping/ping.h"

/* Not a value of the option: it was not given. */
#define ABSENT (-1)

#define DEFAULT_COUNT 4
#define DEFAULT_DPORT 33435
#define DEFAULT_TTL 64
#define SECOND_US 1000000
#define PAYLOAD_MAX 1000
#define PATTERN_DIGITS_MAX 32

struct opts {
	int64_t number;
	int64_t payload_size;
	int64_t count;
	int64_t csum;
	int64_t dport;
	int64_t sport;
	int64_t wait_us;
	int64_t ttl;
	int64_t pmtu;
	int64_t stop_count;
	int64_t method;
	int64_t size;
	int64_t userid;
	int64_t timeout_us;
	int64_t progress;
	int64_t tos;
	struct arg_str payload;
	struct arg_str pattern;
	struct arg_str stamps;
	struct addr router;
	struct addr src;
	bool record_route;
	uint32_t flags; /* PING_FLAG_* of -O */
	int64_t mss;
};

static const struct word methods[] = {
	{ "icmp-echo", PING_ICMP_ECHO },
	{ "icmp-time", PING_ICMP_TIME },
	{ "tcp-syn", PING_TCP_SYN },
	{ "tcp-ack", PING_TCP_ACK },
	{ "tcp-ack-sport", PING_TCP_ACK_SPORT },
	{ "tcp-synack", PING_TCP_SYNACK },
	{ "tcp-rst", PING_TCP_RST },
	{ "tcp-syn-sport", PING_TCP_SYN_SPORT },
	{ "udp", PING_UDP },
	{ "udp-dport", PING_UDP_DPORT },
	{ "udp-sport", PING_UDP_SPORT },
	{ NULL, 0 },
};

/*
 * Every probe of ours leaves whole, with its own IP header, and every reply is
 * taken from the datalink with the kernel's stamps: what dl, dltx and raw ask
 * for is so in any case. sockrx asks for the ordinary socket, which would show
 * the same packets. So these four are recorded, and keep their restrictions.
 */
static const struct word option_flags[] = {
	{ "dl", PING_FLAG_DL },
	{ "dltx", PING_FLAG_DLTX },
	{ "nosrc", PING_FLAG_NOSRC },
	{ "raw", PING_FLAG_RAW },
	{ "sockrx", PING_FLAG_SOCKRX },
	{ "spoof", PING_FLAG_SPOOF },
	{ "tbt", PING_FLAG_TBT },
	{ NULL, 0 },
};

static int
take_option(void *dst, const char *text, struct errbuf *err)
{
	struct opts *o = dst;
	uint32_t flag;

	if (strncasecmp(text, "mss=", 4) == 0) {
		if (strnum_i64(text + 4, 1, UINT16_MAX, &o->mss) != 0)
			return errbuf_set(err, -EINVAL, "mss must be within 1 - 65535");
		return 0;
	}
	if (!word_find(option_flags, text, &flag))
		return errbuf_set(
		    err, -EINVAL, "option must be one of dl, dltx, mss=N, nosrc, raw, sockrx, spoof, tbt");
	o->flags |= flag;
	return 0;
}

#define AT(field) .off = offsetof(struct opts, field)
const struct arg_spec ping_args[] = {
	/* letter, name, help, kind, where, min, max, default */
	{ 'A', "number", "TCP acknowledgement number, or sequence number of a SYN or RST", ARG_NUM,
	    AT(number), 0, UINT32_MAX, ABSENT, .otherwise = "random" },
	{ 'b', "payload-size", "bytes behind the headers", ARG_NUM, AT(payload_size), 0, UINT16_MAX, ABSENT,
	    .otherwise = "by method" },
	{ 'B', "payload", "hex bytes that each probe carries", ARG_STR, AT(payload) },
	{ 'c', "count", "probes to send", ARG_NUM, AT(count), 1, UINT16_MAX, DEFAULT_COUNT },
	{ 'C', "checksum", "keep the ICMP checksum at this value", ARG_U32, AT(csum), 0, UINT16_MAX, ABSENT,
	    .otherwise = "off" },
	{ 'd', "dport", "destination port, or first ICMP sequence number", ARG_NUM, AT(dport), 0, UINT16_MAX,
	    ABSENT, .otherwise = "33435, or 0" },
	{ 'F', "sport", "source port, or ICMP id; 0: a free one", ARG_NUM, AT(sport), 0, UINT16_MAX, ABSENT,
	    .otherwise = "the slice's" },
	{ 'i', "wait", "time between probes", ARG_TIME, AT(wait_us), 1000, 20 * SECOND_US, SECOND_US,
	    .unit_us = SECOND_US },
	{ 'm', "ttl", "TTL of the probes", ARG_NUM, AT(ttl), 1, 255, DEFAULT_TTL },
	{ 'M', "mtu", "answer larger replies with packet-too-big; 0: off", ARG_NUM, AT(pmtu), 0, UINT16_MAX,
	    0 },
	{ 'o', "replies", "stop after so many answered probes; 0: send all", ARG_NUM, AT(stop_count), 0,
	    UINT16_MAX, 0 },
	{ 'O', "option", "one of dl, dltx, mss=N, nosrc, raw, sockrx, spoof, tbt; may be given again", ARG_CALL, .off = 0,
	    .call = take_option },
	{ 'p', "pattern", "hex digits to fill the payload with, over and over", ARG_STR, AT(pattern),
	    .otherwise = "zeros" },
	{ 'P', "method", "kind of probe", ARG_WORD, AT(method), .def = PING_ICMP_ECHO, .words = methods },
	{ 'r', "router", "address of the first-hop router to use", ARG_ADDR, AT(router),
	    .otherwise = "by routing" },
	{ 'R', "record-route", "send the IPv4 record route option", ARG_FLAG, AT(record_route) },
	{ 's', "size", "bytes of the whole probe", ARG_NUM, AT(size), 0, UINT16_MAX, ABSENT,
	    .otherwise = "by method" },
	{ 'S', "source", "source address", ARG_ADDR, AT(src), .otherwise = "by routing" },
	{ 'T', "timestamp", "send the IPv4 timestamp option: tsonly, tsandaddr or tsprespec=a[,b[,c[,d]]]",
	    ARG_STR, AT(stamps) },
	{ 'U', "userid", "number kept with the result", ARG_U32, AT(userid), 0, UINT32_MAX, 0 },
	{ 'W', "timeout", "time to wait after the last probe", ARG_TIME, AT(timeout_us), 1000,
	    255LL * SECOND_US, ABSENT, .unit_us = SECOND_US, .otherwise = "1s, or -i when longer" },
	{ 'y', "progress", "report the result so far every so many probes; 0: off", ARG_NUM, AT(progress), 0,
	    20, 0 },
	{ 'z', "tos", "TOS or traffic class", ARG_NUM, AT(tos), 0, 255, 0 },
	{ 0 },
};

/* ---- combinations: commands.md 4.1, below the table ---- */

static bool
is_syn(const struct opts *o)
{
	return o->method == PING_TCP_SYN || o->method == PING_TCP_SYN_SPORT;
}

static bool
is_tcp(const struct opts *o)
{
	return ping_is_tcp((uint8_t)o->method);
}

static bool
is_icmp(const struct opts *o)
{
	return ping_is_icmp((uint8_t)o->method);
}

/* The last probe's port would be no port. */
static bool
runs_over(const struct opts *o, enum ping_varies what, int64_t first)
{
	return ping_kind_of((uint8_t)o->method)->varies == what && first + o->count - 1 > UINT16_MAX;
}

static int64_t
dport_of(const struct opts *o)
{
	if (o->dport != ABSENT)
		return o->dport;
	return is_icmp(o) ? 0 : DEFAULT_DPORT;
}

static bool
family_differs(const struct addr *a, const struct addr *dst)
{
	return a->family != ADDR_NONE && a->family != dst->family;
}

static const char *
check_addresses(const struct opts *o, const struct addr *dst)
{
	bool ip6 = dst->family == ADDR_IP6;

	if (family_differs(&o->src, dst))
		return "-S failed: source address and destination differ in family";
	if (family_differs(&o->router, dst))
		return "-r failed: router address and destination differ in family";
	if (ip6 && o->record_route)
		return "-R failed: IPv6 has no record route option";
	if (ip6 && o->stamps.p != NULL)
		return "-T failed: IPv6 has no timestamp option";
	if (ip6 && o->method == PING_ICMP_TIME)
		return "-P failed: IPv6 has no icmp-time";
	if (!ip6 && (o->flags & PING_FLAG_TBT) != 0)
		return "-O failed: tbt is for IPv6 only";
	if ((o->flags & PING_FLAG_RAW) != 0 && (ip6 || !is_tcp(o)))
		return "-O failed: raw is for IPv4 TCP methods only";
	return NULL;
}

static const char *
check_methods(const struct opts *o)
{
	if (o->payload.p != NULL && o->pattern.p != NULL)
		return "cannot set both payload and pattern";
	if (o->csum != ABSENT && !is_icmp(o))
		return "-C failed: checksum is for ICMP methods only";
	if (o->number != ABSENT && !is_tcp(o))
		return "-A failed: number is for TCP methods only";
	if (o->mss != 0 && !is_syn(o))
		return "-O failed: mss is for tcp-syn and tcp-syn-sport only";
	if (o->record_route && o->stamps.p != NULL)
		return "cannot set both record route and timestamp options";
	if ((o->flags & PING_FLAG_TBT) != 0 && o->pmtu == 0)
		return "specify valid path-mtu";
	if (o->pmtu != 0 && (o->flags & PING_FLAG_SOCKRX) != 0)
		return "cannot use a pseudo mtu with sockrx";
	if (runs_over(o, PING_VARIES_DPORT, dport_of(o)))
		return "-d failed: dport of the last probe would exceed 65535";
	if (o->sport > 0 && runs_over(o, PING_VARIES_SPORT, o->sport))
		return "-F failed: sport of the last probe would exceed 65535";
	return NULL;
}

static int
check(const struct opts *o, const struct addr *dst, struct errbuf *err)
{
	const char *why = check_addresses(o, dst);

	if (why == NULL)
		why = check_methods(o);
	return why == NULL ? 0 : errbuf_set(err, -EINVAL, "%s", why);
}

/* ---- from options to a measurement ---- */

static int
keep_data(struct ping_record *rec, const uint8_t *bytes, uint32_t len)
{
	struct ping_rare *rare = ping_record_rare(rec);

	if (rare == NULL)
		return -ENOMEM;
	rare->data = malloc(len);
	if (rare->data == NULL)
		return -ENOMEM;
	memcpy(rare->data, bytes, len);
	rare->data_len = (uint16_t)len;
	return 0;
}

static int
set_payload(struct ping_record *rec, const struct arg_str *text, struct errbuf *err)
{
	uint8_t bytes[PAYLOAD_MAX];
	uint32_t len;

	if (text->p == NULL)
		return 0;
	if (strnum_hex(text->p, bytes, sizeof(bytes), &len) != 0)
		return errbuf_set(err, -EINVAL,
		    "-B failed: payload must be 1 - %d bytes as pairs of hex digits", PAYLOAD_MAX);
	rec->flags |= PING_FLAG_PAYLOAD;
	return keep_data(rec, bytes, len);
}

static int
set_pattern(struct ping_record *rec, const struct arg_str *text, struct errbuf *err)
{
	uint8_t bytes[PATTERN_DIGITS_MAX / 2];
	char even[PATTERN_DIGITS_MAX + 2] = "0";
	uint32_t len;

	if (text->p == NULL)
		return 0;
	if (text->len <= PATTERN_DIGITS_MAX) {
		memcpy(even + 1, text->p, text->len + 1);
		/* an odd number of digits is read with a leading 0 */
		if (strnum_hex(text->len % 2 == 1 ? even : even + 1, bytes, sizeof(bytes), &len) == 0)
			return keep_data(rec, bytes, len);
	}
	return errbuf_set(err, -EINVAL, "-p failed: pattern must be 1 - %d hex digits", PATTERN_DIGITS_MAX);
}

/* a[,b[,c[,d]]] */
static int
set_prespec(struct ping_record *rec, const char *text, struct errbuf *err)
{
	struct ping_rare *rare = ping_record_rare(rec);

	if (rare == NULL)
		return -ENOMEM;
	for (;;) {
		size_t n = strcspn(text, ",");
		char one[ADDR_STRLEN];

		if (n >= sizeof(one) || rare->tsps_count == sizeof(rare->tsps) / sizeof(rare->tsps[0]))
			break;
		memcpy(one, text, n);
		one[n] = '\0';
		if (addr_parse(one, &rare->tsps[rare->tsps_count]) != 0 ||
		    rare->tsps[rare->tsps_count].family != ADDR_IP4)
			break;
		rare->tsps_count++;
		if (text[n] == '\0')
			return 0;
		text += n + 1;
	}
	return errbuf_set(err, -EINVAL, "-T failed: tsprespec must be 1 - 4 IPv4 addresses");
}

static const struct word stamp_flags[] = {
	{ "tsandaddr", PING_FLAG_TSANDADDR },
	{ "tsonly", PING_FLAG_TSONLY },
	{ NULL, 0 },
};

static int
set_ip_options(struct ping_record *rec, const struct opts *o, struct errbuf *err)
{
	uint32_t flag;

	if (o->record_route)
		rec->flags |= PING_FLAG_RR;
	if (o->stamps.p == NULL)
		return 0;
	if (strncasecmp(o->stamps.p, "tsprespec=", 10) == 0)
		return set_prespec(rec, o->stamps.p + 10, err);
	if (!word_find(stamp_flags, o->stamps.p, &flag))
		return errbuf_set(err, -EINVAL,
		    "-T failed: timestamp must be one of tsonly, tsandaddr, tsprespec=a[,b[,c[,d]]]");
	rec->flags |= (uint16_t)flag;
	return 0;
}

static int
refuse_small(struct errbuf *err)
{
	return errbuf_set(err, -EINVAL, "specified probe size too small");
}

/* commands.md 4.2: -b, -B and -s say the same thing in three ways, so they
 * must agree. -C needs two bytes of the payload; a payload of -B comes behind
 * them. */
static int
set_sizes(struct ping *p, const struct opts *o, struct errbuf *err)
{
	struct ping_record *rec = &p->rec;
	int64_t headers = ping_header_bytes(rec), payload = ping_kind_of(rec->method)->payload;
	int64_t least = o->csum != ABSENT ? 2 : 0;
	bool given = o->payload_size != ABSENT || o->payload.p != NULL;

	if (o->payload.p != NULL)
		payload = least += rec->rare->data_len;
	if (o->payload_size != ABSENT)
		payload = o->payload_size;
	else if (o->size != ABSENT && !given)
		payload = o->size - headers;
	if (o->size != ABSENT && o->size < headers + (given ? 0 : least))
		return refuse_small(err);
	if (payload < least)
		return errbuf_set(err, -EINVAL,
		    "-b failed: payload-size must be at least %lld with this payload", (long long)least);
	if (o->size != ABSENT && o->size != headers + payload)
		return errbuf_set(err, -EINVAL, "specified probe size inconsistent with payload");
	if (headers + payload > UINT16_MAX)
		return errbuf_set(err, -EINVAL, "-b failed: probe would exceed 65535 bytes");
	if ((rec->flags & PING_FLAG_TBT) != 0 && headers + payload <= rec->pmtu)
		return errbuf_set(err, -EINVAL, "probe size must be larger than the path-mtu");
	rec->probe_size = (uint16_t)(headers + payload);
	p->payload_len = (uint16_t)(payload + ping_prefix_bytes(rec));
	return 0;
}

static void
set_numbers(struct ping *p, const struct opts *o)
{
	struct ping_record *rec = &p->rec;

	rec->method = (uint8_t)o->method;
	rec->src = o->src;
	rec->ttl = (uint8_t)o->ttl;
	rec->tos = (uint8_t)o->tos;
	rec->flags = (uint16_t)o->flags;
	rec->probe_count = (uint16_t)o->count;
	rec->stop_count = (uint16_t)o->stop_count;
	rec->pmtu = (uint16_t)o->pmtu;
	rec->tcp_mss = (uint16_t)o->mss;
	rec->userid = (uint32_t)o->userid;
	rec->wait_us = (uint32_t)o->wait_us;
	rec->timeout_us = o->wait_us > SECOND_US ? (uint32_t)o->wait_us : SECOND_US;
	if (o->timeout_us != ABSENT)
		rec->timeout_us = (uint32_t)o->timeout_us;
	if (o->csum != ABSENT) {
		rec->flags |= PING_FLAG_ICMPSUM;
		rec->icmp_csum = (uint16_t)o->csum;
	}
	rec->dport = (uint16_t)dport_of(o);
	if (o->sport > 0) {
		rec->sport = (uint16_t)o->sport;
		p->port = PING_PORT_SET;
	} else if (o->sport == 0) {
		p->port = PING_PORT_FREE;
	}
	if (o->number != ABSENT) {
		p->number_given = true;
		if (ping_kind_of(rec->method)->number_is_ack)
			rec->tcp_ack = (uint32_t)o->number;
		else
			rec->tcp_seq = (uint32_t)o->number;
	}
	p->progress = (uint8_t)o->progress;
}

static int
fill(struct ping *p, const struct opts *o, struct errbuf *err)
{
	int rc;

	set_numbers(p, o);
	if (o->router.family != ADDR_NONE) {
		struct ping_rare *rare = ping_record_rare(&p->rec);

		if (rare == NULL)
			return -ENOMEM;
		rare->router = o->router;
	}
	rc = set_payload(&p->rec, &o->payload, err);
	if (rc == 0)
		rc = set_pattern(&p->rec, &o->pattern, err);
	if (rc == 0)
		rc = set_ip_options(&p->rec, o, err);
	if (rc == 0)
		rc = set_sizes(p, o, err);
	return rc;
}

/* Does its payload hold more than zeros, or may it send more than probes? */
static bool
needs_more(const struct opts *o)
{
	return o->pmtu != 0 || o->payload.p != NULL || o->pattern.p != NULL ||
	       (o->flags & PING_FLAG_SPOOF) != 0 || o->method == PING_ICMP_TIME;
}

/* The options, checked, as a measurement. */
static int
make(const struct meas_type *type, const struct opts *o, const struct addr *dst, struct meas **ret,
    struct errbuf *err)
{
	struct ping *p;
	int rc = check(o, dst, err);

	if (rc != 0)
		return rc;
	p = calloc(1, needs_more(o) ? sizeof(struct ping_full) : sizeof(struct ping));
	if (p == NULL)
		return errbuf_set(err, -ENOMEM, "out of memory");
	p->has_more = needs_more(o);
	task_init(&p->meas.task, &ping_task_ops, 0);
	p->meas.type = type;
	p->rec.dst = *dst;
	rc = fill(p, o, err);
	if (rc == -ENOMEM)
		(void)errbuf_set(err, rc, "out of memory");
	if (rc != 0) {
		ping_free(&p->meas);
		return rc;
	}
	*ret = &p->meas;
	return 0;
}

int
ping_parse(const struct meas_type *type, struct meas_env *env, const char *text, struct meas **ret,
    struct errbuf *reterr)
{
	/* every byte of it that is read was written: no need to clear 8 kB for each ping */
	struct args_scratch scratch __attribute__((uninitialized));
	struct opts o = { 0 };
	const char *target;
	struct addr dst;
	int rc;

	(void)env;
	rc = args_parse(ping_args, "ping", text, &o, &scratch, &target, reterr);
	if (rc == 0)
		rc = args_target(target, "ping", &dst, reterr);
	return rc != 0 ? rc : make(type, &o, &dst, ret, reterr);
}

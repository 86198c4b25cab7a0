#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/strnum.h"
#include "workerd/meas/trace/opts.h"
#include "workerd/meas/trace/trace.h"

/* From options to a trace that has not begun, and its end. */

#define DEFAULT_DPORT 33435
#define USEC_PER_SEC 1000000
#define USEC_PER_CS 10000

struct trace_more *
trace_more(struct trace *t)
{
	if (t->more == NULL)
		t->more = calloc(1, sizeof(*t->more));
	return t->more;
}

void
trace_free(struct meas *m)
{
	struct trace *t = (struct trace *)m;

	if (t == NULL)
		return;
	trace_record_fini(&t->rec);
	if (t->more != NULL) {
		free(t->more->payload);
		free(t->more->pad);
		dtree_free(t->more->dtree);
		parallel_free(t->more->parallel);
		pmtud_free(t->more->pmtud);
		ptr_free(t->more->ptr);
		free(t->more);
	}
	free(t);
}

static uint16_t
flags_of(const struct trace_opts *o)
{
	static const struct {
		uint32_t word;
		uint16_t flag;
	} by_word[] = {
		{ TRACE_O_BACK, TRACE_FLAG_BACK },
		{ TRACE_O_CONSTPAYLOAD, TRACE_FLAG_CONSTPAYLOAD },
		{ TRACE_O_DL, TRACE_FLAG_DL },
		{ TRACE_O_PTR, TRACE_FLAG_PTR },
		{ TRACE_O_RAW, TRACE_FLAG_RAW },
	};
	unsigned int flags = 0;

	for (size_t i = 0; i < sizeof(by_word) / sizeof(by_word[0]); i++) {
		if ((o->words & by_word[i].word) != 0)
			flags |= by_word[i].flag;
	}
	if (o->allattempts)
		flags |= TRACE_FLAG_ALLATTEMPTS;
	if (o->pmtud)
		flags |= TRACE_FLAG_PMTUD;
	if (o->ignorettldst)
		flags |= TRACE_FLAG_IGNORETTLDST;
	if (o->gss != NULL || o->lss.p != NULL)
		flags |= TRACE_FLAG_DOUBLETREE;
	if (o->method == TRACE_ICMP_PARIS)
		flags |= TRACE_FLAG_ICMPCSUMDP;
	return (uint16_t)flags;
}

static void
set_ports(struct trace *t, const struct trace_opts *o)
{
	if (o->sport > 0)
		t->rec.sport = (uint16_t)o->sport;
	t->choose_port = o->sport == 0;
	if (o->dport != TRACE_ABSENT)
		t->rec.dport = (uint16_t)o->dport;
	else if (o->method == TRACE_ICMP_PARIS)
		t->default_csum = true;
	else
		t->rec.dport = DEFAULT_DPORT;
}

static void
set_numbers(struct trace *t, const struct trace_opts *o)
{
	struct trace_record *rec = &t->rec;

	rec->src = o->src;
	rec->method = (uint8_t)o->method;
	rec->attempts = (uint8_t)o->attempts;
	rec->hoplimit = (uint8_t)o->hoplimit;
	rec->firsthop = (uint8_t)o->firsthop;
	rec->tos = (uint8_t)o->tos;
	rec->wait_s = (uint8_t)(o->wait_us / USEC_PER_SEC);
	rec->wait_probe_cs = (uint8_t)(o->wait_probe_us / USEC_PER_CS);
	rec->loops = (uint8_t)o->loops;
	rec->gaplimit = (uint8_t)o->gaplimit;
	rec->gapaction = (uint8_t)o->gapaction;
	rec->confidence = (uint8_t)o->confidence;
	rec->squeries = (uint8_t)o->squeries;
	rec->offset = (uint16_t)o->offset;
	rec->userid = (uint32_t)o->userid;
	rec->flags = flags_of(o);
	set_ports(t, o);
}

static int
set_payload(struct trace *t, const struct arg_str *text, int32_t *ret_len, struct errbuf *err)
{
	struct trace_more *m;
	uint32_t len;

	if (text->p == NULL)
		return 0;
	m = trace_more(t);
	if (m == NULL)
		return -ENOMEM;
	m->payload = malloc(TRACE_PAYLOAD_MAX);
	if (m->payload == NULL)
		return -ENOMEM;
	if (strnum_hex(text->p, m->payload, TRACE_PAYLOAD_MAX, &len) != 0 || len == 0)
		return errbuf_set(err, -EINVAL,
		    "-p failed: payload must be 1 - %d bytes as pairs of hex digits", TRACE_PAYLOAD_MAX);
	if (trace_alters_payload(&t->rec) && len < 2)
		return errbuf_set(
		    err, -EINVAL, "-p failed: payload must be at least 2 bytes with paris methods");
	m->payload_len = (uint16_t)len;
	*ret_len = (int32_t)len;
	return 0;
}

/* The set of -z becomes the trace's. */
static int
set_dtree(struct trace *t, struct trace_opts *o, const struct meas_env *env, struct errbuf *err)
{
	struct trace_rare *rare = trace_record_rare(&t->rec);
	struct stopset *lss = NULL;

	if (o->lss.p != NULL) {
		lss = stopsets_get(env->shared, env->owner, o->lss.p);
		if (lss == NULL)
			return errbuf_set(err, -ENOSPC, "-Z failed: too many local stop sets");
	}
	if (rare == NULL || trace_more(t) == NULL)
		return -ENOMEM;
	t->more->dtree = dtree_new(o->gss, lss, (o->words & TRACE_O_NOBACK) != 0);
	if (t->more->dtree == NULL)
		return -ENOMEM;
	o->gss = NULL;
	rare->dtree = calloc(1, sizeof(*rare->dtree));
	if (rare->dtree == NULL)
		return -ENOMEM;
	rare->dtree->firsthop = t->rec.firsthop;
	rare->dtree->flags = (o->words & TRACE_O_NOBACK) != 0 ? 1 : 0;
	if (lss != NULL && (rare->dtree->lss_name = strdup(o->lss.p)) == NULL)
		return -ENOMEM;
	return 0;
}

static int
set_rare(struct trace *t, const struct trace_opts *o)
{
	struct trace_rare *rare;

	if (o->progress != 0 || o->hop_spacing_us != 0 || o->squeries > 1 || o->offset != 0 ||
	    (o->words & TRACE_O_BACK) != 0) {
		if (trace_more(t) == NULL)
			return -ENOMEM;
		t->more->progress_every = (uint8_t)o->progress;
		t->more->hop_spacing = o->hop_spacing_us * NSEC_PER_USEC;
	}
	if ((o->squeries > 1 || (o->words & TRACE_O_BACK) != 0) && parallel_new(t) != 0)
		return -ENOMEM;
	if (o->router.family == ADDR_NONE)
		return 0;
	rare = trace_record_rare(&t->rec);
	if (rare == NULL)
		return -ENOMEM;
	rare->router = o->router;
	return 0;
}

static int
fill(struct trace *t, struct trace_opts *o, const struct meas_env *env, struct errbuf *err)
{
	int32_t payload_len = -1;
	int rc;

	set_numbers(t, o);
	rc = set_payload(t, &o->payload, &payload_len, err);
	if (rc == 0)
		rc = set_rare(t, o);
	if (rc == 0 && (t->rec.flags & TRACE_FLAG_DOUBLETREE) != 0)
		rc = set_dtree(t, o, env, err);
	t->rec.probe_size = trace_probe_size(t->rec.dst.family, t->rec.method, t->rec.offset, payload_len);
	return rc;
}

/* The options, checked, as a measurement. */
static int
make(const struct meas_type *type, struct trace_opts *o, const struct addr *dst, const struct meas_env *env,
    struct meas **ret, struct errbuf *err)
{
	const char *why = trace_opts_check(o, dst);
	struct trace *t;
	int rc;

	if (why != NULL)
		return errbuf_set(err, -EINVAL, "%s", why);
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return errbuf_set(err, -ENOMEM, "out of memory");
	task_init(&t->meas.task, &trace_ops, 0);
	t->meas.type = type;
	t->rec.dst = *dst;
	rc = fill(t, o, env, err);
	if (rc == -ENOMEM)
		(void)errbuf_set(err, rc, "out of memory");
	if (rc != 0) {
		trace_free(&t->meas);
		return rc;
	}
	*ret = &t->meas;
	return 0;
}

int
trace_parse(const struct meas_type *type, struct meas_env *env, const char *text, struct meas **ret,
    struct errbuf *reterr)
{
	/* every byte of it that is read was written: no need to clear 8 kB for each trace */
	struct args_scratch scratch __attribute__((uninitialized));
	struct trace_opts o = { 0 };
	const char *target;
	struct addr dst;
	int rc;

	rc = args_parse(trace_args, "trace", text, &o, &scratch, &target, reterr);
	if (rc == 0)
		rc = args_target(target, "trace", &dst, reterr);
	if (rc == 0)
		rc = make(type, &o, &dst, env, ret, reterr);
	if (o.gss != NULL)
		addr_set_fini(o.gss);
	free(o.gss);
	return rc;
}

#include <inttypes.h>

#include "common/clock.h"
#include "common/limits.h"
#include "workerd/ctl/cmd.h"
#include "workerd/ctl/roster.h"
#include "workerd/ctl/session.h"
#include "workerd/probe/engine.h"
#include "workerd/slice/slice.h"

/*
 * "OK status {...}": one line of JSON. Operators see all of it; others their
 * slice, their own sources, and nothing of what the rest of the worker does.
 */

/* Names come from clients: printable, by the protocol's rule, and no longer
 * than is of use. */
static void
put_text(struct buf *b, const char *text)
{
	buf_u8(b, '"');
	for (size_t i = 0; text[i] != '\0' && i < STATUS_NAME_MAX; i++) {
		if (text[i] == '"' || text[i] == '\\')
			buf_u8(b, '\\');
		buf_u8(b, text[i] >= 0x20 && text[i] < 0x7f ? (uint8_t)text[i] : '?');
	}
	buf_u8(b, '"');
}

static uint32_t
rate_of(struct meter *m, nsec_t now)
{
	meter_roll(m, now);
	return m->rate;
}

static void
put_slice(struct buf *b, struct session_env *env, const struct slice *s, nsec_t now)
{
	struct share *share = session_env_share(env, s);

	buf_printf(b, "{\"slice\":%u,\"name\":", s->number);
	put_text(b, s->conf->name);
	buf_printf(b, ",\"share\":%u,\"part\":%u,\"pps\":%u,\"rate\":%u,\"sent\":%" PRIu64, share->cfg.weight,
	    share_part(env->engine, share), s->conf->pps, rate_of(&share->sent, now), share->sent.total);
	buf_printf(b, ",\"active\":%u,\"window\":%u,\"running\":%u,\"running_max\":%u,\"hourly\":%u", share->running,
	    s->conf->window, s->running, s->conf->running, s->conf->hourly);
	buf_printf(b, ",\"clients\":%u,\"accepted\":%" PRIu64 ",\"done\":%" PRIu64 ",\"refused\":{", s->clients,
	    s->accepted, share->done);
	for (uint32_t i = 0; i < SLICE_LIMITS; i++)
		buf_printf(b, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", slice_limit_names[i], s->refused[i]);
	buf_text(b, "}}");
}

static void
put_slices(struct session *s, nsec_t now)
{
	struct session_env *env = s->env;
	bool first = true;

	buf_text(&s->out, ",\"slices\":[");
	for (uint32_t i = 0; i < slices_count(env->slices); i++) {
		const struct slice *slice = slices_get(env->slices, i);

		if (!session_operator(s) && slice != s->slice)
			continue;
		if (!first)
			buf_u8(&s->out, ',');
		put_slice(&s->out, env, slice, now);
		first = false;
	}
	buf_u8(&s->out, ']');
}

static void
put_source(struct buf *b, const struct roster_entry *r, nsec_t now)
{
	struct source *src = r->source;

	buf_text(b, "{\"name\":");
	put_text(b, r->name);
	if (r->list != NULL) {
		buf_text(b, ",\"list\":");
		put_text(b, r->list);
	}
	buf_text(b, ",\"slice\":");
	put_text(b, r->slice->conf->name);
	if (r->uid != PEER_UNKNOWN)
		buf_printf(b, ",\"uid\":%u", r->uid);
	buf_printf(b, ",\"priority\":%u,\"pps\":%u,\"rate\":%u,\"sent\":%" PRIu64, src->priority, src->pps,
	    rate_of(&src->sent, now), src->sent.total);
	buf_printf(b, ",\"queued\":%u,\"active\":%u,\"held\":%u}", r->ops->queued(r), src->running, src->held);
}

static void
put_sources(struct session *s, nsec_t now)
{
	uint32_t count = 0;

	buf_text(&s->out, ",\"sources\":[");
	for (struct roster_entry *r = s->env->roster; r != NULL; r = r->next) {
		if (!roster_visible(s, r) || count++ >= STATUS_SOURCES_MAX)
			continue;
		if (count > 1)
			buf_u8(&s->out, ',');
		put_source(&s->out, r, now);
	}
	buf_printf(&s->out, "],\"sources_total\":%u", count);
}

/* Those alone with which something is wrong. */
static void
put_outfiles(struct session *s)
{
	uint32_t count = 0;

	buf_text(&s->out, ",\"outfiles\":[");
	for (const struct outfile *o = s->env->files.first; o != NULL; o = o->next) {
		struct errbuf why = { "" };

		if (!outfile_trouble(o, &why))
			continue;
		buf_text(&s->out, count++ > 0 ? ",{\"alias\":" : "{\"alias\":");
		put_text(&s->out, o->alias);
		buf_text(&s->out, ",\"trouble\":");
		put_text(&s->out, why.text);
		buf_u8(&s->out, '}');
	}
	buf_u8(&s->out, ']');
}

/* What all do together is the operators' to know. */
static void
put_engine(struct session *s)
{
	const struct engine_stats *st = engine_stats_get(s->env->engine);
	const struct ctl_config *cfg = &s->env->cfg;

	buf_printf(&s->out,
	    ",\"engine\":{\"active\":%u,\"sent\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"received\":%" PRIu64
	    ",\"matched\":%" PRIu64 ",\"unmatched\":%" PRIu64 ",\"malformed\":%" PRIu64 ",\"done\":%" PRIu64 "}",
	    engine_running(s->env->engine), st->sent, st->refused, st->received, st->matched, st->unmatched,
	    st->malformed, st->tasks_done);
	if (cfg->ring_drops != NULL)
		buf_printf(&s->out, ",\"drops\":{\"ring\":%" PRIu64 "}", cfg->ring_drops(cfg->ctx));
}

void
cmd_status(struct session *s, char *rest)
{
	const struct engine_config *cfg = engine_config_get(s->env->engine);
	nsec_t now = clock_mono();

	(void)rest;
	buf_text(&s->out, "OK status {\"type\":\"status\",\"version\":");
	put_text(&s->out, s->env->cfg.version);
	buf_printf(&s->out, ",\"uptime\":%" PRId64 ",\"operator\":%s,\"pps\":%u,\"window\":%u",
	    (int64_t)((now - s->env->started) / NSEC_PER_SEC), session_operator(s) ? "true" : "false", cfg->pps,
	    cfg->window);
	if (session_operator(s)) {
		put_engine(s);
		put_outfiles(s);
	}
	put_slices(s, now);
	put_sources(s, now);
	buf_text(&s->out, "}\n");
	s->attend(s);
}

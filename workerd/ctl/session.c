#include "workerd/ctl/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/line.h"
#include "workerd/ctl/attach.h"
#include "workerd/ctl/cmd.h"
#include "workerd/ctl/observe.h"
#include "workerd/probe/engine.h"
#include "workerd/slice/slice.h"

/* Claims that a task may know before it starts. */
#define CLAIMS_MAX 8

static uint32_t
count_types(const struct meas_type *const *types)
{
	uint32_t n = 0;

	while (types[n] != NULL)
		n++;
	return n;
}

/* Those of the operators use the engine's own, which is there already, as do
 * sources of the worker's own. */
struct share *
session_env_make_shares(struct session_env *env, struct slices *slices)
{
	uint32_t count = slices_count(slices);
	struct share *shares = calloc(count, sizeof(*shares));

	if (shares == NULL)
		return NULL;
	for (uint32_t i = 0; i < count; i++) {
		const struct conf_slice *c = slices_get(slices, i)->conf;
		/* operators and the default slice have the program's ports */
		struct share_config cfg = {
			.weight = c->share, .pps = c->pps, .window = c->window, .ports = i > 1 ? i - 1 : 0
		};

		if (i > 0)
			share_init(&shares[i], env->engine, c->share);
		share_configure(env->engine, i > 0 ? &shares[i] : engine_share(env->engine), &cfg);
	}
	return shares;
}

static int
make_slices(struct session_env *env)
{
	struct errbuf err;

	env->started = clock_mono();
	env->slices = env->cfg.slices;
	if (env->slices == NULL && slices_new(NULL, env->cfg.uid, &env->slices, &err) != 0)
		return -ENOMEM;
	env->own_slices = env->cfg.slices == NULL;
	env->shares = session_env_make_shares(env, env->slices);
	return env->shares == NULL ? -ENOMEM : 0;
}

int
session_env_init(struct session_env *env, const struct ctl_config *cfg, struct engine *engine)
{
	uint32_t n = count_types(cfg->types);

	*env = (struct session_env){ .cfg = *cfg, .engine = engine, .running_max = CTL_RUNNING_MAX,
		.tasks_uid_max = CTL_TASKS_UID_MAX, .conns_max = CTL_CONNS_MAX,
		.conns_uid_max = CTL_CONNS_UID_MAX, .out_total = CTL_OUT_TOTAL };
	peers_init(&env->peers);
	buf_init(&env->scratch, 0);
	outfiles_init(&env->files, cfg->data);
	sources_init(env);
	if (cfg->monitor != NULL)
		(void)snprintf(env->monitor, sizeof(env->monitor), "%s", cfg->monitor);
	if (cfg->command != NULL)
		(void)snprintf(env->command, sizeof(env->command), "%s", cfg->command);
	env->envs = calloc(n + 1, sizeof(*env->envs));
	if (env->envs == NULL || make_slices(env) != 0) {
		session_env_fini(env);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (cfg->types[i]->shared_new == NULL)
			continue;
		env->envs[i].shared = cfg->types[i]->shared_new();
		if (env->envs[i].shared == NULL) {
			session_env_fini(env);
			return -ENOMEM;
		}
	}
	return 0;
}

void
session_env_fini(struct session_env *env)
{
	uint32_t n = count_types(env->cfg.types);

	sources_stop(env);
	for (uint32_t i = 0; env->envs != NULL && i < n; i++) {
		if (env->envs[i].shared != NULL && env->cfg.types[i]->shared_free != NULL)
			env->cfg.types[i]->shared_free(env->envs[i].shared);
	}
	outfiles_fini(&env->files);
	free(env->envs);
	env->envs = NULL;
	if (env->own_slices)
		slices_free(env->slices);
	env->slices = NULL;
	free(env->shares);
	env->shares = NULL;
	buf_fini(&env->scratch);
}

/* commands.md 1.1 */
int
session_env_type(const struct session_env *env, const char *word, size_t len)
{
	const struct meas_type *const *types = env->cfg.types;

	for (int i = 0; types[i] != NULL; i++) {
		if (strncasecmp(types[i]->name, word, len) == 0 && types[i]->name[len] == '\0')
			return i;
	}
	return -1;
}

int
session_env_preclaim(struct meas *m)
{
	struct claim claims[CLAIMS_MAX];

	return task_preclaim(&m->task, claims, m->type->claims(m, claims, CLAIMS_MAX));
}

void
session_init(struct session *s, struct session_env *env, const char *name)
{
	*s = (struct session){ .env = env, .uid = PEER_UNKNOWN, .gid = (gid_t)-1 };
	s->slice = slices_of_tcp(env->slices);
	s->slice->clients++;
	s->peer = peers_join(&env->peers, PEER_UNKNOWN);
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	buf_init(&s->out, CTL_OUT_MAX);
}

void
session_identify(struct session *s, uid_t uid, const gid_t *groups, uint32_t count)
{
	struct slices *all = s->env->slices;

	s->slice->clients--;
	/* Once and for all: what it holds is counted there. */
	if (s->uid != uid) {
		peers_leave(&s->env->peers, s->peer);
		s->peer = peers_join(&s->env->peers, uid);
	}
	s->uid = uid;
	s->slice = uid == PEER_UNKNOWN ? slices_of_tcp(all) : slices_of_user(all, uid, groups, count);
	s->slice->clients++;
}

void
session_fini(struct session *s)
{
	s->slice->clients--;
	observe_end(s);
	attach_free(s->attach);
	s->attach = NULL;
	peers_leave(&s->env->peers, s->peer);
	free(s->staged);
	s->staged = NULL;
	buf_fini(&s->out);
}

bool
session_operator(const struct session *s)
{
	return s->slice->operators;
}

struct share *
session_env_share(const struct session_env *env, const struct slice *slice)
{
	return slice->number > 0 ? &env->shares[slice->number] : engine_share(env->engine);
}

struct share *
session_share(const struct session *s)
{
	return session_env_share(s->env, s->slice);
}

void
session_reply(struct session *s, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* A reply that repeats a word of the client's is cut, never the rest. */
	if (n < 0)
		return;
	buf_bytes(&s->out, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
	buf_u8(&s->out, '\n');
	s->attend(s);
}

/* Cuts of a second that are logged, each: who comes and is cut again and again
 * must not fill the log. */
#define CUTS_SAID 10

static void
say_cut(struct session *s, const char *why)
{
	struct session_env *env = s->env;
	nsec_t now = clock_mono();

	if (now - env->cuts_since >= NSEC_PER_SEC) {
		if (env->cuts > CUTS_SAID)
			log_info("%u more connections were cut", env->cuts - CUTS_SAID);
		env->cuts_since = now;
		env->cuts = 0;
	}
	if (env->cuts++ < CUTS_SAID)
		log_info("%s: cut: %s", s->name, why);
}

void
session_cut(struct session *s, const char *why)
{
	if (s->cut)
		return;
	say_cut(s, why);
	s->cut = true;
	s->attend(s);
}

/* A line that cannot be read ends the dialogue, once what was asked for before
 * it has been answered. */
static void
bad_line(struct session *s, int rc)
{
	if (rc == -EMSGSIZE)
		session_reply(s, "ERR line longer than %d bytes", LINE_MAX_BYTES);
	else
		session_reply(s, "ERR invalid character in line");
	if (s->attach != NULL)
		attach_end(s->attach);
	else
		s->closing = true;
}

static bool
ended(const struct session *s)
{
	return s->cut || s->closing || (s->attach != NULL && attach_ending(s->attach));
}

bool
session_reads(const struct session *s)
{
	if (session_unsent(s) > CTL_OUT_MARK)
		return false;
	return ended(s) || s->attach == NULL || !attach_full(s->attach);
}

/* Commands may take long, measurements are many: the clock is not asked for
 * each of them. */
#define LINES_UNTIMED 16

static bool
turn_is_over(const struct session *s, uint32_t lines)
{
	uint32_t untimed = s->attach == NULL ? 1 : LINES_UNTIMED;

	if (lines == 0 || s->env->turn_end == 0 || lines % untimed != 0)
		return lines >= CTL_READ_LINES;
	return lines >= CTL_READ_LINES || clock_mono() >= s->env->turn_end;
}

size_t
session_input(struct session *s, char *bytes, size_t len)
{
	struct lines l = { bytes, bytes + len };
	size_t line_len;
	char *line;
	int rc;

	for (uint32_t n = 0; !turn_is_over(s, n) && !ended(s) && session_reads(s); n++) {
		rc = lines_next(&l, &line, &line_len);
		if (rc == 0)
			break;
		if (rc < 0)
			bad_line(s, rc);
		else if (s->attach != NULL)
			attach_line(s->attach, line, line_len);
		else if (line_len > 0)
			cmd_run(s, line);
		if (s->out.failed)
			session_cut(s, "output exceeds its bound");
	}
	if (s->attach != NULL)
		attach_wake(s->attach);
	return ended(s) ? len : (size_t)(l.p - bytes);
}

void
session_eof(struct session *s)
{
	/* Attached and without "done": the client is gone (control.md 6.5). */
	if (s->attach == NULL)
		s->closing = true;
	else if (!attach_ending(s->attach))
		s->cut = true;
	s->attend(s);
}

void
session_mute(struct session *s)
{
	buf_fini(&s->out);
	buf_init(&s->out, CTL_OUT_MAX);
	s->sent = 0;
}

void
session_sent(struct session *s, size_t n)
{
	s->sent += n;
	if (s->sent == s->out.len) {
		s->sent = 0;
		if (s->out.cap > CTL_OUT_KEEP)
			session_mute(s);
		else
			buf_reset(&s->out);
	} else if (s->sent >= CTL_OUT_MARK && s->sent >= s->out.len / 2) {
		buf_consume(&s->out, s->sent);
		s->sent = 0;
	}
	if (s->attach != NULL)
		attach_drained(s->attach);
}

bool
session_work(struct session *s)
{
	return s->attach != NULL && !s->cut && attach_work(s->attach);
}

bool
session_drop(struct session *s, uint32_t max)
{
	s->cut = true;
	return s->attach == NULL || attach_drop(s->attach, max);
}

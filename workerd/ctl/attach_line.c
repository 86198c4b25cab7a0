#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/strnum.h"
#include "proto/line.h"
#include "workerd/ctl/attach_priv.h"
#include "workerd/ctl/session.h"
#include "workerd/slice/slice.h"

/* What an attached client says (control.md section 6.2). */

/* Within what its user and its slice may have? */
static int
begin(const struct session *s, const char *method, struct errbuf *reterr)
{
	uint32_t max = s->env->tasks_uid_max;

	if (s->peer->tasks >= max)
		return errbuf_set(reterr, -EDQUOT,
		    "this user: %u measurements" LINE_LIMIT_RUNNING, max);
	/* Most slices have no hourly limit, and need no clock. */
	return slice_begin(s->slice, method, s->slice->conf->hourly == 0 ? 0 : clock_mono(), reterr);
}

static void
accept_task(struct attach *a, struct meas *m)
{
	struct session *s = a->session;
	struct task *t = &m->task;
	struct errbuf err = { "" };
	int rc;

	if (begin(s, m->type->name, &err) != 0) {
		session_reply(s, "ERR command not accepted: %s", err.text);
		m->type->free(m);
		return;
	}
	/* After 2^32 commands ids begin again; one that still runs is passed over. */
	do {
		t->id = a->next_id++;
		rc = t->id == 0 ? -EEXIST : idtab_put(&a->ids, t->id, t);
	} while (rc == -EEXIST);
	if (rc != 0) {
		a->next_id--;
		session_reply(s, "ERR command not accepted: out of memory");
		slice_ended(s->slice);
		m->type->free(m);
		return;
	}
	s->peer->tasks++;
	attach_enqueue(a, t);
	buf_bytes(&s->out, "OK id-", 6);
	buf_dec(&s->out, t->id);
	buf_u8(&s->out, '\n');
}

static void
line_command(struct attach *a, const char *line)
{
	struct session_env *env = a->session->env;
	size_t len = strcspn(line, " ");
	int i = line[len] == ' ' ? session_env_type(env, line, len) : -1;
	const struct meas_type *type;
	struct errbuf err = { "" };
	struct meas *m = NULL;

	if (i < 0) {
		session_reply(a->session, "ERR command not accepted: could not determine command type");
		return;
	}
	type = env->cfg.types[i];
	env->envs[i].owner = a->session->slice->conf->name;
	if (type->parse(type, &env->envs[i], line + len + 1, &m, &err) != 0) {
		session_reply(a->session, "ERR command not accepted: %s", err.text);
		return;
	}
	accept_task(a, m);
}

static void
line_halt(struct attach *a, const char *arg)
{
	struct session *s = a->session;
	struct task *t;
	uint32_t id;
	int rc;

	arg += strspn(arg, " ");
	rc = strnum_u32(arg, 1, UINT32_MAX, &id);
	if (rc == -EINVAL) {
		session_reply(s, "ERR usage: halt [id]");
		return;
	}
	if (rc != 0) {
		session_reply(s, "ERR halt number invalid");
		return;
	}
	t = idtab_get(&a->ids, id);
	if (t == NULL) {
		session_reply(s, "ERR no task id-%u", id);
		return;
	}
	session_reply(s, "OK halted %u", id);
	attach_halt_task(a, t);
}

void
attach_line(struct attach *a, char *line, size_t len)
{
	if (len == 0)
		return;
	if (len == 4 && strcasecmp(line, "done") == 0) {
		session_reply(a->session, "OK");
		attach_end(a);
	} else if (strncasecmp(line, "halt ", 5) == 0) {
		line_halt(a, line + 5);
	} else {
		line_command(a, line);
	}
}

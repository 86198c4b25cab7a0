#include "workerd/ctl/cmd.h"
#include "workerd/ctl/session.h"

/* Every type that keeps shared sets is asked; one that has it is enough. */
static bool
clear(struct session_env *env, const char *name)
{
	const struct meas_type *const *types = env->cfg.types;
	bool found = false;

	for (size_t i = 0; types[i] != NULL; i++) {
		if (types[i]->shared_clear != NULL && types[i]->shared_clear(env->envs[i].shared, name) == 0)
			found = true;
	}
	return found;
}

/* control.md 2.3. Each slice has its own sets; those of this name are emptied,
 * whose they may be, which changes what others' traces find. */
void
cmd_lss_clear(struct session *s, char *rest)
{
	if (*rest == '\0')
		session_reply(s, "ERR usage: lss-clear [lss-name]");
	else if (!session_operator(s))
		session_reply(s, "ERR not permitted: lss-clear is for operators");
	else if (clear(s->env, rest))
		session_reply(s, "OK lss-clear %s", rest);
	else
		session_reply(s, "ERR lss-clear %s failed", rest);
}

#include "workerd/ctl/sources.h"

#include "workerd/ctl/session.h"

void
sources_changed(struct session_env *env)
{
	sources_commit(env);
}

void
sources_commit(struct session_env *env)
{
	/* What could not be written has been said, and waits on. */
	(void)outfiles_flush(&env->files);
}

#include "workerd/ctl/reconf.h"

#include <errno.h>
#include <stdlib.h>

#include "common/conf.h"
#include "workerd/ctl/roster.h"
#include "workerd/ctl/session.h"
#include "workerd/probe/engine.h"
#include "workerd/slice/slice.h"

/* The same slice, as others had it; NULL: they had none of that name. */
static const struct slice *
find_slice(struct slices *all, const char *name)
{
	int number = slices_find(all, name);

	return number < 0 ? NULL : slices_get(all, (uint32_t)number);
}

/* The shares behind the slices that go have no source any more. */
static void
drop_old(struct session_env *env, struct slices *slices, struct share *shares, bool own)
{
	for (uint32_t i = 1; i < slices_count(slices); i++)
		share_fini(&shares[i], env->engine);
	free(shares);
	if (own)
		slices_free(slices);
}

static void
take_slices(struct session_env *env, struct slices *slices, struct share *shares)
{
	struct slices *old_slices = env->slices;
	struct share *old_shares = env->shares;
	bool own = env->own_slices;

	slices_inherit(slices, old_slices);
	for (uint32_t i = 1; i < slices_count(slices); i++) {
		const struct slice *was = find_slice(old_slices, slices_get(slices, i)->conf->name);

		if (was != NULL)
			share_inherit(&shares[i], &old_shares[was->number]);
	}
	env->slices = slices;
	env->shares = shares;
	env->own_slices = true;
	if (env->on_slices != NULL)
		env->on_slices(env);
	for (struct roster_entry *r = env->roster; r != NULL; r = r->next) {
		r->slice = r->ops->reslice(r);
		source_share(r->source, session_env_share(env, r->slice));
	}
	drop_old(env, old_slices, old_shares, own);
}

int
reconf_apply(struct session_env *env, const struct conf *conf, struct errbuf *reterr)
{
	struct engine_config cfg = *engine_config_get(env->engine);
	struct slices *slices;
	struct share *shares;
	int rc = slices_new(conf, env->cfg.uid, &slices, reterr);

	if (rc != 0)
		return rc;
	shares = session_env_make_shares(env, slices);
	if (shares == NULL) {
		slices_free(slices);
		return errbuf_set(reterr, -ENOMEM, "out of memory");
	}
	take_slices(env, slices, shares);
	cfg.pps = conf->pps;
	cfg.window = conf->window;
	cfg.hold_s = conf->hold_s;
	cfg.nameserver = conf->nameserver;
	engine_configure(env->engine, &cfg);
	env->cfg.wake(env->cfg.ctx);
	return 0;
}

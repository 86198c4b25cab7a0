#include "common/conf_check.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "common/prefixes.h"
#include "common/strnum.h"
#include "common/users.h"

struct check {
	bool thorough;
	struct prefixes dnp;
	struct conf_line tcp; /* where tcp-slice was said; number 0: nowhere */
};

static int
find_user(const char *name, uint32_t *ret, struct errbuf *reterr)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL)
		return errbuf_set(reterr, -ENOENT, "no user '%s'", name);
	*ret = pw->pw_uid;
	return 0;
}

static int
find_group(const char *name, uint32_t *ret, struct errbuf *reterr)
{
	const struct group *gr = getgrnam(name);

	if (gr == NULL)
		return errbuf_set(reterr, -ENOENT, "no group '%s'", name);
	*ret = gr->gr_gid;
	return 0;
}

/* A name becomes its number, in place, and a number is written as all others
 * are. The last id is "no one" to the kernel. */
static int
to_number(char name[CONF_NAME_MAX], bool group, const char *word, struct errbuf *reterr)
{
	struct errbuf why = { "" };
	uint32_t id;
	int rc;

	rc = strnum_u32(name, 0, UINT32_MAX - 1, &id);
	if (rc != 0)
		rc = group ? find_group(name, &id, &why) : find_user(name, &id, &why);
	if (rc != 0)
		return errbuf_set(reterr, rc, "%s: %s", word, why.text);
	(void)snprintf(name, CONF_NAME_MAX, "%" PRIu32, id);
	return 0;
}

/* The last one; those before it have been seen to. */
static int
member_to_number(struct conf_slices *all, struct errbuf *reterr)
{
	struct conf_member *m = &all->member[all->members - 1];
	char name[CONF_NAME_MAX];
	int rc;

	memcpy(name, m->name, sizeof(name));
	rc = to_number(m->name, m->group, "slice", reterr);
	/* By its name and by its number is twice. */
	for (uint32_t i = 0; rc == 0 && i + 1 < all->members; i++) {
		if (all->member[i].group == m->group && strcmp(all->member[i].name, m->name) == 0)
			rc = errbuf_set(reterr, -EEXIST, "slice: %s '%s' belongs to slice '%s' already",
			    m->group ? "group" : "user", name, all->slice[all->member[i].slice].name);
	}
	return rc;
}

/* Words that name what this machine must have. */
static int
look_at(struct check *c, const struct conf_line *l, struct errbuf *reterr)
{
	uint32_t id;

	if (strcmp(l->word, "dnp") == 0)
		return prefixes_read(&c->dnp, l->value, reterr);
	if (strcmp(l->word, "user") == 0 || strcmp(l->word, "privd-user") == 0)
		return find_user(l->value, &id, reterr);
	if (strcmp(l->word, "group") == 0 || strcmp(l->word, "privd-group") == 0)
		return find_group(l->value, &id, reterr);
	return 0;
}

static int
on_line(void *ctx, struct conf *conf, const struct conf_line *l, struct errbuf *reterr)
{
	struct check *c = ctx;

	if (strcmp(l->word, "operators") == 0)
		return to_number(conf->operators, true, "operators", reterr);
	if (strcmp(l->word, "tcp-slice") == 0)
		c->tcp = *l;
	/* A line that names a user or group has added the last member. */
	if (strcmp(l->word, "slice") == 0 && conf->slices.members > 0)
		return member_to_number(&conf->slices, reterr);
	return c->thorough ? look_at(c, l, reterr) : 0;
}

/* What only the whole file can tell. */
static int
finish(struct conf *conf, const struct check *c, const char *path, struct errbuf *reterr)
{
	const struct group *gr;

	if (conf_slice_find(&conf->slices, conf->tcp_slice) < 0)
		return errbuf_set(reterr, -EINVAL, "%s:%u:%u: tcp-slice: no slice '%s'", path, c->tcp.number,
		    c->tcp.column, conf->tcp_slice);
	/* Without the default group there are root and the worker's user alone. */
	gr = conf->operators[0] == '\0' ? getgrnam(conf->group) : NULL;
	if (gr != NULL)
		(void)snprintf(conf->operators, sizeof(conf->operators), "%" PRIu32, (uint32_t)gr->gr_gid);
	return 0;
}

static int
load(struct conf *conf, struct check *c, const char *path, bool may_lack, struct errbuf *reterr)
{
	int rc;

	conf_init(conf);
	rc = conf_read_each(conf, path, on_line, c, reterr);
	prefixes_fini(&c->dnp);
	if (rc != 0 && !(rc == -ENOENT && may_lack))
		return rc;
	return finish(conf, c, path, reterr);
}

int
conf_load(struct conf *conf, const char *path, bool may_lack, struct errbuf *reterr)
{
	struct check c = { .thorough = false };

	return load(conf, &c, path, may_lack, reterr);
}

int
conf_check(struct conf *conf, const char *path, bool may_lack, struct errbuf *reterr)
{
	struct check c = { .thorough = true };
	struct ids worker, helper;
	struct errbuf why = { "" };
	int rc = load(conf, &c, path, may_lack, reterr);

	if (rc != 0)
		return rc;
	rc = users_find(conf->user, conf->group, &worker, &why);
	if (rc == 0)
		rc = users_find(conf->privd_user, conf->privd_group, &helper, &why);
	if (rc == 0 && worker.uid == helper.uid)
		rc = errbuf_set(&why, -EINVAL, "user and privd-user must not be the same");
	return rc == 0 ? 0 : errbuf_set(reterr, rc, "%s: %s", path, why.text);
}

#include "workerd/slice/slice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/strnum.h"
#include "proto/line.h"

#define HOUR_NS (3600 * NSEC_PER_SEC)
#define NUMBER_OPERATORS 0
#define NUMBER_DEFAULT 1

struct member {
	uint32_t id; /* of the user or group */
	uint32_t slice;
	bool group;
};

struct slices {
	struct conf_slices conf;
	uid_t uid; /* an operator, like root */
	gid_t operators;
	bool has_operators; /* the group exists */
	uint32_t tcp;
	struct member member[CONF_MEMBERS_MAX];
	struct slice slice[CONF_SLICES_MAX];
};

const char *const slice_limit_names[SLICE_LIMITS] = { "methods", "running", "hourly" };

/* ---- who is who ---- */

static int
look_up_members(struct slices *all, struct errbuf *reterr)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < all->conf.members; i++) {
		const struct conf_member *m = &all->conf.member[i];

		all->member[i] = (struct member){ .slice = m->slice, .group = m->group };
		/* The last id is "no one" to the kernel. */
		if (strnum_u32(m->name, 0, UINT32_MAX - 1, &all->member[i].id) != 0)
			rc = errbuf_set(reterr, -EINVAL, "slice: '%s' is no number of a %s", m->name,
			    m->group ? "group" : "user");
		/* By its name and by its number is twice. */
		for (uint32_t k = 0; rc == 0 && k < i; k++) {
			if (all->member[k].group == m->group && all->member[k].id == all->member[i].id)
				rc = errbuf_set(reterr, -EINVAL, "slice: %s '%s' belongs to two slices",
				    m->group ? "group" : "user", m->name);
		}
	}
	return rc;
}

/* Without a group there are root and the worker's user alone. */
static int
look_up_operators(struct slices *all, const char *name, struct errbuf *reterr)
{
	all->has_operators = name[0] != '\0';
	if (!all->has_operators || strnum_u32(name, 0, UINT32_MAX - 1, &all->operators) == 0)
		return 0;
	return errbuf_set(reterr, -EINVAL, "operators: '%s' is no number of a group", name);
}

static int
configure(struct slices *all, const struct conf *conf, struct errbuf *reterr)
{
	int rc = conf_slice_find(&conf->slices, conf->tcp_slice);

	if (rc < 0)
		return errbuf_set(reterr, -EINVAL, "tcp-slice: no slice '%s'", conf->tcp_slice);
	all->tcp = (uint32_t)rc;
	all->conf = conf->slices;
	rc = look_up_operators(all, conf->operators, reterr);
	return rc != 0 ? rc : look_up_members(all, reterr);
}

int
slices_new(const struct conf *conf, uid_t uid, struct slices **ret, struct errbuf *reterr)
{
	struct slices *all = calloc(1, sizeof(*all));
	int rc = 0;

	if (all == NULL)
		return errbuf_set(reterr, -ENOMEM, "out of memory");
	all->uid = uid;
	all->tcp = NUMBER_DEFAULT;
	if (conf == NULL)
		conf_slices_init(&all->conf);
	else
		rc = configure(all, conf, reterr);
	if (rc != 0) {
		slices_free(all);
		return rc;
	}
	for (uint32_t i = 0; i < all->conf.count; i++)
		all->slice[i] = (struct slice){ .conf = &all->conf.slice[i], .number = i };
	all->slice[NUMBER_OPERATORS].operators = true;
	*ret = all;
	return 0;
}

void
slices_inherit(struct slices *all, const struct slices *from)
{
	for (uint32_t i = 0; i < all->conf.count; i++) {
		int was = conf_slice_find(&from->conf, all->conf.slice[i].name);
		struct slice *s = &all->slice[i];

		if (was < 0)
			continue;
		s->hour = from->slice[was].hour;
		s->hour_used = from->slice[was].hour_used;
		s->accepted = from->slice[was].accepted;
		memcpy(s->refused, from->slice[was].refused, sizeof(s->refused));
	}
}

void
slices_free(struct slices *all)
{
	free(all);
}

uint32_t
slices_count(const struct slices *all)
{
	return all->conf.count;
}

struct slice *
slices_get(struct slices *all, uint32_t number)
{
	return &all->slice[number];
}

int
slices_find(const struct slices *all, const char *name)
{
	return conf_slice_find(&all->conf, name);
}

static const struct member *
member_find(const struct slices *all, bool group, uint32_t id)
{
	for (uint32_t i = 0; i < all->conf.members; i++) {
		if (all->member[i].group == group && all->member[i].id == id)
			return &all->member[i];
	}
	return NULL;
}

struct slice *
slices_of_user(struct slices *all, uid_t uid, const gid_t *groups, uint32_t count)
{
	const struct member *m;

	if (uid == 0 || uid == all->uid)
		return &all->slice[NUMBER_OPERATORS];
	for (uint32_t i = 0; all->has_operators && i < count; i++) {
		if (groups[i] == all->operators)
			return &all->slice[NUMBER_OPERATORS];
	}
	m = member_find(all, false, uid);
	for (uint32_t i = 0; m == NULL && i < count; i++)
		m = member_find(all, true, groups[i]);
	return &all->slice[m != NULL ? m->slice : NUMBER_DEFAULT];
}

struct slice *
slices_of_tcp(struct slices *all)
{
	return &all->slice[all->tcp];
}

struct slice *
slices_of_operators(struct slices *all)
{
	return &all->slice[NUMBER_OPERATORS];
}

/* ---- what it may do ---- */

/* Is it a word of the list? An empty list is all. */
static bool
method_allowed(const char *list, const char *method)
{
	size_t len = strlen(method);

	if (list[0] == '\0')
		return true;
	for (const char *p = list; *p != '\0'; p += strspn(p, ",")) {
		size_t n = strcspn(p, ",");

		if (n == len && strncmp(p, method, n) == 0)
			return true;
		p += n;
	}
	return false;
}

/* 0, or the seconds until the next hour begins for this slice. */
static uint32_t
hour_full(struct slice *s, nsec_t now)
{
	if (s->hour_used == 0 || now - s->hour >= HOUR_NS) {
		s->hour = now;
		s->hour_used = 0;
	}
	if (s->hour_used < s->conf->hourly)
		return 0;
	return (uint32_t)((s->hour + HOUR_NS - now + NSEC_PER_SEC - 1) / NSEC_PER_SEC);
}

static int
refuse(struct slice *s, enum slice_limit limit)
{
	s->refused[limit]++;
	return limit == SLICE_METHOD ? -EPERM : -EDQUOT;
}

int
slice_begin(struct slice *s, const char *method, nsec_t now, struct errbuf *reterr)
{
	const struct conf_slice *c = s->conf;
	uint32_t wait;

	if (!method_allowed(c->methods, method))
		return errbuf_set(reterr, refuse(s, SLICE_METHOD), "slice %s: methods %s, not %s", c->name, c->methods,
		    method);
	if (c->running != 0 && s->running >= c->running)
		return errbuf_set(reterr, refuse(s, SLICE_RUNNING),
		    "slice %s: running %u" LINE_LIMIT_RUNNING, c->name, c->running);
	if (c->hourly != 0) {
		wait = hour_full(s, now);
		if (wait != 0)
			return errbuf_set(reterr, refuse(s, SLICE_HOURLY),
			    "slice %s: hourly %u" LINE_LIMIT "in %u seconds", c->name, c->hourly, wait);
		s->hour_used++;
	}
	s->running++;
	s->accepted++;
	return 0;
}

void
slice_ended(struct slice *s)
{
	s->running--;
}

#ifndef VANTAGE_WORKERD_SLICE_SLICE_H
#define VANTAGE_WORKERD_SLICE_SLICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/conf.h"
#include "common/err.h"
#include "common/nsec.h"

/*
 * Slices: who may have how much of this vantage point. A slice is a configured
 * set of users and groups with a number, a name and limits; each client belongs
 * to one, by the kernel's word of who it is. The rate and its fair division are
 * the engine's; here is what can be refused, and what has been.
 */

enum slice_limit {
	SLICE_METHOD = 0, /* it may not run this kind of measurement */
	SLICE_RUNNING,	  /* too many of its measurements have not ended */
	SLICE_HOURLY,	  /* too many in this hour */
	SLICE_LIMITS,
};

/* Their names, in the configuration file and in status. */
extern const char *const slice_limit_names[SLICE_LIMITS];

struct slice {
	const struct conf_slice *conf;
	uint32_t number;
	bool operators; /* its users may do all */
	uint32_t clients;
	uint32_t running; /* measurements accepted and not yet ended */
	uint32_t hour_used;
	nsec_t hour; /* when it began (mono) */
	uint64_t accepted;
	uint64_t refused[SLICE_LIMITS];
};

struct slices;

/*
 * From the configuration, NULL for none: operators (root, uid, the configured
 * group) and the default for everybody else. Names of users and groups are
 * numbers (conf_load): nothing is looked up. The configuration is copied.
 * -EINVAL: with the sentence; -ENOMEM.
 */
int slices_new(const struct conf *, uid_t uid, struct slices **ret, struct errbuf *reterr);
void slices_free(struct slices *);
/* Those of the same name go on counting where others, which it replaces, are;
 * but for clients and running, which come over one by one. */
void slices_inherit(struct slices *, const struct slices *from);

uint32_t slices_count(const struct slices *);
struct slice *slices_get(struct slices *, uint32_t number);
/* A number by a name, or -ENOENT. */
int slices_find(const struct slices *, const char *name);
/* Whose a local client is: its user, else the first of its groups that has
 * one, else the default. */
struct slice *slices_of_user(struct slices *, uid_t uid, const gid_t *groups, uint32_t count);
struct slice *slices_of_tcp(struct slices *);
struct slice *slices_of_operators(struct slices *);

/*
 * May it begin one more of this kind? 0, and it counts until slice_ended. Else
 * -EPERM or -EDQUOT, counted, with the sentence: which limit, how much is left,
 * when to come again. now is read only where there is an hourly limit.
 */
int slice_begin(struct slice *, const char *method, nsec_t now, struct errbuf *reterr);
void slice_ended(struct slice *);

#endif

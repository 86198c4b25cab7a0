#ifndef VANTAGE_WORKERD_CTL_MANAGED_PRIV_H
#define VANTAGE_WORKERD_CTL_MANAGED_PRIV_H

#include "workerd/ctl/managed.h"

/* What managed.c and managed_task.c share; nobody else includes it. */

/* Skipped lines of a cycle that are logged, each. */
#define MANAGED_BAD_SAID 5

/* Its tasks, for the engine. */
extern const struct source_ops managed_source_ops;

/* The engine may have tasks again. */
void managed_wake(struct managed *);
/* rc is what became of a record, what its name in the log. */
void managed_written(struct managed *, const char *what, int rc);
/* Something has ended: perhaps the cycle has, or all. */
void managed_settle(struct managed *);

#endif

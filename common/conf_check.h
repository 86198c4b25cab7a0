#ifndef VANTAGE_COMMON_CONF_CHECK_H
#define VANTAGE_COMMON_CONF_CHECK_H

#include <stdbool.h>

#include "common/conf.h"
#include "common/err.h"

/*
 * The configuration with what it names: users and groups are looked up in the
 * system's files, where operators and slices have numbers instead of names
 * afterwards. A process that can no longer open those files can use numbers
 * alone. Errors say file:line:column.
 *
 * The file may be missing when may_lack is true: then the defaults hold.
 */
int conf_load(struct conf *, const char *path, bool may_lack, struct errbuf *reterr);

/* The same, and all else that a start would find wrong: that both processes'
 * users are there, and that do-not-probe files can be read. */
int conf_check(struct conf *, const char *path, bool may_lack, struct errbuf *reterr);

#endif

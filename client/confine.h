#ifndef VANTAGE_CLIENT_CONFINE_H
#define VANTAGE_CLIENT_CONFINE_H

#include "common/err.h"

/*
 * From here on this process only reads and writes what it has open: it opens,
 * makes, removes and runs nothing. What it decodes comes from a worker that may
 * have been captured, and with a private pair it runs as root. removable is the
 * one file that may still be unlinked, or NULL. A kernel without Landlock keeps
 * the rest: no capability but the one to end the pair, none to be gained.
 * 0, or a negative errno with its sentence.
 */
int confine_self(const char *removable, struct errbuf *reterr);

#endif

#ifndef VANTAGE_WORKERD_CTL_RESTORE_H
#define VANTAGE_WORKERD_CTL_RESTORE_H

#include <stdbool.h>

#include "common/buf.h"

/*
 * The text of the state file: a line for each output file, then one for each
 * managed source, words as the control protocol quotes them.
 *
 *   outfile <alias> <path> <format> <bytes before> <bytes after the commit>
 *   source <name> <descr> <command> <list> <outfile or ""> <list id> <cycle id>
 *     <priority> <cycles> <autoreload> <uid> <in cycle> <start>
 *     <offset> <line> <bits>
 */
struct managed;
struct session_env;

/* Fails the buffer when a text has no quoted form. */
void state_text_put(struct buf *, const struct session_env *);
/* It has one, and is no longer than SOURCE_TEXT_MAX allows. */
bool state_can_hold(const char *text);
void state_source_put(struct buf *, const struct managed *);

#endif

#ifndef VANTAGE_CLIENT_TARGET_H
#define VANTAGE_CLIENT_TARGET_H

#include <stddef.h>

#include "common/addr.h"
#include "common/buf.h"
#include "common/err.h"

/*
 * A line of a target file becomes a command (control.md section 1.5). The line
 * may be cut in place.
 */
enum target_form {
	TARGET_ADDRESS, /* an address; the default command is put before it */
	TARGET_COMMAND, /* a complete command, up to '#' */
	TARGET_OPERAND, /* a complete command, the whole text */
	TARGET_TSPS,    /* one to five IPv4 addresses: a ping with prespecified timestamps */
};

/*
 * Appends the command and a newline to out. 1; 0 for a blank or comment line;
 * -EINVAL with the reason. *ret_dst is where the probes will go, family NONE
 * when that is left for the service to find.
 */
int target_command(enum target_form, const char *command, char *line, size_t len, struct buf *out,
    struct addr *ret_dst, struct errbuf *reterr);

#endif

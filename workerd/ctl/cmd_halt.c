#include "workerd/ctl/cmd.h"
#include "workerd/ctl/roster.h"
#include "workerd/ctl/session.h"

/* Of a source as a whole, from any connection of its user's; one task is halted
 * where it was asked for (control.md 6.2). What is another's is not there. */
void
cmd_halt(struct session *s, char *rest)
{
	struct roster_entry *r;

	if (*rest == '\0') {
		session_reply(s, "ERR usage: halt [source]");
		return;
	}
	r = roster_find(s, rest);
	if (r == NULL)
		session_reply(s, "ERR no source '%s'", rest);
	else
		session_reply(s, "OK halted %u of '%s'", r->ops->halt(r), rest);
}

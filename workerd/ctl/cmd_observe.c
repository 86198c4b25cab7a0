#include "proto/line.h"
#include "workerd/ctl/cmd.h"
#include "workerd/ctl/observe.h"
#include "workerd/ctl/session.h"

void
cmd_observe(struct session *s, char *rest)
{
	if (!line_word_is(rest, "sources")) {
		session_reply(s, "ERR usage: observe [sources]");
		return;
	}
	observe_begin(s);
	session_reply(s, "OK");
}

#include "workerd/ctl/cmd.h"
#include "workerd/ctl/session.h"

void
cmd_exit(struct session *s, char *rest)
{
	(void)rest;
	s->closing = true;
	s->attend(s);
}

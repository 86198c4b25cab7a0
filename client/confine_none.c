#include "client/confine.h"

/* In builds with sanitizers, whose leak check opens files at the exit. */
int
confine_self(const char *removable, struct errbuf *reterr)
{
	(void)removable;
	(void)reterr;
	return 0;
}

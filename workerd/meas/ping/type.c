#include <stdlib.h>

#include "workerd/meas/ping/ping.h"

/* A hundred thousand of these run at once: with malloc's own 8 bytes, 288. */
_Static_assert(sizeof(struct ping) <= 280, "a running ping has grown");

static const void *
result(const struct meas *m)
{
	const struct ping *p = (const struct ping *)m;

	return &p->rec;
}

void
ping_free(struct meas *m)
{
	struct ping *p = (struct ping *)m;

	if (p == NULL)
		return;
	ping_record_fini(&p->rec);
	if (p->has_more)
		ping_more_fini(ping_more(p));
	free(p);
}

const struct meas_type ping_type = {
	.name = "ping",
	.args = ping_args,
	.record = &ping_record_type,
	.parse = ping_parse,
	.claims = ping_claims,
	.result = result,
	.free = ping_free,
};

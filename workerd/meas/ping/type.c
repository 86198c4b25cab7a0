#include <stdlib.h>

#include "workerd/meas/ping/ping.h"

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
	ping_more_free(p->more);
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

#include <errno.h>
#include <stdlib.h>

#include "workerd/meas/trace/trace.h"

/* After the gap limit: does the destination answer to a probe that no router
 * on the way should stop? The stop reason stays what it is. */

#define LASTDITCH_TTL 255

void
lastditch_enter(struct trace *t, const struct instant *now)
{
	struct trace_rare *rare = trace_record_rare(&t->rec);

	if (rare == NULL || (rare->lastditch = calloc(1, sizeof(*rare->lastditch))) == NULL) {
		trace_fail(t, -ENOMEM, "out of memory", now);
		return;
	}
	visit_begin(t, LASTDITCH_TTL, now);
}

void
lastditch_hop_over(struct trace *t, const struct instant *now)
{
	trace_advance(t, now);
}

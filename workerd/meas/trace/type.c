#include "workerd/meas/trace/stopset.h"
#include "workerd/meas/trace/trace.h"

static uint32_t
claims(const struct meas *m, struct claim *ret, uint32_t max)
{
	const struct trace *t = (const struct trace *)m;

	/* A port that is to be chosen is claimed when it has been. */
	if (max == 0 || t->choose_port)
		return 0;
	trace_claim(&t->rec, t->rec.sport != 0 ? t->rec.sport : task_default_sport(&m->task), ret);
	return 1;
}

static const void *
result(const struct meas *m)
{
	const struct trace *t = (const struct trace *)m;

	return &t->rec;
}

const struct meas_type trace_type = {
	.name = "trace",
	.args = trace_args,
	.record = &trace_record_type,
	.parse = trace_parse,
	.claims = claims,
	.result = result,
	.free = trace_free,
	.shared_new = stopsets_new,
	.shared_free = stopsets_free,
	.shared_clear = stopsets_clear,
};

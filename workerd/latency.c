#include "workerd/latency.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/nsec.h"

/* The shortest slice that the kernel grants. */
#define SLICE_NS (100 * NSEC_PER_USEC)

void
latency_want(void)
{
	struct sched_attr attr = { .size = sizeof(attr), .sched_policy = SCHED_NORMAL };

	attr.sched_runtime = (uint64_t)SLICE_NS;
	/* Refused by older kernels: then the pace is a little less even. */
	(void)syscall(SYS_sched_setattr, 0, &attr, 0);
}

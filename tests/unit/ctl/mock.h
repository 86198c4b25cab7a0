#ifndef VANTAGE_TESTS_UNIT_CTL_MOCK_H
#define VANTAGE_TESTS_UNIT_CTL_MOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "workerd/meas/meas.h"
#include "workerd/probe/engine.h"

/*
 * Measurements whose end the test decides, and an engine that reaches nothing:
 *
 *   now TARGET      ends when it starts
 *   wait TARGET     ends when it is halted, or after an hour
 *   hold TARGET     the same, but one to a target at a time
 *   step N TARGET   reports progress N times, one probe each, then ends
 *
 * Their records are pings.
 */
extern const struct meas_type *const mock_types[];

struct mock_net {
	struct engine *engine;
	struct instant now;
	uint64_t sent;
	uint32_t wakes;
	uint32_t seed;
};

/* Measurements that parse made and free has not yet seen. */
extern int mock_alive;

int mock_net_init(struct mock_net *, uint32_t pps);
void mock_net_fini(struct mock_net *);
/* Advances the clock and runs the engine until it has nothing to do now. */
void mock_net_run(struct mock_net *, nsec_t advance);
/* As many copies of a line as fit. */
void mock_lines(char *to, size_t cap, const char *line);
/* For struct ctl_config. */
void mock_net_wake(void *);

#endif

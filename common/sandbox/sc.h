#ifndef VANTAGE_COMMON_SANDBOX_SC_H
#define VANTAGE_COMMON_SANDBOX_SC_H

#include <stdint.h>
#include <stdio.h>

#include "common/err.h"

/*
 * A system call filter as a table with a reason in each row; both processes
 * have one. What no row names kills the process (or, in a development build,
 * traps and names the call). Rows of one call are alternatives.
 */
#define SC_ARGS_MAX 3

enum sc_cmp { SC_NONE = 0, SC_EQ, SC_MASKED_EQ };

struct sc_arg {
	enum sc_cmp cmp;
	uint8_t index;
	uint64_t mask; /* SC_MASKED_EQ */
	uint64_t value;
};

struct sc_rule {
	int nr; /* __NR_...; the table ends at a row without a name */
	const char *name;
	struct sc_arg arg[SC_ARGS_MAX];
	const char *why;
};

#define SC_ALLOW(call, why)                                                                                  \
	{                                                                                                    \
		__NR_##call, #call, { { 0 } }, why                                                        \
	}
#define SC_ALLOW_IF(call, why, ...)                                                                          \
	{                                                                                                    \
		__NR_##call, #call, { __VA_ARGS__ }, why                                                  \
	}
#define SC_ARG(i, v)                                                                                         \
	{                                                                                                    \
		SC_EQ, i, 0, v                                                                               \
	}
#define SC_MASK(i, m, v)                                                                                     \
	{                                                                                                    \
		SC_MASKED_EQ, i, m, v                                                                        \
	}

/* Loads it into this process, with no_new_privs; there is no way back. */
int sc_load(const struct sc_rule *, struct errbuf *reterr);

/* A line for each row; then how many names there are. */
void sc_print(FILE *, const struct sc_rule *);

#endif

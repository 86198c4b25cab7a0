#ifndef VANTAGE_WORKERD_MEAS_TRACE_OPTS_H
#define VANTAGE_WORKERD_MEAS_TRACE_OPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "workerd/ctl/args.h"
#include "workerd/meas/trace/stopset.h"

/* The options of a trace as they were typed. */

#define TRACE_ABSENT (-1) /* not a value of the option: it was not given */

/* Words of -O, as bits. */
#define TRACE_O_BACK 0x01
#define TRACE_O_CONSTPAYLOAD 0x02
#define TRACE_O_DL 0x04
#define TRACE_O_NOBACK 0x08
#define TRACE_O_PTR 0x10
#define TRACE_O_RAW 0x20

#define TRACE_PAYLOAD_MAX 4096

struct trace_opts {
	int64_t confidence;
	int64_t dport;
	int64_t firsthop;
	int64_t gaplimit;
	int64_t gapaction;
	int64_t hop_spacing_us;
	int64_t loops;
	int64_t hoplimit;
	int64_t squeries;
	int64_t offset;
	int64_t method;
	int64_t attempts;
	int64_t sport;
	int64_t tos;
	int64_t userid;
	int64_t wait_us;
	int64_t wait_probe_us;
	int64_t progress;
	struct arg_str payload;
	struct arg_str lss;
	struct addr router;
	struct addr src;
	struct addr_set *gss; /* made by the first -z; handed to the trace */
	uint32_t words;
	bool pmtud;
	bool allattempts;
	bool ignorettldst;
};

/* Do the options go together, and with this destination? NULL, or why not. */
const char *trace_opts_check(const struct trace_opts *, const struct addr *dst);

#endif

#ifndef VANTAGE_TESTS_SIM_SIM_PING_H
#define VANTAGE_TESTS_SIM_SIM_PING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proto/record/ping.h"
#include "sim.h"

/* What the tests of ping share. */

/* Three routers, then any destination that answers. */
#define NET "ttl 1: 192.0.2.1 2001:db8::1; ttl 2: 192.0.2.2 2001:db8::2; ttl 3: 192.0.2.3 2001:db8::3;"
#define DST "198.51.100.9"
#define DST6 "2001:db8:9::9"

static inline const struct ping_record *
ping_result(const struct sim *net)
{
	return sim_record(net);
}

static inline const struct pkt *
ping_probe(const struct sim *net, uint32_t n)
{
	return &sim_packet(net, n)->pkt;
}

static inline void
assert_addr(const struct addr *a, const char *text)
{
	char got[ADDR_STRLEN];

	assert_string_equal(addr_format(a, got), text);
}

/* A network on which one ping has run. */
__attribute__((format(printf, 2, 3))) static inline struct sim *
ping_sim(const char *topology, const char *fmt, ...)
{
	struct sim *net = sim_new(topology);
	char command[2200] = "ping ";
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(command + 5, sizeof(command) - 5, fmt, ap);
	va_end(ap);
	sim_run(net, command);
	return net;
}

#endif

#include "trace_util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void
util_assert_addr(const struct addr *a, const char *text)
{
	char got[ADDR_STRLEN];

	assert_string_equal(addr_format(a, got), text);
}

const struct trace_record *
util_record(struct sim *net)
{
	return sim_record(net);
}

const struct trace_record *
util_trace(struct sim *net, const char *command)
{
	sim_run(net, command);
	return sim_record(net);
}

const struct pkt *
util_probe(struct sim *net, uint32_t n)
{
	return &sim_packet(net, n)->pkt;
}

void
util_assert_stop(const struct trace_record *rec, uint8_t reason, uint8_t data)
{
	assert_int_equal(rec->stop_reason, reason);
	assert_int_equal(rec->stop_data, data);
}

uint8_t
util_ttl(const struct trace_leg *leg, uint16_t reply)
{
	return leg->probes[leg->replies[reply].probe].ttl;
}

uint32_t
util_count(const struct trace_leg *leg, uint8_t ttl)
{
	uint32_t n = 0;

	for (uint16_t i = 0; i < leg->probe_count; i++)
		n += leg->probes[i].ttl == ttl;
	return n;
}

const char *
util_hops(const struct trace_record *rec)
{
	static char text[16384];
	size_t n = 0;

	text[0] = '\0';
	for (uint16_t i = 0; i < rec->leg.reply_count && n < sizeof(text); i++) {
		char a[ADDR_STRLEN];

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u:%s", n > 0 ? " " : "",
		    util_ttl(&rec->leg, i), addr_format(&rec->leg.replies[i].from, a));
	}
	return text;
}

#include "tests/unit/ctl/lists.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/record/warts_rd.h"
#include "workerd/ctl/sources.h"

struct talk *
lists_operator(void **state)
{
	struct talk *t = *state;

	session_identify(&t->s, 0, NULL, 0);
	assert_string_equal(talk_say(t, "outfile open name out file out.warts mode truncate\n"), "OK\n");
	return t;
}

/* A list of addresses 10.x.y.z from first on. */
void
lists_put(struct talk *t, const char *name, uint32_t first, uint32_t count)
{
	FILE *f = fopen(talk_path(t, name), "w");

	assert_non_null(f);
	for (uint32_t i = first; i < first + count; i++)
		(void)fprintf(f, "10.%u.%u.%u\n", i >> 16 & 255, i >> 8 & 255, i & 255);
	assert_int_equal(fclose(f), 0);
}

/* The engine and the sources' ticks, for so many rounds of 10 ms. */
const char *
lists_run(struct talk *t, int rounds)
{
	size_t from = t->heard.len;

	for (int i = 0; i < rounds; i++) {
		(void)talk_wait(t, 10 * NSEC_PER_MSEC);
		sources_tick(&t->env, INT64_MAX);
	}
	(void)talk_wait(t, 0);
	return (const char *)t->heard.p + from;
}

/* What a file holds, a word for each record: "list cycle-start/1 ping ..."; equal
 * ones are counted: "ping*3". */
const char *
lists_content(struct talk *t, const char *name)
{
	static char text[4096];
	static uint8_t bytes[1 << 20];
	struct warts_memory mem = { bytes, 0 };
	struct warts_reader *r = warts_reader_new(warts_memory_read, &mem);
	struct errbuf err = { "" };
	struct warts_item item;
	uint32_t pings = 0;
	size_t n = 0;
	FILE *f;
	int rc;

	sources_tick(&t->env, INT64_MAX);
	f = fopen(talk_path(t, name), "r");
	assert_non_null(f);
	mem.len = fread(bytes, 1, sizeof(bytes), f);
	assert_int_equal(fclose(f), 0);
	while ((rc = warts_reader_next(r, &item, &err)) > 0 && n < sizeof(text) - 64) {
		if (item.kind != WARTS_ITEM_RECORD && pings > 0) {
			n += (size_t)snprintf(text + n, sizeof(text) - n, " ping*%u", pings);
			pings = 0;
		}
		if (item.kind == WARTS_ITEM_RECORD)
			pings++;
		else if (item.kind == WARTS_ITEM_LIST)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " list:%s", item.list->name);
		else if (item.kind == WARTS_ITEM_CYCLE_START)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " start:%u", item.cycle->id);
		else if (item.kind == WARTS_ITEM_CYCLE_DEF)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " def:%u", item.cycle->id);
		else if (item.kind == WARTS_ITEM_CYCLE_STOP)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " stop");
	}
	if (rc != 0)
		fail_msg("%s: %s", name, err.text);
	if (pings > 0)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " ping*%u", pings);
	text[n] = '\0';
	warts_reader_free(r);
	return text;
}

uint32_t
lists_count_pings(struct talk *t, const char *name)
{
	const char *p = lists_content(t, name);
	uint32_t n = 0;

	while ((p = strstr(p, "ping*")) != NULL) {
		p += 5;
		n += (uint32_t)strtoul(p, NULL, 10);
	}
	return n;
}

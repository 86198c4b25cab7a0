#include "client/view.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/jsonrd.h"

#define ROW_MAX 512
#define SOURCE_COLS 30
#define TROUBLE_MAX 3 /* output files that are told of */
#define REVERSE "\033[7m"
#define PLAIN "\033[m"

struct page {
	struct buf *out;
	uint32_t cols;
	uint32_t left; /* rows */
};

static void put_row(struct page *, bool marked, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void
put_row(struct page *p, bool marked, const char *fmt, ...)
{
	char row[ROW_MAX];
	va_list ap;

	if (p->left == 0)
		return;
	p->left--;
	va_start(ap, fmt);
	(void)vsnprintf(row, sizeof(row), fmt, ap);
	va_end(ap);
	if (p->cols < sizeof(row))
		row[p->cols] = '\0';
	buf_printf(p->out, "%s%s%s\n", marked ? REVERSE : "", row, marked ? PLAIN : "");
}

/* At most five characters: 99999, 1234k, 1234M. */
static const char *
short_number(uint64_t v, char buf[8])
{
	static const char units[] = " kMGTPE";
	uint32_t unit = 0;

	if (v <= 99999) {
		(void)snprintf(buf, 8, "%u", (unsigned)v);
		return buf;
	}
	for (; v > 9999; v /= 1000)
		unit++;
	(void)snprintf(buf, 8, "%u%c", (unsigned)v, units[unit]);
	return buf;
}

struct numbers {
	char text[8][8];
};

static const char *
number(struct numbers *n, uint32_t at, const char *object, const char *key)
{
	return short_number(json_u64(json_member(object, key)), n->text[at]);
}

static uint64_t
refused_sum(const char *slice)
{
	static const char *const limits[] = { "methods", "running", "hourly" };
	const char *refused = json_member(slice, "refused");
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		sum += json_u64(json_member(refused, limits[i]));
	return sum;
}

static void
duration(uint64_t s, char buf[24])
{
	if (s < 86400)
		(void)snprintf(buf, 24, "%02u:%02u:%02u", (unsigned)(s / 3600), (unsigned)(s / 60 % 60), (unsigned)(s % 60));
	else
		(void)snprintf(buf, 24, "%ud %02u:%02u", (unsigned)(s / 86400), (unsigned)(s / 3600 % 24),
		    (unsigned)(s / 60 % 60));
}

/* Output files that cannot be written. */
static void
put_trouble(struct page *p, const char *json)
{
	char alias[VIEW_NAME_MAX], why[VIEW_NAME_MAX];
	uint32_t shown = 0;

	for (const char *o = json_first(json_member(json, "outfiles")); o != NULL && shown < TROUBLE_MAX; o = json_next(o)) {
		put_row(p, false, "outfile %s: %s", json_text(json_member(o, "alias"), alias, sizeof(alias)),
		    json_text(json_member(o, "trouble"), why, sizeof(why)));
		shown++;
	}
}

static void
put_head(struct page *p, const char *json)
{
	const char *engine = json_member(json, "engine");
	char version[32], up[24];
	struct numbers n;

	duration(json_u64(json_member(json, "uptime")), up);
	put_row(p, false, "vantage %s  up %s  pps %s%s%s%s%s", json_text(json_member(json, "version"), version, sizeof(version)),
	    up, number(&n, 0, json, "pps"), engine != NULL ? "  running " : "",
	    engine != NULL ? number(&n, 1, engine, "active") : "", engine != NULL ? "  sent " : "",
	    engine != NULL ? number(&n, 2, engine, "sent") : "");
	if (engine != NULL)
		put_row(p, false, "replies %s  unmatched %s  malformed %s  refused by kernel %s  ring drops %s",
		    number(&n, 0, engine, "matched"), number(&n, 1, engine, "unmatched"),
		    number(&n, 2, engine, "malformed"), number(&n, 3, engine, "refused"),
		    number(&n, 4, json_member(json, "drops"), "ring"));
	else
		put_row(p, false, "(your own slice and sources; operators see all)");
	put_trouble(p, json);
	put_row(p, false, "%s", "");
}

static bool
passes(const char *filter, const char *a, const char *b)
{
	return filter[0] == '\0' || strcasestr(a, filter) != NULL || strcasestr(b, filter) != NULL;
}

static void
put_slice(struct page *p, const char *slice, const char *name)
{
	struct numbers n;
	char refused[8];

	put_row(p, false, "%-22.22s %5s %6s %6s %7s %7s %7s %7s %5s", name, number(&n, 0, slice, "share"),
	    number(&n, 1, slice, "part"), number(&n, 2, slice, "rate"), number(&n, 3, slice, "active"),
	    number(&n, 4, slice, "running"), number(&n, 5, slice, "done"), short_number(refused_sum(slice), refused),
	    number(&n, 6, slice, "clients"));
}

static void
put_slices(struct page *p, const char *json, const char *filter, uint32_t most)
{
	uint32_t shown = 0, more = 0;
	char name[VIEW_NAME_MAX];

	put_row(p, false, "%-22s %5s %6s %6s %7s %7s %7s %7s %5s", "SLICE", "SHARE", "PART", "RATE", "ACTIVE", "RUNNING",
	    "DONE", "REFUSED", "USERS");
	for (const char *s = json_first(json_member(json, "slices")); s != NULL; s = json_next(s)) {
		(void)json_text(json_member(s, "name"), name, sizeof(name));
		if (!passes(filter, name, ""))
			continue;
		if (shown++ < most)
			put_slice(p, s, name);
		else
			more++;
	}
	if (more > 0)
		put_row(p, false, "  and %u more", more);
}

static void
put_source(struct page *p, bool marked, const char *src, const char *name, const char *slice)
{
	const char *uid = json_member(src, "uid");
	struct numbers n;
	char list[VIEW_NAME_MAX];

	/* Of a long path the end tells one from another. */
	if (strlen(name) > SOURCE_COLS)
		name += strlen(name) - SOURCE_COLS;
	put_row(p, marked, "%-30s %-10.10s %-10.10s %5s %6s %6s %5s", name,
	    json_text(json_member(src, "list"), list, sizeof(list)), slice,
	    uid == NULL ? "-" : number(&n, 0, src, "uid"), number(&n, 1, src, "rate"), number(&n, 2, src, "active"),
	    number(&n, 3, src, "queued"));
}

/* Which sources are shown: those that pass, a page that holds the selected. */
static void
put_sources(struct page *p, struct view *v, const char *json, char chosen[VIEW_NAME_MAX])
{
	const char *sources = json_member(json, "sources");
	char name[VIEW_NAME_MAX], slice[VIEW_NAME_MAX];
	uint32_t at = 0, count = 0, first;

	put_row(p, false, "%-30s %-10s %-10s %5s %6s %6s %5s", "SOURCE", "LIST", "SLICE", "UID", "RATE", "ACTIVE", "QUEUE");
	for (const char *s = json_first(sources); s != NULL; s = json_next(s))
		count += passes(v->filter, json_text(json_member(s, "name"), name, sizeof(name)),
		    json_text(json_member(s, "slice"), slice, sizeof(slice)));
	if (v->selected >= count)
		v->selected = count > 0 ? count - 1 : 0;
	first = p->left > 0 ? v->selected - v->selected % p->left : 0;
	for (const char *s = json_first(sources); s != NULL && p->left > 0; s = json_next(s)) {
		(void)json_text(json_member(s, "name"), name, sizeof(name));
		(void)json_text(json_member(s, "slice"), slice, sizeof(slice));
		if (!passes(v->filter, name, slice) || at++ < first)
			continue;
		if (at - 1 == v->selected)
			(void)snprintf(chosen, VIEW_NAME_MAX, "%s", name);
		put_source(p, v->mark && at - 1 == v->selected, s, name, slice);
	}
}

void
view_screen(struct buf *out, struct view *v, const char *json, char name[VIEW_NAME_MAX])
{
	struct page p = { out, v->cols, v->rows == 0 ? UINT32_MAX : v->rows };
	bool screen = v->rows != 0;

	name[0] = '\0';
	if (screen)
		p.left--; /* the last line is the message's */
	put_head(&p, json);
	put_slices(&p, json, v->filter, screen ? (v->rows > 16 ? v->rows / 3 : 3) : UINT32_MAX);
	put_row(&p, false, "%s", "");
	put_sources(&p, v, json, name);
	if (!screen)
		return;
	while (p.left > 0)
		put_row(&p, false, "%s", "");
	p.left = 1;
	put_row(&p, false, "%s", v->message);
}

void
view_plain(struct buf *out, const char *filter, const char *json, const char *time)
{
	char name[VIEW_NAME_MAX];
	struct numbers n;

	for (const char *s = json_first(json_member(json, "slices")); s != NULL; s = json_next(s)) {
		(void)json_text(json_member(s, "name"), name, sizeof(name));
		if (!passes(filter, name, ""))
			continue;
		buf_printf(out, "%s %s part %s rate %s active %s running %s done %s refused %llu\n", time, name,
		    number(&n, 0, s, "part"), number(&n, 1, s, "rate"), number(&n, 2, s, "active"),
		    number(&n, 3, s, "running"), number(&n, 4, s, "done"), (unsigned long long)refused_sum(s));
	}
}

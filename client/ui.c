#include "client/ui.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/escape.h"

void
ui_init(struct ui *ui, bool quiet)
{
	ui->progress = !quiet && isatty(STDERR_FILENO);
	ui->drawn = false;
}

void
ui_clear(struct ui *ui)
{
	if (ui->drawn)
		(void)fputs("\r\033[K", stderr);
	ui->drawn = false;
}

void
ui_say(struct ui *ui, const char *fmt, ...)
{
	char text[1024], line[ESCAPE_BYTES(sizeof(text))];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)escape_text(line, sizeof(line), text, "");
	ui_clear(ui);
	(void)fprintf(stderr, "vantage: %s\n", line);
}

/* 1234567 becomes 1,234,567; buf holds 27 bytes. */
static const char *
grouped(uint64_t v, char buf[27])
{
	char digits[21];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)v);
	char *p = buf;

	for (int i = 0; i < n; i++) {
		*p++ = digits[i];
		if ((n - 1 - i) % 3 == 0 && i + 1 < n)
			*p++ = ',';
	}
	*p = '\0';
	return buf;
}

static void
format_left(uint64_t seconds, char *buf, size_t cap)
{
	if (seconds < 60)
		(void)snprintf(buf, cap, "%us left", (unsigned)seconds);
	else if (seconds < 3600)
		(void)snprintf(buf, cap, "%um%02us left", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
	else if (seconds < 360000)
		(void)snprintf(
		    buf, cap, "%uh%02um left", (unsigned)(seconds / 3600), (unsigned)(seconds / 60 % 60));
	else
		(void)snprintf(buf, cap, "days left");
}

void
progress_format(const struct progress *p, char *buf, size_t cap)
{
	uint64_t ms = (uint64_t)(p->elapsed / NSEC_PER_MSEC);
	char done[27], total[27], rate[27], left[32];
	size_t n;

	if (p->total == 0)
		n = (size_t)snprintf(buf, cap, "%s done", grouped(p->done, done));
	else
		n = (size_t)snprintf(buf, cap, "%s of %s%s done (%u%%)", grouped(p->done, done),
		    p->estimated ? "about " : "", grouped(p->total, total),
		    (unsigned)(p->done >= p->total ? 100 : p->done * 100 / p->total));
	if (p->rate > 0 && n < cap)
		n += (size_t)snprintf(buf + n, cap - n, ", %s packets/s", grouped(p->rate, rate));
	/* Before a second has gone, and while next to nothing has come back, any
	 * guess at the end would be noise. */
	if (p->done < p->total / 10000 || p->done == 0 || p->total <= p->done || ms < 1000 || n >= cap)
		return;
	format_left((uint64_t)((double)(p->total - p->done) * (double)ms / (double)p->done / 1000.0), left,
	    sizeof(left));
	(void)snprintf(buf + n, cap - n, ", %s", left);
}

void
ui_progress(struct ui *ui, const struct progress *p)
{
	char text[160];

	if (!ui->progress)
		return;
	progress_format(p, text, sizeof(text));
	(void)fprintf(stderr, "\r%s\033[K", text);
	(void)fflush(stderr);
	ui->drawn = true;
}

#include "common/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/escape.h"

/* The one piece of state that is not passed around: where lines go. Set by
 * main before anything else runs. */
static struct {
	const char *program;
	enum log_level max;
	int fd;
	bool journal;
} sink = { "vantage", LOG_LEVEL_INFO, STDERR_FILENO, false };

void
log_init(const char *program, enum log_level max)
{
	sink.program = program;
	sink.max = max;
	sink.journal = getenv("JOURNAL_STREAM") != NULL;
}

void
log_to(int fd)
{
	sink.fd = fd;
}

static void __attribute__((format(printf, 2, 0))) log_line(enum log_level level, const char *fmt, va_list ap)
{
	char text[1024], line[2048];
	size_t n;

	if (level > sink.max)
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	if (sink.journal)
		n = (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
	else
		n = (size_t)snprintf(line, sizeof(line), "%s: ", sink.program);
	n += escape_text(line + n, sizeof(line) - n - 1, text, "");
	line[n++] = '\n';
	/* A log that cannot be written has nobody left to tell. */
	if (write(sink.fd, line, n) < 0)
		return;
}

#define LOG_AT(name, level)                                                                                  \
	void name(const char *fmt, ...)                                                                      \
	{                                                                                                    \
		va_list ap;                                                                                  \
                                                                                                             \
		va_start(ap, fmt);                                                                           \
		log_line(level, fmt, ap);                                                                    \
		va_end(ap);                                                                                  \
	}

LOG_AT(log_error, LOG_LEVEL_ERROR)
LOG_AT(log_warn, LOG_LEVEL_WARN)
LOG_AT(log_info, LOG_LEVEL_INFO)
LOG_AT(log_debug, LOG_LEVEL_DEBUG)

#ifndef VANTAGE_COMMON_LOG_H
#define VANTAGE_COMMON_LOG_H

/*
 * Log lines to one descriptor (standard error unless log_to moves it), with
 * the program's name; priorities as in syslog(3), written "<N>" first when the
 * journal reads us (JOURNAL_STREAM is set). Bytes outside printable ASCII are
 * shown as \xNN, so nothing foreign reaches a terminal raw.
 */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARN = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

void log_init(const char *program, enum log_level max);
void log_to(int fd);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

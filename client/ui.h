#ifndef VANTAGE_CLIENT_UI_H
#define VANTAGE_CLIENT_UI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/nsec.h"

/*
 * What a person sees on standard error: sentences, and on a terminal one line
 * of progress that is redrawn below them.
 */
struct ui {
	bool progress; /* standard error is a terminal, and nobody asked for quiet */
	bool drawn;
};

struct progress {
	uint64_t done;
	uint64_t total; /* 0: not known */
	bool estimated; /* total is extrapolated */
	uint64_t rate;  /* packets per second; 0: not known yet */
	nsec_t elapsed;
};

void ui_init(struct ui *, bool quiet);

/* One sentence with its newline, the program's name before it. What is not
 * printable ASCII is shown as \xNN: part of it may come from the network. */
void ui_say(struct ui *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "12,000 of 100,000 done (12%), 9,987 packets/s, 1m28s left" */
void progress_format(const struct progress *, char *buf, size_t cap);
void ui_progress(struct ui *, const struct progress *);
void ui_clear(struct ui *);

#endif

#ifndef VANTAGE_CLIENT_SCREEN_H
#define VANTAGE_CLIENT_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

#include "common/buf.h"

/*
 * A terminal as a screen of lines and a keyboard of single keys, by the escape
 * sequences that all of them have (ECMA-48). What it was is put back by
 * screen_leave, which may be called in any state.
 */
struct screen {
	struct termios before;
	bool on;
	uint32_t rows;
	uint32_t cols;
};

enum key {
	KEY_NONE = 0, /* no key waits */
	KEY_UP = 256,
	KEY_DOWN,
	KEY_END, /* the terminal has gone */
};

/* 0 or a negative errno: it is no terminal. */
int screen_enter(struct screen *);
void screen_leave(struct screen *);
/* The window's size, now. */
void screen_measure(struct screen *);

/* Lines, each with its newline, from the top; all else is cleared. 0, or a
 * negative errno: nobody sees it. */
int screen_draw(const struct screen *, const struct buf *lines);

/* A character, or an enum key. */
int screen_key(void);

#endif

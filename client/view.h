#ifndef VANTAGE_CLIENT_VIEW_H
#define VANTAGE_CLIENT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

/*
 * What "status" says, as lines of a screen: pure, so that it is tested without
 * one. The JSON must be json_valid.
 */

#define VIEW_NAME_MAX 72

struct view {
	uint32_t rows; /* of the screen; 0: as many as there are */
	uint32_t cols;
	const char *filter;  /* part of a slice's or source's name; "": all */
	uint32_t selected;   /* which of the sources shown; cut to what there is */
	bool mark;	     /* the selected one stands out */
	const char *message; /* on the last line */
};

/* Lines, each ended by a newline, none longer than cols; with rows, exactly so
 * many. The name of the selected source, "" for none, is written to name. */
void view_screen(struct buf *, struct view *, const char *json, char name[VIEW_NAME_MAX]);

/* A line for each slice, for a terminal that is none: "TIME slice ...". */
void view_plain(struct buf *, const char *filter, const char *json, const char *time);

#endif

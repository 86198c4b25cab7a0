#ifndef VANTAGE_TESTS_UNIT_CTL_LISTS_H
#define VANTAGE_TESTS_UNIT_CTL_LISTS_H

#include "tests/unit/ctl/talk.h"

/* What tests of managed sources share: a session with an output file "out", list
 * files, and what the files hold in the end. */

/* Of the fixture, now an operator's, with outfile "out" on out.warts. */
struct talk *lists_operator(void **state);
/* A list of addresses 10.x.y.z from first on. */
void lists_put(struct talk *, const char *name, uint32_t first, uint32_t count);
/* The engine and the sources' ticks, for so many rounds of 10 ms; what has been
 * heard meanwhile. */
const char *lists_run(struct talk *, int rounds);
/* What a file holds, a word for each record: " list:s start:1 ping*3 stop";
 * valid until the next call. */
const char *lists_content(struct talk *, const char *name);
uint32_t lists_count_pings(struct talk *, const char *name);

#endif

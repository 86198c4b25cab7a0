#ifndef VANTAGE_COMMON_ESCAPE_H
#define VANTAGE_COMMON_ESCAPE_H

#include <stddef.h>

/*
 * Text in printable ASCII: each other byte as \xHH. Nothing foreign reaches a
 * terminal or the journal raw, and what lines cannot carry goes through them.
 */

/* Bytes of dst that n of text may need, its end included. */
#define ESCAPE_BYTES(n) (4 * (n) + 1)

/* As much of src as fits whole; also: printable bytes that are escaped too.
 * Returns the length without the end, for which cap is never too small. */
size_t escape_text(char *dst, size_t cap, const char *src, const char *also);

/* In place what escape_text made, when also was "\\". -EINVAL: it did not. */
int unescape_text(char *);

#endif

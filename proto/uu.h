#ifndef VANTAGE_PROTO_UU_H
#define VANTAGE_PROTO_UU_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

/*
 * The uuencoding of DATA blocks on the control connection: lines of up to 45
 * bytes, the value 0 as a backquote, a line with a backquote alone at the end,
 * neither "begin" nor "end".
 */
#define UU_LINE_BYTES 45

/* Length of the encoded form of n bytes, newlines and last line included. */
size_t uu_encoded_len(size_t n);

/* Writes exactly uu_encoded_len(n) bytes at out. */
void uu_encode(uint8_t *out, const uint8_t *in, size_t n);

/*
 * A whole block, its last line included and nothing behind it, appended to
 * out. 0; -EBADMSG when the text is no such block; -ENOMEM. On failure out is
 * as before.
 */
int uu_decode(const char *text, size_t len, struct buf *out);

#endif

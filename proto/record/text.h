#ifndef VANTAGE_PROTO_RECORD_TEXT_H
#define VANTAGE_PROTO_RECORD_TEXT_H

#include "common/addr.h"
#include "common/buf.h"

/* Inside proto/record: pieces of the text forms. */
void text_addr(struct buf *, const struct addr *);
void text_pad2(struct buf *, uint32_t); /* %2u */

#endif

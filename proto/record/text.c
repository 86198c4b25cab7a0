#include "proto/record/text.h"

void
text_addr(struct buf *b, const struct addr *a)
{
	char text[ADDR_STRLEN];

	buf_text(b, addr_format(a, text));
}

void
text_pad2(struct buf *b, uint32_t v)
{
	if (v < 10)
		buf_u8(b, ' ');
	buf_dec(b, v);
}

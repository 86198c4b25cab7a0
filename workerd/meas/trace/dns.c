#include "workerd/meas/trace/dns.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/rd.h"
#include "common/wr.h"

/* RFC 1035 section 4.1.1 */
#define FLAG_RESPONSE 0x8000
#define FLAG_RECURSE 0x0100
#define OPCODE_MASK 0x7800
#define RCODE_MASK 0x000f
#define HEADER_BYTES 12

#define TYPE_PTR 12
#define CLASS_IN 1

/* RFC 1035 section 4.1.4 */
#define POINTER 0xc0
#define LABEL_MAX 63

/* More records than a message of one datagram has. */
#define RECORDS_MAX 64
/* Each pointer must lead further back, so a name ends in any case; this keeps
 * it short. */
#define JUMPS_MAX 16

/* RFC 1035 section 3.5, RFC 3596 section 2.5 */
static int
reverse_name(const struct addr *a, char ret[DNS_NAME_MAX])
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	if (a->family == ADDR_IP4) {
		(void)snprintf(
		    ret, DNS_NAME_MAX, "%u.%u.%u.%u.in-addr.arpa", a->b[3], a->b[2], a->b[1], a->b[0]);
		return 0;
	}
	if (a->family != ADDR_IP6)
		return -EINVAL;
	for (int i = 15; i >= 0; i--) {
		ret[n++] = hex[a->b[i] & 15];
		ret[n++] = '.';
		ret[n++] = hex[a->b[i] >> 4];
		ret[n++] = '.';
	}
	memcpy(ret + n, "ip6.arpa", sizeof("ip6.arpa"));
	return 0;
}

static void
put_name(struct wr *w, const char *name)
{
	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		wr_u8(w, (uint8_t)n);
		wr_bytes(w, name, n);
		name += n + (name[n] == '.');
	}
	wr_u8(w, 0);
}

size_t
dns_ptr_query(uint8_t *buf, size_t cap, uint16_t id, const struct addr *a)
{
	char name[DNS_NAME_MAX];
	struct wr w;

	if (reverse_name(a, name) != 0)
		return 0;
	wr_init(&w, buf, cap);
	wr_u16(&w, id);
	wr_u16(&w, FLAG_RECURSE);
	wr_u16(&w, 1); /* one question, no records */
	wr_zeros(&w, 6);
	put_name(&w, name);
	wr_u16(&w, TYPE_PTR);
	wr_u16(&w, CLASS_IN);
	return w.bad ? 0 : wr_len(&w);
}

struct msg {
	const uint8_t *bytes;
	size_t len;
	struct rd r;
};

static char
printable(uint8_t c)
{
	return c > ' ' && c <= '~' && c != '.' && c != '\\' && c != '"' ? (char)c : '?';
}

static bool
add_label(char *text, size_t *n, const uint8_t *label, size_t len)
{
	if (*n + len + 2 > DNS_NAME_MAX)
		return false;
	if (*n > 0)
		text[(*n)++] = '.';
	for (size_t i = 0; i < len; i++)
		text[(*n)++] = printable(label[i]);
	return true;
}

/* Goes where a pointer at r says; only back. */
static bool
follow(const struct msg *m, struct rd *r, uint8_t high)
{
	size_t here = (size_t)(r->p - m->bytes) - 1;
	size_t to = (size_t)(high & ~POINTER) << 8 | rd_u8(r);

	if (r->bad || to >= here)
		return false;
	rd_init(r, m->bytes + to, m->len - to);
	return true;
}

/* A name as text; the message's cursor ends up behind it. */
static bool
take_name(struct msg *m, char ret[DNS_NAME_MAX])
{
	struct rd r = m->r;
	unsigned int jumps = 0;
	size_t n = 0;

	for (;;) {
		uint8_t len = rd_u8(&r);
		const uint8_t *label;

		if (r.bad || (len > LABEL_MAX && (len & POINTER) != POINTER))
			return false;
		if (len > LABEL_MAX) {
			if (jumps == 0) {
				m->r = r;
				(void)rd_u8(&m->r);
			}
			if (++jumps > JUMPS_MAX || !follow(m, &r, len))
				return false;
			continue;
		}
		if (len == 0)
			break;
		label = rd_take(&r, len);
		if (label == NULL || !add_label(ret, &n, label, len))
			return false;
	}
	ret[n] = '\0';
	if (jumps == 0)
		m->r = r;
	return !m->r.bad;
}

static bool
answers(struct msg *m, const struct addr *asked)
{
	char want[DNS_NAME_MAX], name[DNS_NAME_MAX];

	return reverse_name(asked, want) == 0 && take_name(m, name) && rd_u16(&m->r) == TYPE_PTR &&
	       rd_u16(&m->r) == CLASS_IN && strcasecmp(name, want) == 0;
}

/* The first PTR record. There may be CNAMEs before it (RFC 2317), so its owner
 * need not be the name that was asked for. */
static int
find_ptr(struct msg *m, uint16_t count, char ret[DNS_NAME_MAX])
{
	char owner[DNS_NAME_MAX];

	for (uint16_t i = 0; i < count && i < RECORDS_MAX; i++) {
		uint16_t type, class, len;

		if (!take_name(m, owner))
			return -EBADMSG;
		type = rd_u16(&m->r);
		class = rd_u16(&m->r);
		(void)rd_u32(&m->r); /* time to live */
		len = rd_u16(&m->r);
		if (type == TYPE_PTR && class == CLASS_IN)
			return take_name(m, ret) && ret[0] != '\0' ? 0 : -EBADMSG;
		if (rd_take(&m->r, len) == NULL)
			return -EBADMSG;
	}
	return -ENOENT;
}

int
dns_ptr_answer(
    const uint8_t *bytes, size_t len, uint16_t id, const struct addr *asked, char ret[DNS_NAME_MAX])
{
	struct msg m = { bytes, len, { NULL, NULL, false } };
	uint16_t got_id, flags, questions, count;

	if (len < HEADER_BYTES)
		return -EBADMSG;
	rd_init(&m.r, bytes, len);
	got_id = rd_u16(&m.r);
	flags = rd_u16(&m.r);
	questions = rd_u16(&m.r);
	count = rd_u16(&m.r);
	(void)rd_u32(&m.r);
	if (got_id != id || (flags & FLAG_RESPONSE) == 0)
		return -ESRCH;
	if ((flags & OPCODE_MASK) != 0 || questions != 1)
		return -EBADMSG;
	if (!answers(&m, asked))
		return m.r.bad ? -EBADMSG : -ESRCH;
	if ((flags & RCODE_MASK) != 0)
		return -ENOENT;
	return find_ptr(&m, count, ret);
}

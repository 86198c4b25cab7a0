#include "workerd/probe/tx.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define TX_BATCH 64

struct batch {
	struct mmsghdr msg[TX_BATCH];
	struct iovec iov[TX_BATCH];
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} to[TX_BATCH];
};

static socklen_t
set_dest(struct sockaddr_in *in, struct sockaddr_in6 *in6, const struct addr *a)
{
	if (a->family == ADDR_IP4) {
		*in = (struct sockaddr_in){ .sin_family = AF_INET };
		memcpy(&in->sin_addr, a->b, 4);
		return sizeof(*in);
	}
	*in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
	memcpy(&in6->sin6_addr, a->b, 16);
	return sizeof(*in6);
}

static void
batch_fill(struct batch *b, const struct engine_packet *p, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct msghdr *h = &b->msg[i].msg_hdr;

		/* sendmsg only reads it; iovec has no const form. */
		b->iov[i].iov_base = (void *)(uintptr_t)p[i].bytes;
		b->iov[i].iov_len = p[i].len;
		memset(h, 0, sizeof(*h));
		h->msg_name = &b->to[i];
		h->msg_namelen = set_dest(&b->to[i].in, &b->to[i].in6, &p[i].to);
		h->msg_iov = &b->iov[i];
		h->msg_iovlen = 1;
	}
}

/*
 * sendmmsg stops at the first message that fails and tells why only when that
 * one is first: so skip one and go on. A full queue ends the batch.
 */
static void
send_run(int fd, struct batch *b, struct engine_packet *p, uint32_t count)
{
	uint32_t i = 0;

	while (i < count) {
		int n = sendmmsg(fd, b->msg + i, count - i, MSG_DONTWAIT);

		if (n > 0) {
			for (uint32_t end = i + (uint32_t)n; i < end; i++)
				p[i].err = 0;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS) {
			int err = errno;

			for (; i < count; i++)
				p[i].err = err;
			return;
		}
		p[i++].err = errno;
	}
}

void
tx_send(struct tx *tx, struct engine_packet *p, uint32_t count)
{
	struct batch b;

	while (count > 0) {
		uint32_t n = 1;

		while (n < count && n < TX_BATCH && p[n].to.family == p[0].to.family)
			n++;
		batch_fill(&b, p, n);
		send_run(p[0].to.family == ADDR_IP4 ? tx->fd4 : tx->fd6, &b, p, n);
		p += n;
		count -= n;
	}
}

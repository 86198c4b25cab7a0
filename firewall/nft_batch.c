#include "firewall/nft_batch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void
fw_batch_init_fixed(struct fw_batch *b, uint8_t *bytes, size_t cap, uint32_t *seq)
{
	memset(b, 0, sizeof(*b));
	b->bytes = bytes;
	b->cap = cap;
	b->seq = seq;
	nftnl_batch_begin((char *)b->bytes, (*seq)++);
	b->len = NLMSG_ALIGN(sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg));
}

int
fw_batch_init(struct fw_batch *b, size_t cap, uint32_t *seq)
{
	uint8_t *bytes = malloc(cap);

	if (bytes == NULL)
		return -ENOMEM;
	fw_batch_init_fixed(b, bytes, cap, seq);
	return 0;
}

void
fw_batch_fini(struct fw_batch *b)
{
	free(b->bytes);
	b->bytes = NULL;
}

struct nlmsghdr *
fw_batch_msg(struct fw_batch *b, uint16_t type, int family, int flags)
{
	/* Room was reckoned by whoever sized the batch; a message that found none
	 * overwrites the last one and the whole is refused in fw_batch_close. */
	if (b->cap - b->len < FW_BATCH_SMALL / 2 ||
	    (b->cap > FW_BATCH_SMALL && b->cap - b->len < FW_MSG_ROOM)) {
		b->failed = true;
		b->len = NLMSG_ALIGN(sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg));
	}
	b->open = nftnl_nlmsg_build_hdr(
	    (char *)b->bytes + b->len, type, (uint16_t)family, (uint16_t)flags, (*b->seq)++);
	return b->open;
}

void
fw_batch_done(struct fw_batch *b)
{
	b->len += NLMSG_ALIGN(b->open->nlmsg_len);
}

int
fw_batch_close(struct fw_batch *b)
{
	struct nlmsghdr *end;

	if (b->failed || b->open == NULL)
		return -EMSGSIZE;
	b->open->nlmsg_flags |= NLM_F_ACK; /* the last: when it is acknowledged, all are */
	end = nftnl_batch_end((char *)b->bytes + b->len, (*b->seq)++);
	b->len += NLMSG_ALIGN(end->nlmsg_len);
	return 0;
}

/* The first error, or 0 once the acknowledgement is there. */
static int
answer_read(int nl)
{
	uint8_t buf[8192];
	int first = -EIO; /* an answer must come: the kernel works while we send */
	ssize_t n;

	while ((n = recv(nl, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)buf;

		for (int left = (int)n; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

			if (nlh->nlmsg_type != NLMSG_ERROR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*err))
				continue;
			if (first == 0 || first == -EIO)
				first = err->error;
		}
	}
	return n < 0 && errno != EAGAIN ? -errno : first;
}

int
fw_batch_send(int nl, const uint8_t *bytes, size_t len)
{
	if (send(nl, bytes, len, 0) != (ssize_t)len)
		return -errno;
	return answer_read(nl);
}

int
fw_batch_commit(struct fw_batch *b, int nl)
{
	int rc = fw_batch_close(b);

	return rc == 0 ? fw_batch_send(nl, b->bytes, b->len) : rc;
}

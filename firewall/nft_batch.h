#ifndef VANTAGE_FIREWALL_NFT_BATCH_H
#define VANTAGE_FIREWALL_NFT_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

/*
 * One nftables transaction: begin, messages, end; all of it or nothing takes
 * effect. Call fw_batch_msg, add attributes, then fw_batch_done.
 */
struct fw_batch {
	uint8_t *bytes;
	size_t len;
	size_t cap;
	uint32_t *seq;
	struct nlmsghdr *open; /* the message being built */
	bool failed;
};

#define FW_MSG_ROOM 49152 /* no message of ours is longer */
#define FW_BATCH_MIN (4 * FW_MSG_ROOM)
#define FW_BATCH_SMALL 1024

int fw_batch_init(struct fw_batch *, size_t cap, uint32_t *seq);
void fw_batch_init_fixed(struct fw_batch *, uint8_t *bytes, size_t cap, uint32_t *seq);
void fw_batch_fini(struct fw_batch *);

struct nlmsghdr *fw_batch_msg(struct fw_batch *, uint16_t type, int family, int flags);
void fw_batch_done(struct fw_batch *);

/* Ends the batch; then its bytes may be kept and sent more than once. */
int fw_batch_close(struct fw_batch *);
int fw_batch_send(int nl, const uint8_t *bytes, size_t len);
int fw_batch_commit(struct fw_batch *, int nl); /* both */

#endif

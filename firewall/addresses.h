#ifndef VANTAGE_FIREWALL_ADDRESSES_H
#define VANTAGE_FIREWALL_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "firewall/nft_batch.h"
#include "firewall/rules.h"

struct nlmsghdr;

/* Address events renew the sets without a heap: so many own addresses of a
 * family; three broadcast addresses each, and as many again for loopback's. */
#define FW_OWN_MAX 1024
#define FW_CAST_MAX (4 * FW_OWN_MAX)

/* What fw_addresses_put can add to a batch: an element takes 36 bytes with an
 * IPv6 key, 24 with an IPv4 one; and messages' headers. */
#define FW_ADDRESSES_BYTES (FW_OWN_MAX * (36 + 24) + FW_CAST_MAX * 24 + 4096)

/*
 * What the policy knows of this host's addresses: the sets own4, own6 (its own,
 * loopback left to rules of its own) and cast4 (broadcast), each from a fresh
 * list of the kernel's.
 */
struct fw_addresses {
	uint32_t count[FW_SETS]; /* of own4, own6, cast4 alone */
	uint8_t own4[FW_OWN_MAX][4];
	uint8_t own6[FW_OWN_MAX][16];
	uint8_t cast4[FW_CAST_MAX][4];
	uint8_t batch[FW_ADDRESSES_BYTES + FW_MSG_ROOM];
};

bool fw_addresses_event(const struct nlmsghdr *);

/* Asks the kernel over route, which nothing else uses. */
int fw_addresses_read(struct fw_addresses *, int route, uint32_t *seq, struct errbuf *reterr);
void fw_addresses_put(const struct fw_addresses *, struct fw_batch *);

/* Both, and replaces the sets whole in one transaction over nl. */
int fw_addresses_renew(struct fw_addresses *, int route, int nl, uint32_t *seq, struct errbuf *reterr);

#endif

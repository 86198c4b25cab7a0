#include "firewall/addresses.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* A list that changed while it was read is read again, so often at most: what
 * changed has told of itself, and that brings us back here. */
#define READS_MAX 4

/* RFC 4862 section 5.4: an address is not ours before it is known to be ours
 * alone. RFC 4429 lets an optimistic one be used. */
static bool
is_usable(uint32_t flags)
{
	return (flags & IFA_F_DADFAILED) == 0 &&
	       ((flags & IFA_F_TENTATIVE) == 0 || (flags & IFA_F_OPTIMISTIC) != 0);
}

static int
cast_add(struct fw_addresses *a, const uint8_t addr[4])
{
	uint32_t *n = &a->count[FW_SET_CAST4];

	/* Many addresses of one network have these in common. */
	for (uint32_t i = *n > 3 ? *n - 3 : 0; i < *n; i++) {
		if (memcmp(a->cast4[i], addr, 4) == 0)
			return 0;
	}
	if (*n >= FW_CAST_MAX)
		return -E2BIG;
	memcpy(a->cast4[(*n)++], addr, 4);
	return 0;
}

/* RFC 1122 section 3.2.1.3: all ones, and all zeros as older hosts had it. A
 * network of one or two (RFC 3021) has neither. */
static int
network_casts_add(struct fw_addresses *a, const uint8_t addr[4], uint32_t prefix_len)
{
	uint8_t ones[4], zeros[4];

	if (prefix_len >= 31)
		return 0;
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t net_bits = prefix_len > 8 * i ? prefix_len - 8 * i : 0;
		uint8_t host = (uint8_t)(net_bits >= 8 ? 0 : 0xff >> net_bits);

		ones[i] = addr[i] | host;
		zeros[i] = addr[i] & (uint8_t)~host;
	}
	return cast_add(a, ones) == 0 ? cast_add(a, zeros) : -E2BIG;
}

struct found {
	const uint8_t *addr; /* the far end's on a point-to-point link: whose network it is */
	const uint8_t *local;
	const uint8_t *cast;
};

static void
attrs_find(const struct nlmsghdr *nlh, uint16_t len, struct found *ret)
{
	const uint8_t *end = (const uint8_t *)nlh + nlh->nlmsg_len;
	const struct nlattr *attr = mnl_nlmsg_get_payload_offset(nlh, sizeof(struct ifaddrmsg));

	for (; mnl_attr_ok(attr, (int)(end - (const uint8_t *)attr)); attr = mnl_attr_next(attr)) {
		if (mnl_attr_get_payload_len(attr) != len)
			continue;
		if (mnl_attr_get_type(attr) == IFA_ADDRESS)
			ret->addr = mnl_attr_get_payload(attr);
		else if (mnl_attr_get_type(attr) == IFA_LOCAL)
			ret->local = mnl_attr_get_payload(attr);
		else if (mnl_attr_get_type(attr) == IFA_BROADCAST)
			ret->cast = mnl_attr_get_payload(attr);
	}
	if (ret->local == NULL)
		ret->local = ret->addr;
}

static int
own4_add(struct fw_addresses *a, const struct found *f, uint32_t prefix_len)
{
	uint32_t *n = &a->count[FW_SET_OWN4];
	int rc = network_casts_add(a, f->addr != NULL ? f->addr : f->local, prefix_len);

	if (rc == 0 && f->cast != NULL)
		rc = cast_add(a, f->cast);
	/* 127/8 is this host's as a whole, and of loopback alone: rules.c. */
	if (rc != 0 || f->local[0] == 127)
		return rc;
	if (*n >= FW_OWN_MAX)
		return -E2BIG;
	memcpy(a->own4[(*n)++], f->local, 4);
	return 0;
}

static int
own6_add(struct fw_addresses *a, const struct found *f)
{
	static const uint8_t inside[8] = { 0 };
	uint32_t *n = &a->count[FW_SET_OWN6];

	/* RFC 4291 section 2.5: what begins so stays inside: rules.c. */
	if (memcmp(f->local, inside, sizeof(inside)) == 0)
		return 0;
	if (*n >= FW_OWN_MAX)
		return -E2BIG;
	memcpy(a->own6[(*n)++], f->local, 16);
	return 0;
}

static int
address_add(struct fw_addresses *a, const struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct found f = { NULL, NULL, NULL };

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa) ||
	    (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6) || !is_usable(ifa->ifa_flags))
		return 0;
	attrs_find(nlh, ifa->ifa_family == AF_INET ? 4 : 16, &f);
	if (f.local == NULL)
		return 0;
	return ifa->ifa_family == AF_INET ? own4_add(a, &f, ifa->ifa_prefixlen) : own6_add(a, &f);
}

bool
fw_addresses_event(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_type == RTM_NEWADDR || nlh->nlmsg_type == RTM_DELADDR;
}

/* One piece of the list; 1: it was the last. */
static int
piece_read(struct fw_addresses *a, const uint8_t *buf, ssize_t len, uint32_t seq, bool *ret_changed)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)buf;
	int rc = 0;

	for (int left = (int)len; rc == 0 && mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_seq != seq)
			continue;
		if ((nlh->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
			*ret_changed = true;
		if (nlh->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		rc = nlh->nlmsg_type == NLMSG_DONE ? 1 : address_add(a, nlh);
	}
	return rc;
}

static int
list_read(struct fw_addresses *a, int route, uint32_t seq, bool *ret_changed)
{
	static const uint8_t unspecified[4] = { 0 };
	struct {
		struct nlmsghdr nlh;
		struct ifaddrmsg ifa;
	} ask = { .nlh = { sizeof(ask), RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, seq, 0 } };
	uint8_t buf[32768];
	int rc = 0;

	memset(a->count, 0, sizeof(a->count));
	/* RFC 1122 section 3.2.1.3: the kernel sends to 0.0.0.0 as a broadcast. */
	(void)cast_add(a, unspecified);
	if (send(route, &ask, sizeof(ask), 0) != (ssize_t)sizeof(ask))
		return -errno;
	while (rc == 0) {
		/* The kernel writes the next piece when we fetch one: none is late. */
		ssize_t n = recv(route, buf, sizeof(buf), MSG_DONTWAIT);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		rc = piece_read(a, buf, n, seq, ret_changed);
	}
	return rc < 0 ? rc : 0;
}

int
fw_addresses_read(struct fw_addresses *a, int route, uint32_t *seq, struct errbuf *reterr)
{
	bool changed = true;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && changed && i < READS_MAX; i++) {
		changed = false;
		rc = list_read(a, route, (*seq)++, &changed);
	}
	if (rc == -E2BIG)
		return errbuf_set(reterr, rc,
		    "this host has more addresses than the packet policy can hold (%d of a family)",
		    FW_OWN_MAX);
	if (rc != 0)
		return errbuf_set(reterr, rc, "cannot list this host's addresses: %s", strerror(-rc));
	return 0;
}

static void
keys_put(struct fw_batch *b, enum fw_set set, const uint8_t *keys, uint32_t count)
{
	const struct fw_set_type *type = &fw_sets[set];

	for (uint32_t i = 0; i < count;) {
		struct nlattr *list;
		struct nlmsghdr *nlh = fw_elements_begin(b, NFT_MSG_NEWSETELEM, type->name, &list);

		for (uint32_t n = 0; n < FW_ELEMENTS_MAX && i < count; n++, i++)
			fw_element_put(nlh, keys + (size_t)i * type->key_len, type->key_len, 0);
		mnl_attr_nest_end(nlh, list);
		fw_batch_done(b);
	}
}

void
fw_addresses_put(const struct fw_addresses *a, struct fw_batch *b)
{
	keys_put(b, FW_SET_OWN4, a->own4[0], a->count[FW_SET_OWN4]);
	keys_put(b, FW_SET_OWN6, a->own6[0], a->count[FW_SET_OWN6]);
	keys_put(b, FW_SET_CAST4, a->cast4[0], a->count[FW_SET_CAST4]);
}

int
fw_addresses_renew(struct fw_addresses *a, int route, int nl, uint32_t *seq, struct errbuf *reterr)
{
	static const enum fw_set ours[] = { FW_SET_OWN4, FW_SET_OWN6, FW_SET_CAST4 };
	struct fw_batch b;
	int rc = fw_addresses_read(a, route, seq, reterr);

	if (rc != 0)
		return rc;
	fw_batch_init_fixed(&b, a->batch, sizeof(a->batch), seq);
	for (uint32_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		/* Without a list of elements it is all of them that go. */
		(void)fw_elements_begin(&b, NFT_MSG_DELSETELEM, fw_sets[ours[i]].name, NULL);
		fw_batch_done(&b);
	}
	fw_addresses_put(a, &b);
	rc = fw_batch_commit(&b, nl);
	if (rc != 0)
		return errbuf_set(
		    reterr, rc, "cannot tell the packet policy of this host's addresses: %s", strerror(-rc));
	return 0;
}

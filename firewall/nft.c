#include "firewall/firewall.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/prefixes.h"
#include "firewall/nft_batch.h"
#include "firewall/rules.h"

#define TABLE FW_TABLE

/* linux/netfilter/nf_tables.h has it from 6.9 on: the table outlives its owner,
 * so that death fails closed, and the next owner may take it. */
#define TABLE_F_PERSIST 0x4

/* Hooks: before everything else that judges output. */
#define PRIORITY_RAW (-300)

/* where: NLM_F_APPEND, or 0 for the head of the chain. */
static void
rule_put(
    struct fw_batch *b, const struct fw_rule *r, const struct firewall_policy *policy, int family, int where)
{
	struct nftnl_rule *rule = fw_rule_new(r, policy);

	nftnl_rule_nlmsg_build_payload(fw_batch_msg(b, NFT_MSG_NEWRULE, family, NLM_F_CREATE | where), rule);
	fw_batch_done(b);
	nftnl_rule_free(rule);
}

static void
rules_put(struct fw_batch *b, const struct firewall_policy *policy)
{
	for (const struct fw_rule *r = fw_rules; r->chain != NULL; r++) {
		if ((r->unless == FW_UNLESS_SPOOF && policy->spoof) ||
		    (r->unless == FW_UNLESS_LOCAL && policy->local))
			continue;
		rule_put(b, r, policy, NFPROTO_INET, NLM_F_APPEND);
	}
}

static void
table_put(struct fw_batch *b, uint16_t type, int family, uint32_t flags)
{
	struct nlmsghdr *nlh = fw_batch_msg(b, type, family, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, TABLE);
	if (type == NFT_MSG_NEWTABLE)
		mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(flags));
	fw_batch_done(b);
}

static void
chain_put(struct fw_batch *b, const char *name)
{
	struct nlmsghdr *nlh = fw_batch_msg(b, NFT_MSG_NEWCHAIN, NFPROTO_INET, NLM_F_CREATE);
	struct nlattr *nest;

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, name);
	if (strcmp(name, fw_chains[0]) == 0) {
		nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
		mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(NF_INET_LOCAL_OUT));
		mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl((uint32_t)PRIORITY_RAW));
		mnl_attr_nest_end(nlh, nest);
		mnl_attr_put_u32(nlh, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
		mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
	}
	fw_batch_done(b);
}

static void
counter_put(struct fw_batch *b, const char *name)
{
	struct nlmsghdr *nlh = fw_batch_msg(b, NFT_MSG_NEWOBJ, NFPROTO_INET, NLM_F_CREATE);

	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	mnl_attr_nest_end(nlh, mnl_attr_nest_start(nlh, NFTA_OBJ_DATA));
	fw_batch_done(b);
}

static void
set_put(struct fw_batch *b, const char *name, uint32_t id, uint32_t key_type, uint32_t key_len)
{
	struct nlmsghdr *nlh = fw_batch_msg(b, NFT_MSG_NEWSET, NFPROTO_INET, NLM_F_CREATE);

	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_SET_FLAGS, htonl(NFT_SET_INTERVAL));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_TYPE, htonl(key_type));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_LEN, htonl(key_len));
	mnl_attr_put_u32(nlh, NFTA_SET_ID, htonl(id));
	fw_batch_done(b);
}

static void
element_put(struct nlmsghdr *nlh, const uint8_t *key, uint32_t len, uint32_t flags)
{
	struct nlattr *elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM), *nest;

	mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, htonl(flags));
	nest = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);
	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, key);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_nest_end(nlh, elem);
}

/* An attribute's length is 16 bits: so many ranges fit one message. */
#define RANGES_PER_MESSAGE 500

static void
elements_put(struct fw_batch *b, const char *name, const struct prefix_set *set, uint32_t len)
{
	for (uint32_t i = 0; i < set->count;) {
		struct nlmsghdr *nlh = fw_batch_msg(b, NFT_MSG_NEWSETELEM, NFPROTO_INET, NLM_F_CREATE);
		struct nlattr *list;

		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, TABLE);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, name);
		list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (uint32_t n = 0; n < RANGES_PER_MESSAGE && i < set->count; n++, i++) {
			uint8_t end[16];

			memcpy(end, set->range[i].hi, sizeof(end));
			element_put(nlh, set->range[i].lo, len, 0);
			if (prefixes_next(end, len)) /* else it goes to the last address */
				element_put(nlh, end, len, NFT_SET_ELEM_INTERVAL_END);
		}
		mnl_attr_nest_end(nlh, list);
		fw_batch_done(b);
	}
}

static void
policy_put(
    struct fw_batch *b, uint32_t flags, const struct firewall_policy *policy, const struct prefixes *dnp)
{
	/* Create, delete, create: whatever was there is replaced whole, and at no
	 * instant is there no policy. */
	table_put(b, NFT_MSG_NEWTABLE, NFPROTO_INET, flags);
	table_put(b, NFT_MSG_DELTABLE, NFPROTO_INET, 0);
	table_put(b, NFT_MSG_NEWTABLE, NFPROTO_INET, flags);
	for (uint32_t i = 0; fw_counters[i] != NULL; i++)
		counter_put(b, fw_counters[i]);
	set_put(b, "dnp4", 1, 7, 4); /* nft's numbers for ipv4_addr, ipv6_addr */
	set_put(b, "dnp6", 2, 8, 16);
	elements_put(b, "dnp4", &dnp->ip4, 4);
	elements_put(b, "dnp6", &dnp->ip6, 16);
	for (uint32_t i = 0; fw_chains[i] != NULL; i++)
		chain_put(b, fw_chains[i]);
	rules_put(b, policy);
}

static int
policy_install(struct firewall *fw, const struct firewall_policy *policy, const struct prefixes *dnp,
    struct errbuf *reterr)
{
	static const uint32_t flags[] = { NFT_TABLE_F_OWNER | TABLE_F_PERSIST, 0 };
	size_t cap = FW_BATCH_MIN + 96 * ((size_t)dnp->ip4.count + dnp->ip6.count);
	int rc = -EINVAL;

	for (uint32_t i = 0; i < 2; i++) {
		struct fw_batch b;

		if (fw_batch_init(&b, cap, &fw->seq) != 0)
			return errbuf_set(reterr, -ENOMEM, "out of memory for the packet policy");
		policy_put(&b, flags[i], policy, dnp);
		rc = fw_batch_commit(&b, fw->nl);
		fw_batch_fini(&b);
		fw->table_flags = flags[i];
		/* An older kernel does not know the flags; nor does a table that
		 * was made without them take them on. */
		if (rc != -EOPNOTSUPP && rc != -EINVAL)
			break;
	}
	if (rc == -EPERM || rc == -EBUSY)
		return errbuf_set(reterr, -EBUSY,
		    "another vantage-privd owns the table 'inet " TABLE "': stop it first "
		    "(systemctl stop vantage-privd, or end the other command)");
	if (rc != 0)
		return errbuf_set(reterr, rc,
		    "cannot install the packet policy: %s (needs nftables with fib, "
		    "limit and counter objects, and CAP_NET_ADMIN)",
		    strerror(-rc));
	return 0;
}

/* Keeps a batch for later; in any case the batch is gone. */
static int
message_keep(struct firewall_message *m, struct fw_batch *b)
{
	int rc = fw_batch_close(b);

	if (rc == 0 && b->len > sizeof(m->bytes))
		rc = -EMSGSIZE;
	if (rc == 0) {
		memcpy(m->bytes, b->bytes, b->len);
		m->len = (uint32_t)b->len;
	}
	fw_batch_fini(b);
	return rc;
}

/* Table and chain are made anew where they are gone; before all else in the
 * chain where they are not. */
static int
shut_prepare(struct firewall *fw, const struct firewall_policy *policy)
{
	const struct fw_rule drop = { fw_chains[0], { { FW_MARK, 0, 4, 0xff000000, FW_EQ, 0 } }, FW_DROP,
		NULL, FW_ALWAYS };
	struct fw_batch b;
	int rc = fw_batch_init(&b, FW_BATCH_MIN, &fw->seq);

	if (rc != 0)
		return rc;
	table_put(&b, NFT_MSG_NEWTABLE, NFPROTO_INET, fw->table_flags);
	chain_put(&b, fw_chains[0]);
	rule_put(&b, &drop, policy, NFPROTO_INET, 0);
	return message_keep(&fw->shut, &b);
}

/* Placeholders in the batch that covers one interface. */
#define DEVICE_BLANK "vantage-device"
#define CHAIN_BLANK "egress-0000000000"

/*
 * Packet sockets cannot be made receive-only. What a receive-only mark sends
 * is dropped where frames leave, one chain for each interface. Built once;
 * later only name and number are filled in, since we have no heap then.
 */
static int
egress_prepare(struct firewall *fw, const struct firewall_policy *policy)
{
	const struct fw_rule drop = { CHAIN_BLANK,
		{ { FW_MARK, 0, 4, 0xffff0000, FW_EQ, policy->mark | MARK_KIND_RX } }, FW_DROP, NULL,
		FW_ALWAYS };
	char device[IFNAMSIZ] = DEVICE_BLANK;
	struct nlmsghdr *nlh;
	struct nlattr *nest;
	struct fw_batch b;
	int rc = fw_batch_init(&b, FW_BATCH_MIN, &fw->seq);

	if (rc != 0)
		return rc;
	nlh = fw_batch_msg(&b, NFT_MSG_NEWCHAIN, NFPROTO_NETDEV, NLM_F_CREATE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, CHAIN_BLANK);
	nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(NF_NETDEV_EGRESS));
	mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl(0));
	mnl_attr_put(nlh, NFTA_HOOK_DEV, sizeof(device), device);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_u32(nlh, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
	fw_batch_done(&b);
	/* Covering twice is harmless: the old rule goes first. */
	nlh = fw_batch_msg(&b, NFT_MSG_DELRULE, NFPROTO_NETDEV, 0);
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, CHAIN_BLANK);
	fw_batch_done(&b);
	rule_put(&b, &drop, policy, NFPROTO_NETDEV, NLM_F_APPEND);
	return message_keep(&fw->cover, &b);
}

static void
blanks_fill(uint8_t *msg, size_t len, const char *blank, const char *text, size_t text_len)
{
	uint8_t *at = msg;

	while ((at = memmem(at, len - (size_t)(at - msg), blank, strlen(blank))) != NULL) {
		memcpy(at, text, text_len);
		at += text_len;
	}
}

/* chain is CHAIN_BLANK, whose last digits become the interface's number. */
static void
chain_number(char chain[sizeof(CHAIN_BLANK)], uint32_t ifindex)
{
	for (size_t i = sizeof(CHAIN_BLANK) - 2; ifindex > 0; i--, ifindex /= 10)
		chain[i] = (char)('0' + ifindex % 10);
}

static int
egress_cover(struct firewall *fw, uint32_t ifindex, const char *ifname)
{
	struct firewall_message m = fw->cover;
	char device[IFNAMSIZ] = "", chain[] = CHAIN_BLANK;

	chain_number(chain, ifindex);
	memcpy(device, ifname, strnlen(ifname, IFNAMSIZ - 1));
	/* The name is padded with NULs: the kernel reads up to the first. */
	blanks_fill(m.bytes, m.len, DEVICE_BLANK, device, IFNAMSIZ - 1);
	blanks_fill(m.bytes, m.len, CHAIN_BLANK, chain, sizeof(chain) - 1);
	return fw_batch_send(fw->nl, m.bytes, m.len);
}

/*
 * From Linux 6.16 on a chain stays when its interface has gone, for the next of
 * that name: on a host of containers they would be ever more. One that cannot be
 * removed, or has gone by itself, harms nobody.
 */
static void
egress_uncover(struct firewall *fw, uint32_t ifindex)
{
	uint8_t bytes[FW_BATCH_SMALL];
	char chain[] = CHAIN_BLANK;
	struct nlmsghdr *nlh;
	struct fw_batch b;

	chain_number(chain, ifindex);
	fw_batch_init_fixed(&b, bytes, sizeof(bytes), &fw->seq);
	nlh = fw_batch_msg(&b, NFT_MSG_DELCHAIN, NFPROTO_NETDEV, 0);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, chain);
	fw_batch_done(&b);
	(void)fw_batch_commit(&b, fw->nl);
}

static int
egress_install(struct firewall *fw, const struct firewall_policy *policy)
{
	struct if_nameindex *all;
	struct fw_batch b;
	int rc = fw_batch_init(&b, FW_BATCH_MIN, &fw->seq);

	if (rc != 0)
		return rc;
	table_put(&b, NFT_MSG_NEWTABLE, NFPROTO_NETDEV, fw->table_flags);
	table_put(&b, NFT_MSG_DELTABLE, NFPROTO_NETDEV, 0);
	table_put(&b, NFT_MSG_NEWTABLE, NFPROTO_NETDEV, fw->table_flags);
	rc = fw_batch_commit(&b, fw->nl);
	fw_batch_fini(&b);
	if (rc == 0)
		rc = egress_prepare(fw, policy);
	all = if_nameindex();
	if (all == NULL)
		return -errno;
	for (uint32_t i = 0; rc == 0 && all[i].if_index != 0; i++)
		rc = egress_cover(fw, all[i].if_index, all[i].if_name);
	if_freenameindex(all);
	return rc;
}

static int
netlink_open(int bus, uint32_t groups, int group, uint32_t *ret_portid)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK, .nl_groups = groups };
	socklen_t len = sizeof(sa);
	const int one = 1, big = 16 << 20;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, bus);

	if (fd < 0)
		return -errno;
	/* A list of 100,000 prefixes is one message of megabytes. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &(int){ 256 << 20 }, sizeof(int));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    (group != 0 && setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0) {
		int rc = -errno;

		(void)close(fd);
		return rc;
	}
	*ret_portid = sa.nl_pid;
	return fd;
}

int
firewall_init(struct firewall *fw, const struct firewall_policy *policy, const struct prefixes *dnp,
    struct errbuf *reterr)
{
	uint32_t ignored;
	int rc;

	memset(fw, 0, sizeof(*fw));
	fw->nl = netlink_open(NETLINK_NETFILTER, 0, 0, &fw->portid);
	fw->events = netlink_open(NETLINK_NETFILTER, 0, NFNLGRP_NFTABLES, &ignored);
	fw->links = netlink_open(NETLINK_ROUTE, RTMGRP_LINK, 0, &ignored);
	if (fw->nl < 0 || fw->events < 0 || fw->links < 0)
		return errbuf_set(reterr, -EPERM, "cannot talk to the kernel's packet filter (nf_tables)");
	rc = policy_install(fw, policy, dnp, reterr);
	if (rc != 0)
		return rc;
	rc = shut_prepare(fw, policy);
	if (rc != 0)
		return errbuf_set(reterr, rc, "out of memory for the packet policy");
	fw->egress = egress_install(fw, policy) == 0;
	/* What our own transactions said to the watcher is no news. */
	return firewall_on_events(fw, reterr);
}

/* A text attribute of a message whose own header is off bytes long, or NULL. */
static const char *
attr_text(const struct nlmsghdr *nlh, size_t off, uint16_t type)
{
	const uint8_t *end = (const uint8_t *)nlh + nlh->nlmsg_len;
	const struct nlattr *attr = mnl_nlmsg_get_payload_offset(nlh, off);

	if (mnl_nlmsg_get_payload_len(nlh) < off)
		return NULL;
	for (; mnl_attr_ok(attr, (int)(end - (const uint8_t *)attr)); attr = mnl_attr_next(attr)) {
		if (mnl_attr_get_type(attr) == type && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			return mnl_attr_get_str(attr);
	}
	return NULL;
}

/* The table's name is attribute 1 of every nftables message but NEWGEN. */
static bool
event_is_foreign(const struct firewall *fw, const struct nlmsghdr *nlh)
{
	const char *table;

	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || (nlh->nlmsg_type & 0xff) == NFT_MSG_NEWGEN ||
	    nlh->nlmsg_pid == fw->portid)
		return false;
	table = attr_text(nlh, sizeof(struct nfgenmsg), NFTA_TABLE_NAME);
	return table != NULL && strcmp(table, TABLE) == 0;
}

int
firewall_on_events(struct firewall *fw, struct errbuf *reterr)
{
	uint8_t buf[32768];
	ssize_t n;

	while ((n = recv(fw->events, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)buf;

		for (int left = (int)n; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			if (event_is_foreign(fw, nlh))
				return errbuf_set(reterr, -ENOENT,
				    "another program changed the table '" TABLE "' (port id %u)",
				    nlh->nlmsg_pid);
		}
	}
	/* Events were lost: with a table that others may change, so is trust. */
	if (n < 0 && errno == ENOBUFS && (fw->table_flags & NFT_TABLE_F_OWNER) == 0)
		return errbuf_set(reterr, -ENOENT, "too many ruleset changes to watch the table '" TABLE "'");
	return 0;
}

static int
link_follow(struct firewall *fw, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	const char *name = attr_text(nlh, sizeof(*info), IFLA_IFNAME);

	if (name == NULL)
		return 0;
	/* A port that leaves its bridge is told of as a link that goes, too, with
	 * the bridge's family: it is still there. */
	if (nlh->nlmsg_type == RTM_DELLINK && info->ifi_family == AF_UNSPEC)
		egress_uncover(fw, (uint32_t)info->ifi_index);
	return nlh->nlmsg_type == RTM_NEWLINK ? egress_cover(fw, (uint32_t)info->ifi_index, name) : 0;
}

int
firewall_on_links(struct firewall *fw, struct errbuf *reterr)
{
	uint8_t buf[32768];
	ssize_t n;
	int rc = 0;

	while ((n = recv(fw->links, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)buf;

		for (int left = (int)n; fw->egress && mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left)) {
			rc = link_follow(fw, nlh);
			/* It went as fast as it came: nothing to cover. */
			/* Or, on older kernels, a new name for what is covered. */
			if (rc != 0 && rc != -ENOENT && rc != -ENODEV && rc != -EEXIST)
				return errbuf_set(reterr, rc, "cannot cover interface: %s", strerror(-rc));
		}
	}
	if (n < 0 && errno == ENOBUFS && fw->egress)
		return errbuf_set(reterr, -ENOBUFS, "too many link changes to cover every interface");
	return 0;
}

void
firewall_shut(struct firewall *fw)
{
	(void)fw_batch_send(fw->nl, fw->shut.bytes, fw->shut.len);
}

void
firewall_remove(struct firewall *fw)
{
	static const int families[] = { NFPROTO_INET, NFPROTO_NETDEV };

	/* By hand in a buffer of our own: there is no heap any more. */
	for (uint32_t i = 0; i < 2; i++) {
		uint8_t bytes[FW_BATCH_SMALL];
		struct fw_batch b;

		fw_batch_init_fixed(&b, bytes, sizeof(bytes), &fw->seq);
		table_put(&b, NFT_MSG_DELTABLE, families[i], 0);
		(void)fw_batch_commit(&b, fw->nl);
	}
}

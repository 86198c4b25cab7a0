#include "workerd/probe/route.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* More routes than this, and keeping our own copy costs more than asking. */
#define FIB_MAX 512
#define IF_MAX 1024
#define NL_BUF 32768

/* One route of the main table, and the kernel's answer for it. */
struct fib {
	struct addr prefix;
	uint8_t plen;
	bool plain; /* unicast, one next hop, no rival of the same prefix */
	bool known; /* answer is filled */
	struct route answer;
};

struct iface {
	uint32_t index;
	uint32_t mtu;
	uint32_t global6; /* IPv6 addresses that may be a source for the world */
	char *name;       /* kept for ever: records borrow it */
};

struct routes {
	int fd;
	uint32_t mark;
	uint32_t seq;
	bool stale;   /* reload before the next answer */
	bool by_rule; /* policy routing: always ask */
	uint32_t fib_count;
	uint32_t if_count;
	struct fib fib[FIB_MAX]; /* longest prefix first */
	struct iface iface[IF_MAX];
	uint8_t buf[NL_BUF];
};

struct routes *
routes_new(int fd, uint32_t mark)
{
	struct routes *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->fd = fd;
	r->mark = mark;
	r->stale = true;
	return r;
}

void
routes_changed(struct routes *r)
{
	/* What changed does not matter; a lost message (ENOBUFS) neither. */
	while (recv(r->fd, r->buf, sizeof(r->buf), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		;
	r->stale = true;
}

/* ---- asking ---- */

typedef void (*msg_fn)(struct routes *, const struct nlmsghdr *, void *arg);

static int
nl_error(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

	return nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*err)) ? -EBADMSG : err->error;
}

/* Reads answers to seq until the last. The kernel has queued the first before
 * send returned and makes the rest as we read, so this never waits. */
static int
nl_collect(struct routes *r, bool dump, msg_fn fn, void *arg)
{
	for (;;) {
		ssize_t n = recv(r->fd, r->buf, sizeof(r->buf), MSG_DONTWAIT);
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)r->buf;
		int left = (int)n;

		if (n < 0 && errno == ENOBUFS) {
			r->stale = true;
			continue;
		}
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			if (nlh->nlmsg_seq != r->seq) {
				r->stale = true; /* a change, told in between */
				continue;
			}
			if (nlh->nlmsg_type == NLMSG_DONE)
				return 0;
			if (nlh->nlmsg_type == NLMSG_ERROR)
				return nl_error(nlh);
			fn(r, nlh, arg);
			if (!dump)
				return 0;
		}
	}
}

static int
nl_ask(struct routes *r, struct nlmsghdr *nlh, bool dump, msg_fn fn, void *arg)
{
	nlh->nlmsg_flags = NLM_F_REQUEST | (dump ? NLM_F_DUMP : 0);
	nlh->nlmsg_seq = ++r->seq;
	if (send(r->fd, nlh, nlh->nlmsg_len, MSG_DONTWAIT) < 0)
		return -errno;
	return nl_collect(r, dump, fn, arg);
}

static int
nl_dump(struct routes *r, uint16_t type, uint8_t family, msg_fn fn, void *arg)
{
	uint8_t req[128] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(req);
	/* rtmsg, ifinfomsg and fib_rule_hdr all begin with the family. */
	uint8_t *body = mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));

	nlh->nlmsg_type = type;
	body[0] = family;
	return nl_ask(r, nlh, true, fn, arg);
}

/* The attribute after a (NULL: the first), or NULL at the end. */
static const struct nlattr *
attr_next(const struct nlmsghdr *nlh, size_t header, const struct nlattr *a)
{
	const char *tail = mnl_nlmsg_get_payload_tail(nlh);

	a = a == NULL ? mnl_nlmsg_get_payload_offset(nlh, header) : mnl_attr_next(a);
	return mnl_attr_ok(a, (int)(tail - (const char *)a)) ? a : NULL;
}

/* ---- interfaces ---- */

static struct iface *
iface_find(struct routes *r, uint32_t index)
{
	for (uint32_t i = 0; i < r->if_count; i++) {
		if (r->iface[i].index == index)
			return &r->iface[i];
	}
	return NULL;
}

static void
on_link(struct routes *r, const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a = NULL;
	const char *name = NULL;
	uint32_t mtu = 0;
	struct iface *f;

	(void)arg;
	if (nlh->nlmsg_type != RTM_NEWLINK)
		return;
	while ((a = attr_next(nlh, sizeof(*ifi), a)) != NULL) {
		if (mnl_attr_get_type(a) == IFLA_IFNAME && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0)
			name = mnl_attr_get_str(a);
		if (mnl_attr_get_type(a) == IFLA_MTU && mnl_attr_validate(a, MNL_TYPE_U32) == 0)
			mtu = mnl_attr_get_u32(a);
	}
	f = iface_find(r, (uint32_t)ifi->ifi_index);
	if (f == NULL) {
		if (r->if_count == IF_MAX || name == NULL)
			return;
		f = &r->iface[r->if_count];
		f->name = strdup(name);
		if (f->name == NULL)
			return;
		f->index = (uint32_t)ifi->ifi_index;
		r->if_count++;
	}
	f->mtu = mtu;
	f->global6 = 0;
}

#define ADDR6_UNFIT (IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_DADFAILED)

static void
on_addr6(struct routes *r, const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct iface *f;

	(void)arg;
	if (nlh->nlmsg_type != RTM_NEWADDR || ifa->ifa_scope != RT_SCOPE_UNIVERSE ||
	    (ifa->ifa_flags & ADDR6_UNFIT) != 0)
		return;
	f = iface_find(r, ifa->ifa_index);
	if (f != NULL)
		f->global6++;
}

const char *
routes_ifname(struct routes *r, uint32_t ifindex)
{
	const struct iface *f = iface_find(r, ifindex);

	return f == NULL ? NULL : f->name;
}

/* ---- the main table ---- */

static struct addr
attr_addr(const struct nlattr *a, uint8_t family)
{
	struct addr none = { 0 };
	uint8_t fam = family == AF_INET ? ADDR_IP4 : ADDR_IP6;

	if (mnl_attr_get_payload_len(a) != addr_len(fam))
		return none;
	return addr_make(fam, mnl_attr_get_payload(a));
}

static void
on_route(struct routes *r, const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a = NULL;
	struct fib f = { 0 };

	/* A kernel without a family answers for all it has. */
	if (nlh->nlmsg_type != RTM_NEWROUTE || rtm->rtm_family != *(const uint8_t *)arg ||
	    (rtm->rtm_flags & RTM_F_CLONED) != 0 ||
	    (rtm->rtm_table != RT_TABLE_MAIN && rtm->rtm_table != RT_TABLE_LOCAL))
		return;
	f.prefix.family = rtm->rtm_family == AF_INET ? ADDR_IP4 : ADDR_IP6;
	f.plen = rtm->rtm_dst_len;
	f.plain = rtm->rtm_type == RTN_UNICAST && rtm->rtm_table == RT_TABLE_MAIN;
	while ((a = attr_next(nlh, sizeof(*rtm), a)) != NULL) {
		if (mnl_attr_get_type(a) == RTA_DST)
			f.prefix = attr_addr(a, rtm->rtm_family);
		if (mnl_attr_get_type(a) == RTA_MULTIPATH)
			f.plain = false;
	}
	if (r->fib_count == FIB_MAX) {
		r->by_rule = true;
		return;
	}
	r->fib[r->fib_count++] = f;
}

/* Any rule beside the three that every host has means policy routing. */
static void
on_rule(struct routes *r, const struct nlmsghdr *nlh, void *arg)
{
	const struct fib_rule_hdr *h = mnl_nlmsg_get_payload(nlh);

	(void)arg;
	if (nlh->nlmsg_type != RTM_NEWRULE)
		return;
	if (h->src_len != 0 || h->dst_len != 0 || h->action != FR_ACT_TO_TBL ||
	    (h->table != RT_TABLE_LOCAL && h->table != RT_TABLE_MAIN && h->table != RT_TABLE_DEFAULT))
		r->by_rule = true;
}

static int
fib_order(const void *a, const void *b)
{
	const struct fib *x = a, *y = b;

	if (x->plen != y->plen)
		return y->plen - x->plen;
	return addr_compare(&x->prefix, &y->prefix);
}

/* What the kernel routes like its neighbours in the address space: 2000::/3 and
 * fc00::/7; 1.0.0.0 to 223.255.255.255. For "no address", groups, broadcasts and
 * their like it makes up an answer that holds for them alone: the loopback
 * interface, a link-local source. */
static bool
is_ordinary(const struct addr *a)
{
	if (a->family == ADDR_IP4)
		return a->b[0] >= 1 && a->b[0] <= 223;
	return (a->b[0] & 0xe0) == 0x20 || (a->b[0] & 0xfe) == 0xfc;
}

/*
 * May the answer for one destination of a route serve the others? IPv6 picks
 * the source by the destination, but rule 5 of RFC 6724 prefers the outgoing
 * interface: when that has one global address, it is the one.
 */
static bool
answer_holds(struct routes *r, const struct fib *f, const struct addr *dst)
{
	const struct iface *out;

	if (!f->plain || !is_ordinary(dst))
		return false;
	out = f->known && dst->family == ADDR_IP6 ? iface_find(r, f->answer.ifindex) : NULL;
	return out == NULL || out->global6 == 1;
}

static void
reload(struct routes *r)
{
	uint8_t families[] = { AF_INET, AF_INET6 };

	r->stale = false;
	r->by_rule = false;
	r->fib_count = 0;
	if (nl_dump(r, RTM_GETLINK, AF_UNSPEC, on_link, NULL) != 0 ||
	    nl_dump(r, RTM_GETADDR, AF_INET6, on_addr6, NULL) != 0)
		r->by_rule = true;
	for (size_t i = 0; i < sizeof(families); i++) {
		if (nl_dump(r, RTM_GETRULE, families[i], on_rule, NULL) != 0 ||
		    nl_dump(r, RTM_GETROUTE, families[i], on_route, &families[i]) != 0)
			r->by_rule = true;
	}
	qsort(r->fib, r->fib_count, sizeof(r->fib[0]), fib_order);
	for (uint32_t i = 1; i < r->fib_count; i++) {
		if (fib_order(&r->fib[i - 1], &r->fib[i]) == 0)
			r->fib[i - 1].plain = r->fib[i].plain = false;
	}
}

static bool
prefix_covers(const struct fib *f, const struct addr *a)
{
	size_t whole = f->plen / 8;
	unsigned int rest = f->plen % 8;

	if (f->prefix.family != a->family || memcmp(f->prefix.b, a->b, whole) != 0)
		return false;
	return rest == 0 || ((f->prefix.b[whole] ^ a->b[whole]) >> (8 - rest)) == 0;
}

static struct fib *
fib_find(struct routes *r, const struct addr *dst)
{
	for (uint32_t i = 0; i < r->fib_count; i++) {
		if (prefix_covers(&r->fib[i], dst))
			return &r->fib[i];
	}
	return NULL;
}

/* ---- one answer ---- */

static void
on_answer(struct routes *r, const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct route *ret = arg;
	const struct nlattr *a = NULL;

	(void)r;
	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return;
	ret->local = rtm->rtm_type == RTN_LOCAL;
	while ((a = attr_next(nlh, sizeof(*rtm), a)) != NULL) {
		switch (mnl_attr_get_type(a)) {
		case RTA_PREFSRC:
			ret->src = attr_addr(a, rtm->rtm_family);
			break;
		case RTA_OIF:
			if (mnl_attr_validate(a, MNL_TYPE_U32) == 0)
				ret->ifindex = mnl_attr_get_u32(a);
			break;
		}
	}
}

static int
ask_kernel(struct routes *r, const struct addr *dst, struct route *ret)
{
	uint8_t req[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(req);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	const struct iface *f;
	int rc;

	nlh->nlmsg_type = RTM_GETROUTE;
	rtm->rtm_family = dst->family == ADDR_IP4 ? AF_INET : AF_INET6;
	rtm->rtm_dst_len = (uint8_t)(addr_len(dst->family) * 8);
	mnl_attr_put(nlh, RTA_DST, addr_len(dst->family), dst->b);
	mnl_attr_put_u32(nlh, RTA_MARK, r->mark);
	memset(ret, 0, sizeof(*ret));
	rc = nl_ask(r, nlh, false, on_answer, ret);
	if (rc != 0)
		return rc;
	f = iface_find(r, ret->ifindex);
	ret->mtu = f == NULL ? 0 : f->mtu;
	return ret->src.family == ADDR_NONE ? -ENETUNREACH : 0;
}

int
routes_get(struct routes *r, const struct addr *dst, const struct addr *via, struct route *ret)
{
	const struct addr *target = via != NULL && via->family != ADDR_NONE ? via : dst;
	struct fib *f;
	int rc;

	if (r->stale)
		reload(r);
	f = r->by_rule ? NULL : fib_find(r, target);
	if (f == NULL || !answer_holds(r, f, target))
		return ask_kernel(r, target, ret);
	if (!f->known) {
		rc = ask_kernel(r, target, &f->answer);
		if (rc != 0)
			return rc;
		f->known = true;
	}
	*ret = f->answer;
	return 0;
}

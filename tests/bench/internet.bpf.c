/*
 * The simulated internet: answers every probe in place and sends it back out
 * of the interface it came from. IPv4 and IPv6; ICMP echo, UDP, TCP. A probe
 * whose TTL ends on the way is answered by the router there. What is not a
 * probe goes to the kernel; what lies in the silent ranges is dropped.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "truth.h"

#define QUOTE_L4 8
#define ERROR4_LEN (sizeof(struct iphdr) + sizeof(struct icmp))
#define ERROR6_LEN (sizeof(struct ipv6hdr) + sizeof(struct icmp))

#define NET_TARGETS4 0xc6120000U /* 198.18.0.0/15, RFC 2544 */
#define NET_TARGETS4_MASK 0xfffe0000U
#define NET_SILENT4 0x0a800000U /* 10.128.0.0/9 */
#define NET_SILENT4_MASK 0xff800000U
#define NET_ROUTERS4 0x64400000U /* 100.64.0.0/10 */
#define NET_TARGETS6 0x20010002U /* 2001:2::/48, RFC 5180 */
#define SUBNET_SILENT6 0xdead	 /* 2001:2:0:dead::/64 */
#define SUBNET_ROUTERS6 0xffff	 /* 2001:2:0:ffff::/64 */

/* <linux/icmp.h> would bring the C library along. */
#define ICMP4_ECHO_REPLY 0
#define ICMP4_UNREACH 3
#define ICMP4_UNREACH_PORT 3
#define ICMP4_ECHO 8
#define ICMP4_EXCEEDED 11
#define ICMP6_UNREACH 1
#define ICMP6_EXCEEDED 3
#define ICMP6_UNREACH_PORT 4
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129

struct icmp {
	__u8 type;
	__u8 code;
	__u16 csum;
	__u32 rest;
};

struct way {
	__u8 mac[12]; /* of the frame as it came */
	__u32 hash;
	__u32 ttl;
	__u32 hops;
};

static __always_inline __u16
fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

static __always_inline __u16
sum_of(const void *p, __u32 len, __u32 start)
{
	return fold((__u64)(__u32)bpf_csum_diff(0, 0, (__be32 *)p, len, start));
}

static __always_inline void
put_eth(struct ethhdr *eth, const struct way *way, __be16 proto)
{
	__builtin_memcpy(eth->h_dest, way->mac + 6, 6);
	__builtin_memcpy(eth->h_source, way->mac, 6);
	eth->h_proto = proto;
}

static __always_inline void
put_ip4(struct iphdr *ip, __be32 src, __be32 dst, __u16 len, __u8 ttl)
{
	*ip = (struct iphdr){ .version = 4, .ihl = 5, .tot_len = bpf_htons(len), .id = bpf_htons(0x5678),
		.ttl = ttl, .protocol = IPPROTO_ICMP, .saddr = src, .daddr = dst };
	ip->check = sum_of(ip, sizeof(*ip), 0);
}

/* An ICMP error from src about the packet, which becomes the quote: its IP
 * header as it was on arrival (TTL 1) and 8 bytes behind it. */
static __always_inline int
error4(struct xdp_md *ctx, const struct way *way, __be32 src, __u8 type, __u8 code, __u8 ttl)
{
	const __u16 quote = sizeof(struct iphdr) + QUOTE_L4;
	int have = (int)(ctx->data_end - ctx->data);
	struct icmp *icmp;
	struct iphdr *ip, *quoted;
	struct ethhdr *eth;

	if (bpf_xdp_adjust_tail(ctx, (int)sizeof(*eth) + quote - have) != 0 ||
	    bpf_xdp_adjust_head(ctx, -(int)ERROR4_LEN) != 0)
		return XDP_DROP;
	eth = (void *)(long)ctx->data;
	ip = (void *)(eth + 1);
	icmp = (void *)(ip + 1);
	quoted = (void *)(icmp + 1);
	if ((void *)quoted + quote > (void *)(long)ctx->data_end)
		return XDP_DROP;
	quoted->ttl = 1;
	quoted->check = 0;
	quoted->check = sum_of(quoted, sizeof(*quoted), 0);
	put_eth(eth, way, bpf_htons(ETH_P_IP));
	*icmp = (struct icmp){ .type = type, .code = code };
	icmp->csum = sum_of(icmp, sizeof(*icmp) + quote, 0);
	put_ip4(ip, src, quoted->saddr, ERROR4_LEN + quote, ttl);
	return XDP_TX;
}

/* The sum of an IPv6 pseudo-header (RFC 8200 section 8.1). */
static __always_inline __u32
pseudo6(const struct ipv6hdr *ip, __u32 len, __u32 proto)
{
	__be32 tail[2] = { bpf_htonl(len), bpf_htonl(proto) };
	__u32 sum = (__u32)bpf_csum_diff(0, 0, (__be32 *)&ip->saddr, 32, 0);

	return (__u32)bpf_csum_diff(0, 0, tail, sizeof(tail), sum);
}

static __always_inline int
error6(struct xdp_md *ctx, const struct way *way, const struct in6_addr *src, __u8 type, __u8 code, __u8 ttl)
{
	const __u16 quote = sizeof(struct ipv6hdr) + QUOTE_L4;
	const __u16 len = sizeof(struct icmp) + quote;
	int have = (int)(ctx->data_end - ctx->data);
	struct ipv6hdr *ip, *quoted;
	struct icmp *icmp;
	struct ethhdr *eth;

	if (bpf_xdp_adjust_tail(ctx, (int)sizeof(*eth) + quote - have) != 0 ||
	    bpf_xdp_adjust_head(ctx, -(int)ERROR6_LEN) != 0)
		return XDP_DROP;
	eth = (void *)(long)ctx->data;
	ip = (void *)(eth + 1);
	icmp = (void *)(ip + 1);
	quoted = (void *)(icmp + 1);
	if ((void *)quoted + quote > (void *)(long)ctx->data_end)
		return XDP_DROP;
	quoted->hop_limit = 1;
	put_eth(eth, way, bpf_htons(ETH_P_IPV6));
	*ip = (struct ipv6hdr){ .version = 6, .payload_len = bpf_htons(len), .nexthdr = IPPROTO_ICMPV6,
		.hop_limit = ttl, .saddr = *src, .daddr = quoted->saddr };
	*icmp = (struct icmp){ .type = type, .code = code };
	icmp->csum = sum_of(icmp, len, pseudo6(ip, len, IPPROTO_ICMPV6));
	return XDP_TX;
}

/* Turns a TCP probe into its answer; addresses are swapped already, which
 * leaves the pseudo-header's sum as it was. */
static __always_inline void
answer_tcp(struct tcphdr *tcp, const struct way *way)
{
	__be32 old[3], new[3];
	__be16 port = tcp->source;
	__be32 seq = tcp->seq, ack = tcp->ack_seq;
	int syn = tcp->syn && !tcp->ack;

	__builtin_memcpy(old, (void *)tcp + 4, 12);
	tcp->source = tcp->dest;
	tcp->dest = port;
	tcp->seq = syn ? bpf_htonl(way->hash) : ack;
	tcp->ack_seq = syn ? bpf_htonl(bpf_ntohl(seq) + 1) : 0;
	tcp->rst = !syn || !truth_open(way->hash);
	tcp->syn = !tcp->rst;
	tcp->ack = syn;
	tcp->psh = 0;
	__builtin_memcpy(new, (void *)tcp + 4, 12);
	tcp->check = fold((__u64)(__u32)bpf_csum_diff(old, 12, new, 12, (__u16)~tcp->check));
}

static __always_inline int
answer4(struct xdp_md *ctx, struct way *way)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct icmp *icmp = (void *)(ip + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	void *end = (void *)(long)ctx->data_end;
	__u8 ttl = (__u8)(64 - way->hops);
	__be32 swap;

	if ((void *)(icmp + 1) > end)
		return XDP_DROP;
	if (ip->protocol == IPPROTO_UDP)
		return error4(ctx, way, ip->daddr, ICMP4_UNREACH, ICMP4_UNREACH_PORT, ttl);
	if (ip->protocol == IPPROTO_ICMP) {
		if (icmp->type != ICMP4_ECHO)
			return XDP_DROP;
		icmp->type = ICMP4_ECHO_REPLY;
		icmp->csum = fold((__u16)~icmp->csum + (__u64)(__u16)~bpf_htons(ICMP4_ECHO << 8));
	} else if (ip->protocol != IPPROTO_TCP || (void *)(tcp + 1) > end) {
		return XDP_DROP;
	} else {
		answer_tcp(tcp, way);
	}
	swap = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = swap;
	ip->ttl = ttl;
	ip->check = 0;
	ip->check = sum_of(ip, sizeof(*ip), 0);
	put_eth(eth, way, bpf_htons(ETH_P_IP));
	return XDP_TX;
}

static __always_inline int
answer6(struct xdp_md *ctx, struct way *way)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct ipv6hdr *ip = (void *)(eth + 1);
	struct icmp *icmp = (void *)(ip + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	void *end = (void *)(long)ctx->data_end;
	__u8 ttl = (__u8)(64 - way->hops);
	struct in6_addr swap;

	if ((void *)(icmp + 1) > end)
		return XDP_DROP;
	swap = ip->daddr;
	if (ip->nexthdr == IPPROTO_UDP)
		return error6(ctx, way, &swap, ICMP6_UNREACH, ICMP6_UNREACH_PORT, ttl);
	if (ip->nexthdr == IPPROTO_ICMPV6) {
		if (icmp->type != ICMP6_ECHO)
			return XDP_PASS; /* neighbour discovery and its kin */
		icmp->type = ICMP6_ECHO_REPLY;
		icmp->csum = fold((__u16)~icmp->csum + (__u64)bpf_htons(0x100));
	} else if (ip->nexthdr != IPPROTO_TCP || (void *)(tcp + 1) > end) {
		return XDP_DROP;
	} else {
		answer_tcp(tcp, way);
	}
	ip->daddr = ip->saddr;
	ip->saddr = swap;
	ip->hop_limit = ttl;
	put_eth(eth, way, bpf_htons(ETH_P_IPV6));
	return XDP_TX;
}

static __always_inline int
internet4(struct xdp_md *ctx, struct way *way)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	__u32 dst;

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	dst = bpf_ntohl(ip->daddr);
	if ((dst & NET_SILENT4_MASK) == NET_SILENT4)
		return XDP_DROP;
	if ((dst & NET_TARGETS4_MASK) != NET_TARGETS4)
		return XDP_PASS;
	if (ip->ihl != 5)
		return XDP_DROP;
	way->hash = truth_hash(0, dst);
	way->hops = truth_hops(way->hash);
	way->ttl = ip->ttl;
	if (way->ttl >= way->hops)
		return answer4(ctx, way);
	return error4(ctx, way, bpf_htonl(NET_ROUTERS4 | truth_router(way->hash, way->ttl)), ICMP4_EXCEEDED,
	    0, (__u8)(255 - way->ttl));
}

static __always_inline int
internet6(struct xdp_md *ctx, struct way *way)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct ipv6hdr *ip = (void *)(eth + 1);
	struct in6_addr router = { 0 };

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (ip->daddr.in6_u.u6_addr32[0] != bpf_htonl(NET_TARGETS6))
		return XDP_PASS;
	if (ip->daddr.in6_u.u6_addr32[1] == bpf_htonl(SUBNET_SILENT6))
		return XDP_DROP;
	way->hash = truth_hash(0, bpf_ntohl(ip->daddr.in6_u.u6_addr32[0]));
	way->hash = truth_hash(way->hash, bpf_ntohl(ip->daddr.in6_u.u6_addr32[1]));
	way->hash = truth_hash(way->hash, bpf_ntohl(ip->daddr.in6_u.u6_addr32[2]));
	way->hash = truth_hash(way->hash, bpf_ntohl(ip->daddr.in6_u.u6_addr32[3]));
	way->hops = truth_hops(way->hash);
	way->ttl = ip->hop_limit;
	if (way->ttl >= way->hops)
		return answer6(ctx, way);
	router.in6_u.u6_addr32[0] = bpf_htonl(NET_TARGETS6);
	router.in6_u.u6_addr32[1] = bpf_htonl(SUBNET_ROUTERS6);
	router.in6_u.u6_addr32[3] = bpf_htonl(truth_router(way->hash, way->ttl));
	return error6(ctx, way, &router, ICMP6_EXCEEDED, 0, (__u8)(255 - way->ttl));
}

SEC("xdp")
int
internet(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct way way = { 0 };

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	__builtin_memcpy(way.mac, eth, 12);
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return internet4(ctx, &way);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return internet6(ctx, &way);
	return XDP_PASS;
}

char internet_license[] SEC("license") = "GPL"; /* which helpers the kernel lends us */

#ifndef VANTAGE_TESTS_BENCH_TRUTH_H
#define VANTAGE_TESTS_BENCH_TRUTH_H

/*
 * The simulated internet's only law, shared by the XDP program and, in
 * truth.py, by the checker: everything about a destination follows from its
 * address. Types are those of <linux/types.h>, for the BPF compiler's sake.
 */

#include <linux/types.h>

#define TRUTH_HOPS_MIN 4
#define TRUTH_HOPS_SPAN 12

static inline __u32
truth_mix(__u32 x)
{
	x ^= x >> 16;
	x *= 0x7feb352dU;
	x ^= x >> 15;
	x *= 0x846ca68bU;
	return x ^ x >> 16;
}

/* Of an IPv4 address, or of the four words of an IPv6 one in turn. */
static inline __u32
truth_hash(__u32 hash, __u32 word)
{
	return truth_mix(hash ^ word);
}

/* The TTL with which a probe reaches the destination: 4 to 15. */
static inline __u32
truth_hops(__u32 hash)
{
	return TRUTH_HOPS_MIN + hash % TRUTH_HOPS_SPAN;
}

/* Names the router at a TTL below that; 18 bits, then the TTL in 4. */
static inline __u32
truth_router(__u32 hash, __u32 ttl)
{
	return (truth_mix(hash + ttl * 0x9e3779b9U) & 0x3ffff) << 4 | ttl;
}

/* Whether a TCP port of the destination is open. */
static inline int
truth_open(__u32 hash)
{
	return (hash >> 20 & 1) != 0;
}

#endif

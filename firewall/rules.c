#include "firewall/rules.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <stddef.h>

#include "firewall/firewall.h"

/* clang-format off: a rule a line */
#define LO 1 /* the loopback device's index in every network namespace */
#define OPT_LSRR 131
#define OPT_SSRR 137

#define MARK(m, c, v)                                                                                        \
	{                                                                                                    \
		FW_MARK, 0, 4, m, c, v                                                                       \
	}
#define NET(o, l, m, c, v)                                                                                   \
	{                                                                                                    \
		FW_NET, o, l, m, c, v                                                                        \
	}
#define TH(o, l, c, v)                                                                                       \
	{                                                                                                    \
		FW_TH, o, l, 0, c, v                                                                         \
	}
#define OIF(c, v)                                                                                            \
	{                                                                                                    \
		FW_OIF, 0, 4, 0, c, v                                                                        \
	}
#define L4(c, v)                                                                                             \
	{                                                                                                    \
		FW_L4PROTO, 0, 1, 0, c, v                                                                    \
	}
#define NF(v)                                                                                                \
	{                                                                                                    \
		FW_NFPROTO, 0, 1, 0, FW_EQ, v                                                                \
	}
#define SADDR(c, v)                                                                                          \
	{                                                                                                    \
		FW_FIB_SADDR, 0, 4, 0, c, v                                                                  \
	}
#define DADDR(c, v)                                                                                          \
	{                                                                                                    \
		FW_FIB_DADDR, 0, 4, 0, c, v                                                                  \
	}
#define HAS(kind, type)                                                                                      \
	{                                                                                                    \
		kind, type, 1, 0, FW_EQ, 1                                                                   \
	}
#define IN(set, o, l)                                                                                        \
	{                                                                                                    \
		FW_NET, o, l, 0, FW_IN, set                                                                  \
	}
#define DROP(reason) FW_DROP, reason

/* The first is the hook; what carries our mark never comes back from vx. */
const char *const fw_chains[] = { "out", "vx", "v4", "opts", "icmp4", "v6", "icmp6", "ok", NULL };

const char *const fw_counters[] = { "kind", "header", "fragment", "route", "dnp", "group", "source",
	"protocol", "local", "rate", NULL };

const struct fw_rule fw_rules[] = {
	/* The top byte is filled in from the configuration (FW_MARK alone). */
	{ "out", { MARK(0xff000000, FW_EQ, 0) }, FW_GOTO, "vx" },

	{ "vx", { MARK(0x00ff0000, FW_NE, MARK_KIND_TX) }, DROP("kind") },
	{ "vx", { NF(NFPROTO_IPV4) }, FW_GOTO, "v4" },
	{ "vx", { NF(NFPROTO_IPV6) }, FW_GOTO, "v6" },
	{ "vx", { { 0 } }, DROP("kind") },

	/* RFC 791. Only packets with options pay for a look at them. Crafted
	 * fragments hide what the rest of the rules judge. */
	{ "v4", { NET(0, 1, 0, FW_NE, 0x45) }, FW_JUMP, "opts" },
	{ "v4", { NET(6, 2, 0x3fff, FW_NE, 0) }, DROP("fragment") },
	{ "v4", { IN(4, 16, 4) }, DROP("dnp") },
	{ "v4", { NET(16, 1, 0, FW_GE, 224) }, DROP("group") }, /* RFC 1112, and limited broadcast */
	{ "v4", { DADDR(FW_EQ, RTN_BROADCAST) }, DROP("group") },
	{ "v4", { SADDR(FW_NE, RTN_LOCAL) }, DROP("source"), FW_UNLESS_SPOOF },
	/* RFC 1122 section 3.2.1.3: 127/8 is local to the kernel, and must not
	 * be seen outside a host. */
	{ "v4", { NET(12, 1, 0, FW_EQ, 127), OIF(FW_NE, LO) }, DROP("source") },
	{ "v4", { L4(FW_EQ, IPPROTO_ICMP) }, FW_GOTO, "icmp4" },
	{ "v4", { L4(FW_EQ, IPPROTO_UDP) }, FW_GOTO, "ok" },
	{ "v4", { L4(FW_EQ, IPPROTO_TCP) }, FW_GOTO, "ok" },
	{ "v4", { { 0 } }, DROP("protocol") }, /* tunnels would carry what is refused here */

	{ "opts", { NET(0, 1, 0xf0, FW_NE, 0x40) }, DROP("header") },
	{ "opts", { NET(0, 1, 0x0f, FW_LT, 5) }, DROP("header") },
	/* RFC 7126 section 4.3, 4.4: a permitted host would forward to a forbidden one. */
	{ "opts", { HAS(FW_OPT4, OPT_LSRR) }, DROP("route") },
	{ "opts", { HAS(FW_OPT4, OPT_SSRR) }, DROP("route") },

	/* RFC 792: requests, and "fragmentation needed" for the pseudo MTU. */
	{ "icmp4", { TH(0, 1, FW_EQ, 8) }, FW_GOTO, "ok" },
	{ "icmp4", { TH(0, 1, FW_EQ, 13) }, FW_GOTO, "ok" },
	{ "icmp4", { TH(0, 2, FW_EQ, 0x0304) }, FW_GOTO, "ok" },
	{ "icmp4", { { 0 } }, DROP("protocol") },

	/* RFC 8200. A fragment header is allowed: the final protocol is found
	 * behind it, and a truncated chain of headers has none. */
	{ "v6", { NET(0, 1, 0xf0, FW_NE, 0x60) }, DROP("header") },
	{ "v6", { HAS(FW_EXT6, IPPROTO_ROUTING) }, DROP("route") },
	{ "v6", { IN(6, 24, 16) }, DROP("dnp") },
	{ "v6", { NET(24, 1, 0, FW_EQ, 0xff) }, DROP("group") },
	{ "v6", { SADDR(FW_NE, RTN_LOCAL) }, DROP("source"), FW_UNLESS_SPOOF },
	/* RFC 4291 section 2.5: ::1, :: and mapped addresses stay inside. */
	{ "v6", { NET(8, 8, 0, FW_EQ, 0), OIF(FW_NE, LO) }, DROP("source") },
	{ "v6", { L4(FW_EQ, IPPROTO_ICMPV6) }, FW_GOTO, "icmp6" },
	{ "v6", { L4(FW_EQ, IPPROTO_UDP) }, FW_GOTO, "ok" },
	{ "v6", { L4(FW_EQ, IPPROTO_TCP) }, FW_GOTO, "ok" },
	{ "v6", { { 0 } }, DROP("protocol") },

	/* RFC 4443: echo request and "packet too big". A later fragment has no
	 * type; what the kernel would load as one is another byte. */
	{ "icmp6", { { FW_FRAG6, 2, 2, 0xfff8, FW_NE, 0 } }, FW_GOTO, "ok" },
	{ "icmp6", { TH(0, 1, FW_EQ, 128) }, FW_GOTO, "ok" },
	{ "icmp6", { TH(0, 1, FW_EQ, 2) }, FW_GOTO, "ok" },
	{ "icmp6", { { 0 } }, DROP("protocol") },

	{ "ok", { OIF(FW_EQ, LO) }, DROP("local"), FW_UNLESS_LOCAL },
	/* Last, so that a refused packet costs nobody's share. */
	{ "ok", { { FW_OVER } }, DROP("rate") },
	/* Not counted: a sixth of a microsecond for what the worker knows. */
	{ "ok", { { 0 } }, FW_ACCEPT, NULL },
	{ 0 },
};

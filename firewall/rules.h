#ifndef VANTAGE_FIREWALL_RULES_H
#define VANTAGE_FIREWALL_RULES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The policy as a table. A rule has at most two tests, a counter for its
 * reason and a verdict. Marked packets that no rule accepts are dropped.
 */
enum fw_load {
	FW_END = 0,
	FW_MARK,
	FW_NFPROTO,
	FW_L4PROTO,
	FW_OIF,
	FW_NET,       /* bytes of the network header */
	FW_TH,        /* bytes of the transport header; no match where there is none */
	FW_FRAG6,     /* bytes of the fragment header; the same */
	FW_FIB_SADDR, /* what kind of address the source is to this host */
	FW_FIB_DADDR,
	FW_OPT4, /* an IPv4 option is there (1) */
	FW_EXT6, /* an IPv6 extension header is there (1) */
	FW_OVER, /* more than max-pps; no comparison */
};

enum fw_cmp { FW_EQ, FW_NE, FW_LT, FW_GE, FW_IN };

struct fw_test {
	enum fw_load load;
	uint32_t off; /* or the option's, the extension's type */
	uint32_t len;
	uint32_t mask; /* 0: none */
	enum fw_cmp cmp;
	uint32_t value; /* FW_IN: 4 or 6, which do-not-probe set */
};

enum fw_verdict { FW_DROP, FW_ACCEPT, FW_GOTO, FW_JUMP };

enum fw_unless { FW_ALWAYS = 0, FW_UNLESS_SPOOF, FW_UNLESS_LOCAL };

struct fw_rule {
	const char *chain;
	struct fw_test test[2];
	enum fw_verdict verdict;
	const char *counter; /* DROP: which; ACCEPT: NULL; GOTO, JUMP: the chain */
	enum fw_unless unless;
};

struct firewall_policy;
struct nftnl_rule;

#define FW_TABLE "vantage"

/* The rule as the kernel takes it; the caller frees it. */
struct nftnl_rule *fw_rule_new(const struct fw_rule *, const struct firewall_policy *);

/* Ended by a rule without a chain; the same for the lists of names. */
extern const struct fw_rule fw_rules[];
extern const char *const fw_chains[];
extern const char *const fw_counters[];

#endif

#include "firewall/rules.h"

#include <stdio.h> /* libnftnl/expr.h needs it before */

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "firewall/firewall.h"

/* One expression and its number attributes, ended by a 0. */
static struct nftnl_expr *
expr_add(struct nftnl_rule *rule, const char *kind, const uint32_t (*attrs)[2])
{
	struct nftnl_expr *e = nftnl_expr_alloc(kind);

	if (e == NULL)
		abort(); /* privd without memory at the start has nothing to offer */
	for (; (*attrs)[0] != 0; attrs++)
		nftnl_expr_set_u32(e, (uint16_t)(*attrs)[0], (*attrs)[1]);
	nftnl_rule_add_expr(rule, e);
	return e;
}

#define EXPR(rule, kind, ...) expr_add(rule, kind, (const uint32_t[][2]){ __VA_ARGS__, { 0, 0 } })

static void
load_meta(struct nftnl_rule *rule, const struct fw_test *t, uint32_t key)
{
	(void)t;
	(void)EXPR(rule, "meta", { NFTNL_EXPR_META_DREG, NFT_REG_1 }, { NFTNL_EXPR_META_KEY, key });
}

static void
load_payload(struct nftnl_rule *rule, const struct fw_test *t, uint32_t base)
{
	(void)EXPR(rule, "payload", { NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1 }, { NFTNL_EXPR_PAYLOAD_BASE, base },
	    { NFTNL_EXPR_PAYLOAD_OFFSET, t->off }, { NFTNL_EXPR_PAYLOAD_LEN, t->len });
}

static void
load_fib(struct nftnl_rule *rule, const struct fw_test *t, uint32_t which)
{
	(void)t;
	(void)EXPR(rule, "fib", { NFTNL_EXPR_FIB_DREG, NFT_REG_1 }, { NFTNL_EXPR_FIB_FLAGS, which },
	    { NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE });
}

static void
load_exthdr(struct nftnl_rule *rule, const struct fw_test *t, uint32_t op)
{
	bool bytes = t->load == FW_FRAG6;
	struct nftnl_expr *e = EXPR(rule, "exthdr", { NFTNL_EXPR_EXTHDR_DREG, NFT_REG_1 },
	    { NFTNL_EXPR_EXTHDR_OP, op }, { NFTNL_EXPR_EXTHDR_LEN, t->len },
	    { NFTNL_EXPR_EXTHDR_FLAGS, bytes ? 0 : NFT_EXTHDR_F_PRESENT });

	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_OFFSET, bytes ? t->off : 0);
	nftnl_expr_set_u8(e, NFTNL_EXPR_EXTHDR_TYPE, (uint8_t)(bytes ? IPPROTO_FRAGMENT : t->off));
}

/* More than pps. The worker paces to the same number by a clock of its own: a
 * twentieth is left between, so that drift is no loss. The burst is 20 ms worth,
 * and one send batch however low the rate. */
static void
load_over(struct nftnl_rule *rule, const struct fw_test *t, uint32_t pps)
{
	struct nftnl_expr *e = EXPR(rule, "limit", { NFTNL_EXPR_LIMIT_BURST, pps / 50 + 64 },
	    { NFTNL_EXPR_LIMIT_FLAGS, NFT_LIMIT_F_INV });

	(void)t;
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_RATE, pps + pps / 20 + 1);
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_UNIT, 1);
}

static const struct {
	void (*load)(struct nftnl_rule *, const struct fw_test *, uint32_t);
	uint32_t what;
} loads[] = {
	[FW_MARK] = { load_meta, NFT_META_MARK },
	[FW_NFPROTO] = { load_meta, NFT_META_NFPROTO },
	[FW_L4PROTO] = { load_meta, NFT_META_L4PROTO },
	[FW_OIF] = { load_meta, NFT_META_OIF },
	[FW_NET] = { load_payload, NFT_PAYLOAD_NETWORK_HEADER },
	[FW_TH] = { load_payload, NFT_PAYLOAD_TRANSPORT_HEADER },
	[FW_FIB_SADDR] = { load_fib, NFTA_FIB_F_SADDR },
	[FW_FIB_DADDR] = { load_fib, NFTA_FIB_F_DADDR },
	[FW_OPT4] = { load_exthdr, NFT_EXTHDR_OP_IPV4 },
	[FW_EXT6] = { load_exthdr, NFT_EXTHDR_OP_IPV6 },
	[FW_FRAG6] = { load_exthdr, NFT_EXTHDR_OP_IPV6 },
};

/* A value as its register holds it: packet bytes in network order, the
 * kernel's own numbers in ours. */
static void
value_bytes(const struct fw_test *t, uint32_t value, uint8_t bytes[8])
{
	bool packet = t->load == FW_NET || t->load == FW_TH || t->load == FW_FRAG6;

	memset(bytes, 0, 8);
	if (!packet && t->len == 4) {
		memcpy(bytes, &value, 4);
		return;
	}
	for (uint32_t i = 0; i < t->len && i < 4; i++)
		bytes[t->len - 1 - i] = (uint8_t)(value >> 8 * i);
}

static void
expr_compare(struct nftnl_rule *rule, const struct fw_test *t, uint32_t value)
{
	static const uint32_t ops[] = {
		[FW_EQ] = NFT_CMP_EQ, [FW_NE] = NFT_CMP_NEQ, [FW_LT] = NFT_CMP_LT, [FW_GE] = NFT_CMP_GTE
	};
	uint8_t bytes[8], zero[8] = { 0 };
	struct nftnl_expr *e;

	if (t->mask != 0) {
		value_bytes(t, t->mask, bytes);
		e = EXPR(rule, "bitwise", { NFTNL_EXPR_BITWISE_SREG, NFT_REG_1 },
		    { NFTNL_EXPR_BITWISE_DREG, NFT_REG_1 }, { NFTNL_EXPR_BITWISE_LEN, t->len });
		nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
		nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, bytes, t->len);
		nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, zero, t->len);
	}
	value_bytes(t, value, bytes);
	e = EXPR(rule, "cmp", { NFTNL_EXPR_CMP_SREG, NFT_REG_1 });
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, ops[t->cmp]);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, bytes, t->len);
}

static void
expr_test(struct nftnl_rule *rule, const struct fw_test *t, const struct firewall_policy *policy)
{
	uint32_t value = t->value;

	if (t->load == FW_OVER) {
		load_over(rule, t, policy->max_pps);
		return;
	}
	if (t->load == FW_MARK && t->mask == 0xff000000)
		value = policy->mark;
	loads[t->load].load(rule, t, loads[t->load].what);
	if (t->cmp == FW_IN)
		nftnl_expr_set_str(EXPR(rule, "lookup", { NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1 }),
		    NFTNL_EXPR_LOOKUP_SET, value == 4 ? "dnp4" : "dnp6");
	else
		expr_compare(rule, t, value);
}

static void
expr_verdict(struct nftnl_rule *rule, enum fw_verdict verdict, const char *name)
{
	static const uint32_t verdicts[] = { [FW_DROP] = NF_DROP,
		[FW_ACCEPT] = NF_ACCEPT,
		[FW_GOTO] = (uint32_t)NFT_GOTO,
		[FW_JUMP] = (uint32_t)NFT_JUMP };
	bool final = verdict == FW_DROP || verdict == FW_ACCEPT;
	struct nftnl_expr *e;

	if (final && name != NULL)
		nftnl_expr_set_str(EXPR(rule, "objref", { NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER }),
		    NFTNL_EXPR_OBJREF_IMM_NAME, name);
	e = EXPR(rule, "immediate", { NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT });
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, verdicts[verdict]);
	if (!final)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, name);
}

struct nftnl_rule *
fw_rule_new(const struct fw_rule *r, const struct firewall_policy *policy)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (rule == NULL)
		abort();
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, FW_TABLE);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, r->chain);
	for (uint32_t i = 0; i < 2 && r->test[i].load != FW_END; i++)
		expr_test(rule, &r->test[i], policy);
	expr_verdict(rule, r->verdict, r->counter);
	return rule;
}

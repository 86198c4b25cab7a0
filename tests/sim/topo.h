#ifndef VANTAGE_TESTS_SIM_TOPO_H
#define VANTAGE_TESTS_SIM_TOPO_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/nsec.h"

/* The simulated network, as sim.h describes it. */

#define TOPO_ADDRS 16
#define TOPO_LABELS 8
#define TOPO_BUSY 16
#define TOPO_REFUSALS 8

enum topo_pick {
	PICK_FIRST = 0,
	PICK_FLOW,
	PICK_PACKET,
};

enum topo_answer {
	ANSWER_DEFAULT = 0,
	ANSWER_SILENT,
	ANSWER_REPLY,
	ANSWER_UNREACH,
	ANSWER_RST,
	ANSWER_SYNACK,
};

struct topo_hop {
	bool there; /* has an address, or is the destination */
	bool silent;
	uint8_t pick;     /* enum topo_pick */
	uint8_t count[2]; /* addresses of IPv4, IPv6 */
	struct addr addrs[2][TOPO_ADDRS];
	nsec_t delay; /* 0: default */
	nsec_t jitter;
	uint32_t loss; /* per cent */
	uint64_t drop; /* bit n: the n-th answer */
	uint32_t dup;
	uint32_t rate;
	uint32_t mtu;  /* 0: no limit */
	int32_t nhmtu; /* -1: mtu */
	bool nobig;
	bool block;
	bool badid;
	int32_t unreach; /* -1: none */
	uint32_t labels[TOPO_LABELS];
	uint32_t label_count;
	int32_t quote; /* -1: default */
	int32_t qttl;  /* -1: as it came */
	uint8_t ttl;
	/* the destination alone */
	uint8_t udp, tcp, echo, time; /* enum topo_answer */
	uint32_t hops;
	bool noptb;
	bool echoid;
	/* as it runs */
	uint32_t answers;
	uint32_t turn;
	nsec_t last_answer;
	uint32_t path_mtu; /* what a too-big told the destination */
};

struct topo_refusal {
	uint32_t nth;
	int err;
};

struct topo {
	struct topo_hop hop[256];
	struct topo_hop dst;
	struct addr here[2];
	uint32_t last_ttl;
	uint32_t mtu;
	uint32_t pps;
	uint32_t hold_s;
	uint32_t seed;
	struct addr nameserver;
	int noroute; /* errno; 0: there is one */
	bool notx;
	uint32_t busy_count;
	uint16_t busy[TOPO_BUSY];
	uint32_t refusal_count;
	struct topo_refusal refusal[TOPO_REFUSALS];
};

/* Fails the running test for text that is no topology. */
void topo_parse(struct topo *, const char *text);

/* Index of a family in the arrays above. */
static inline int
topo_family(uint8_t family)
{
	return family == ADDR_IP6;
}

#endif

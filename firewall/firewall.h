#ifndef VANTAGE_FIREWALL_FIREWALL_H
#define VANTAGE_FIREWALL_FIREWALL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct prefixes;

/* Marks: 0x56 kk ssss. Top byte from the configuration, kk what the socket is
 * for, ssss whose it is (0: the service itself). */
#define MARK_KIND_TX 0x00010000u
#define MARK_KIND_RX 0x00020000u

struct firewall_policy {
	uint32_t mark; /* the top byte, in place */
	uint32_t max_pps;
	bool spoof;
	bool local;
};

/* A transaction made at the start, for when there is no heap any more. */
struct firewall_message {
	uint32_t len;
	uint8_t bytes[2048];
};

/*
 * The egress policy in the kernel: tables "inet vantage" and "netdev vantage".
 * This header is all that the rest of privd knows of it; another system's
 * firewall is another firewall_*.c behind it.
 */
struct firewall {
	int nl;     /* requests; owns the tables where the kernel knows owners */
	int events; /* other people's changes to the ruleset */
	int links;  /* interfaces that come and go */
	uint32_t portid;
	uint32_t seq;
	uint32_t table_flags;
	bool egress; /* sends through packet sockets of ours are dropped too */
	struct firewall_message cover; /* one interface, name and number to be filled in */
	struct firewall_message shut;  /* whatever has our mark is dropped */
};

/* Installs the policy in one transaction that also replaces what a dead privd
 * left. -EBUSY: a live one owns it. */
int firewall_init(
    struct firewall *, const struct firewall_policy *, const struct prefixes *, struct errbuf *reterr);

/* After firewall_init, before the first socket is given away: a packet that the
 * policy refuses must be refused, without a chance to reach a wire. */
int firewall_self_test(const struct firewall_policy *, struct errbuf *reterr);

/* Call when .events or .links is readable. -ENOENT: the policy was touched by
 * somebody else, and nothing may be trusted any more. */
int firewall_on_events(struct firewall *, struct errbuf *reterr);
int firewall_on_links(struct firewall *, struct errbuf *reterr);

/* From now on nothing marked leaves, whatever is left of the policy. */
void firewall_shut(struct firewall *);

/* Takes the tables away; only when no marked socket is left anywhere. */
void firewall_remove(struct firewall *);

#endif

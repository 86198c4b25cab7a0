#ifndef VANTAGE_PROTO_PRIV_DEPARTURE_H
#define VANTAGE_PROTO_PRIV_DEPARTURE_H

#include <stddef.h>
#include <stdint.h>

/*
 * The departures: which of our probes left, and when. The receive filter
 * writes them into a map that privd makes and the worker maps read-only; a
 * frame of the packet ring for each would cost three times as much. All
 * numbers are in host order, for both sides are this host.
 *
 * Departure n (from 0) lies in slot n modulo DEPARTURES until n + DEPARTURES
 * takes its place. Its writer counts first, then writes, and last sets seq to
 * n + 1: before that the slot is not to be read, and after reading it the
 * count tells whether somebody may have written meanwhile.
 */
#define DEPARTURES 4096u /* a power of two */
#define DEPARTURE_BYTES 112u

struct departure {
	uint64_t mono; /* as it left for its interface, CLOCK_MONOTONIC, nanoseconds */
	uint32_t len;  /* of bytes */
	uint32_t seq;
	uint8_t bytes[DEPARTURE_BYTES]; /* the packet's beginning, from its IP header on */
};

struct departures {
	struct departure slot[DEPARTURES];
	uint32_t count; /* wraps */
	uint8_t unused[sizeof(struct departure) - sizeof(uint32_t)];
};

#endif

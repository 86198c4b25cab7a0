#ifndef VANTAGE_TESTS_FUZZ_FUZZ_MEAS_H
#define VANTAGE_TESTS_FUZZ_FUZZ_MEAS_H

#include "fuzz.h"

#include "common/packet/probe.h"
#include "common/rd.h"
#include "workerd/meas/meas.h"

/*
 * A measurement, and a network that does what the input says. Up to the first
 * NUL it is the command; then come events, one byte and what they need. The
 * engine is fuzz_meas.c: it owns no socket, so every order of events can be
 * tried. Whatever comes of it can be written as warts.
 */

#define KEPT 32        /* probes that may be quoted */
#define EVENTS_MAX 400 /* in one run */

struct fuzz_meas;

struct world {
	struct task *task;
	struct instant now;
	struct rd in;
	struct probe sent[KEPT];
	uint32_t sent_count;
	bool ready;
	bool armed;
	nsec_t deadline;
	uint32_t random;
	const struct fuzz_meas *kind;
	uint8_t packet[66000];
};

struct fuzz_meas {
	const struct meas_type *type;
	void (*direct)(struct world *); /* a reply that quotes nothing */
	void (*check_progress)(const void *rec);
	void (*check)(const void *rec); /* of one that has ended */
};

int fuzz_meas(const struct fuzz_meas *, const uint8_t *data, size_t size);

/* The packet of a probe as it was, or nearly; false: none was sent. */
bool fuzz_some_probe(struct world *, struct pkt *ret);

#endif

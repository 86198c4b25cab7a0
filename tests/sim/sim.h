#ifndef VANTAGE_TESTS_SIM_SIM_H
#define VANTAGE_TESTS_SIM_SIM_H

#include "workerd/meas/meas.h"
#include "workerd/probe/engine.h"

/*
 * Whole measurements against a scripted network under a virtual clock: the
 * real engine, the real measurements, and a network made of one line of text.
 *
 *   struct sim *net = sim_new("ttl 1: 192.0.2.1; ttl 2-9: silent");
 *
 * Statements, separated by ';' or a new line; a ':' behind the first word or
 * two is decoration:
 *
 *   ttl A[-B]: HOP	what lies at this distance; a TTL without one is silent
 *   dst: HOP		what the destination does; it is behind the last ttl,
 *			or at hops=N, and answers to any address
 *   here ADDR		our own address (default 192.0.2.100 and 2001:db8::100)
 *   mtu N		of our interface (default 1500)
 *   pps N, hold N, seed N, nameserver ADDR
 *   noroute [ERRNO]	no route to anywhere (default ENETUNREACH)
 *   notx		the kernel gives no transmit stamps
 *   busy PORT		another program has this port; repeatable
 *   refuse N ERRNO	the N-th probe (from 1; 0: every) fails with EPERM,
 *			ENETUNREACH, EMSGSIZE, EAGAIN (once) ...
 *
 * A HOP is "silent", or one or more addresses (those of the probe's family
 * count) and any of:
 *
 *   flow=a,b,..	one of these by the probe's flow (per-flow balancer)
 *   packet=a,b,..	these in turn (per-packet balancer)
 *   delay=TIME		round trip; default 1 ms per hop
 *   jitter=TIME	random time on top, so that replies overtake each other
 *   loss=N		so many per cent of its answers are lost
 *   drop=n,n,..	the n-th answers (from 1) are lost
 *   dup=N		N more copies of each answer
 *   rate=N		answers at most N times a second
 *   mtu=N		of the link behind it: larger probes get packet-too-big
 *   nhmtu=N		what the too-big says instead
 *   nobig		drops them in silence
 *   unreach=CODE	answers whatever comes with this unreachable code
 *   block		forwards nothing
 *   mpls=LABEL,..	an RFC 4950 extension with these labels
 *   quote=N		bytes of the probe that it quotes (default: 8 behind the
 *			IPv4 header; all for IPv6)
 *   qttl=N		TTL in the quotation
 *   badid		the quotation's IPv4 identification is rewritten
 *   ttl=N		initial TTL of its answers (default 255; dst: 64)
 *
 * and for dst alone: echo=no, udp=unreach|reply|silent (default unreach),
 * tcp=rst|synack|silent (default rst), time=no, hops=N, noptb (it ignores
 * packet-too-big), echoid (its RST has the segment's IPID).
 */
struct sim;

struct sim *sim_new(const char *topology);
void sim_free(struct sim *);

/* Runs one command to its end; a refusal fails the test. */
void sim_run(struct sim *, const char *command);

/* Hands a command in; sim_go runs all of those to their end, together. */
void sim_add(struct sim *, const char *command);
void sim_go(struct sim *);

/* The reason why a command is refused; "" when it is not. */
const char *sim_refusal(struct sim *, const char *command);

/* Records of those that ended, in the order of their ends; the last one. */
uint32_t sim_ended(const struct sim *);
const void *sim_result(const struct sim *, uint32_t n);
const void *sim_record(const struct sim *);
/* The last record as JSON, and one member of it (the first of that name),
 * without quotes; NULL: none. */
const char *sim_json(struct sim *);
const char *sim_field(struct sim *, const char *key);

/* One packet that left. */
struct sim_packet {
	struct pkt pkt;
	struct addr to; /* whom it was handed to */
	nsec_t at;      /* since the simulator began */
	uint8_t *bytes;
	uint16_t len;
};
uint32_t sim_sent(const struct sim *);
const struct sim_packet *sim_packet(const struct sim *, uint32_t n);

nsec_t sim_now(const struct sim *);        /* since the simulator began */
uint32_t sim_progress(const struct sim *); /* in-progress copies so far */
const struct addr *sim_route_via(const struct sim *); /* of the last route asked for */
uint32_t sim_ports_held(const struct sim *);

/* At this time: end all that run; hand in a packet. Times are since the
 * simulator began. */
void sim_halt_at(struct sim *, nsec_t at);
void sim_inject(struct sim *, nsec_t at, const uint8_t *bytes, uint16_t len);

/* The wall clock is set, by so much. */
void sim_set_clock(struct sim *, nsec_t by);
/* From now on tasks have these default ports: struct share_config. */
void sim_default_ports(struct sim *, uint32_t ports);

/* Called for each packet that leaves, before the network answers; false keeps
 * the network from answering. */
typedef bool (*sim_hook)(void *ctx, struct sim *, const struct sim_packet *);
void sim_on_send(struct sim *, sim_hook, void *ctx);

#endif

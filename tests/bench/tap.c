/*
 * Writes one 32-byte record for each IP packet that an interface sends or
 * receives, with the kernel's time of it: the truth that the rivals' own
 * records are held against. usage: bench-tap INTERFACE FILE; ends at SIGTERM.
 * A line "ready" on standard output says that nothing will be missed.
 */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring.h"

/* As struct.unpack("=QBBBB16sI") reads it. */
struct tap_record {
	uint64_t ns;
	uint8_t sent;
	uint8_t version;
	uint8_t proto;
	uint8_t ttl;
	uint8_t remote[16]; /* IPv4: the first four */
	uint32_t len;
};
_Static_assert(sizeof(struct tap_record) == 32, "no padding");

static volatile sig_atomic_t stopped;

static void
on_term(int sig)
{
	(void)sig;
	stopped = 1;
}

static void
record_packet(void *arg, const struct tpacket3_hdr *h)
{
	const struct sockaddr_ll *from = (const void *)((const uint8_t *)h + TPACKET_ALIGN(sizeof(*h)));
	const uint8_t *ip = (const uint8_t *)h + h->tp_net;
	struct tap_record r = { .ns = h->tp_sec * UINT64_C(1000000000) + h->tp_nsec, .len = h->tp_len };

	r.sent = from->sll_pkttype == PACKET_OUTGOING;
	r.version = ip[0] >> 4;
	if (r.version == 4 && h->tp_snaplen >= ETH_HLEN + 20) {
		r.ttl = ip[8];
		r.proto = ip[9];
		memcpy(r.remote, ip + (r.sent ? 16 : 12), 4);
	} else if (r.version == 6 && h->tp_snaplen >= ETH_HLEN + 40) {
		r.ttl = ip[7];
		r.proto = ip[6];
		memcpy(r.remote, ip + (r.sent ? 24 : 8), 16);
	} else {
		return;
	}
	(void)fwrite(&r, sizeof(r), 1, arg);
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };
	struct ring ring;
	uint32_t lost;
	FILE *out;

	if (argc != 3 || (out = fopen(argv[2], "wb")) == NULL || ring_open(&ring, argv[1], ETH_P_ALL) != 0) {
		perror("bench-tap");
		return EXIT_FAILURE;
	}
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)puts("ready");
	(void)fflush(stdout);
	while (!stopped)
		(void)ring_read(&ring, 100, record_packet, out);
	(void)ring_read(&ring, 20, record_packet, out);
	lost = ring_lost(&ring);
	if (lost != 0)
		(void)fprintf(stderr, "bench-tap: %u packets lost\n", lost);
	return fclose(out) == 0 && lost == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

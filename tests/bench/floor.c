/*
 * The kernel's own floor: echo requests sent by a raw socket in batches, the
 * replies read from a packet ring, nothing else done with either.
 * usage: bench-floor INTERFACE SOURCE COUNT [RATE BATCH]; prints microseconds of
 * CPU and of time a round trip. With a rate it sleeps between batches.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "common/packet/probe.h"
#include "common/strnum.h"
#include "ring.h"

#define BATCH 64u
#define WINDOW 4096u
#define PACKET_BYTES 84u
#define TARGETS 0xc6120000u /* 198.18.0.0/15 */
#define GIVE_UP_MS 200

/* How fast to send: batches of size packets, gap_ns apart (0: no pause). */
struct pacing {
	uint32_t size;
	int64_t gap_ns;
	struct timespec next;
};

struct batch {
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_in to[BATCH];
	uint8_t bytes[BATCH][PACKET_BYTES];
};

static void
batch_init(struct batch *b)
{
	memset(b, 0, sizeof(*b));
	for (unsigned int i = 0; i < BATCH; i++) {
		b->iov[i] = (struct iovec){ b->bytes[i], PACKET_BYTES };
		b->to[i].sin_family = AF_INET;
		b->msg[i].msg_hdr = (struct msghdr){ .msg_name = &b->to[i], .msg_namelen = sizeof(b->to[i]),
			.msg_iov = &b->iov[i], .msg_iovlen = 1 };
	}
}

/* Fills n packets, numbered from first, and sends them. */
static int
batch_send(struct batch *b, int fd, const struct addr *src, uint32_t first, uint32_t n)
{
	struct probe p = { .src = *src, .dst.family = ADDR_IP4, .proto = IPPROTO_ICMP, .ttl = 64, .icmp_type = 8,
		.icmp_id = 1, .payload_len = 56 };

	for (uint32_t i = 0; i < n; i++) {
		uint32_t dst = htonl(TARGETS | ((first + i) & 0x1ffff));
		struct wr w;

		memcpy(p.dst.b, &dst, sizeof(dst));
		p.ip_id = (uint16_t)(first + i) | 1;
		wr_init(&w, b->bytes[i], PACKET_BYTES);
		if (probe_build(&w, &p) != 0)
			return -1;
		b->to[i].sin_addr.s_addr = dst;
	}
	return sendmmsg(fd, b->msg, n, 0) == (int)n ? 0 : -1;
}

static void
count_reply(void *arg, const struct tpacket3_hdr *h)
{
	const uint8_t *ip = (const uint8_t *)h + h->tp_net;
	uint32_t *replies = arg;

	*replies += ip[9] == IPPROTO_ICMP && ip[20] == 0;
}

static void
pacing_wait(struct pacing *p)
{
	int64_t ns = p->next.tv_nsec + p->gap_ns;

	if (p->gap_ns == 0)
		return;
	p->next.tv_sec += ns / 1000000000;
	p->next.tv_nsec = ns % 1000000000;
	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &p->next, NULL);
}

static int
exchange(int fd, struct ring *ring, const struct addr *src, uint32_t count, struct pacing *pacing)
{
	static struct batch b;
	uint32_t sent = 0, replies = 0;

	batch_init(&b);
	while (replies < count) {
		uint32_t n = count - sent < pacing->size ? count - sent : pacing->size;
		int got;

		if (n > 0 && sent - replies + n <= WINDOW) {
			if (batch_send(&b, fd, src, sent, n) != 0)
				return -1;
			sent += n;
			pacing_wait(pacing);
			if (pacing->gap_ns > 0)
				(void)ring_read(ring, 0, count_reply, &replies);
			continue;
		}
		got = ring_read(ring, GIVE_UP_MS, count_reply, &replies);
		if (got <= 0) {
			(void)fprintf(stderr, "bench-floor: %u of %u came back\n", replies, sent);
			return -1;
		}
	}
	return 0;
}

static double
cpu_us(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return 1e6 * (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static double
wall_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e6 * (double)t.tv_sec + (double)t.tv_nsec / 1e3;
}

static int
pacing_parse(struct pacing *p, int argc, char **argv)
{
	uint32_t rate;

	*p = (struct pacing){ .size = BATCH };
	if (argc == 4)
		return 0;
	if (argc != 6 || strnum_u32(argv[4], 1, 1000000, &rate) != 0 || strnum_u32(argv[5], 1, BATCH, &p->size) != 0)
		return -1;
	p->gap_ns = INT64_C(1000000000) * p->size / rate;
	return 0;
}

int
main(int argc, char **argv)
{
	struct pacing pacing;
	struct addr src;
	struct ring ring;
	uint32_t count;
	double cpu, wall;
	int fd;

	if (argc < 4 || addr_parse(argv[2], &src) != 0 || strnum_u32(argv[3], 1, 100000000, &count) != 0 ||
	    pacing_parse(&pacing, argc, argv) != 0) {
		(void)fprintf(stderr, "usage: bench-floor INTERFACE SOURCE COUNT [RATE BATCH]\n");
		return EXIT_FAILURE;
	}
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0 || ring_open(&ring, argv[1], ETH_P_IP) != 0) {
		perror("bench-floor");
		return EXIT_FAILURE;
	}
	cpu = cpu_us();
	wall = wall_us();
	(void)clock_gettime(CLOCK_MONOTONIC, &pacing.next);
	if (exchange(fd, &ring, &src, count, &pacing) != 0)
		return EXIT_FAILURE;
	(void)printf("cpu_us %.3f wall_us %.3f\n", (cpu_us() - cpu) / count, (wall_us() - wall) / count);
	return EXIT_SUCCESS;
}

/*
 * Clients of a control socket, as scripts are: each attaches and has its share
 * of COUNT commands, each with a target of its own. Every block is decoded, and
 * its record read: each target must come back exactly once.
 * usage: bench-attach SOCKET load CLIENTS COUNT AHEAD [COMMAND]   AHEAD 0: a
 *          command for each MORE; else so many that wait for their OK
 *        bench-attach SOCKET delay 1 COUNT 0 [COMMAND]   one at a time, the service
 *          idle between; prints target and time (wall, ns) of each
 *        bench-attach SOCKET idle CLIENTS   nothing
 * When all are attached it says "ready" and waits for a line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/nsec.h"
#include "common/strnum.h"
#include "proto/line.h"
#include "proto/record/ping.h"
#include "proto/record/warts_rd.h"
#include "proto/uu.h"

#define TARGETS 0xc6120000u /* 198.18.0.0/15 */
#define TARGETS_MAX 131072u
#define CLIENTS_MAX 2000u
#define IN_BYTES (128 * 1024)
#define GIVE_UP_MS 20000
#define PAUSE_NS (20 * NSEC_PER_MSEC)

struct client {
	int fd;
	char *in;
	size_t len;
	size_t block; /* bytes of the block that is coming; 0: none */
	struct buf out;
	struct warts_reader *reader;
	struct warts_memory memory;
	uint32_t more;    /* MOREs not yet used */
	uint32_t left;    /* commands to send */
	uint32_t waiting; /* commands without an OK */
	bool ended;       /* has said "done" */
};

/* All clients, and what they have found. */
struct bench {
	const char *command;
	uint32_t ahead;
	uint32_t next; /* target */
	uint32_t ok;
	uint32_t errors;
	uint32_t blocks;
	uint32_t results;
	uint32_t answered;
	uint32_t again; /* results of a target that had one */
	nsec_t first;   /* result; mono */
	uint8_t seen[TARGETS_MAX];
};

static _Noreturn void
die(const char *what)
{
	(void)fprintf(stderr, "bench-attach: %s\n", what);
	exit(1);
}

static nsec_t
clock_now(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (nsec_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void
client_open(struct client *c, const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	memset(c, 0, sizeof(*c));
	c->in = malloc(IN_BYTES);
	c->reader = warts_reader_new(warts_memory_read, &c->memory);
	buf_init(&c->out, 0);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (c->in == NULL || c->reader == NULL || c->fd < 0 ||
	    connect(c->fd, (const struct sockaddr *)&sun, sizeof(sun)) != 0)
		die("cannot connect");
	buf_text(&c->out, "attach\n");
}

static void
client_flush(struct client *c)
{
	ssize_t n = c->out.len == 0 ? 0 : send(c->fd, c->out.p, c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		die("cannot send");
	if (n > 0)
		buf_consume(&c->out, (size_t)n);
}

static void
push_command(struct bench *b, struct client *c)
{
	char target[INET_ADDRSTRLEN];
	uint32_t addr = htonl(TARGETS | b->next++ % TARGETS_MAX);

	buf_text(&c->out, b->command);
	buf_u8(&c->out, ' ');
	buf_text(&c->out, inet_ntop(AF_INET, &addr, target, sizeof(target)));
	buf_u8(&c->out, '\n');
	c->left--;
	c->waiting++;
}

/* As many commands as the mode allows. */
static void
push_commands(struct bench *b, struct client *c)
{
	for (; c->left > 0 && (b->ahead > 0 ? c->waiting < b->ahead : c->more > 0); c->more -= c->more > 0)
		push_command(b, c);
}

static void
take_result(struct bench *b, const struct ping_record *rec)
{
	uint32_t target;

	memcpy(&target, rec->dst.b, sizeof(target));
	target = ntohl(target) - TARGETS;
	if (target >= TARGETS_MAX)
		die("a result that was not asked for");
	if (b->results == 0)
		b->first = clock_now(CLOCK_MONOTONIC);
	b->again += b->seen[target]++ > 0;
	b->results++;
	b->answered += rec->reply_count == 1;
}

/* Exactly one record, as long as the header says. */
static void
take_block(struct bench *b, struct client *c, const char *text, size_t len)
{
	static struct buf raw;
	struct warts_item item;
	struct errbuf err;

	buf_reset(&raw);
	if (uu_decode(text, len, &raw) != 0)
		die("a block that is not uuencoded, or not as long as it says");
	c->memory = (struct warts_memory){ raw.p, raw.len };
	if (warts_reader_next(c->reader, &item, &err) != 1 || c->memory.len != 0)
		die("a block that is not one whole record");
	b->blocks++;
	if (item.kind == WARTS_ITEM_RECORD && item.type == &ping_record_type)
		take_result(b, item.rec);
}

static void
take_line(struct bench *b, struct client *c, const char *line)
{
	struct reply_line reply;

	if (reply_parse(line, &reply) != 0)
		die("a line that is no reply");
	c->more += reply.kind == REPLY_LINE_MORE;
	c->block = reply.kind == REPLY_LINE_DATA ? reply.length : 0;
	if (reply.kind == REPLY_LINE_OK && reply.id != 0) {
		b->ok++;
		c->waiting--;
	}
	b->errors += reply.kind == REPLY_LINE_ERR;
}

static void
take_input(struct bench *b, struct client *c)
{
	struct lines l = { c->in, c->in + c->len };
	size_t len;
	char *line;

	for (;;) {
		if (c->block > 0) {
			if ((size_t)(l.end - l.p) < c->block)
				break;
			take_block(b, c, l.p, c->block);
			l.p += c->block;
			c->block = 0;
		} else if (lines_next(&l, &line, &len) == 1) {
			take_line(b, c, line);
		} else {
			break;
		}
	}
	c->len = (size_t)(l.end - l.p);
	memmove(c->in, l.p, c->len);
}

/* What one client is told, and what follows from it. False at its end. */
static bool
serve(struct bench *b, struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->len, IN_BYTES - c->len, MSG_DONTWAIT);

	if (n == 0 && c->ended)
		return false;
	if (n == 0 || (n < 0 && errno != EAGAIN))
		die("the service closed the connection");
	c->len += n > 0 ? (size_t)n : 0;
	take_input(b, c);
	push_commands(b, c);
	client_flush(c);
	return true;
}

/* Serves clients until there are so many blocks of theirs and so many results,
 * or all have ended. */
static void
run(struct bench *b, struct client *clients, uint32_t count, uint32_t blocks, uint32_t results)
{
	static struct pollfd fds[CLIENTS_MAX];
	uint32_t open = count;

	for (uint32_t i = 0; i < count; i++)
		fds[i].fd = clients[i].fd;
	while (open > 0 && (b->blocks < blocks || b->results < results)) {
		for (uint32_t i = 0; i < count; i++)
			fds[i].events = (short)(POLLIN | (clients[i].out.len > 0 ? POLLOUT : 0));
		if (poll(fds, count, GIVE_UP_MS) <= 0)
			die("the service says nothing any more");
		for (uint32_t i = 0; i < count; i++) {
			if (fds[i].revents == 0 || serve(b, &clients[i]))
				continue;
			fds[i].fd = -1;
			open--;
		}
	}
}

static void
attach_all(struct bench *b, struct client *clients, uint32_t count, const char *path)
{
	for (uint32_t i = 0; i < count; i++) {
		client_open(&clients[i], path);
		client_flush(&clients[i]);
	}
	run(b, clients, count, 2 * count, 0); /* the list, and the beginning of its cycle */
}

/* Behind all results nothing comes but the end of the cycle. */
static void
end_all(struct bench *b, struct client *clients, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		buf_bytes(&clients[i].out, "done\n", 5);
		clients[i].ended = true;
		client_flush(&clients[i]);
	}
	run(b, clients, count, UINT32_MAX, 0);
}

static void
load(struct bench *b, struct client *clients, uint32_t count, uint32_t commands)
{
	for (uint32_t i = 0; i < count; i++) {
		clients[i].left = commands / count + (i < commands % count);
		push_commands(b, &clients[i]);
		client_flush(&clients[i]);
	}
	run(b, clients, count, 0, commands);
	printf("seconds %.6f", (double)(clock_now(CLOCK_MONOTONIC) - b->first) / (double)NSEC_PER_SEC);
	(void)fflush(stdout);
	end_all(b, clients, count);
	printf(" results %u ok %u errors %u answered %u again %u\n", b->results, b->ok, b->errors,
	    b->answered, b->again);
}

static void
delay(struct bench *b, struct client *c, uint32_t commands)
{
	const struct timespec pause = { 0, PAUSE_NS };

	for (uint32_t i = 0; i < commands; i++) {
		nsec_t at;

		(void)nanosleep(&pause, NULL);
		c->left = 1;
		push_command(b, c);
		at = clock_now(CLOCK_REALTIME);
		client_flush(c);
		run(b, c, 1, 0, i + 1);
		printf("%u %lld\n", TARGETS | i, (long long)at);
	}
}

/* An argument that must be there, as a number. */
static uint32_t
number(int argc, char **argv, int i, uint32_t max)
{
	uint32_t v;

	if (argc <= i || strnum_u32(argv[i], 0, max, &v) != 0)
		die("usage: bench-attach SOCKET load CLIENTS COUNT AHEAD [COMMAND] | delay 1 COUNT 0"
		    " [COMMAND] | idle CLIENTS");
	return v;
}

int
main(int argc, char **argv)
{
	static struct client clients[CLIENTS_MAX];
	static struct bench b;
	uint32_t count = number(argc, argv, 3, CLIENTS_MAX), commands;

	attach_all(&b, clients, count, argv[1]);
	printf("ready\n");
	(void)fflush(stdout);
	(void)getchar();
	if (strcmp(argv[2], "idle") == 0)
		return 0;
	commands = number(argc, argv, 4, TARGETS_MAX);
	b.ahead = number(argc, argv, 5, TARGETS_MAX);
	b.command = argc > 6 ? argv[6] : "ping -c 1";
	if (strcmp(argv[2], "load") == 0)
		load(&b, clients, count, commands);
	else
		delay(&b, clients, commands);
	return 0;
}

#ifndef VANTAGE_PROTO_PRIV_PP_H
#define VANTAGE_PROTO_PRIV_PP_H

#include <stddef.h>
#include <stdint.h>

/*
 * The wire between the worker and privd: SOCK_SEQPACKET records of fixed size,
 * every field a u32 in network order. A request is its id and its fields; an
 * answer is the id, an errno (0: done) and its fields, all zero when refused.
 * A new message is a struct here, a row in pp_table.c and an op in privd.
 */
enum pp_id {
	PP_HELLO = 1,
	PP_OPEN_RAW,
	PP_OPEN_RING,
	PP_OPEN_ROUTE,
	PP_OPEN_LISTENER,
	PP_OPEN_CLIENT,
	PP_OPEN_PORT,
	PP_RESERVE_PORT,
	PP_RELEASE_PORT,
	PP_ECHO,
	PP_OPEN_DEPARTURES,
	PP_MSG_MAX,
};

#define PP_VERSION 1

/* Where who starts privd leaves the default output for the worker, and privd
 * leaves it to the worker in turn (--output). */
#define PP_OUTPUT_FD 4

enum pp_family { PP_IP4 = 1, PP_IP6 = 2 };

/* What a port belongs to; an ICMP identifier counts as a port of PP_ICMP,
 * one space for IPv4 and IPv6 (as the kernel's ping sockets have it). */
enum pp_proto { PP_TCP = 1, PP_UDP = 2, PP_ICMP = 3 };

enum pp_hello_flag {
	PP_HELLO_SPOOF = 1,  /* source addresses that are not this host's may leave */
	PP_HELLO_LOCAL = 2,  /* this host's own addresses may be probed */
	PP_HELLO_CLIENT = 4, /* OPEN_CLIENT has something: serve it, then end */
};

struct pp_hello {
	uint32_t version;
};

struct pp_hello_answer {
	uint32_t flags;
	uint32_t max_pps;
	uint32_t listeners;
};

struct pp_open_raw {
	uint32_t family;
};

struct pp_open_listener {
	uint32_t index;
};

struct pp_port {
	uint32_t proto;
	uint32_t port;
};

struct pp_echo {
	uint32_t value; /* comes back as it is */
};

union pp_body {
	struct pp_hello hello;
	struct pp_hello_answer hello_answer;
	struct pp_open_raw open_raw;
	struct pp_open_listener open_listener;
	struct pp_port port;
	struct pp_echo echo;
};

#define PP_FIELDS_MAX 3
#define PP_LISTENERS_MAX 8
#define PP_PORTS_MAX 4096 /* reserved at once */
#define PP_ERRNO_MAX 4095
/* The longest record: id, errno, fields. One byte more tells a longer one. */
#define PP_WIRE_MAX (4 * (2 + PP_FIELDS_MAX))

struct pp_field {
	uint32_t offset;
	uint32_t min;
	uint32_t max;
};

struct pp_layout {
	uint32_t fields;
	struct pp_field field[PP_FIELDS_MAX];
};

struct pp_msg {
	const char *name;
	struct pp_layout request;
	struct pp_layout answer;
	uint32_t descriptors; /* that come with an answer that is no refusal */
};

extern const struct pp_msg pp_msgs[PP_MSG_MAX];

/*
 * Decoding: 0, or -EPROTO for a record that no honest peer sends (length, id,
 * range); nothing is written then. Encoding: the record's length, or -EINVAL
 * when a field is out of its range. buf holds PP_WIRE_MAX bytes.
 */
int pp_request_encode(uint32_t id, const union pp_body *, uint8_t *buf);
int pp_request_decode(const uint8_t *bytes, size_t len, uint32_t *ret_id, union pp_body *ret);
int pp_answer_encode(uint32_t id, int error, const union pp_body *, uint8_t *buf);
int pp_answer_decode(uint32_t id, const uint8_t *bytes, size_t len, int *ret_error, union pp_body *ret);

/*
 * One record out, with at most one descriptor (fd < 0: none; ours stays open).
 * 0 or a negative errno; never waits longer than the peer's buffer is full
 * (flags: MSG_DONTWAIT or 0).
 */
int pp_send(int sock, const uint8_t *bytes, size_t len, int fd, int flags);

/*
 * One record in. 0: *ret_len bytes (0 is the peer's end) and *ret_fd, or -1.
 * -EPROTO: cut, too many descriptors, or foreign control data; all that came
 * with it is closed.
 */
int pp_recv(int sock, uint8_t *buf, size_t cap, size_t *ret_len, int *ret_fd);

#endif

#include "proto/priv/pp.h"

#define F(type, name, min, max)                                                                              \
	{                                                                                                    \
		offsetof(struct type, name), min, max                                                        \
	}
#define ANY 0xffffffffu

const struct pp_msg pp_msgs[PP_MSG_MAX] = {
	/* name, request, answer, descriptors */
	[PP_HELLO] = { "hello", { 1, { F(pp_hello, version, PP_VERSION, PP_VERSION) } },
	    { 3, { F(pp_hello_answer, flags, 0, 7), F(pp_hello_answer, max_pps, 1, 1000000000),
		     F(pp_hello_answer, listeners, 0, PP_LISTENERS_MAX) } },
	    0 },
	[PP_OPEN_RAW] = { "open-raw", { 1, { F(pp_open_raw, family, PP_IP4, PP_IP6) } }, { 0 }, 1 },
	[PP_OPEN_RING] = { "open-ring", { 0 }, { 0 }, 1 },
	[PP_OPEN_ROUTE] = { "open-route", { 0 }, { 0 }, 1 },
	[PP_OPEN_LISTENER] = { "open-listener",
	    { 1, { F(pp_open_listener, index, 0, PP_LISTENERS_MAX - 1) } }, { 0 }, 1 },
	[PP_OPEN_CLIENT] = { "open-client", { 0 }, { 0 }, 1 },
	[PP_OPEN_PORT] = { "open-port",
	    { 2, { F(pp_port, proto, PP_TCP, PP_UDP), F(pp_port, port, 1, 65535) } }, { 0 }, 1 },
	[PP_RESERVE_PORT] = { "reserve-port",
	    { 2, { F(pp_port, proto, PP_TCP, PP_ICMP), F(pp_port, port, 0, 65535) } }, { 0 }, 0 },
	[PP_RELEASE_PORT] = { "release-port",
	    { 2, { F(pp_port, proto, PP_TCP, PP_ICMP), F(pp_port, port, 0, 65535) } }, { 0 }, 0 },
	[PP_ECHO] = { "echo", { 1, { F(pp_echo, value, 0, ANY) } }, { 1, { F(pp_echo, value, 0, ANY) } }, 1 },
	[PP_OPEN_DEPARTURES] = { "open-departures", { 0 }, { 0 }, 1 },
};

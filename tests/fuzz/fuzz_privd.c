#include "fuzz.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "privd/serve.h"

/*
 * privd's whole request loop with a hostile worker at the other end: records
 * of any length, with descriptors where none belong; the ops are mocks that
 * answer, refuse, lend and give. Whatever comes, the loop answers in form,
 * says -EPIPE, or says -EPROTO; and no descriptor is left behind.
 */
static int spare; /* what mocks give copies of */

static int
op_lend(struct privd *privd, struct call *call)
{
	(void)privd;
	call->answer = call->request;
	call->fd = spare;
	call->lent = true;
	return 0;
}

static int
op_give(struct privd *privd, struct call *call)
{
	(void)privd;
	call->fd = dup(spare);
	return call->fd < 0 ? -errno : 0;
}

static int
op_plain(struct privd *privd, struct call *call)
{
	(void)privd;
	/* Every answer has its ranges: these are in all of them. */
	call->answer.hello_answer.max_pps = 1;
	return (call->request.port.port & 1) != 0 ? -EADDRINUSE : 0;
}

static const struct op mocks[PP_MSG_MAX] = {
	[PP_HELLO] = { op_plain, 4 },
	[PP_OPEN_RAW] = { op_give, 3 },
	[PP_OPEN_RING] = { op_give, 2 },
	[PP_OPEN_ROUTE] = { op_lend, 0 },
	[PP_OPEN_LISTENER] = { op_lend, 0 },
	[PP_OPEN_CLIENT] = { op_give, 1 },
	[PP_OPEN_PORT] = { op_lend, 0 },
	[PP_RESERVE_PORT] = { op_plain, 0 },
	[PP_RELEASE_PORT] = { op_plain, 0 },
	[PP_ECHO] = { op_lend, 0 },
	[PP_OPEN_DEPARTURES] = { op_lend, 2 },
};

static void
send_record(int sock, const uint8_t *bytes, size_t len, int descriptors)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(3 * sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(&control, 0, sizeof(control));
	if (descriptors > 0) {
		struct cmsghdr *cm = &control.align;

		mh.msg_control = control.bytes;
		mh.msg_controllen = CMSG_SPACE((size_t)descriptors * sizeof(int));
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN((size_t)descriptors * sizeof(int));
		for (int i = 0; i < descriptors; i++)
			memcpy(CMSG_DATA(cm) + (size_t)i * sizeof(int), &spare, sizeof(spare));
	}
	must(sendmsg(sock, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len);
}

/* The answer to what was served must be in form. */
static void
check_answer(int peer, uint32_t id)
{
	uint8_t wire[PP_WIRE_MAX + 1];
	union pp_body answer;
	int error, fd = -1;
	size_t len;

	must(pp_recv(peer, wire, sizeof(wire), &len, &fd) == 0);
	must(pp_answer_decode(id, wire, len, &error, &answer) == 0);
	must((fd >= 0) == (error == 0 && pp_msgs[id].descriptors == 1));
	if (fd >= 0)
		(void)close(fd);
}

/* Input: a head byte (two bits of descriptors, six of length), then so many
 * bytes; and so on. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session session = { .sock = -1 };
	int pair[2], rc = 0, lowest;

	spare = dup(STDERR_FILENO);
	must(spare >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	session.sock = pair[0];
	while (rc == 0 && size > 0) {
		size_t len = data[0] & 0x3f;
		int descriptors = data[0] >> 6;
		union pp_body body;
		uint32_t id = 0;

		data++;
		size--;
		if (len > size)
			len = size;
		send_record(pair[1], data, len, descriptors);
		rc = serve_one(&session, mocks, NULL, NULL);
		must(rc == 0 || rc == -EPROTO || (rc == -EPIPE && len == 0 && descriptors == 0));
		must(rc != 0 || (descriptors == 0 && pp_request_decode(data, len, &id, &body) == 0));
		if (rc == 0)
			check_answer(pair[1], id);
		data += len;
		size -= len;
	}
	(void)close(pair[0]);
	(void)close(pair[1]);
	(void)close(spare);
	/* The next free number is the one that it was: nothing leaked. */
	lowest = dup(STDERR_FILENO);
	must(lowest == spare);
	(void)close(lowest);
	return 0;
}

#include "privd/serve.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int
run(struct session *s, const struct op *op, uint32_t id, struct privd *privd, const union pp_body *request,
    struct op_answer *answer)
{
	if (op->quota != 0 && s->answered[id] >= op->quota)
		return -EDQUOT;
	s->answered[id]++;
	return op->run(privd, request, answer);
}

int
serve_one(struct session *s, const struct op ops[PP_MSG_MAX], struct privd *privd, struct errbuf *reterr)
{
	struct op_answer answer = { .fd = -1 };
	uint8_t wire[PP_WIRE_MAX + 1];
	union pp_body request;
	size_t len = 0;
	uint32_t id = 0;
	int fd = -1, rc = pp_recv(s->sock, wire, sizeof(wire), &len, &fd);

	if (rc == -ECONNRESET || (rc == 0 && len == 0 && fd < 0))
		return -EPIPE;
	if (fd >= 0) {
		(void)close(fd);
		return errbuf_set(reterr, -EPROTO, "a descriptor that nobody asked for");
	}
	if (rc == 0)
		rc = pp_request_decode(wire, len, &id, &request);
	if (rc != 0)
		return errbuf_set(reterr, rc, "no request of ours (%zu bytes)", len);
	rc = run(s, &ops[id], id, privd, &request, &answer);
	if (rc != 0)
		answer.fd = -1;
	rc = pp_answer_encode(id, -rc, &answer.body, wire);
	/* Who asks without reading the answers is not waited for. */
	if (rc > 0)
		rc = pp_send(s->sock, wire, (size_t)rc, answer.fd, MSG_DONTWAIT);
	if (answer.fd >= 0 && !answer.lent)
		(void)close(answer.fd);
	if (rc == -EPIPE || rc == -ECONNRESET)
		return -EPIPE;
	return rc == 0 ? 0 : errbuf_set(reterr, -EPROTO, "cannot answer %s: %s", pp_msgs[id].name, strerror(-rc));
}

#include "privd/serve.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int
serve_one(struct session *s, const struct op ops[PP_MSG_MAX], struct privd *privd, struct errbuf *reterr)
{
	struct call call = { .fd = -1 };
	uint8_t wire[PP_WIRE_MAX + 1];
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
		rc = pp_request_decode(wire, len, &id, &call.request);
	if (rc != 0)
		return errbuf_set(reterr, rc, "no request of ours (%zu bytes)", len);
	if (ops[id].quota != 0 && s->answered[id] >= ops[id].quota)
		rc = -EDQUOT;
	else
		rc = ops[id].run(privd, &call);
	s->answered[id]++;
	if (rc != 0)
		call.fd = -1; /* a refusal carries nothing */
	rc = pp_answer_encode(id, -rc, &call.answer, wire);
	/* Who asks without reading the answers is not waited for. */
	if (rc > 0)
		rc = pp_send(s->sock, wire, (size_t)rc, call.fd, MSG_DONTWAIT);
	if (call.fd >= 0 && !call.lent)
		(void)close(call.fd);
	if (rc == -EPIPE || rc == -ECONNRESET)
		return -EPIPE;
	return rc == 0 ? 0
		       : errbuf_set(reterr, -EPROTO, "cannot answer %s: %s", pp_msgs[id].name, strerror(-rc));
}

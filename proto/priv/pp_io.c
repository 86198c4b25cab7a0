#include "proto/priv/pp.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int
pp_send(int sock, const uint8_t *bytes, size_t len, int fd, int flags)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	struct cmsghdr *cm;
	ssize_t n;

	memset(&control, 0, sizeof(control));
	if (fd >= 0) {
		mh.msg_control = control.bytes;
		mh.msg_controllen = sizeof(control.bytes);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	}
	do
		n = sendmsg(sock, &mh, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EMSGSIZE;
}

/* Takes the descriptor, if any; false when the peer sent what nobody sends. */
static bool
control_take(struct msghdr *mh, int *ret_fd)
{
	bool ok = (mh->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS ||
		    cm->cmsg_len != CMSG_LEN(sizeof(int)) || *ret_fd >= 0) {
			ok = false;
			continue;
		}
		memcpy(ret_fd, CMSG_DATA(cm), sizeof(*ret_fd));
	}
	return ok;
}

int
pp_recv(int sock, uint8_t *buf, size_t cap, size_t *ret_len, int *ret_fd)
{
	struct iovec iov = { buf, cap };
	union control control;
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd = -1;
	ssize_t n;

	/* Room for one descriptor and not a byte of CMSG_SPACE's padding, where a
	 * second would fit: the kernel closes what has no room and says so by
	 * MSG_CTRUNC. */
	memset(&control, 0, sizeof(control));
	mh.msg_control = control.bytes;
	mh.msg_controllen = CMSG_LEN(sizeof(int));
	do
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (!control_take(&mh, &fd)) {
		if (fd >= 0)
			(void)close(fd);
		return -EPROTO;
	}
	*ret_len = (size_t)n;
	*ret_fd = fd;
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The connection of a stand-in library handle to the loopback's hypervisor. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

uint32_t lb_own_domid(void)
{
	const char *s = getenv("XENOPTIC_LOOPBACK_DOMID");

	return s ? (uint32_t)strtoul(s, NULL, 10) : 0;
}

int lb_errno(int r)
{
	if (r >= 0)
		return r;
	errno = -r;
	return -1;
}

static int exchange(struct lb_conn *conn, struct iovec *out, size_t nout, int out_fd,
		    struct iovec *in, size_t nin, int *fds, unsigned int nfds)
{
	char control[CMSG_SPACE(sizeof(int) * LB_MAX_FDS)] __attribute__((aligned(8)));
	struct msghdr m = { .msg_iov = out, .msg_iovlen = nout };
	struct cmsghdr *c;
	ssize_t n;

	if (out_fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(sizeof(int));
		memset(control, 0, CMSG_SPACE(sizeof(int)));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &out_fd, sizeof(int));
	}
	do
		n = sendmsg(conn->fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EPIPE || errno == ECONNRESET ? -EIO : -errno;

	m = (struct msghdr){ .msg_iov = in,
			     .msg_iovlen = nin,
			     .msg_control = control,
			     .msg_controllen = sizeof(control) };
	do
		n = recvmsg(conn->fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)sizeof(struct lb_msg))
		return -EIO;

	for (unsigned int i = 0; i < nfds; i++)
		fds[i] = -1;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		unsigned int got = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

		for (unsigned int i = 0; i < got; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (i < nfds)
				fds[i] = fd;
			else
				close(fd);
		}
	}
	return 0;
}

int lb_call(struct lb_conn *conn, struct lb_msg *msg, const void *out, size_t len, void *in,
	    size_t size, int *fds, unsigned int nfds)
{
	struct iovec o[2] = { { msg, sizeof(*msg) }, { (void *)(uintptr_t)out, len } };
	struct iovec i[2] = { { msg, sizeof(*msg) }, { in, size } };
	int r = exchange(conn, o, len ? 2 : 1, -1, i, size ? 2 : 1, fds, nfds);

	return r < 0 ? r : msg->result;
}

int lb_call_fd(struct lb_conn *conn, struct lb_msg *msg, int fd, int *fds, unsigned int nfds)
{
	struct iovec o = { msg, sizeof(*msg) }, i = o;
	int r = exchange(conn, &o, 1, fd, &i, 1, fds, nfds);

	return r < 0 ? r : msg->result;
}

int lb_call3(struct lb_conn *conn, enum lb_op op, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct lb_msg msg = { .op = op, .a = { a0, a1, a2 } };

	return lb_call(conn, &msg, NULL, 0, NULL, 0, NULL, 0);
}

static int hello(struct lb_conn *conn, enum lb_kind kind)
{
	struct lb_msg msg = { .op = LB_HELLO, .a = { kind, conn->domid } };
	int fds[2] = { -1, -1 };
	int r = lb_call(conn, &msg, NULL, 0, NULL, 0, fds, 2);

	if (r < 0)
		return r;
	conn->slot = (uint32_t)msg.a[0];
	conn->handle = (uint32_t)msg.a[1];
	conn->event_fd = fds[1];
	conn->shared =
		mmap(NULL, sizeof(*conn->shared), PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	r = conn->shared == MAP_FAILED ? -errno : 0;
	if (r < 0)
		conn->shared = NULL;
	close(fds[0]);
	return r;
}

int lb_connect_as(struct lb_conn *conn, enum lb_kind kind, int flags, uint32_t domid)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = getenv("XENOPTIC_LOOPBACK");
	int r;

	*conn = (struct lb_conn){ .fd = -1, .event_fd = -1, .domid = domid };
	if (!path || strlen(path) >= sizeof(addr.sun_path))
		return -ENOENT;
	strcpy(addr.sun_path, path);
	conn->fd = socket(AF_UNIX, SOCK_SEQPACKET | (flags & O_CLOEXEC ? SOCK_CLOEXEC : 0), 0);
	if (conn->fd < 0)
		return -errno;
	r = connect(conn->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	if (r == 0)
		r = hello(conn, kind);
	if (r < 0)
		lb_disconnect(conn);
	return r;
}

int lb_connect(struct lb_conn *conn, enum lb_kind kind, int flags)
{
	return lb_connect_as(conn, kind, flags, lb_own_domid());
}

void lb_disconnect(struct lb_conn *conn)
{
	if (conn->shared)
		munmap(conn->shared, sizeof(*conn->shared));
	if (conn->event_fd >= 0)
		close(conn->event_fd);
	if (conn->fd >= 0)
		close(conn->fd);
	*conn = (struct lb_conn){ .fd = -1, .event_fd = -1 };
}

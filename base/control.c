/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control channel: JSON packets with descriptors between launcher and worker. */
#include "base/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"

int xo_control_pair(int fds[2])
{
	int r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);

	return r < 0 ? -errno : 0;
}

union fd_space {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(XO_CONTROL_FDS_MAX * sizeof(int))];
};

static int control_errno(void)
{
	switch (errno) {
	case EAGAIN:
	case ENOBUFS:
		return -EAGAIN;
	case ECONNRESET:
	case EPIPE:
		return -EPIPE;
	default:
		return -errno;
	}
}

int xo_control_send(int fd, const json_t *message, const int *fds, size_t count)
{
	char packet[XO_CONTROL_PACKET_MAX];
	union fd_space space;
	size_t length = json_dumpb(message, packet, sizeof(packet), JSON_COMPACT);
	struct iovec iov = { .iov_base = packet, .iov_len = length };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (!length || length > sizeof(packet) || count > XO_CONTROL_FDS_MAX)
		return -EMSGSIZE;
	if (count) {
		struct cmsghdr *cmsg;

		memset(&space, 0, sizeof(space));
		msg.msg_control = space.bytes;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, count * sizeof(int));
	}
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? control_errno() : 0;
}

static void take_fds(struct msghdr *msg, int *fds, size_t *count)
{
	*count = 0;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t n;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		n = XO_MIN(n, XO_CONTROL_FDS_MAX - *count);
		memcpy(fds + *count, CMSG_DATA(cmsg), n * sizeof(int));
		*count += n;
	}
}

int xo_control_receive(int fd, json_t **message, int *fds, size_t *count)
{
	char packet[XO_CONTROL_PACKET_MAX];
	union fd_space space;
	struct iovec iov = { .iov_base = packet, .iov_len = sizeof(packet) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space.bytes,
		.msg_controllen = sizeof(space.bytes),
	};
	ssize_t n;

	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		n = control_errno();
		return n == -EAGAIN ? 0 : (int)n;
	}
	take_fds(&msg, fds, count);
	if (n == 0)
		return -EPIPE;
	*message = NULL;
	if (!(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		*message = json_loadb(packet, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(*message))
		return 1;
	json_decref(*message);
	while (*count)
		close(fds[--*count]);
	return -EPROTO;
}

static int send_and_free(int fd, json_t *message)
{
	int r = message ? xo_control_send(fd, message, NULL, 0) : -ENOMEM;

	json_decref(message);
	return r;
}

int xo_control_return(int fd, const json_t *id, json_t *data)
{
	json_t *message = json_pack("{s:o}", "return", data ? data : json_object());

	if (message && id)
		json_object_set_new(message, "id", json_deep_copy(id));
	return send_and_free(fd, message);
}

int xo_control_error(int fd, const json_t *id, const char *error_class, const char *format, ...)
{
	char text[512];
	json_t *message;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	message = json_pack("{s:{s:s,s:s}}", "error", "class", error_class, "desc", text);
	if (message && id)
		json_object_set_new(message, "id", json_deep_copy(id));
	return send_and_free(fd, message);
}

int xo_control_event(int fd, const char *event, json_t *data)
{
	return send_and_free(fd, json_pack("{s:s,s:o}", "event", event, "data",
					   data ? data : json_object()));
}

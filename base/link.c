/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The drive link: making it, opening one end, and messages with every field checked. */
#include "base/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"

static size_t message_size(uint32_t type)
{
	switch (type) {
	case XO_LINK_HELLO:
		return sizeof(struct xo_link_hello);
	case XO_LINK_REQUEST:
		return sizeof(struct xo_link_request);
	case XO_LINK_REPLY:
		return sizeof(struct xo_link_reply);
	case XO_LINK_NOTICE:
		return sizeof(struct xo_link_notice);
	default:
		return 0;
	}
}

static bool geometry_valid(uint32_t slots, uint32_t slot_size)
{
	long page = sysconf(_SC_PAGESIZE);

	return slots >= 1 && slots <= XO_LINK_SLOTS_MAX && slot_size >= 1 &&
	       slot_size <= XO_LINK_SLOT_SIZE_MAX && slot_size % (uint32_t)page == 0;
}

int xo_link_create(uint32_t slots, uint32_t slot_size, int fds[2], int *arena_fd)
{
	int fd;
	int r;

	if (!geometry_valid(slots, slot_size))
		return -EINVAL;
	fd = memfd_create("xenoptic-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)slots * slot_size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*arena_fd = fd;
	return 0;
}

int xo_link_open(struct xo_link *link, int fd, int arena_fd, uint32_t slots, uint32_t slot_size)
{
	struct stat st;
	size_t size = (size_t)slots * slot_size;
	int seals;
	void *arena;

	if (!geometry_valid(slots, slot_size))
		return -EINVAL;
	if (fstat(arena_fd, &st) < 0)
		return -errno;
	seals = fcntl(arena_fd, F_GET_SEALS);
	if (st.st_size < 0 || (size_t)st.st_size != size || seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EINVAL;
	arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, arena_fd, 0);
	if (arena == MAP_FAILED)
		return -errno;
	*link = (struct xo_link){
		.fd = fd,
		.arena_fd = arena_fd,
		.arena = arena,
		.slots = slots,
		.slot_size = slot_size,
	};
	return 0;
}

void xo_link_close(struct xo_link *link)
{
	if (link->arena)
		munmap(link->arena, (size_t)link->slots * link->slot_size);
	if (link->arena) {
		close(link->fd);
		close(link->arena_fd);
	}
	*link = (struct xo_link){ .fd = -1, .arena_fd = -1 };
}

int xo_link_send(const struct xo_link *link, const union xo_link_message *message)
{
	ssize_t n;

	do
		n = send(link->fd, message, message_size(message->type),
			 MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	if (errno == EAGAIN || errno == ENOBUFS)
		return -EAGAIN;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

static bool request_valid(const struct xo_link_request *request, uint32_t slots, uint32_t slot_size)
{
	if (request->slot >= slots || !request->tag || request->reserved)
		return false;
	if (request->direction > XO_DIR_OUT || request->length > slot_size ||
	    (request->direction == XO_DIR_NONE) != (request->length == 0))
		return false;
	switch (request->kind) {
	case XO_LINK_COMMAND:
		return request->cdb_length >= 6 && request->cdb_length <= XO_CDB_MAX &&
		       !request->target_tag && !request->target_slot;
	case XO_LINK_ABORT:
		return !request->cdb_length && !request->length && request->target_slot < slots &&
		       request->target_slot != request->slot && request->target_tag;
	case XO_LINK_RESET:
		return !request->cdb_length && !request->length && !request->target_tag &&
		       !request->target_slot;
	default:
		return false;
	}
}

static bool transport_valid(uint8_t transport)
{
	switch (transport) {
	case XO_TRANSPORT_OK:
	case XO_TRANSPORT_NO_CONNECT:
	case XO_TRANSPORT_BUSY:
	case XO_TRANSPORT_TIMEOUT:
	case XO_TRANSPORT_ABORTED:
	case XO_TRANSPORT_ERROR:
	case XO_TRANSPORT_RESET:
		return true;
	default:
		return false;
	}
}

int xo_link_validate(const union xo_link_message *message, size_t size, uint32_t slots,
		     uint32_t slot_size)
{
	bool valid = false;

	if (size < sizeof(message->type) || size != message_size(message->type))
		return -EPROTO;
	switch (message->type) {
	case XO_LINK_HELLO:
		valid = message->hello.version == XO_LINK_VERSION && !message->hello.flags;
		break;
	case XO_LINK_REQUEST:
		valid = request_valid(&message->request, slots, slot_size);
		break;
	case XO_LINK_REPLY:
		valid = message->reply.slot < slots && message->reply.tag &&
			message->reply.sense_length <= XO_SENSE_MAX && !message->reply.reserved &&
			message->reply.residual <= slot_size &&
			transport_valid(message->reply.transport);
		break;
	case XO_LINK_NOTICE:
		valid = message->notice.notice >= XO_NOTICE_MEDIUM_CHANGED &&
			message->notice.notice <= XO_NOTICE_DRIVE_BACK && !message->notice.reserved;
		break;
	}
	return valid ? 0 : -EPROTO;
}

int xo_link_receive(const struct xo_link *link, union xo_link_message *message)
{
	ssize_t n;

	do
		n = recv(link->fd, message, sizeof(*message), MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno == EAGAIN)
			return 0;
		return errno == ECONNRESET ? -EPIPE : -errno;
	}
	if (n == 0)
		return -EPIPE;
	if (xo_link_validate(message, (size_t)n, link->slots, link->slot_size)) {
		xo_log_limited(XO_LOG_WARNING,
			       "drive link: message of type %u, %zd bytes, is malformed",
			       (size_t)n >= sizeof(message->type) ? message->type : 0, n);
		return -EPROTO;
	}
	return 1;
}

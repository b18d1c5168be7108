// SPDX-License-Identifier: GPL-2.0-or-later
/* The program's side of the exec socket: opens of the device and channels for commands. */
#include "exec/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define CHANNEL_FD_MIN 200 /* out of the way of programs that expect small numbers */

struct channel {
	int fd;
	struct sockaddr_un name; /* by which the descriptor is known to be still ours */
	socklen_t name_length;
	uint8_t *buffer;
	uint32_t size;
	bool used;
	struct channel *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct channel *channels;

/* A connected socket, bound to a name of the kernel's choice; or -errno. */
static int connect_server(int flags)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd, r;

	if (!xo_pre_socket())
		return -ENXIO;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | flags, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&name, sizeof(sa_family_t)) < 0)
		goto err;
	strcpy(name.sun_path, xo_pre_socket());
	if (connect(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		goto err;
	return fd;
err:
	r = errno == ENOMEM ? -ENOMEM : -ENXIO; /* no server: no such device */
	XO_NEXT(close)(fd);
	return r;
}

/* Sends and waits, as long as it takes: like SG_IO on a block device, a signal does not end it. */
static int transact(int fd, const struct xo_exec_request *request, struct xo_exec_reply *reply,
		    int *with_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = reply, .iov_len = sizeof(*reply) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	ssize_t n;

	do
		n = send(fd, request, sizeof(*request), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -ENXIO;
	if (with_fd) {
		*with_fd = -1;
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(*reply))
		return -ENXIO;
	cmsg = with_fd ? CMSG_FIRSTHDR(&msg) : NULL;
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(with_fd, CMSG_DATA(cmsg), sizeof(int));
	return -reply->error;
}

int xo_pre_open(int flags)
{
	struct xo_exec_request request = { .version = XO_EXEC_VERSION, .type = XO_EXEC_OPEN };
	struct xo_exec_reply reply;
	int64_t file;
	int fd, r;

	fd = connect_server(flags & O_CLOEXEC ? SOCK_CLOEXEC : 0);
	if (fd < 0)
		return fd;
	request.value = (uint64_t)(uint32_t)flags;
	r = transact(fd, &request, &reply, NULL);
	if (r == 0) {
		xo_pre_mark(fd);
		file = xo_pre_file(fd);
		r = file < 0 ? -ENXIO : 0;
	}
	if (r == 0 && !(flags & O_NONBLOCK))
		r = xo_pre_check_medium((uint32_t)file, flags);
	if (r == 0 && flags & O_NONBLOCK)
		(void)XO_NEXT(fcntl)(fd, F_SETFL, O_NONBLOCK); /* for F_GETFL */
	if (r < 0) {
		XO_NEXT(close)(fd);
		return r;
	}
	return fd;
}

static void channel_discard(struct channel *ch)
{
	if (ch->buffer)
		munmap(ch->buffer, ch->size);
	if (ch->fd >= 0)
		XO_NEXT(close)(ch->fd);
	free(ch);
}

/* The program may have closed the descriptor, and opened something else under its number. */
static bool channel_alive(const struct channel *ch)
{
	struct sockaddr_un name;
	socklen_t length = sizeof(name);

	return getsockname(ch->fd, (struct sockaddr *)&name, &length) == 0 &&
	       length == ch->name_length && memcmp(&name, &ch->name, length) == 0;
}

static int channel_new(struct channel **result)
{
	struct xo_exec_request request = { .version = XO_EXEC_VERSION, .type = XO_EXEC_CHANNEL };
	struct xo_exec_reply reply;
	struct channel *ch;
	int low, memfd = -1, r;
	void *buffer;

	ch = calloc(1, sizeof(*ch));
	if (!ch)
		return -ENOMEM;
	ch->fd = -1;
	low = connect_server(SOCK_CLOEXEC);
	if (low < 0) {
		r = low;
		goto err;
	}
	ch->fd = XO_NEXT(fcntl)(low, F_DUPFD_CLOEXEC, CHANNEL_FD_MIN);
	if (ch->fd < 0)
		ch->fd = low;
	else
		XO_NEXT(close)(low);
	ch->name_length = sizeof(ch->name);
	(void)getsockname(ch->fd, (struct sockaddr *)&ch->name, &ch->name_length);
	r = transact(ch->fd, &request, &reply, &memfd);
	if (r < 0)
		goto err;
	r = -ENXIO;
	if (memfd < 0 || reply.value == 0 || reply.value > XO_LINK_SLOT_SIZE_MAX)
		goto err;
	buffer = mmap(NULL, (size_t)reply.value, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (buffer == MAP_FAILED) {
		r = -ENOMEM;
		goto err;
	}
	XO_NEXT(close)(memfd);
	ch->buffer = buffer;
	ch->size = (uint32_t)reply.value;
	*result = ch;
	return 0;
err:
	if (memfd >= 0)
		XO_NEXT(close)(memfd);
	channel_discard(ch);
	return r;
}

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork_parent(void)
{
	pthread_mutex_unlock(&lock);
}

/* A child must not answer to, nor be answered on, its parent's channels. */
static void after_fork_child(void)
{
	while (channels) {
		struct channel *ch = channels;

		channels = ch->next;
		channel_discard(ch);
	}
	pthread_mutex_init(&lock, NULL);
}

static void watch_forks(void)
{
	(void)pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

static void forget(struct channel *ch)
{
	for (struct channel **p = &channels; *p; p = &(*p)->next) {
		if (*p == ch) {
			*p = ch->next;
			return;
		}
	}
}

/* An unused channel, made if there is none. */
static int channel_take(struct channel **result)
{
	struct channel *ch, *next, *taken = NULL;
	int r;

	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&lock);
	for (ch = channels; ch && !taken; ch = next) {
		next = ch->next;
		if (ch->used)
			continue;
		if (channel_alive(ch)) {
			ch->used = true;
			taken = ch;
		} else {
			forget(ch);
			ch->fd = -1;
			channel_discard(ch);
		}
	}
	pthread_mutex_unlock(&lock);
	if (!taken) {
		r = channel_new(&taken);
		if (r < 0)
			return r;
		pthread_mutex_lock(&lock);
		taken->used = true;
		taken->next = channels;
		channels = taken;
		pthread_mutex_unlock(&lock);
	}
	*result = taken;
	return 0;
}

static void channel_give(struct channel *ch, bool broken)
{
	pthread_mutex_lock(&lock);
	ch->used = false;
	if (broken)
		forget(ch);
	pthread_mutex_unlock(&lock);
	if (broken)
		channel_discard(ch);
}

bool xo_pre_own(int fd)
{
	bool own = false;

	if (!__atomic_load_n(&channels, __ATOMIC_RELAXED))
		return false;
	pthread_mutex_lock(&lock);
	for (const struct channel *ch = channels; ch && !own; ch = ch->next)
		own = ch->fd == fd;
	pthread_mutex_unlock(&lock);
	return own;
}

uint32_t xo_pre_max_transfer(void)
{
	struct channel *ch;
	uint32_t size;

	if (channel_take(&ch) < 0)
		return 0;
	size = ch->size;
	channel_give(ch, false);
	return size;
}

static void gather(uint8_t *to, const struct iovec *pieces, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		memcpy(to, pieces[i].iov_base, pieces[i].iov_len);
		to += pieces[i].iov_len;
	}
}

static void scatter(const uint8_t *from, size_t length, const struct iovec *pieces,
		    unsigned int count)
{
	for (unsigned int i = 0; i < count && length > 0; i++) {
		size_t n = pieces[i].iov_len < length ? pieces[i].iov_len : length;

		memcpy(pieces[i].iov_base, from, n);
		from += n;
		length -= n;
	}
}

int xo_pre_command(uint32_t file, const uint8_t *cdb, unsigned int cdb_length,
		   enum xo_direction direction, const struct iovec *pieces, unsigned int count,
		   uint32_t timeout, struct xo_pre_result *result)
{
	struct xo_exec_request request = {
		.version = XO_EXEC_VERSION,
		.type = XO_EXEC_COMMAND,
		.file = file,
		.timeout = timeout,
		.direction = (uint8_t)direction,
		.cdb_length = (uint8_t)cdb_length,
	};
	struct xo_exec_reply reply;
	struct channel *ch;
	size_t length = 0;
	int r;

	for (unsigned int i = 0; i < count; i++)
		if (__builtin_add_overflow(length, pieces[i].iov_len, &length))
			return -EIO;
	if (cdb_length > sizeof(request.cdb))
		return -EMSGSIZE;
	memcpy(request.cdb, cdb, cdb_length);
	if (length == 0)
		request.direction = XO_DIR_NONE;
	r = channel_take(&ch);
	if (r < 0)
		return r;
	if (length > ch->size) {
		channel_give(ch, false);
		return -EIO; /* as SG_IO does above max_hw_sectors */
	}
	request.length = (uint32_t)length;
	if (request.direction == XO_DIR_OUT)
		gather(ch->buffer, pieces, count);
	r = transact(ch->fd, &request, &reply, NULL);
	if (r == 0 && request.direction == XO_DIR_IN && reply.residual <= length)
		scatter(ch->buffer, length - reply.residual, pieces, count);
	channel_give(ch, r == -ENXIO);
	if (r < 0)
		return r;
	*result = (struct xo_pre_result){
		.status = reply.status,
		.transport = reply.transport,
		.sense_length =
			reply.sense_length < XO_SENSE_MAX ? reply.sense_length : XO_SENSE_MAX,
		.residual = reply.residual,
		.duration = reply.duration,
	};
	memcpy(result->sense, reply.sense, result->sense_length);
	return 0;
}

static int use_register(uint32_t file, enum xo_exec_type type, enum xo_exec_register reg,
			uint64_t *value)
{
	struct xo_exec_request request = {
		.version = XO_EXEC_VERSION,
		.type = type,
		.file = file,
		.reg = reg,
		.value = *value,
	};
	struct xo_exec_reply reply;
	struct channel *ch;
	int r;

	r = channel_take(&ch);
	if (r < 0)
		return r;
	r = transact(ch->fd, &request, &reply, NULL);
	channel_give(ch, r == -ENXIO);
	if (r == 0)
		*value = reply.value;
	return r;
}

int xo_pre_get(uint32_t file, enum xo_exec_register reg, uint64_t *value)
{
	*value = 0;
	return use_register(file, XO_EXEC_GET, reg, value);
}

int xo_pre_set(uint32_t file, enum xo_exec_register reg, uint64_t value)
{
	return use_register(file, XO_EXEC_SET, reg, &value);
}

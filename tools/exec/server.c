// SPDX-License-Identifier: GPL-2.0-or-later
/* The server behind the preloaded library: connections, open files and commands (protocol.h). */
#include "exec/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/loop.h"
#include "exec/folder.h"
#include "exec/protocol.h"

#define CONNECTIONS_MAX 512
#define EVENTS 16

enum connection_type {
	NEW, /* has not said yet what it is */
	FILE_OPEN,
	CHANNEL,
};

struct connection {
	TAILQ_ENTRY(connection) entry;
	struct xo_exec_server *server;
	enum connection_type type;
	int fd; /* -1: the program is gone, a command still runs */
	/* file */
	uint32_t number;
	uint64_t registers[XO_EXEC_REGISTERS];
	/* channel */
	uint8_t *buffer;
	bool busy;
	uint64_t started; /* ns */
	struct xo_exec_command command;
};

struct xo_exec_server {
	const struct xo_exec_ops *ops;
	void *priv;
	uint32_t max_transfer;
	size_t buffer_size;
	int epoll_fd;
	int listen_fd;
	char *dir;
	unsigned int connections, files, busy;
	TAILQ_HEAD(, connection) list;
};

static void connection_free(struct connection *c)
{
	struct xo_exec_server *server = c->server;

	if (c->fd >= 0)
		close(c->fd); /* takes it out of the epoll set */
	c->fd = -1;
	if (c->type == FILE_OPEN) {
		server->files--;
		c->type = NEW;
	}
	if (c->busy)
		return; /* xo_exec_complete() comes back here */
	if (c->buffer)
		munmap(c->buffer, server->buffer_size);
	server->connections--;
	TAILQ_REMOVE(&server->list, c, entry);
	free(c);
}

/* A reply that cannot be sent has nobody waiting for it. */
static void reply(struct connection *c, const struct xo_exec_reply *message, int with_fd)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)message, .iov_len = sizeof(*message) };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (c->fd < 0)
		return;
	if (with_fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &with_fd, sizeof(int));
	}
	(void)sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void reply_value(struct connection *c, int error, uint64_t value)
{
	struct xo_exec_reply message = { .error = error, .value = value };

	reply(c, &message, -1);
}

static struct connection *find_file(struct xo_exec_server *server, uint32_t number)
{
	struct connection *c;

	TAILQ_FOREACH (c, &server->list, entry) {
		if (c->type == FILE_OPEN && c->number == number)
			return c;
	}
	return NULL;
}

/* O_EXCL on a block device: one holder at a time; others may open without it. */
static bool held(struct xo_exec_server *server)
{
	struct connection *c;

	TAILQ_FOREACH (c, &server->list, entry) {
		if (c->type == FILE_OPEN && c->registers[XO_EXEC_FLAGS] & O_EXCL)
			return true;
	}
	return false;
}

static void open_file(struct connection *c, const struct xo_exec_request *request)
{
	if (request->value & O_EXCL && held(c->server)) {
		reply_value(c, EBUSY, 0);
		return;
	}
	c->type = FILE_OPEN;
	c->server->files++;
	c->registers[XO_EXEC_FLAGS] = request->value;
	c->registers[XO_EXEC_SG_TIMEOUT] = 60 * 100; /* SG_DEFAULT_TIMEOUT, in USER_HZ */
	c->registers[XO_EXEC_SG_RESERVED] = c->server->max_transfer;
	reply_value(c, 0, 0);
}

static int open_channel(struct connection *c)
{
	struct xo_exec_server *server = c->server;
	struct xo_exec_reply message = { .value = server->max_transfer };
	void *buffer;
	int fd;

	fd = memfd_create("xenoptic-exec", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)server->buffer_size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		goto err;
	buffer = mmap(NULL, server->buffer_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (buffer == MAP_FAILED)
		goto err;
	c->buffer = buffer;
	c->type = CHANNEL;
	reply(c, &message, fd);
	close(fd);
	return 0;
err:
	close(fd);
	return -ENOMEM;
}

static int run_command(struct connection *c, const struct xo_exec_request *request)
{
	struct xo_exec_server *server = c->server;
	struct xo_exec_command *command = &c->command;

	if (c->busy || request->cdb_length == 0 || request->cdb_length > XO_CDB_MAX ||
	    request->direction > XO_DIR_OUT || request->length > server->max_transfer ||
	    (request->length == 0) != (request->direction == XO_DIR_NONE))
		return -EINVAL;
	*command = (struct xo_exec_command){
		.cdb_length = request->cdb_length,
		.direction = request->direction,
		.length = request->length,
		.timeout = request->timeout,
		.data = c->buffer,
	};
	memcpy(command->cdb, request->cdb, request->cdb_length);
	c->busy = true;
	c->started = xo_now_ns();
	server->busy++;
	server->ops->submit(server->priv, command);
	return 0;
}

void xo_exec_complete(struct xo_exec_command *command)
{
	struct connection *c =
		(struct connection *)((char *)command - offsetof(struct connection, command));
	struct xo_exec_reply message = {
		.status = command->status,
		.transport = command->transport,
		.sense_length = (uint8_t)XO_MIN(command->sense_length, XO_SENSE_MAX),
		.residual = XO_MIN(command->residual, command->length),
		.duration = (uint32_t)((xo_now_ns() - c->started) / 1000000),
	};

	memcpy(message.sense, command->sense, message.sense_length);
	c->busy = false;
	c->server->busy--;
	if (c->fd < 0)
		connection_free(c);
	else
		reply(c, &message, -1);
}

static int use_register(struct connection *c, const struct xo_exec_request *request)
{
	struct connection *file = find_file(c->server, request->file);

	if (!file || request->reg >= XO_EXEC_REGISTERS) {
		reply_value(c, file ? EINVAL : EBADF, 0);
		return 0;
	}
	if (request->type == XO_EXEC_SET)
		file->registers[request->reg] = request->value;
	reply_value(c, 0, file->registers[request->reg]);
	return 0;
}

static int handle(struct connection *c, const struct xo_exec_request *request)
{
	switch (request->type) {
	case XO_EXEC_OPEN:
		if (c->type != NEW)
			return -EPROTO;
		open_file(c, request);
		return 0;
	case XO_EXEC_CHANNEL:
		if (c->type != NEW)
			return -EPROTO;
		return open_channel(c);
	case XO_EXEC_COMMAND:
		if (c->type != CHANNEL)
			return -EPROTO;
		if (!find_file(c->server, request->file)) {
			reply_value(c, EBADF, 0);
			return 0;
		}
		return run_command(c, request);
	case XO_EXEC_GET:
	case XO_EXEC_SET:
		return c->type == CHANNEL ? use_register(c, request) : -EPROTO;
	default:
		return -EPROTO;
	}
}

/* Frees the connection when it ended or talks rubbish. */
static void connection_ready(struct connection *c)
{
	struct xo_exec_request request;
	ssize_t n;

	n = recv(c->fd, &request, sizeof(request), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == sizeof(request) && request.version == XO_EXEC_VERSION && handle(c, &request) == 0)
		return;
	connection_free(c);
}

/* Which number the kernel gave to the other end: the name is a NUL and five hexadecimal digits. */
static int peer_number(const struct sockaddr_un *name, socklen_t length, uint32_t *number)
{
	char digits[6] = "";

	if (length != offsetof(struct sockaddr_un, sun_path) + 6 || name->sun_path[0] != '\0')
		return -EPROTO;
	memcpy(digits, name->sun_path + 1, 5);
	*number = (uint32_t)strtoul(digits, NULL, 16);
	return 0;
}

static int add_connection(struct xo_exec_server *server, int fd, uint32_t number)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct connection *c;

	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->server = server;
	c->fd = fd;
	c->number = number;
	event.data.ptr = c;
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		free(c);
		return -errno;
	}
	TAILQ_INSERT_TAIL(&server->list, c, entry);
	server->connections++;
	return 0;
}

static void accept_connection(struct xo_exec_server *server)
{
	struct sockaddr_un name = { 0 };
	socklen_t length = sizeof(name);
	struct ucred peer;
	socklen_t peer_length = sizeof(peer);
	uint32_t number;
	int fd;

	fd = accept4(server->listen_fd, (struct sockaddr *)&name, &length,
		     SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_length) < 0 ||
	    (peer.uid != geteuid() && peer.uid != 0) || peer_number(&name, length, &number) < 0 ||
	    server->connections >= CONNECTIONS_MAX || add_connection(server, fd, number) < 0)
		close(fd);
}

int xo_exec_server_step(struct xo_exec_server *server)
{
	struct epoll_event events[EVENTS];
	int n;

	n = epoll_wait(server->epoll_fd, events, EVENTS, 0);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	/* A connection is freed only by its own event or by a completion when its fd is gone. */
	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr)
			connection_ready(events[i].data.ptr);
		else
			accept_connection(server);
	}
	return 0;
}

static int listen_in(struct xo_exec_server *server)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct epoll_event event = { .events = EPOLLIN };
	int n;

	n = snprintf(name.sun_path, sizeof(name.sun_path), "%s/" XO_EXEC_SOCKET, server->dir);
	if (n < 0 || (size_t)n >= sizeof(name.sun_path))
		return -ENAMETOOLONG;
	server->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listen_fd < 0)
		return -errno;
	if (bind(server->listen_fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
	    listen(server->listen_fd, SOMAXCONN) < 0 ||
	    epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->listen_fd, &event) < 0)
		return -errno;
	return 0;
}

int xo_exec_server_new(struct xo_exec_server **result, const struct xo_exec_ops *ops, void *priv,
		       uint32_t max_transfer)
{
	struct xo_exec_server *server;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int r;

	server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->ops = ops;
	server->priv = priv;
	server->max_transfer = max_transfer;
	server->buffer_size = ((size_t)max_transfer + page - 1) / page * page;
	server->listen_fd = -1;
	TAILQ_INIT(&server->list);
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r = server->epoll_fd < 0 ? -errno : xo_exec_folder_new(&server->dir);
	if (r == 0)
		r = listen_in(server);
	if (r < 0) {
		xo_exec_server_free(server);
		return r;
	}
	*result = server;
	return 0;
}

void xo_exec_server_free(struct xo_exec_server *server)
{
	struct connection *c;

	if (!server)
		return;
	while ((c = TAILQ_FIRST(&server->list))) {
		c->busy = false;
		connection_free(c);
	}
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	if (server->epoll_fd >= 0)
		close(server->epoll_fd);
	xo_exec_folder_remove(server->dir);
	free(server);
}

int xo_exec_server_fd(const struct xo_exec_server *server)
{
	return server->epoll_fd;
}

unsigned int xo_exec_server_files(const struct xo_exec_server *server)
{
	return server->files;
}

unsigned int xo_exec_server_busy(const struct xo_exec_server *server)
{
	return server->busy;
}

int xo_exec_server_describe(struct xo_exec_server *server, const char *device)
{
	return xo_exec_folder_describe(server->dir, device);
}

int xo_exec_server_show(struct xo_exec_server *server, const char *path, const char *text)
{
	return xo_exec_folder_show(server->dir, path, text);
}

pid_t xo_exec_server_spawn(struct xo_exec_server *server, const char *preload, const char *device,
			   char *const argv[])
{
	return xo_exec_folder_spawn(server->dir, preload, device, argv);
}

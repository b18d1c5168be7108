/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The QMP relay: lines both ways, descriptors with them, and a look at a few commands. */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "device-model/daemon.h"
#include "device-model/trailer.h"

#define CLIENTS_MAX 4
#define LINE_MAX_BYTES (256u << 10)
#define FDS_MAX 4
#define FDSETS_MAX 8
#define PENDING_MAX 8

/* To controllers of a guest that may run already. */
#define RUN "run-controllers"
#define LOG_CLEAN "log-clean-controllers"

/* One direction of a connection: what has come and is no whole line yet. */
struct side {
	int fd;
	char *line;
	size_t length;
	int fds[FDS_MAX]; /* that came with the line */
	size_t fd_count;
};

/* A command whose answer is to be looked at. */
struct pending {
	json_t *id;
	enum { PENDING_NONE, PENDING_ADD_FD, PENDING_SAVE } kind;
	int fd; /* that libxl adds, or that QEMU saves to */
};

struct connection {
	struct side libxl;
	struct side qemu;
	struct pending pending[PENDING_MAX];
};

/* What libxl made known to QEMU, by the number that it got. */
struct fdset {
	json_int_t number;
	int fd;
};

struct relay {
	int listener; /* libxl's */
	int qemu_pid_fd;
	char qemu_path[108]; /* of QEMU's socket */
	struct xo_dm_daemon daemon;
	struct connection *connections[CLIENTS_MAX];
	struct fdset fdsets[FDSETS_MAX];
};

static void say(const struct relay *relay, const char *what)
{
	fprintf(stderr, "device-model: relay of domain %d: %s\n", relay->daemon.domid, what);
}

static void side_close(struct side *side)
{
	if (side->fd >= 0)
		close(side->fd);
	while (side->fd_count)
		close(side->fds[--side->fd_count]);
	free(side->line);
	*side = (struct side){ .fd = -1 };
}

static void pending_end(struct pending *pending)
{
	json_decref(pending->id);
	if (pending->kind != PENDING_NONE && pending->fd >= 0)
		close(pending->fd);
	*pending = (struct pending){ .fd = -1 };
}

static void connection_close(struct relay *relay, size_t n)
{
	struct connection *c = relay->connections[n];

	side_close(&c->libxl);
	side_close(&c->qemu);
	for (size_t i = 0; i < PENDING_MAX; i++)
		pending_end(&c->pending[i]);
	free(c);
	relay->connections[n] = NULL;
}

static int qemu_connect(const struct relay *relay)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, relay->qemu_path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void take_client(struct relay *relay)
{
	int fd = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
	struct connection *c = NULL;
	size_t n = 0;

	if (fd < 0)
		return;
	while (n < CLIENTS_MAX && relay->connections[n])
		n++;
	if (n < CLIENTS_MAX)
		c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	c->libxl = (struct side){ .fd = fd };
	c->qemu = (struct side){ .fd = qemu_connect(relay) };
	for (size_t i = 0; i < PENDING_MAX; i++)
		c->pending[i].fd = -1;
	relay->connections[n] = c;
	if (c->qemu.fd < 0)
		connection_close(relay, n);
}

/* A line and the descriptors that came with it. */
static int side_send(int fd, const char *line, size_t length, const int *fds, size_t count)
{
	char control[CMSG_SPACE(sizeof(int) * FDS_MAX)] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)line, length };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (count) {
		struct cmsghdr *header;

		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
	}
	while (iov.iov_len) {
		ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		iov.iov_base = (char *)iov.iov_base + n;
		iov.iov_len -= (size_t)n;
		message.msg_control = NULL;
		message.msg_controllen = 0;
	}
	return 0;
}

static struct pending *pending_new(struct connection *c, const json_t *id)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		if (c->pending[i].kind != PENDING_NONE)
			continue;
		c->pending[i].id = json_deep_copy(id);
		return &c->pending[i];
	}
	return NULL;
}

/* What "/dev/fdset/N" or a path leads to, for writing behind what is there. */
static int save_target(const struct relay *relay, const char *name)
{
	int number;

	if (!name)
		return -1;
	if (sscanf(name, "/dev/fdset/%d", &number) != 1)
		return open(name, O_WRONLY | O_APPEND | O_CLOEXEC);
	for (size_t i = 0; i < FDSETS_MAX; i++)
		if (relay->fdsets[i].fd >= 0 && relay->fdsets[i].number == number)
			return fcntl(relay->fdsets[i].fd, F_DUPFD_CLOEXEC, 0);
	return -1;
}

static void fdset_remove(struct relay *relay, json_int_t number)
{
	for (size_t i = 0; i < FDSETS_MAX; i++) {
		if (relay->fdsets[i].fd < 0 || relay->fdsets[i].number != number)
			continue;
		close(relay->fdsets[i].fd);
		relay->fdsets[i].fd = -1;
	}
}

static void fdset_add(struct relay *relay, json_int_t number, int fd)
{
	for (size_t i = 0; i < FDSETS_MAX; i++) {
		if (relay->fdsets[i].fd >= 0)
			continue;
		relay->fdsets[i] = (struct fdset){ number, fcntl(fd, F_DUPFD_CLOEXEC, 0) };
		return;
	}
}

/*
 * The controllers are made ready for a save (`begin`) or are no longer. One that cannot begin fails: there is no
 * state. One that has ended leaves a guest that runs, so `ended` is told whenever it can be.
 */
static int tell(struct relay *relay, const char *command, const char *ended, bool begin)
{
	json_t *answer = xo_dm_daemon_ask(&relay->daemon, command);
	int r = answer ? 0 : -EIO;

	xo_dm_daemon_owe_no_more(&relay->daemon, ended);
	if (r)
		say(relay, "the controllers were not told what libxl told the device model");
	if (r && !begin)
		xo_dm_daemon_owe(&relay->daemon, ended);
	json_decref(answer);
	return r;
}

static void answer_error(struct connection *c, const json_t *id, const char *error)
{
	json_t *answer = json_pack("{s:{s:s,s:s},s:O?}", "error", "class", "GenericError", "desc",
				   error, "id", id);
	char *text = json_dumps(answer, JSON_COMPACT);

	if (text) {
		side_send(c->libxl.fd, text, strlen(text), NULL, 0);
		side_send(c->libxl.fd, "\r\n", 2, NULL, 0);
	}
	free(text);
	json_decref(answer);
}

/* Before a command of libxl goes to QEMU. False: it was answered here. */
static bool look_at_command(struct relay *relay, struct connection *c, const json_t *message)
{
	const char *command = json_string_value(json_object_get(message, "execute"));
	const json_t *arguments = json_object_get(message, "arguments");
	const json_t *id = json_object_get(message, "id");
	struct pending *pending;

	if (!command)
		return true;
	if (!strcmp(command, "stop")) {
		tell(relay, "stop-controllers", RUN, true);
	} else if (!strcmp(command, "cont")) {
		tell(relay, "cont-controllers", RUN, false);
	} else if (!strcmp(command, "xen-set-global-dirty-log")) {
		bool on = json_is_true(json_object_get(arguments, "enable"));

		/*
		 * A live migration begins or has ended; libxl asks Xen to log after this. Controllers that do not
		 * know would change pages that nobody sends again.
		 */
		if (tell(relay, on ? "log-dirty-controllers" : LOG_CLEAN, LOG_CLEAN, on) && on) {
			xo_dm_daemon_owe(&relay->daemon, LOG_CLEAN);
			answer_error(c, id,
				     "the optical drives' controllers cannot log dirty pages");
			return false;
		}
	} else if (!strcmp(command, "add-fd") && c->libxl.fd_count) {
		pending = pending_new(c, id);
		if (pending) {
			pending->kind = PENDING_ADD_FD;
			pending->fd = fcntl(c->libxl.fds[0], F_DUPFD_CLOEXEC, 0);
		}
	} else if (!strcmp(command, "remove-fd")) {
		fdset_remove(relay, json_integer_value(json_object_get(arguments, "fdset-id")));
	} else if (!strcmp(command, "xen-save-devices-state")) {
		pending = pending_new(c, id);
		if (pending) {
			pending->kind = PENDING_SAVE;
			pending->fd = save_target(
				relay, json_string_value(json_object_get(arguments, "filename")));
		}
	}
	return true;
}

/* QEMU's state is in the file: ours behind it. NULL, or what went wrong. */
static const char *append_state(struct relay *relay, int fd)
{
	json_t *answer;
	int r;

	if (fd < 0)
		return "the relay does not know the file of the device model's state";
	answer = xo_dm_daemon_ask(&relay->daemon, "save-controllers");
	if (!answer)
		return "the state of the optical drives' controllers cannot be had";
	lseek(fd, 0, SEEK_END);
	r = xo_trailer_write(fd, json_object_get(answer, "controllers"));
	json_decref(answer);
	return r ? "the state of the optical drives' controllers cannot be written" : NULL;
}

/* An answer of QEMU. True: it goes to libxl as it is; otherwise another went. */
static bool look_at_answer(struct relay *relay, struct connection *c, const json_t *message)
{
	const json_t *id = json_object_get(message, "id");
	const json_t *data = json_object_get(message, "return");
	const char *error = NULL;

	if (!data && !json_object_get(message, "error"))
		return true; /* greeting, event */
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &c->pending[i];

		if (p->kind == PENDING_NONE || !json_equal(p->id, id))
			continue;
		if (data && p->kind == PENDING_ADD_FD)
			fdset_add(relay, json_integer_value(json_object_get(data, "fdset-id")),
				  p->fd);
		if (data && p->kind == PENDING_SAVE)
			error = append_state(relay, p->fd);
		pending_end(p);
		break;
	}
	if (error) {
		say(relay, error);
		answer_error(c, id, error);
	}
	return !error;
}

static int pass_line(struct relay *relay, struct connection *c, bool from_libxl, size_t length)
{
	struct side *from = from_libxl ? &c->libxl : &c->qemu;
	json_t *message = json_loadb(from->line, length, 0, NULL);
	bool pass = true;
	int r = 0;

	if (message)
		pass = from_libxl ? look_at_command(relay, c, message)
				  : look_at_answer(relay, c, message);
	json_decref(message);
	if (pass)
		r = side_send(from_libxl ? c->qemu.fd : c->libxl.fd, from->line, length, from->fds,
			      from->fd_count);
	while (from->fd_count)
		close(from->fds[--from->fd_count]);
	from->length -= length;
	memmove(from->line, from->line + length, from->length);
	return r;
}

static void take_fds(struct side *side, struct msghdr *message)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h; h = CMSG_NXTHDR(message, h)) {
		size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fds[FDS_MAX];

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS || count > FDS_MAX)
			continue;
		memcpy(fds, CMSG_DATA(h), count * sizeof(int));
		for (size_t i = 0; i < count; i++) {
			if (side->fd_count < FDS_MAX)
				side->fds[side->fd_count++] = fds[i];
			else
				close(fds[i]);
		}
	}
}

/* What is there from one side; whole lines go to the other. 0; -EPIPE: the connection ends. */
static int side_ready(struct relay *relay, struct connection *c, bool from_libxl)
{
	struct side *side = from_libxl ? &c->libxl : &c->qemu;
	char control[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	struct msghdr message = { .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct iovec iov;
	ssize_t n;
	char *end;

	if (!side->line && !(side->line = malloc(LINE_MAX_BYTES)))
		return -EPIPE;
	if (side->length == LINE_MAX_BYTES)
		return -EPIPE; /* no line of QMP is that long */
	iov = (struct iovec){ side->line + side->length, LINE_MAX_BYTES - side->length };
	message.msg_iov = &iov;
	n = recvmsg(side->fd, &message, MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return -EPIPE;
	take_fds(side, &message);
	side->length += (size_t)n;
	while ((end = memchr(side->line, '\n', side->length)))
		if (pass_line(relay, c, from_libxl, (size_t)(end - side->line) + 1))
			return -EPIPE;
	return 0;
}

static void relay_round(struct relay *relay, struct pollfd *polls)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct connection *c = relay->connections[i];
		int r = 0;

		if (!c)
			continue;
		if (polls[2 * i].revents)
			r = side_ready(relay, c, true);
		if (!r && polls[2 * i + 1].revents)
			r = side_ready(relay, c, false);
		if (r)
			connection_close(relay, i);
	}
}

static void relay_run(struct relay *relay)
{
	struct pollfd polls[2 * CLIENTS_MAX + 3];

	for (;;) {
		for (size_t i = 0; i < CLIENTS_MAX; i++) {
			const struct connection *c = relay->connections[i];

			polls[2 * i] =
				(struct pollfd){ .fd = c ? c->libxl.fd : -1, .events = POLLIN };
			polls[2 * i + 1] =
				(struct pollfd){ .fd = c ? c->qemu.fd : -1, .events = POLLIN };
		}
		polls[2 * CLIENTS_MAX] = (struct pollfd){ .fd = relay->listener, .events = POLLIN };
		polls[2 * CLIENTS_MAX + 1] =
			(struct pollfd){ .fd = relay->qemu_pid_fd, .events = POLLIN };
		polls[2 * CLIENTS_MAX + 2] = (struct pollfd){
			.fd = xo_dm_daemon_is_owed(&relay->daemon) ? relay->daemon.watch : -1,
			.events = POLLIN
		};
		if (poll(polls, XO_ARRAY_SIZE(polls), -1) < 0)
			continue;
		if (polls[2 * CLIENTS_MAX + 1].revents)
			return; /* QEMU has ended */
		if (polls[2 * CLIENTS_MAX + 2].revents)
			xo_dm_daemon_came(&relay->daemon);
		relay_round(relay, polls);
		if (polls[2 * CLIENTS_MAX].revents)
			take_client(relay);
	}
}

/* QEMU's own socket, in the place of libxl's. */
int xo_relay_listen(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int r = 0;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	mask = umask(0177);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, CLIENTS_MAX) < 0)
		r = -errno;
	umask(mask);
	if (r && fd >= 0)
		close(fd);
	return r ? r : fd;
}

/* Only what the relay uses stays open: libxl waits for the ends of pipes that QEMU closes. */
static void keep_only(struct relay *relay)
{
	const int low = 3;

	relay->listener = fcntl(relay->listener, F_DUPFD_CLOEXEC, 512);
	relay->qemu_pid_fd = fcntl(relay->qemu_pid_fd, F_DUPFD_CLOEXEC, 512);
	syscall(SYS_close_range, low, 511, 0);
	relay->listener = dup2(relay->listener, low);
	relay->qemu_pid_fd = dup2(relay->qemu_pid_fd, low + 1);
	syscall(SYS_close_range, low + 2, ~0u, 0);
}

int xo_relay_start(int fd, int domid, const char *control_socket, const char *run_dir)
{
	static struct relay relay;
	pid_t parent = getpid();
	int mine;
	int r;

	for (size_t i = 0; i < FDSETS_MAX; i++)
		relay.fdsets[i].fd = -1;
	r = snprintf(relay.qemu_path, sizeof(relay.qemu_path), "%s/qmp-%d", run_dir, domid);
	if (r >= (int)sizeof(relay.qemu_path))
		return -ENAMETOOLONG;
	mine = xo_relay_listen(relay.qemu_path);
	relay.listener = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	relay.qemu_pid_fd = (int)syscall(SYS_pidfd_open, parent, 0);
	if (mine < 0)
		errno = -mine;
	if (mine < 0 || relay.listener < 0 || relay.qemu_pid_fd < 0 || dup2(mine, fd) < 0) {
		r = -errno;
		fprintf(stderr, "device-model: QMP relay: %s: %s\n", relay.qemu_path,
			strerror(errno));
		return r;
	}
	close(mine);
	switch (fork()) {
	case -1:
		return -errno;
	case 0:
		setsid();
		signal(SIGPIPE, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		keep_only(&relay);
		xo_dm_daemon_init(&relay.daemon, control_socket, domid);
		relay_run(&relay);
		unlink(relay.qemu_path);
		_exit(EXIT_SUCCESS);
	default:
		close(relay.listener);
		close(relay.qemu_pid_fd);
		return 0;
	}
}

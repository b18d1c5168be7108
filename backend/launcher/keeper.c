/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The launcher's side of the keeper: starting it, finding it, and what it is to hold. */
#include "keeper.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/log.h"
#include "base/loop.h"
#include "worker.h"

#define PROGRAM "xenoptic-keeper"
#define ANSWER_MS 10000 /* it does nothing else: then it is stopped, or worse */
#define STARTS_MAX 10
#define STARTS_WINDOW_NS (60 * UINT64_C(1000000000))

struct xo_keeper_entry {
	LIST_ENTRY(xo_keeper_entry) entry;
	struct xo_kept kept; /* the descriptor is its owner's */
};

static struct xo_keeper_entry *entry_find(struct xo_keeper *keeper, const char *name)
{
	struct xo_keeper_entry *entry;

	LIST_FOREACH (entry, &keeper->entries, entry)
		if (!strcmp(entry->kept.name, name))
			return entry;
	return NULL;
}

static void entry_set(struct xo_keeper *keeper, const struct xo_kept *kept)
{
	struct xo_keeper_entry *entry = entry_find(keeper, kept->name);

	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return; /* kept all the same, but not given to a successor of the keeper */
		LIST_INSERT_HEAD(&keeper->entries, entry, entry);
	}
	entry->kept = *kept;
}

static void entry_free(struct xo_keeper_entry *entry)
{
	if (!entry)
		return;
	LIST_REMOVE(entry, entry);
	free(entry);
}

static void poll_free(uv_handle_t *handle)
{
	free(handle);
}

static void hang_up(struct xo_keeper *keeper)
{
	if (keeper->poll) {
		keeper->poll->data = NULL;
		uv_close((uv_handle_t *)keeper->poll, poll_free);
	}
	keeper->poll = NULL;
	if (keeper->fd >= 0)
		close(keeper->fd);
	keeper->fd = -1;
}

/* Sends a packet and waits for its answer, which the caller frees. *count: in: room in fds, out: how many came. */
static int exchange(struct xo_keeper *keeper, json_t *message, const int *send, size_t send_count,
		    json_t **answer, int *fds, size_t *count)
{
	int received[XO_CONTROL_FDS_MAX];
	struct pollfd p = { .fd = keeper->fd, .events = POLLIN };
	size_t n = 0;
	int r = keeper->fd < 0 ? -EPIPE : 0;

	if (!r)
		r = message ? xo_control_send(keeper->fd, message, send, send_count) : -ENOMEM;
	json_decref(message);
	if (!r) {
		do
			r = poll(&p, 1, ANSWER_MS);
		while (r < 0 && errno == EINTR);
		r = r < 0 ? -errno : r ? 0 : -ETIMEDOUT;
	}
	if (!r)
		r = xo_control_receive(keeper->fd, answer, received, &n);
	if (r != 1)
		return r ? r : -EPROTO;
	for (size_t i = 0; i < XO_MIN(n, XO_ARRAY_SIZE(received)); i++) {
		if (i < *count)
			fds[i] = received[i];
		else
			close(received[i]);
	}
	*count = XO_MIN(n, *count);
	return 0;
}

/* A command about kept[0..count): 0, -ENOENT, or -errno: the keeper is of no use any more. */
static int ask(struct xo_keeper *keeper, const char *command, struct xo_kept *kept, size_t count,
	       bool with_fds)
{
	json_t *names = json_array();
	int fds[XO_CONTROL_FDS_MAX];
	json_t *answer = NULL;
	size_t got = XO_CONTROL_FDS_MAX;
	const char *error;
	int r;

	for (size_t i = 0; i < count; i++) {
		json_array_append_new(names, json_string(kept[i].name));
		fds[i] = kept[i].fd;
	}
	r = exchange(keeper,
		     json_pack("{s:s,s:{s:o}}", "execute", command, "arguments", "names", names),
		     fds, with_fds ? count : 0, &answer, fds, &got);
	if (r)
		return r;
	error = json_string_value(json_object_get(json_object_get(answer, "error"), "class"));
	if (error)
		r = strcmp(error, XO_KEEPER_ERROR_NOT_KEPT) ? -EPROTO : -ENOENT;
	json_decref(answer);
	if (!r && !strcmp(command, XO_KEEPER_GET) && got != count)
		r = -EPROTO;
	for (size_t i = 0; i < got; i++) {
		if (r)
			close(fds[i]);
		else
			kept[i].fd = fds[i];
	}
	return r;
}

static int address_of(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

static int connect_to(struct xo_keeper *keeper)
{
	struct sockaddr_un address;
	int r = address_of(keeper->path, &address);

	if (r)
		return r;
	keeper->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (keeper->fd < 0)
		return -errno;
	if (connect(keeper->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		r = -errno;
	/* One that was about to end takes the connection and does not answer. */
	if (!r)
		r = ask(keeper, XO_KEEPER_QUERY, NULL, 0, false);
	if (r)
		hang_up(keeper);
	return r;
}

/* The socket of the next keeper; whoever listens there now is dead. */
static int listen_at(const char *path)
{
	struct sockaddr_un address;
	mode_t mask;
	int fd;
	int r = address_of(path, &address);

	if (r)
		return r;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0177);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0)
		r = -errno;
	umask(mask);
	if (!r)
		return fd;
	close(fd);
	return r;
}

static void process_free(uv_handle_t *handle)
{
	free(handle);
}

static void process_ended(uv_process_t *process, int64_t status, int signal)
{
	struct xo_keeper *keeper = process->data;

	(void)status;
	(void)signal;
	if (keeper->process == process)
		keeper->process = NULL;
	uv_close((uv_handle_t *)process, process_free);
}

static int spawn(struct xo_keeper *keeper, int listener)
{
	uv_stdio_container_t stdio[XO_KEEPER_LISTEN + 1] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO },
		{ .flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO },
		[XO_KEEPER_LISTEN] = { .flags = UV_INHERIT_FD, .data.fd = listener },
	};
	char option[] = "--user";
	char *argv[] = { NULL, option, (char *)(uintptr_t)keeper->user, NULL };
	uv_process_options_t options = {
		.exit_cb = process_ended,
		.args = argv,
		.stdio = stdio,
		.stdio_count = XO_ARRAY_SIZE(stdio),
		.env = xo_worker_environment(NULL),
	};
	uv_process_t *process = calloc(1, sizeof(*process));
	int r = -ENOMEM;

	if (process && options.env && asprintf(&argv[0], "%s/" PROGRAM, keeper->libexec_dir) > 0) {
		options.file = argv[0];
		process->data = keeper;
		r = uv_spawn(keeper->loop, process, &options);
		if (r)
			uv_close((uv_handle_t *)process, process_free);
		else
			keeper->process = process;
		free(argv[0]);
	} else {
		free(process);
	}
	free(options.env);
	return r;
}

static int start(struct xo_keeper *keeper)
{
	int listener;
	int r;

	if (!xo_rate_allows(&keeper->rate, xo_now_ns())) {
		xo_error(PROGRAM ": ends again and again");
		return -EAGAIN;
	}
	listener = listen_at(keeper->path);
	r = listener < 0 ? listener : spawn(keeper, listener);
	if (listener >= 0)
		close(listener);
	if (!r)
		r = connect_to(keeper);
	if (r)
		xo_error(PROGRAM " (%s, socket %s) cannot be started: %s", keeper->libexec_dir,
			 keeper->path, strerror(-r));
	return r;
}

static void hung_up(uv_poll_t *poll, int status, int events);

static int listen_for_end(struct xo_keeper *keeper)
{
	uv_poll_t *poll = calloc(1, sizeof(*poll));
	int r;

	if (!poll)
		return -ENOMEM;
	r = uv_poll_init(keeper->loop, poll, keeper->fd);
	if (r) {
		free(poll);
		return r;
	}
	poll->data = keeper;
	keeper->poll = poll;
	return uv_poll_start(poll, UV_READABLE, hung_up);
}

/* Another keeper, with all that we have. */
static int replace(struct xo_keeper *keeper)
{
	struct xo_keeper_entry *entry;
	int r;

	hang_up(keeper);
	r = start(keeper);
	if (!r)
		r = listen_for_end(keeper);
	LIST_FOREACH (entry, &keeper->entries, entry)
		if (!r)
			r = ask(keeper, XO_KEEPER_PUT, &entry->kept, 1, true);
	if (r) {
		hang_up(keeper);
		xo_error(PROGRAM ": none runs; connections of guests would not survive this "
				 "daemon");
	}
	return r;
}

/* Nothing is sent without being asked for, so this is its end. */
static void hung_up(uv_poll_t *poll, int status, int events)
{
	struct xo_keeper *keeper = poll->data;

	(void)status;
	(void)events;
	if (!keeper)
		return;
	xo_warning(PROGRAM " ended; starting another");
	replace(keeper);
}

/* As ask(), with another keeper when this one has died. */
static int ask_one_that_lives(struct xo_keeper *keeper, const char *command, struct xo_kept *kept,
			      size_t count, bool with_fds)
{
	int r;

	if (!keeper->path)
		return -ENOTCONN; /* closed: what is kept is for our successor */
	r = ask(keeper, command, kept, count, with_fds);
	if (!r || r == -ENOENT)
		return r;
	xo_warning(PROGRAM ": %s; starting another", strerror(-r));
	r = replace(keeper);
	return r ? r : ask(keeper, command, kept, count, with_fds);
}

int xo_keeper_open(struct xo_keeper *keeper, uv_loop_t *loop, const char *run_dir,
		   const char *libexec_dir, const char *user)
{
	int r;

	*keeper = (struct xo_keeper){
		.loop = loop,
		.libexec_dir = libexec_dir,
		.user = user,
		.fd = -1,
	};
	LIST_INIT(&keeper->entries);
	xo_rate_init(&keeper->rate, STARTS_MAX, STARTS_WINDOW_NS);
	if (asprintf(&keeper->path, "%s/keeper.sock", run_dir) < 0) {
		keeper->path = NULL;
		return -ENOMEM;
	}
	r = connect_to(keeper);
	if (r)
		r = start(keeper);
	return r ? r : listen_for_end(keeper);
}

void xo_keeper_close(struct xo_keeper *keeper, bool end)
{
	if (!keeper->path)
		return;
	if (end)
		ask(keeper, XO_KEEPER_END, NULL, 0, false);
	hang_up(keeper);
	if (keeper->process)
		uv_close((uv_handle_t *)keeper->process, process_free);
	keeper->process = NULL;
	while (!LIST_EMPTY(&keeper->entries))
		entry_free(LIST_FIRST(&keeper->entries));
	free(keeper->path);
	keeper->path = NULL;
}

void xo_keeper_put(struct xo_keeper *keeper, const struct xo_kept *kept, size_t count)
{
	struct xo_kept copy[XO_CONTROL_FDS_MAX];

	if (!keeper->path || count > XO_ARRAY_SIZE(copy))
		return;
	memcpy(copy, kept, count * sizeof(*kept));
	for (size_t i = 0; i < count; i++)
		entry_set(keeper, &kept[i]);
	ask_one_that_lives(keeper, XO_KEEPER_PUT, copy, count, true);
}

int xo_keeper_get(struct xo_keeper *keeper, struct xo_kept *kept, size_t count)
{
	int r = ask_one_that_lives(keeper, XO_KEEPER_GET, kept, count, false);

	for (size_t i = 0; !r && i < count; i++)
		entry_set(keeper, &kept[i]);
	return r;
}

void xo_keeper_drop(struct xo_keeper *keeper, const struct xo_kept *kept, size_t count)
{
	struct xo_kept copy[XO_CONTROL_FDS_MAX];

	if (!keeper->path || count > XO_ARRAY_SIZE(copy))
		return;
	memcpy(copy, kept, count * sizeof(*kept));
	for (size_t i = 0; i < count; i++)
		entry_free(entry_find(keeper, kept[i].name));
	ask_one_that_lives(keeper, XO_KEEPER_DROP, copy, count, false);
}

static void set_name(struct xo_kept *kept, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
static void set_name(struct xo_kept *kept, const char *format, va_list args)
{
	*kept = (struct xo_kept){ .fd = -1 };
	vsnprintf(kept->name, sizeof(kept->name), format, args);
}

void xo_keeper_put_one(struct xo_keeper *keeper, int fd, const char *format, ...)
{
	struct xo_kept kept;
	va_list args;

	va_start(args, format);
	set_name(&kept, format, args);
	va_end(args);
	kept.fd = fd;
	if (fd >= 0)
		xo_keeper_put(keeper, &kept, 1);
}

int xo_keeper_get_one(struct xo_keeper *keeper, const char *format, ...)
{
	struct xo_kept kept;
	va_list args;
	int r;

	va_start(args, format);
	set_name(&kept, format, args);
	va_end(args);
	r = xo_keeper_get(keeper, &kept, 1);
	return r ? r : kept.fd;
}

void xo_keeper_drop_one(struct xo_keeper *keeper, const char *format, ...)
{
	struct xo_kept kept;
	va_list args;

	va_start(args, format);
	set_name(&kept, format, args);
	va_end(args);
	xo_keeper_drop(keeper, &kept, 1);
}

void xo_keeper_sweep(struct xo_keeper *keeper)
{
	ask_one_that_lives(keeper, XO_KEEPER_SWEEP, NULL, 0, false);
}

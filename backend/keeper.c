/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenoptic-keeper: holds the launcher's and the workers' descriptors under
 * names (base/keeper_control.h), so that none of their deaths closes one.
 */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/keeper_control.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/worker.h"

/* The last to be killed when memory runs out: it uses none, and everything hangs on it. */
#define OOM_SCORE "-900"

struct kept {
	LIST_ENTRY(kept) entry;
	int fd;
	bool claimed; /* put or got by the present client */
	char name[XO_KEEPER_NAME_MAX];
};

struct keeper {
	LIST_HEAD(, kept) list;
	unsigned int count;
	int client;
	bool end;
};

/* The names of a packet, and the descriptors that came with it (-1 once they are somebody's). */
struct order {
	const json_t *id; /* NULL: none came */
	const char *names[XO_CONTROL_FDS_MAX];
	size_t name_count;
	int *fds;
	size_t fd_count;
};

static struct kept *find(struct keeper *keeper, const char *name)
{
	struct kept *kept;

	LIST_FOREACH (kept, &keeper->list, entry)
		if (!strcmp(kept->name, name))
			return kept;
	return NULL;
}

static void kept_free(struct keeper *keeper, struct kept *kept)
{
	LIST_REMOVE(kept, entry);
	keeper->count--;
	close(kept->fd);
	free(kept);
}

static struct kept *kept_new(struct keeper *keeper, const char *name)
{
	struct kept *kept = keeper->count < XO_KEEPER_MAX ? calloc(1, sizeof(*kept)) : NULL;

	if (!kept)
		return NULL;
	kept->fd = -1;
	snprintf(kept->name, sizeof(kept->name), "%s", name);
	LIST_INSERT_HEAD(&keeper->list, kept, entry);
	keeper->count++;
	return kept;
}

static int run_put(struct keeper *keeper, struct order *order, json_t **data)
{
	(void)data;
	if (order->fd_count != order->name_count)
		return -EINVAL;
	for (size_t i = 0; i < order->name_count; i++) {
		struct kept *kept = find(keeper, order->names[i]);

		if (!kept)
			kept = kept_new(keeper, order->names[i]);
		if (!kept)
			return -ENOMEM;
		if (kept->fd >= 0)
			close(kept->fd);
		kept->fd = order->fds[i];
		kept->claimed = true;
		order->fds[i] = -1;
	}
	return 0;
}

/* Answers itself: descriptors go with it. */
static int run_get(struct keeper *keeper, struct order *order, json_t **data)
{
	struct kept *found[XO_CONTROL_FDS_MAX];
	int fds[XO_CONTROL_FDS_MAX];
	json_t *answer;
	int r;

	(void)data;
	for (size_t i = 0; i < order->name_count; i++) {
		found[i] = find(keeper, order->names[i]);
		if (!found[i])
			return -ENOENT;
		fds[i] = found[i]->fd;
	}
	for (size_t i = 0; i < order->name_count; i++)
		found[i]->claimed = true;
	answer = json_pack("{s:{},s:O?}", "return", "id", order->id);
	r = answer ? xo_control_send(keeper->client, answer, fds, order->name_count) : -ENOMEM;
	json_decref(answer);
	return r ? r : 1;
}

static int run_drop(struct keeper *keeper, struct order *order, json_t **data)
{
	(void)data;
	for (size_t i = 0; i < order->name_count; i++) {
		struct kept *kept = find(keeper, order->names[i]);

		if (kept)
			kept_free(keeper, kept);
	}
	return 0;
}

static int run_sweep(struct keeper *keeper, struct order *order, json_t **data)
{
	struct kept *kept;
	struct kept *next;
	int dropped = 0;

	(void)order;
	for (kept = LIST_FIRST(&keeper->list); kept; kept = next) {
		next = LIST_NEXT(kept, entry);
		if (kept->claimed)
			continue;
		kept_free(keeper, kept);
		dropped++;
	}
	*data = json_pack("{s:i}", "dropped", dropped);
	return 0;
}

static int run_query(struct keeper *keeper, struct order *order, json_t **data)
{
	(void)order;
	*data = json_pack("{s:i}", "kept", (int)keeper->count);
	return 0;
}

static int run_end(struct keeper *keeper, struct order *order, json_t **data)
{
	(void)order;
	(void)data;
	keeper->end = true;
	return 0;
}

static const struct command {
	const char *name;
	bool named; /* it takes names */
	/* 0: *data is the answer (NULL: {}); 1: it has answered; -errno. */
	int (*run)(struct keeper *keeper, struct order *order, json_t **data);
} commands[] = {
	{ XO_KEEPER_PUT, true, run_put },      { XO_KEEPER_GET, true, run_get },
	{ XO_KEEPER_DROP, true, run_drop },    { XO_KEEPER_SWEEP, false, run_sweep },
	{ XO_KEEPER_QUERY, false, run_query }, { XO_KEEPER_END, false, run_end },
};

static const struct command *command_find(const json_t *message)
{
	const char *name = json_string_value(json_object_get(message, "execute"));

	for (size_t i = 0; name && i < XO_ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int read_names(const json_t *message, struct order *order)
{
	const json_t *names = json_object_get(json_object_get(message, "arguments"), "names");
	const json_t *name;
	size_t i;

	if (!json_array_size(names) || json_array_size(names) > XO_ARRAY_SIZE(order->names))
		return -EINVAL;
	json_array_foreach (names, i, name) {
		if (!json_is_string(name) || json_string_length(name) >= XO_KEEPER_NAME_MAX)
			return -EINVAL;
		order->names[order->name_count++] = json_string_value(name);
	}
	return 0;
}

/* 0, or -errno: the client cannot be answered. */
static int execute(struct keeper *keeper, const json_t *message, int *fds, size_t count)
{
	const struct command *command = command_find(message);
	struct order order = {
		.id = json_object_get(message, "id"),
		.fds = fds,
		.fd_count = count,
	};
	json_t *data = NULL;
	int r = command ? 0 : -ENOSYS;

	if (!r && command->named)
		r = read_names(message, &order);
	if (!r)
		r = command->run(keeper, &order, &data);
	if (r == 1)
		return 0;
	if (!r)
		return xo_control_return(keeper->client, order.id, data);
	return xo_control_error(keeper->client, order.id,
				r == -ENOSYS   ? "CommandNotFound"
				: r == -ENOENT ? XO_KEEPER_ERROR_NOT_KEPT
				: r == -EINVAL ? "InvalidArguments"
					       : "Failed",
				"%s", strerrordesc_np(-r));
}

/* One packet. 0, or -errno: the client is gone. */
static int serve_packet(struct keeper *keeper)
{
	struct pollfd p = { .fd = keeper->client, .events = POLLIN };
	int fds[XO_CONTROL_FDS_MAX];
	json_t *message = NULL;
	size_t count = 0;
	int r;

	if (poll(&p, 1, -1) < 0)
		return errno == EINTR ? 0 : -errno;
	r = xo_control_receive(keeper->client, &message, fds, &count);
	if (r == -EPROTO)
		return xo_control_error(keeper->client, NULL, "GenericError", "not a JSON object");
	if (r <= 0)
		return r;
	r = execute(keeper, message, fds, count);
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	json_decref(message);
	return r;
}

static bool may_ask(int client, uid_t owner)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	return !getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &size) && who.uid == owner;
}

static void serve_client(struct keeper *keeper)
{
	struct kept *kept;
	int r = 0;

	LIST_FOREACH (kept, &keeper->list, entry)
		kept->claimed = false;
	while (!r && !keeper->end)
		r = serve_packet(keeper);
	if (r && r != -EPIPE)
		xo_warning("the launcher's connection: %s", strerrordesc_np(-r));
	if (!keeper->count)
		keeper->end = true;
}

static int serve(struct keeper *keeper, uid_t owner)
{
	while (!keeper->end) {
		keeper->client =
			accept4(XO_KEEPER_LISTEN, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (keeper->client < 0) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			xo_error("the socket takes no connections: %s", strerrordesc_np(errno));
			return EXIT_FAILURE;
		}
		if (may_ask(keeper->client, owner))
			serve_client(keeper);
		close(keeper->client);
	}
	return EXIT_SUCCESS;
}

static void make_last(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, OOM_SCORE, strlen(OOM_SCORE)) < 0)
		xo_debug("may be killed when memory runs out: %s", strerrordesc_np(errno));
	if (fd >= 0)
		close(fd);
}

static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int shut_in(const char *user)
{
	static const int keep[] = { XO_KEEPER_LISTEN };
	static const int syscalls[] = { SCMP_SYS(accept4), SCMP_SYS(poll), SCMP_SYS(getsockopt) };
	const struct xo_sandbox sandbox = {
		.user = user,
		.syscalls = syscalls,
		.syscall_count = XO_ARRAY_SIZE(syscalls),
	};
	int r = xo_close_others(keep, XO_ARRAY_SIZE(keep));

	if (r)
		return r;
	make_last();
	raise_limit();
	return xo_sandbox_enter(&sandbox);
}

static const char usage[] = "Usage: xenoptic-keeper [--user USER]\n"
			    "Holds descriptors for xenopticd, which starts it with a listening "
			    "socket as descriptor 3.\n";

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "user", required_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static struct keeper keeper;
	const char *user = XO_WORKER_USER;
	uid_t owner = geteuid();
	int option;

	xo_log_open("xenoptic-keeper", XO_LOG_INFO);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'u') {
			fputs(usage, option == 'h' ? stdout : stderr);
			return option == 'h' ? EXIT_SUCCESS : 2;
		}
		user = optarg;
	}
	if (fcntl(XO_KEEPER_LISTEN, F_GETFD) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	/* A terminal's interrupt ends the launcher; what it leaves must stay. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	LIST_INIT(&keeper.list);
	if (shut_in(user))
		return EXIT_FAILURE;
	return serve(&keeper, owner);
}

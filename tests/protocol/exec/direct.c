// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs an unmodified program with a drive in this very process as its
 * /dev/sr0: the preloaded library and its server without ring, link and
 * drive process. For tests of the library, and for whoever works on a drive.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/server.h"
#include "mmc/cdb.h"
#include "unit.h"

#define MAX_TRANSFER 65536u

static FILE *trace;
static uint64_t commands;

static void trace_line(const struct xo_exec_command *command)
{
	const char *name = xo_opcode_find(command->cdb, command->cdb_length)->name;

	fprintf(trace, "%-28s ", name);
	for (unsigned int i = 0; i < command->cdb_length; i++)
		fprintf(trace, "%02x", command->cdb[i]);
	fprintf(trace, " %s %u",
		command->direction == XO_DIR_IN	   ? "in"
		: command->direction == XO_DIR_OUT ? "out"
						   : "-",
		command->length);
	fprintf(trace, " -> %02x", command->status);
	if (command->transport)
		fprintf(trace, " transport %u", command->transport);
	if (command->residual)
		fprintf(trace, " residual %u", command->residual);
	if (command->sense_length >= 14)
		fprintf(trace, " sense %x/%02x/%02x", command->sense[2] & 0xf, command->sense[12],
			command->sense[13]);
	if (command->direction != XO_DIR_NONE && command->length <= 64) {
		fprintf(trace, " data ");
		for (unsigned int i = 0; i < command->length; i++)
			fprintf(trace, "%02x", command->data[i]);
	}
	fputc('\n', trace);
	fflush(trace);
}

static void submit(void *priv, struct xo_exec_command *from)
{
	struct xo_command command = {
		.cdb_length = from->cdb_length,
		.direction = from->direction,
		.timeout = from->timeout / 1000,
		.length = from->length,
		.data = from->data,
		.id = ++commands,
		.client = "exec",
	};

	memcpy(command.cdb, from->cdb, sizeof(command.cdb));
	xo_unit_execute(priv, &command);
	from->status = command.status;
	from->transport = command.transport;
	from->sense_length = command.sense_length;
	from->residual = command.residual;
	memcpy(from->sense, command.sense, sizeof(from->sense));
	if (trace)
		trace_line(from);
	xo_exec_complete(from);
}

static const char *preload_path(void)
{
	const char *build = getenv("top_builddir"), *path = getenv("XENOPTIC_PRELOAD");
	static char buffer[PATH_MAX + 64], resolved[PATH_MAX];

	if (path)
		return path;
	(void)snprintf(buffer, sizeof(buffer), "%s/tools/.libs/xenoptic-exec.so",
		       build ? build : ".");
	return realpath(buffer, resolved);
}

/* Serves until the program has ended. Its exit status. */
static int serve(struct xo_exec_server *server, pid_t pid)
{
	struct pollfd fds[2] = { { .fd = xo_exec_server_fd(server), .events = POLLIN } };
	sigset_t set;
	int status;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fds[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
	fds[1].events = POLLIN;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return 1;
		if (xo_exec_server_step(server) < 0)
			return 1;
	}
	close(fds[1].fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(struct xo_unit *unit, const char *device, char *const argv[])
{
	static const struct xo_exec_ops ops = { .submit = submit };
	struct xo_exec_server *server = NULL;
	const char *preload = preload_path();
	int r, status = 1;
	pid_t pid;

	if (!preload) {
		fprintf(stderr, "no tools/.libs/xenoptic-exec.so in %s; set XENOPTIC_PRELOAD\n",
			getenv("top_builddir") ? getenv("top_builddir") : ".");
		return 1;
	}
	r = xo_exec_server_new(&server, &ops, unit, MAX_TRANSFER);
	if (r == 0)
		r = xo_exec_server_describe(server, device);
	if (r < 0) {
		fprintf(stderr, "exec server: %s\n", strerror(-r));
	} else {
		pid = xo_exec_server_spawn(server, preload, device, argv);
		if (pid < 0)
			fprintf(stderr, "%s: %s\n", argv[0], strerror((int)-pid));
		else
			status = serve(server, pid);
	}
	xo_exec_server_free(server);
	return status;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "trace", required_argument, NULL, 't' },
		{ "as", required_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *device = "/dev/sr0";
	struct xo_unit *unit = NULL;
	int c, status = 2;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c == 't') {
			trace = fopen(optarg, "we");
		} else if (c == 'a') {
			device = optarg;
		} else {
			fprintf(c == 'h' ? stdout : stderr,
				"usage: %s [--trace FILE] [--as /dev/srN] FILE PROGRAM [ARGUMENT "
				"…]\n%s\n",
				argv[0], xo_test_unit_help);
			return c == 'h' ? 0 : 2;
		}
	}
	if (argc - optind < 2) {
		fprintf(stderr, "FILE and PROGRAM are missing; see --help\n");
		return 2;
	}
	if (xo_test_unit_open(argv[optind], &unit) == 0)
		status = run(unit, device, argv + optind + 1);
	if (unit)
		unit->ops->free(unit);
	if (trace)
		fclose(trace);
	return status;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xenoptic-guest exec: runs an unmodified program, and carries out what it
 * asks of its /dev/sr0 (exec/protocol.h) by the ring.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "drive.h"
#include "exec/server.h"
#include "mmc/opcode.h"

#define SLOTS 8
#define MAX_TRANSFER (128u << 10)

/* As env(1) and timeout(1) have it. */
enum { EXIT_CANNOT = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

/* A command that waits for a slot. */
struct waiting {
	STAILQ_ENTRY(waiting) entry;
	struct xo_exec_command *command;
};

struct executor {
	struct drive drive;
	const struct guest_options *options;
	struct xo_exec_server *server;
	STAILQ_HEAD(, waiting) queue;
	const char *count_path; /* NULL: nobody wants to know */
	unsigned long long submitted, answered, failed;
};

static struct executor executor; /* one in a process; `done` has no other way to the queue */

static void fail(struct xo_exec_command *command, enum xo_transport transport)
{
	command->transport = (uint8_t)transport;
	command->residual = command->length;
	xo_exec_complete(command);
}

static void pump(void);

static void command_done(struct xo_front_command *done)
{
	struct xo_exec_command *command = done->priv;
	uint32_t moved = done->length - done->residual;

	executor.answered++;
	executor.failed += done->transport != XO_TRANSPORT_OK;
	command->status = done->status;
	command->transport = done->transport;
	command->sense_length = done->sense_length;
	command->residual = done->residual;
	memcpy(command->sense, done->sense, done->sense_length);
	if (done->direction == XO_DIR_IN)
		memcpy(command->data, done->data, moved);
	xo_front_give(done);
	xo_exec_complete(command);
	pump();
}

/* False when there is no slot. */
static bool start(struct xo_exec_command *from)
{
	struct xo_front_command *command;

	if (xo_front_state(executor.drive.front) != XO_FRONT_CONNECTED ||
	    !drive_find_again(&executor.drive, executor.options)) {
		fail(from, XO_TRANSPORT_NO_CONNECT);
		return true;
	}
	command = xo_front_take(executor.drive.front);
	if (!command)
		return false;
	memcpy(command->cdb, from->cdb, sizeof(command->cdb));
	command->cdb_length = XO_MAX(from->cdb_length, 6);
	command->direction = from->direction;
	command->length = from->length;
	command->timeout = from->timeout / 1000 + (from->timeout % 1000 ? 1 : 0);
	command->unit = executor.drive.unit;
	command->done = command_done;
	command->priv = from;
	if (from->direction == XO_DIR_OUT &&
	    from->length <= xo_front_max_transfer(executor.drive.front))
		memcpy(command->data, from->data, from->length);
	if (xo_front_submit(command) < 0) {
		xo_front_give(command);
		fail(from, XO_TRANSPORT_ERROR);
	} else {
		executor.submitted++;
	}
	return true;
}

/* Starts what waits, in order, as far as there are slots. */
static void pump(void)
{
	struct waiting *first;

	while ((first = STAILQ_FIRST(&executor.queue)) && start(first->command)) {
		STAILQ_REMOVE_HEAD(&executor.queue, entry);
		free(first);
	}
}

static void submit(void *priv, struct xo_exec_command *command)
{
	struct waiting *waiting;

	(void)priv;
	if (STAILQ_EMPTY(&executor.queue) && start(command))
		return;
	waiting = malloc(sizeof(*waiting));
	if (!waiting) {
		fail(command, XO_TRANSPORT_BUSY);
		return;
	}
	waiting->command = command;
	STAILQ_INSERT_TAIL(&executor.queue, waiting, entry);
}

/* ---- the program ---- */

static const char *preload_path(void)
{
	const char *path = getenv("XENOPTIC_PRELOAD"); /* for a build tree */

	return path ? path : PRELOAD_PATH;
}

static int exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Terminal signals reach the program by themselves; the server lives until it has ended. */
static int open_signals(void)
{
	sigset_t set;

	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void pass_signal(int fd, pid_t pid)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			(void)kill(pid, (int)info.ssi_signo);
}

/* Until the program has ended, and what it left in the background has closed the drive. */
static int serve(pid_t pid, int signal_fd)
{
	struct pollfd fds[] = {
		{ .fd = xo_exec_server_fd(executor.server), .events = POLLIN },
		{ .fd = xo_front_fd(executor.drive.front), .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};
	bool told = false, ended = false;
	int status = 0;

	for (;;) {
		if (!ended && waitpid(pid, &status, WNOHANG) == pid)
			ended = true;
		if (ended && !xo_exec_server_files(executor.server) &&
		    !xo_exec_server_busy(executor.server))
			return exit_status(status);
		if (poll(fds, XO_ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return EXIT_CANNOT;
		pass_signal(signal_fd, pid);
		(void)xo_exec_server_step(executor.server);
		if (xo_front_step(executor.drive.front) < 0 && !told) {
			guest_say("%s", xo_front_error(executor.drive.front));
			told = true;
			fds[1].fd = -1; /* every command gets NO CONNECT from now on */
		}
	}
}

static int start_program(const char *device, char *const argv[])
{
	int signal_fd, status;
	pid_t pid;

	if (access(preload_path(), R_OK) < 0) {
		guest_say("%s: %s; is the installation complete?", preload_path(), strerror(errno));
		return EXIT_CANNOT;
	}
	pid = xo_exec_server_spawn(executor.server, preload_path(), device, argv);
	if (pid < 0) {
		guest_say("%s: %s", argv[0], strerror((int)-pid));
		return pid == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
	}
	signal_fd = open_signals();
	status = signal_fd < 0 ? EXIT_CANNOT : serve(pid, signal_fd);
	if (signal_fd >= 0)
		close(signal_fd);
	return status;
}

/*
 * A kernel that finds a drive asks it until it has nothing more to say about
 * having been switched on: programs do not expect to be told.
 */
static void settle(void)
{
	const struct packet packet = packet_none(XO_OP_TEST_UNIT_READY, 6);
	struct outcome outcome;

	(void)drive_try(&executor.drive, &packet, &outcome);
}

/* Commands that went to the ring, answers, and those of them without a SCSI status. */
static void write_count(void)
{
	FILE *f = executor.count_path ? fopen(executor.count_path, "we") : NULL;

	if (executor.count_path && !f)
		guest_say("%s: %s", executor.count_path, strerror(errno));
	if (!f)
		return;
	fprintf(f, "%llu %llu %llu\n", executor.submitted, executor.answered, executor.failed);
	fclose(f);
}

/* The program learns it by GET EVENT STATUS NOTIFICATION if it asks; people may wonder why it goes on. */
static void told(void *priv, unsigned int unit, enum xo_front_event event)
{
	const struct drive *drive = priv;

	if (unit == drive->unit && event == XO_FRONT_EJECT_REQUESTED)
		guest_say("the host asks for the disc; it can have it when the program has ended");
}

static int execute(const struct guest_options *options, const char *device, char *const argv[])
{
	static const struct xo_exec_ops ops = { .submit = submit };
	int r;

	STAILQ_INIT(&executor.queue);
	executor.options = options;
	executor.drive.reconnect = true;
	executor.drive.large = true;
	executor.drive.event = told;
	r = drive_open(&executor.drive, options, SLOTS, MAX_TRANSFER);
	if (r != EXIT_OK)
		return EXIT_CANNOT;
	settle();
	/* The slot that the other subcommands use; here it is one for the program. */
	xo_front_give(executor.drive.command);
	executor.drive.command = NULL;
	r = xo_exec_server_new(&executor.server, &ops, NULL,
			       xo_front_max_transfer(executor.drive.front));
	if (r == 0)
		r = xo_exec_server_describe(executor.server, device);
	if (r < 0) {
		guest_say("cannot serve programs: %s", strerror(-r));
		r = EXIT_CANNOT;
	} else {
		r = start_program(device, argv);
	}
	drive_close(&executor.drive); /* completes what is still in flight */
	write_count();
	xo_exec_server_free(executor.server);
	return r;
}

static bool valid_device(const char *device)
{
	const char *base = strrchr(device, '/');

	return device[0] == '/' && strlen(device) < 60 && strncmp(base, "/sr", 3) == 0 &&
	       base[3] >= '0' && base[3] <= '9';
}

static int run(const struct guest_options *options, int argc, char *argv[])
{
	static const struct option known[] = {
		{ "as", required_argument, NULL, 'a' },
		{ "count", required_argument, NULL, 'c' },
		{ 0 },
	};
	const char *device = "/dev/sr0";
	int c;

	while ((c = getopt_long(argc, argv, "+a:", known, NULL)) != -1) {
		if (c == 'a')
			device = optarg;
		else if (c == 'c')
			executor.count_path = optarg;
		else
			return guest_usage(&guest_exec);
	}
	if (optind == argc || !valid_device(device))
		return guest_usage(&guest_exec);
	return execute(options, device, argv + optind);
}

const struct guest_command guest_exec = {
	.name = "exec",
	.arguments = "[--as /dev/srN] [--count FILE] [--] PROGRAM …",
	.summary = "a program that uses /dev/sr0",
	.help = "  -a, --as /dev/srN  the name by which the program finds the drive (/dev/sr0)\n"
		"  -c, --count FILE   writes how many commands were given, answered, and failed\n"
		"                     on the way, to FILE\n"
		"Exit status: the program's; 125 no device, 126 and 127 no such program.\n",
	.run = run,
};

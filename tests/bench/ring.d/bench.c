/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a command costs on its way: through the virtual burner called in this
 * process, over the link to the real xenoptic-drive, and through the real
 * xenoptic-ring on the loopback. Run by tests/bench/ring.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/control.h"
#include "base/drive_control.h"
#include "base/log.h"
#include "base/worker.h"
#include "count.h"
#include "drive/burner.h"
#include "stage.h"

enum { TO_DEVICE = 1, FROM_DEVICE = 2, NO_DATA = 3 };

#define ROUNDS 5 /* interleaved; the median counts */

struct command {
	const char *name;
	uint8_t opcode;
	uint8_t direction; /* enum xo_direction */
	uint32_t length;
	/* The budget, per command: what tests/bench/ring fails above. */
	struct {
		double ring_instructions, ring_syscalls, ring_sleeps;
		double drive_syscalls, drive_sleeps;
	} budget;
};

/*
 * The ring's least: it sleeps twice (until the request, until the reply) and
 * calls the system to sleep twice, to fetch and acknowledge the event, to send
 * and to receive over the link, and to notify the guest; data cost their
 * memcpy, which counts a few hundred instructions here.
 */
static const struct command commands[] = {
	{ "TEST UNIT READY", 0x00, XO_DIR_NONE, 0, { 2500, 8.2, 2.1, 6.2, 1.2 } },
	{ "READ(10) 32 KiB", 0x28, XO_DIR_IN, 32768, { 6000, 8.2, 2.1, 7.2, 1.2 } },
	{ "READ(10) 64 KiB", 0x28, XO_DIR_IN, 65536, { 9000, 8.2, 2.1, 7.2, 1.2 } },
	{ "WRITE(10) 32 KiB", 0x2a, XO_DIR_OUT, 32768, { 6000, 8.2, 2.1, 7.2, 1.2 } },
	{ "WRITE(10) 64 KiB", 0x2a, XO_DIR_OUT, 65536, { 9000, 8.2, 2.1, 7.2, 1.2 } },
};
#define COMMANDS XO_ARRAY_SIZE(commands)

static const char blank_disc[] = "{\"format\": \"xenoptic-disc\", \"version\": 1, \"type\": "
				 "\"bd-r\", \"capacity\": 12219392,"
				 " \"serial\": 1, \"sessions_closed\": 0, \"finished\": false, "
				 "\"formatted\": false,"
				 " \"format_type\": 0, \"mcn\": \"\", \"timing\": {\"sync\": 0, "
				 "\"close\": 0, \"format\": 0,"
				 " \"blank\": 0, \"load\": 0}, \"tracks\": [], \"cd_text\": \"\"}";

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "ring-bench: %s: %s\n", what, strerror(errno));
	exit(99);
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int text_fd(const char *text)
{
	int fd = memfd_create("bench", MFD_CLOEXEC);

	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "memfd");
	return fd;
}

/* The CDB of the next command of its kind: WRITEs go on where the last one ended. */
static void make_cdb(const struct command *command, uint32_t *next_write, uint8_t cdb[10])
{
	memset(cdb, 0, 10);
	cdb[0] = command->opcode;
	if (!command->length)
		return;
	xo_put_be16(cdb + 7, command->length / 2048);
	if (command->direction == XO_DIR_OUT) {
		xo_put_be32(cdb + 2, *next_write);
		*next_write += command->length / 2048;
	}
}

static uint8_t cdb_length(const struct command *command)
{
	return command->length ? 10 : 6;
}

/* ---- the burner in this process ---- */

struct direct {
	struct xo_unit *unit;
	void *region; /* the burner's; lives as long as the bench */
	uint8_t *data;
	uint32_t next_write;
};

static void direct_open(struct direct *direct)
{
	static struct xo_burner_host host;
	char *error = NULL;
	size_t size = (xo_burner_region_size() + 63) / 64 * 64;

	direct->region = aligned_alloc(64, size);
	must(direct->region != NULL, "memory");
	memset(direct->region, 0, size);
	must(!xo_burner_new(&direct->unit, direct->region, &host), "open a burner");
	must(!xo_burner_insert(direct->unit, memfd_create("disc", MFD_CLOEXEC), blank_disc,
			       strlen(blank_disc), false, &error),
	     error ? error : "insert a disc");
	direct->data = aligned_alloc(4096, 65536);
	memset(direct->data, 1, 65536);
}

static void direct_run(void *priv, const struct command *command, unsigned int count)
{
	struct direct *direct = priv;

	for (unsigned int i = 0; i < count; i++) {
		struct xo_command run = {
			.cdb_length = cdb_length(command),
			.direction = command->direction,
			.timeout = 60,
			.length = command->length,
			.data = direct->data,
			.id = (uint64_t)(now_us() * 1000),
			.client = "bench",
		};

		make_cdb(command, &direct->next_write, run.cdb);
		do {
			run.status = run.transport = 0;
			run.id++;
			xo_unit_execute(direct->unit, &run);
		} while (run.status && run.sense[2] == 6); /* UNIT ATTENTION: the new disc */
		must(!run.status && !run.transport, command->name);
	}
}

/* ---- the drive's process ---- */

struct drive {
	pid_t pid;
	int control;
};

static void drive_exec(int control[2], int ledger)
{
	static char program[512];
	char *argv[] = { program,
			 (char *)(uintptr_t) "--name",
			 (char *)(uintptr_t) "bench",
			 (char *)(uintptr_t) "--burner",
			 (char *)(uintptr_t) "--user",
			 (char *)(uintptr_t) "nobody",
			 (char *)(uintptr_t) "--poll-ms",
			 (char *)(uintptr_t) "0",
			 (char *)(uintptr_t) "--log",
			 (char *)(uintptr_t) "4",
			 NULL };
	int high[3] = { fcntl(control[1], F_DUPFD, 100), fcntl(control[0], F_DUPFD, 100),
			fcntl(ledger, F_DUPFD, 100) };

	snprintf(program, sizeof(program), "%s/xenoptic-drive", getenv("top_builddir"));
	for (int i = 0; i < 3; i++)
		dup2(high[i], XO_FD_CONTROL + i);
	for (int i = 0; i < 3; i++)
		close(high[i]);
	execv(program, argv);
	_exit(98);
}

/* Waits for the answer to a command, or for an event when name is NULL. */
static void drive_command(struct drive *drive, const char *name, json_t *arguments, const int *fds,
			  size_t count)
{
	json_t *message = NULL;

	if (name) {
		message = json_pack("{s:s, s:o, s:i}", "execute", name, "arguments", arguments,
				    "id", 1);
		must(!xo_control_send(drive->control, message, fds, count), "ask the drive");
		json_decref(message);
	}
	for (bool done = false; !done;) {
		struct pollfd ready = { .fd = drive->control, .events = POLLIN };
		int received[XO_CONTROL_FDS_MAX];
		size_t n = 0;

		must(poll(&ready, 1, 20000) == 1 &&
			     xo_control_receive(drive->control, &message, received, &n) == 1,
		     "the drive says nothing");
		for (size_t i = 0; i < n; i++)
			close(received[i]);
		if (json_object_get(message, "error")) {
			json_dumpf(message, stderr, 0);
			must(false, "the drive refused");
		}
		done = json_object_get(message, name ? "return" : "event") != NULL;
		json_decref(message);
	}
}

static void drive_start(struct drive *drive, struct stage *stage)
{
	int control[2];
	int ledger = xo_ledger_create(XO_DRIVE_REGION_SIZE);
	int link[2] = { stage->luns[0].fds[1], stage->luns[0].arena_fd };
	int disc[2] = { memfd_create("disc", MFD_CLOEXEC), text_fd(blank_disc) };

	must(ledger >= 0 && !xo_control_pair(control), "descriptors");
	drive->pid = fork();
	must(drive->pid >= 0, "fork");
	if (!drive->pid)
		drive_exec(control, ledger);
	close(control[1]);
	close(ledger);
	drive->control = control[0];
	drive_command(drive, NULL, NULL, NULL, 0);
	drive_command(drive, XO_DRIVE_ADD_LINK,
		      json_pack("{s:i, s:i, s:s, s:s, s:s, s:s, s:i, s:i}", "link", 1, "domid", 1,
				"name", "guest", "uuid", "5f0c0c1e-0000-4000-8000-000000000001",
				"mode", "rw", "path", "vscsi", "slots",
				(int)XO_RING_LINK_SLOTS(stage->ring_pages), "slot-size",
				(int)STAGE_SLOT_SIZE),
		      link, 2);
	drive_command(drive, XO_DRIVE_INSERT, json_pack("{s:b}", "again", 0), disc, 2);
	close(disc[0]);
	close(disc[1]);
}

/* Reads what it says of itself; one that nobody hears says it again at every command. */
static void drive_hear(struct drive *drive)
{
	int received[XO_CONTROL_FDS_MAX];
	json_t *message = NULL;
	size_t n = 0;

	while (xo_control_receive(drive->control, &message, received, &n) == 1) {
		for (size_t i = 0; i < n; i++)
			close(received[i]);
		json_decref(message);
	}
}

static struct drive bench_drive;

/* Nothing is left behind, however this ends. */
static void kill_drive(void)
{
	if (bench_drive.pid)
		kill(bench_drive.pid, SIGKILL);
}

static void drive_stop(struct drive *drive)
{
	kill(drive->pid, SIGKILL);
	waitpid(drive->pid, NULL, 0);
	drive->pid = 0;
	close(drive->control);
}

/* ---- over the link, without a ring ---- */

struct linked {
	struct xo_link link; /* the client's end */
	uint64_t tag;
	uint32_t *next_write;
};

static struct xo_link_reply link_wait(struct linked *linked)
{
	struct pollfd ready = { .fd = linked->link.fd, .events = POLLIN };
	union xo_link_message message;

	do {
		must(poll(&ready, 1, 20000) == 1 && xo_link_receive(&linked->link, &message) == 1,
		     "no reply");
	} while (message.type != XO_LINK_REPLY);
	return message.reply;
}

static void linked_run(void *priv, const struct command *command, unsigned int count)
{
	struct linked *linked = priv;

	for (unsigned int i = 0; i < count; i++) {
		union xo_link_message message = {
			.request = {
				.type = XO_LINK_REQUEST,
				.kind = XO_LINK_COMMAND,
				.direction = command->direction,
				.cdb_length = cdb_length(command),
				.length = command->length,
			},
		};
		struct xo_link_reply reply;

		make_cdb(command, linked->next_write, message.request.cdb);
		do {
			message.request.tag = ++linked->tag;
			must(!xo_link_send(&linked->link, &message), "send");
			reply = link_wait(linked);
		} while (reply.status && reply.sense[2] == 6);
		must(!reply.status && !reply.transport, command->name);
	}
}

/* ---- through the ring ---- */

struct ringed {
	struct stage *stage;
	unsigned int depth;
	uint32_t *next_write;
};

static void ringed_put(struct ringed *ringed, const struct command *command, unsigned int i)
{
	static const uint8_t directions[] = {
		[XO_DIR_NONE] = NO_DATA, [XO_DIR_IN] = FROM_DEVICE, [XO_DIR_OUT] = TO_DEVICE
	};
	uint8_t cdb[10];

	make_cdb(command, ringed->next_write, cdb);
	stage_command(ringed->stage, (uint16_t)i, cdb, cdb_length(command),
		      directions[command->direction], 1 + 16 * (i % ringed->depth),
		      command->length);
}

static void ringed_run(void *priv, const struct command *command, unsigned int count)
{
	struct ringed *ringed = priv;
	unsigned int sent = 0;

	for (unsigned int answered = 0; answered < count; answered++) {
		struct vscsiif_response response;

		for (; sent < count && sent - answered < ringed->depth; sent++)
			ringed_put(ringed, command, sent);
		stage_push(ringed->stage);
		must(stage_response(ringed->stage, &response), "no response");
		must(!response.rslt, command->name);
	}
}

/* ---- measuring ---- */

struct way {
	const char *name;
	void (*run)(void *priv, const struct command *command, unsigned int count);
	void *priv;
	double us[COMMANDS][ROUNDS];
};

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(const double *values)
{
	double sorted[ROUNDS];

	memcpy(sorted, values, sizeof(sorted));
	qsort(sorted, ROUNDS, sizeof(sorted[0]), compare);
	return sorted[ROUNDS / 2];
}

static void time_way(struct way *way, unsigned int c, unsigned int round, unsigned int count)
{
	double begin;

	drive_hear(&bench_drive);
	begin = now_us();
	way->run(way->priv, &commands[c], count);
	way->us[c][round] = (now_us() - begin) / count;
}

static double copy_us(uint32_t length)
{
	static uint8_t from[65536], to[65536];
	double best = 1e9;

	for (unsigned int i = 0; i < 200; i++) {
		double begin = now_us();

		memset(from, (int)i, length);
		begin = now_us();
		memcpy(to, from, length);
		__asm__ volatile("" : : "r"(to) : "memory");
		best = XO_MIN(best, now_us() - begin);
	}
	return best;
}

static bool over(const char *what, const char *name, double value, double budget)
{
	if (value <= budget)
		return false;
	printf("over budget: %s: %s %.1f, budget %.1f\n", name, what, value, budget);
	return true;
}

static void print_syscalls(const char *who, const struct counts *counts, unsigned int count)
{
	printf("    %-6s", who);
	for (unsigned int n = 0; n < COUNT_SYSCALLS; n++)
		if (counts->by_number[n] * 10 >= count)
			printf(" %s %.1f", count_syscall_name(n),
			       (double)counts->by_number[n] / count);
	printf("\n");
}

/* Counts in both processes; returns whether a budget is exceeded. */
static bool count_command(const struct command *command, struct ringed *ringed,
			  struct drive *from)
{
	const unsigned int many = 400, few = 12;
	const pid_t ring = ringed->stage->pid;
	struct counts ring_calls, ring_steps, drive_calls, drive_steps;
	struct counter counter;
	double ring_sleeps, drive_sleeps;
	uint64_t r0 = count_sleeps(ring), d0 = count_sleeps(from->pid);
	bool failed;

	drive_hear(from);
	ringed_run(ringed, command, many);
	ring_sleeps = (double)(count_sleeps(ring) - r0) / many;
	drive_sleeps = (double)(count_sleeps(from->pid) - d0) / many;
	if (getenv("BENCH_TRACE")) fprintf(stderr, "line %d\n", __LINE__);
	must(!count_begin(&counter, ring, false), "trace the ring");
	ringed_run(ringed, command, many);
	if (getenv("BENCH_TRACE")) fprintf(stderr, "end %d\n", __LINE__);
	count_end(&counter, &ring_calls);
	drive_hear(from);
	if (getenv("BENCH_TRACE")) fprintf(stderr, "line %d\n", __LINE__);
	must(!count_begin(&counter, from->pid, false), "trace the drive");
	ringed_run(ringed, command, many);
	if (getenv("BENCH_TRACE")) fprintf(stderr, "end %d\n", __LINE__);
	count_end(&counter, &drive_calls);
	if (getenv("BENCH_TRACE")) fprintf(stderr, "line %d\n", __LINE__);
	if (getenv("BENCH_TRACE")) print_syscalls("drive", &drive_calls, many);
	must(!count_begin(&counter, ring, true), "step the ring");
	ringed_run(ringed, command, few);
	if (getenv("BENCH_TRACE")) fprintf(stderr, "end %d\n", __LINE__);
	count_end(&counter, &ring_steps);
	drive_hear(from);
	if (getenv("BENCH_TRACE")) fprintf(stderr, "line %d\n", __LINE__);
	must(!count_begin(&counter, from->pid, true), "step the drive");
	ringed_run(ringed, command, few);
	if (getenv("BENCH_TRACE")) fprintf(stderr, "end %d\n", __LINE__);
	count_end(&counter, &drive_steps);
	printf("%-17s  ring %6.0f %5.1f %4.1f %8.0f   drive %6.0f %5.1f %4.1f %8.0f\n",
	       command->name, (double)ring_steps.instructions / few,
	       (double)ring_calls.syscalls / many, ring_sleeps, (double)ring_steps.repeats / few,
	       (double)drive_steps.instructions / few, (double)drive_calls.syscalls / many,
	       drive_sleeps, (double)drive_steps.repeats / few);
	print_syscalls("ring", &ring_calls, many);
	print_syscalls("drive", &drive_calls, many);
	failed = over("ring instructions", command->name, (double)ring_steps.instructions / few,
		      command->budget.ring_instructions);
	failed |= over("ring system calls", command->name, (double)ring_calls.syscalls / many,
		       command->budget.ring_syscalls);
	failed |= over("ring wake-ups", command->name, ring_sleeps, command->budget.ring_sleeps);
	failed |= over("drive system calls", command->name, (double)drive_calls.syscalls / many,
		       command->budget.drive_syscalls);
	failed |= over("drive wake-ups", command->name, drive_sleeps, command->budget.drive_sleeps);
	return failed;
}

int main(int argc, char **argv)
{
	const unsigned int count = argc > 1 ? (unsigned int)atoi(argv[1]) : 1000;
	struct stage *stage = stage_new(1, 1);
	struct direct direct = { .next_write = 0 };
	uint32_t next_write = 0;
	struct linked linked = { .next_write = &next_write, .tag = 1 };
	struct ringed ringed = { .stage = stage, .depth = 1, .next_write = &next_write };
	struct ringed deep = { .stage = stage, .depth = 8, .next_write = &next_write };
	struct way ways[] = {
		{ .name = "burner", .run = direct_run, .priv = &direct },
		{ .name = "link", .run = linked_run, .priv = &linked },
		{ .name = "ring", .run = ringed_run, .priv = &ringed },
		{ .name = "ring x 8", .run = ringed_run, .priv = &deep },
	};
	bool failed = false;

	setvbuf(stdout, NULL, _IOLBF, 0);
	xo_log_open("ring-bench", XO_LOG_WARNING);
	stage->own_drives = false;
	direct_open(&direct);
	atexit(kill_drive);
	drive_start(&bench_drive, stage);
	must(!xo_link_open(&linked.link, dup(stage->luns[0].fds[0]), dup(stage->luns[0].arena_fd),
			   XO_RING_LINK_SLOTS(1), STAGE_SLOT_SIZE),
	     "the link's client end");
	memset(stage->data, 1, STAGE_DATA_PAGES * 4096);
	for (unsigned int w = 0; w < 2; w++)
		for (unsigned int c = 3; c < 5; c++)
			ways[w].run(ways[w].priv, &commands[c], 40);
	/* The link has one client: first this process, then the ring. */
	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int c = 0; c < COMMANDS; c++)
			for (unsigned int w = 0; w < 2; w++)
				time_way(&ways[w], c, round, count);
	stage_start(stage);
	must(stage->ready, stage->error);
	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int c = 0; c < COMMANDS; c++)
			for (unsigned int w = 2; w < 4; w++)
				time_way(&ways[w], c, round, count);

	printf("µs per command, medians of %u rounds of %u, and commands a second\n", ROUNDS,
	       count);
	printf("%-17s %9s %9s %9s %9s | hop: link  ring  | a copy %9s %9s\n", "", "burner", "link",
	       "ring", "ring x 8", "burner/s", "ring/s");
	for (unsigned int c = 0; c < COMMANDS; c++) {
		double burner = median(ways[0].us[c]), link = median(ways[1].us[c]);
		double ring = median(ways[2].us[c]), deep_us = median(ways[3].us[c]);

		printf("%-17s %9.1f %9.1f %9.1f %9.1f | %9.1f %6.1f | %6.1f %9.0f %9.0f\n",
		       commands[c].name, burner, link, ring, deep_us, link - burner, ring - link,
		       copy_us(commands[c].length), 1e6 / burner, 1e6 / ring);
	}
	printf("\nper command at depth 1: instructions, system calls, wake-ups, repeated string "
	       "steps\n");
	for (unsigned int c = 0; c < COMMANDS; c++)
		failed |= count_command(&commands[c], &ringed, &bench_drive);
	printf("%s\n", failed ? "over budget" : "within budget");
	xo_link_close(&linked.link);
	drive_stop(&bench_drive);
	stage_free(stage);
	return failed;
}

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
#include <sys/syscall.h>
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

static unsigned int rounds_length = 80;

#define ROUNDS 25

struct command {
	const char *name;
	uint8_t opcode;
	uint8_t direction; /* enum xo_direction */
	uint32_t length;
	/* The budget, per command: what tests/bench/ring fails above. */
	struct {
		double ring_syscalls, ring_sleeps, drive_syscalls;
	} budget;
};

/*
 * The ring sleeps twice (until the request, until the reply) and makes six calls: two to sleep,
 * one each to fetch the event, send, receive and notify. (On Xen one more acknowledges the
 * event, and grant copies are one call for any number of pages.) Beside them it may execute
 * RING_INSTRUCTIONS, PAGE_INSTRUCTIONS a page and one copy of the data, measured as this CPU's
 * memcpy does it: a second copy is over the budget.
 * The drive receives and sends, sleeps, and calls the file once. Its follower's futex is not
 * counted: that looks at the clock, and a busy machine makes it look more often.
 */
#define RING_INSTRUCTIONS 2400 /* 1,700 with gcc -O2; compilers differ */
#define PAGE_INSTRUCTIONS 200 /* to name a segment, and the loopback's look into the grant table */
#define COPY_SLACK 1.2

static const struct command commands[] = {
	{ "TEST UNIT READY", 0x00, XO_DIR_NONE, 0, { 6.2, 2.1, 3.2 } },
	{ "READ(10) 32 KiB", 0x28, XO_DIR_IN, 32768, { 6.2, 2.1, 4.2 } },
	{ "READ(10) 64 KiB", 0x28, XO_DIR_IN, 65536, { 6.2, 2.1, 4.2 } },
	{ "WRITE(10) 32 KiB", 0x2a, XO_DIR_OUT, 32768, { 6.2, 2.1, 4.2 } },
	{ "WRITE(10) 64 KiB", 0x2a, XO_DIR_OUT, 65536, { 6.2, 2.1, 4.2 } },
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

/* A disc's sector file in memory that is there already, so that only its copies cost. */
static int disc_fd(unsigned int ways_count)
{
	const off_t per_way = (off_t)(32768 + 65536) * (rounds_length * ROUNDS + 3000);
	int fd = memfd_create("disc", MFD_CLOEXEC);

	must(fd >= 0 && !fallocate(fd, 0, 0, per_way * ways_count), "memory for a disc");
	return fd;
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
	must(!xo_burner_insert(direct->unit, disc_fd(1), blank_disc, strlen(blank_disc), false,
			       &error),
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
	int high[2] = { fcntl(control[1], F_DUPFD, 100), fcntl(ledger, F_DUPFD, 100) };

	snprintf(program, sizeof(program), "%s/xenoptic-drive", getenv("top_builddir"));
	for (int i = 0; i < 2; i++)
		dup2(high[i], XO_FD_CONTROL + i);
	for (int i = 0; i < 2; i++)
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
	int disc[2] = { disc_fd(3), text_fd(blank_disc) };

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

/* The least is what it costs; the rest is what the machine had to do beside it. */
static double least(const double *values)
{
	double best = values[0];

	for (unsigned int i = 1; i < ROUNDS; i++)
		best = XO_MIN(best, values[i]);
	return best;
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

/*
 * What a worker executes for a memcpy of so many bytes, page by page as the guest's lie: this
 * program with the workers' tunables.
 */
static double copy_instructions(uint32_t length)
{
	const unsigned int few = 4;
	struct counts counts;
	struct counter counter;
	int to[2], from[2];
	char text[16], byte = 0;
	pid_t pid;

	must(!pipe2(to, O_CLOEXEC) && !pipe2(from, O_CLOEXEC), "pipes");
	snprintf(text, sizeof(text), "%u", length);
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		execl("/proc/self/exe", "ring-bench", "--copy", text, NULL);
		_exit(98);
	}
	close(to[0]);
	close(from[1]);
	must(read(from[0], &byte, 1) == 1 && !count_begin(&counter, pid, true), "step a copy");
	for (unsigned int i = 0; i < few; i++)
		must(write(to[1], &byte, 1) == 1 && read(from[0], &byte, 1) == 1, "a copy");
	count_end(&counter, &counts);
	close(to[1]);
	close(from[0]);
	waitpid(pid, NULL, 0);
	return (double)counts.instructions / few;
}

/* The other side of it: a copy for each byte that comes. */
static int copy_main(uint32_t length)
{
	uint8_t *from = aligned_alloc(4096, 65536), *to = aligned_alloc(4096, 65536);
	volatile uint32_t page = 4096; /* so that the C library's memcpy is called */
	char byte = 0;

	must(from && to && length <= 65536, "memory");
	memset(from, 1, 65536);
	memset(to, 2, 65536);
	do {
		for (uint32_t at = 0; at < length; at += 4096)
			memcpy(to + at, from + at, page);
		__asm__ volatile("" : : "r"(to) : "memory");
	} while (write(1, &byte, 1) == 1 && read(0, &byte, 1) == 1);
	return 0;
}

/* System calls in the drive that do not depend on the clock. */
static double own_syscalls(const struct counts *counts)
{
	return (double)(counts->syscalls - counts->by_number[SYS_futex]);
}

/* Counts in both processes; returns whether a budget is exceeded. */
static bool count_command(const struct command *command, struct ringed *ringed, struct drive *from,
			  unsigned int many)
{
	const unsigned int few = 4;
	const pid_t ring = ringed->stage->pid;
	const double copy = command->length ? copy_instructions(command->length) : 0;
	struct counts ring_calls, ring_steps, drive_calls, drive_steps;
	struct counter counter;
	double ring_sleeps, drive_sleeps;
	uint64_t r0 = count_sleeps(ring), d0 = count_sleeps(from->pid);
	bool failed;

	drive_hear(from);
	ringed_run(ringed, command, many);
	ring_sleeps = (double)(count_sleeps(ring) - r0) / many;
	drive_sleeps = (double)(count_sleeps(from->pid) - d0) / many;
	must(!count_begin(&counter, ring, false), "trace the ring");
	ringed_run(ringed, command, many);
	count_end(&counter, &ring_calls);
	drive_hear(from);
	must(!count_begin(&counter, from->pid, false), "trace the drive");
	ringed_run(ringed, command, many);
	count_end(&counter, &drive_calls);
	must(!count_begin(&counter, ring, true), "step the ring");
	ringed_run(ringed, command, few);
	count_end(&counter, &ring_steps);
	drive_hear(from);
	must(!count_begin(&counter, from->pid, true), "step the drive");
	ringed_run(ringed, command, few);
	count_end(&counter, &drive_steps);
	printf("%-17s  ring %6.0f %5.1f %4.1f %8.0f   drive %6.0f %5.1f %4.1f %8.0f   a copy "
	       "%6.0f\n",
	       command->name, (double)ring_steps.instructions / few,
	       (double)ring_calls.syscalls / many, ring_sleeps, (double)ring_steps.repeats / few,
	       (double)drive_steps.instructions / few, (double)drive_calls.syscalls / many,
	       drive_sleeps, (double)drive_steps.repeats / few, copy);
	print_syscalls("ring", &ring_calls, many);
	print_syscalls("drive", &drive_calls, many);
	failed = over("ring instructions", command->name, (double)ring_steps.instructions / few,
		      RING_INSTRUCTIONS + (double)command->length / 4096 * PAGE_INSTRUCTIONS +
			      COPY_SLACK * copy);
	failed |= over("ring system calls", command->name, (double)ring_calls.syscalls / many,
		       command->budget.ring_syscalls);
	failed |= over("ring wake-ups", command->name, ring_sleeps, command->budget.ring_sleeps);
	failed |= over("drive system calls", command->name, own_syscalls(&drive_calls) / many,
		       command->budget.drive_syscalls);
	return failed;
}

static void print_times(const struct way *ways)
{
	double idle_hop = 0;

	printf("µs per command, least of %u rounds of %u; the hops; a command's data beyond a TEST "
	       "UNIT READY's hop, beside one copy of them\n",
	       ROUNDS, rounds_length);
	printf("%-17s %8s %8s %8s %8s | %8s %8s | %8s %8s | %9s %9s\n", "", "burner", "link",
	       "ring", "ring x 8", "link hop", "ring hop", "data", "a copy", "burner/s", "ring/s");
	for (unsigned int c = 0; c < COMMANDS; c++) {
		double burner = least(ways[0].us[c]), link = least(ways[1].us[c]);
		double ring = least(ways[2].us[c]), deep = least(ways[3].us[c]);

		idle_hop = c ? idle_hop : ring - link;
		printf("%-17s %8.1f %8.1f %8.1f %8.1f | %8.1f %8.1f | %8.1f %8.1f | %9.0f %9.0f\n",
		       commands[c].name, burner, link, ring, deep, link - burner, ring - link,
		       ring - link - idle_hop, copy_us(commands[c].length), 1e6 / burner,
		       1e6 / ring);
	}
}

/* The times of each way; then the ring runs. */
static void time_ways(struct way *ways, struct stage *stage, bool counts_only)
{
	/* The link has one client: first this process, then the ring. */
	for (unsigned int round = 0; round < ROUNDS && !counts_only; round++)
		for (unsigned int c = 0; c < COMMANDS; c++)
			for (unsigned int w = 0; w < 2; w++)
				time_way(&ways[w], c, round, rounds_length);
	stage_start(stage);
	must(stage->ready, stage->error);
	if (counts_only)
		return;
	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int c = 0; c < COMMANDS; c++)
			for (unsigned int w = 2; w < 4; w++)
				time_way(&ways[w], c, round, rounds_length);
	print_times(ways);
}

static bool bench(bool counts_only)
{
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

	/* A repeated string instruction would be stepped through byte by byte. */
	setenv("GLIBC_TUNABLES",
	       "glibc.cpu.x86_rep_movsb_threshold=0x1000000:glibc.cpu.x86_rep_stosb_threshold="
	       "0x1000000",
	       1);
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
	time_ways(ways, stage, counts_only);
	printf("\nper command at depth 1: instructions, system calls, wake-ups, repeated string "
	       "steps\n");
	for (unsigned int c = 0; c < COMMANDS; c++)
		failed |=
			count_command(&commands[c], &ringed, &bench_drive, counts_only ? 100 : 400);
	printf("budget: %s\n", failed ? "exceeded" : "kept");
	xo_link_close(&linked.link);
	drive_stop(&bench_drive);
	stage_free(stage);
	return failed;
}

int main(int argc, char **argv)
{
	const bool counts_only = argc > 1 && !strcmp(argv[1], "--counts");

	if (argc > 2 && !strcmp(argv[1], "--copy"))
		return copy_main((uint32_t)atoi(argv[2]));
	if (argc > 1 && !counts_only)
		rounds_length = (unsigned int)atoi(argv[1]);
	must(rounds_length > 0 && rounds_length <= 500, "COUNT: 1 to 500");
	return bench(counts_only);
}

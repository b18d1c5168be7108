// SPDX-License-Identifier: GPL-2.0-or-later
/* xenoptic-guest read: the disc's data as a file, several commands in flight. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "disc.h"
#include "mmc/opcode.h"
#include "progress.h"

#define DEPTH 4
#define CHUNK 32u /* blocks */
#define RUN_OUT 2u /* blocks behind a CD track written track-at-once, which cannot be read */

struct reading;

struct part {
	struct reading *reading;
	struct xo_front_command *command;
	uint32_t lba, blocks;
	bool busy, done;
};

struct reading {
	struct drive *drive;
	int fd;
	bool cd;
	uint32_t next, end; /* blocks to ask for */
	uint32_t written; /* blocks in the file */
	struct part parts[DEPTH]; /* a queue: asked for in this order */
	unsigned int head, count;
	int error; /* exit status; EXIT_OK while all is well */
};

static int write_all(int fd, const uint8_t *data, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

static void part_done(struct xo_front_command *command)
{
	struct part *part = command->priv;

	part->busy = false;
	part->done = true;
}

static int submit(struct part *part)
{
	struct xo_front_command *command = part->command;

	memset(command->cdb, 0, sizeof(command->cdb));
	command->cdb[0] = XO_OP_READ_10;
	xo_put_be32(command->cdb + 2, part->lba);
	xo_put_be16(command->cdb + 7, part->blocks);
	command->cdb_length = 10;
	command->direction = XO_DIR_IN;
	command->length = part->blocks * BLOCK_SIZE;
	command->unit = part->reading->drive->unit;
	command->done = part_done;
	command->priv = part;
	part->done = false;
	part->busy = true;
	return xo_front_submit(command);
}

/* Keeps the queue full. */
static void ask(struct reading *r)
{
	while (r->error == EXIT_OK && r->count < DEPTH && r->next < r->end) {
		struct part *part = &r->parts[(r->head + r->count) % DEPTH];

		part->lba = r->next;
		part->blocks = XO_MIN(CHUNK, r->end - r->next);
		if (submit(part) < 0) {
			part->busy = false;
			guest_say("%s", xo_front_error(r->drive->front));
			r->error = EXIT_FAILED;
			return;
		}
		r->next += part->blocks;
		r->count++;
	}
}

/* A failed part is read again block by block, to have all that can be had. */
static void block_by_block(struct reading *r, const struct part *part)
{
	uint8_t block[BLOCK_SIZE];
	struct packet packet = packet_in(XO_OP_READ_10, 10, block, sizeof(block));
	struct outcome outcome;
	char text[OUTCOME_TEXT];

	packet.cdb[8] = 1;
	for (uint32_t lba = part->lba; lba < part->lba + part->blocks; lba++) {
		xo_put_be32(packet.cdb + 2, lba);
		if (drive_try(r->drive, &packet, &outcome) != EXIT_OK) {
			if (r->cd && lba + RUN_OUT >= r->end && outcome.sense.key) {
				r->end = lba; /* where the data end: the track's run-out */
				return;
			}
			guest_say("block %u cannot be read: %s", lba, outcome_text(&outcome, text));
			r->error = EXIT_FAILED;
			return;
		}
		if (write_all(r->fd, block, sizeof(block)) < 0) {
			guest_say("writing the file: %s", strerror(errno));
			r->error = EXIT_FAILED;
			return;
		}
		r->written++;
	}
}

static void finish(struct reading *r, struct part *part)
{
	struct outcome outcome;
	int e;

	outcome_of(part->command, &outcome);
	if (!outcome.good || outcome.residual) {
		block_by_block(r, part);
		return;
	}
	e = write_all(r->fd, part->command->data, part->blocks * (size_t)BLOCK_SIZE);
	if (e < 0) {
		guest_say("writing the file: %s", strerror(-e));
		r->error = EXIT_FAILED;
		return;
	}
	r->written += part->blocks;
}

static void read_all(struct reading *r, struct progress *progress)
{
	for (;;) {
		struct part *part = &r->parts[r->head];

		if (guest_interrupted() && r->error == EXIT_OK)
			r->error = EXIT_INTERRUPTED;
		ask(r);
		if (r->count == 0)
			return;
		if (!part->done) {
			xo_front_sleep(r->drive->front, 1000);
			(void)xo_front_step(r->drive->front);
			continue;
		}
		r->head = (r->head + 1) % DEPTH;
		r->count--;
		if (r->error == EXIT_OK && part->lba < r->end)
			finish(r, part);
		progress_show(progress, (uint64_t)r->written * BLOCK_SIZE, -1);
	}
}

static int take_slots(struct reading *r)
{
	for (unsigned int i = 0; i < DEPTH; i++) {
		r->parts[i].reading = r;
		r->parts[i].command = xo_front_take(r->drive->front);
		if (!r->parts[i].command)
			return EXIT_FAILED;
	}
	return EXIT_OK;
}

static int read_disc(struct drive *drive, int fd, const struct guest_options *options)
{
	struct reading r = { .drive = drive, .fd = fd };
	struct drive_facts facts;
	struct disc_facts disc;
	struct progress progress;
	double seconds;
	uint64_t bytes;
	int e;

	e = read_drive_facts(drive, &facts);
	if (e == EXIT_OK)
		e = drive_ready(drive, false);
	if (e == EXIT_OK)
		e = read_disc_facts(drive, &disc);
	if (e != EXIT_OK)
		return e;
	if (disc.capacity == 0 || disc.status == 0) {
		guest_say("there is nothing on the disc that could be read");
		return EXIT_MEDIUM;
	}
	r.end = disc.capacity;
	r.cd = profile_is_cd(facts.profile);
	progress_start(&progress, "reading", (uint64_t)r.end * BLOCK_SIZE,
		       profile_single_speed(facts.profile), options->json);
	r.error = take_slots(&r);
	if (r.error == EXIT_OK)
		read_all(&r, &progress);
	for (unsigned int i = 0; i < DEPTH; i++)
		xo_front_give(r.parts[i].command);
	seconds = progress_end(&progress);
	bytes = (uint64_t)r.written * BLOCK_SIZE;
	if (options->json)
		fprintf(stderr, "{\"bytes\": %llu, \"seconds\": %.3f, \"complete\": %s}\n",
			(unsigned long long)bytes, seconds, r.error == EXIT_OK ? "true" : "false");
	else
		fprintf(stderr, "read %.1f MB in %.1f s, %.1fx\n", (double)bytes / 1e6, seconds,
			(double)bytes / seconds / progress.single_speed);
	return r.error;
}

static int run(const struct guest_options *options, int argc, char *argv[])
{
	static const struct option known[] = { { "output", required_argument, NULL, 'o' }, { 0 } };
	const char *file = NULL;
	struct drive drive = { 0 };
	int fd = STDOUT_FILENO, c, status;

	while ((c = getopt_long(argc, argv, "o:", known, NULL)) != -1) {
		if (c != 'o')
			return guest_usage(&guest_read);
		file = optarg;
	}
	if (optind != argc)
		return guest_usage(&guest_read);
	if (!file && isatty(STDOUT_FILENO)) {
		guest_say("not writing a disc to a terminal: use -o FILE");
		return EXIT_USAGE;
	}
	guest_catch_signals();
	status = drive_open(&drive, options, DEPTH + 1, CHUNK * BLOCK_SIZE);
	if (status != EXIT_OK)
		return status;
	if (file && strcmp(file, "-") != 0)
		fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0) {
		guest_say("%s: %s", file, strerror(errno));
		status = EXIT_FAILED;
	} else {
		status = read_disc(&drive, fd, options);
	}
	drive_close(&drive);
	if (fd > STDERR_FILENO && close(fd) < 0 && status == EXIT_OK) {
		guest_say("%s: %s", file, strerror(errno));
		status = EXIT_FAILED;
	}
	return status;
}

const struct guest_command guest_read = {
	.name = "read",
	.arguments = "[-o FILE]",
	.summary = "the disc's data, to FILE or stdout",
	.help = "  -o, --output FILE  where to write them; '-': stdout (the default)\n",
	.run = run,
};

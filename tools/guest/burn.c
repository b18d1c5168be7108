// SPDX-License-Identifier: GPL-2.0-or-later
/* xenoptic-guest burn: an image onto a blank disc, the next block read while one is written. */
#include "burn.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "mmc/opcode.h"
#include "mmc/profile.h"

#define CHUNK 32u /* blocks: what every medium's ECC block and packet divide */
#define LONG_WRITE_TRIES 2000

struct image {
	const char *name;
	int fd;
	uint64_t size; /* bytes; 0: not known */
	bool ended;
};

struct writing {
	struct burn *burn;
	struct image *image;
	struct progress progress;
	struct xo_front_command *commands[2]; /* one in the drive, one being filled */
	bool busy[2];
	uint32_t lba; /* of the next chunk */
};

/* A whole chunk from the image, padded with zeros to whole blocks. Blocks; 0 at its end; -errno. */
static int fill(struct image *image, uint8_t *data)
{
	size_t have = 0, size = CHUNK * BLOCK_SIZE;
	ssize_t n;

	while (have < size && !image->ended) {
		n = read(image->fd, data + have, size - have);
		if (n < 0 && errno == EINTR && !guest_interrupted())
			continue;
		if (n < 0)
			return -errno;
		image->ended = n == 0;
		have += (size_t)n;
	}
	memset(data + have, 0, size - have);
	return (int)((have + BLOCK_SIZE - 1) / BLOCK_SIZE);
}

static void write_done(struct xo_front_command *command)
{
	*(bool *)command->priv = false;
}

static int submit(struct writing *w, unsigned int i, uint32_t blocks)
{
	struct xo_front_command *command = w->commands[i];
	int r;

	memset(command->cdb, 0, sizeof(command->cdb));
	command->cdb[0] = XO_OP_WRITE_10;
	xo_put_be32(command->cdb + 2, w->lba);
	xo_put_be16(command->cdb + 7, blocks);
	command->cdb_length = 10;
	command->direction = XO_DIR_OUT;
	command->length = blocks * BLOCK_SIZE;
	command->unit = w->burn->drive->unit;
	command->done = write_done;
	command->priv = &w->busy[i];
	w->busy[i] = true;
	r = xo_front_submit(command);
	if (r < 0) {
		w->busy[i] = false;
		guest_say("%s", xo_front_error(w->burn->drive->front));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static void wait_for(struct writing *w, unsigned int i)
{
	struct xo_front *front = w->burn->drive->front;

	while (w->busy[i]) {
		xo_front_sleep(front, 1000);
		(void)xo_front_step(front);
	}
}

/* Waits for a chunk's end; 02/04/xx means that the drive's buffer is full: again, a little later. */
static int settle(struct writing *w, unsigned int i, uint32_t blocks)
{
	static const struct timespec pause = { .tv_nsec = 20000000 };
	struct outcome outcome = { 0 };
	char what[64];
	int r;

	for (int tries = 0; tries < LONG_WRITE_TRIES; tries++) {
		wait_for(w, i);
		outcome_of(w->commands[i], &outcome);
		if (outcome.good)
			return EXIT_OK;
		if (outcome.sense.key != XO_KEY_NOT_READY || outcome.sense.asc != 0x04)
			break;
		(void)nanosleep(&pause, NULL);
		r = submit(w, i, blocks);
		if (r != EXIT_OK)
			return r;
	}
	(void)snprintf(what, sizeof(what), "writing block %u", w->lba);
	outcome_say(what, &outcome);
	return EXIT_FAILED;
}

/* How full the drive's buffer is, in percent; -1 if it does not say (MMC-6 6.18). */
static int drive_buffer(struct drive *drive)
{
	uint8_t data[12] = { 0 };
	struct packet packet = packet_in(XO_OP_READ_BUFFER_CAPACITY, 10, data, sizeof(data));
	struct outcome outcome;
	uint32_t size, blank;

	packet.cdb[8] = sizeof(data);
	if (drive_try(drive, &packet, &outcome) != EXIT_OK)
		return -1;
	size = xo_get_be32(data + 4);
	blank = xo_get_be32(data + 8);
	return size && blank <= size ? (int)((uint64_t)(size - blank) * 100 / size) : -1;
}

static void show(struct writing *w)
{
	if (progress_due(&w->progress))
		progress_show(&w->progress, (uint64_t)(w->lba - w->burn->first) * BLOCK_SIZE,
			      drive_buffer(w->burn->drive));
}

/* Zeros for a track that would be shorter than the medium allows. */
static uint32_t padded(const struct writing *w, uint32_t blocks)
{
	uint32_t so_far = w->lba - w->burn->first + blocks;

	if (!w->image->ended || so_far >= w->burn->least)
		return blocks;
	return XO_MIN(CHUNK, blocks + (w->burn->least - so_far));
}

static int write_data(struct writing *w)
{
	unsigned int i = 0;
	uint32_t blocks;
	int n, r;

	n = fill(w->image, w->commands[i]->data);
	while (n >= 0 && (blocks = padded(w, (uint32_t)n)) > 0) {
		if (guest_interrupted())
			return EXIT_INTERRUPTED;
		r = submit(w, i, blocks);
		if (r != EXIT_OK)
			return r;
		n = fill(w->image, w->commands[!i]->data);
		r = settle(w, i, blocks);
		if (r != EXIT_OK)
			return r;
		w->lba += blocks;
		i = !i;
		show(w);
	}
	if (n < 0) {
		guest_say("%s: %s", w->image->name, strerror(-n));
		return guest_interrupted() ? EXIT_INTERRUPTED : EXIT_FAILED;
	}
	return EXIT_OK;
}

static void report(const struct writing *w, const struct guest_options *options, double seconds)
{
	uint64_t bytes = (uint64_t)(w->lba - w->burn->first) * BLOCK_SIZE;
	double speed = (double)bytes / seconds / w->progress.single_speed;

	if (options->json)
		printf("{\"medium\": \"%s\", \"first-block\": %u, \"blocks\": %u, \"bytes\": %llu, "
		       "\"seconds\": %.3f, \"speed\": %.2f}\n",
		       xo_profile_name(w->burn->facts.profile), w->burn->first,
		       w->lba - w->burn->first, (unsigned long long)bytes, seconds, speed);
	else
		fprintf(stderr, "burned %.1f MB onto a %s in %.1f s, %.1fx\n", (double)bytes / 1e6,
			xo_profile_name(w->burn->facts.profile), seconds, speed);
}

static int write_and_close(struct burn *burn, struct image *image,
			   const struct guest_options *options)
{
	struct writing w = { .burn = burn, .image = image, .lba = burn->first };
	double seconds;
	int r;

	w.commands[0] = xo_front_take(burn->drive->front);
	w.commands[1] = xo_front_take(burn->drive->front);
	if (!w.commands[0] || !w.commands[1])
		return EXIT_FAILED;
	progress_start(&w.progress, "burning", image->size,
		       profile_single_speed(burn->facts.profile), options->json);
	r = write_data(&w);
	seconds = progress_end(&w.progress);
	for (unsigned int i = 0; i < 2; i++) {
		wait_for(&w, i);
		xo_front_give(w.commands[i]);
	}
	/* What is on the disc stays readable only if it is closed, also after an error. */
	if (burn_close(burn, &w.progress) != EXIT_OK && r == EXIT_OK)
		r = EXIT_FAILED;
	(void)progress_end(&w.progress);
	if (r == EXIT_OK)
		report(&w, options, seconds);
	else
		guest_say("the disc holds %u blocks of the image and is of no use",
			  w.lba - burn->first);
	return r;
}

static int fits(const struct burn *burn, const struct image *image)
{
	uint64_t blocks = (image->size + BLOCK_SIZE - 1) / BLOCK_SIZE;
	uint32_t room = burn->disc.free_blocks ? burn->disc.free_blocks : burn->disc.capacity;

	if (!image->size || !room || blocks <= room)
		return EXIT_OK;
	guest_say("%s has %llu blocks, and the disc room for %u", image->name,
		  (unsigned long long)blocks, room);
	return EXIT_MEDIUM;
}

static int burn_image(struct burn *burn, struct image *image, const struct guest_options *options)
{
	struct packet lock = packet_none(XO_OP_PREVENT_ALLOW, 6);
	struct outcome outcome;
	int r;

	r = drive_ready(burn->drive, false);
	if (r == EXIT_OK)
		r = read_drive_facts(burn->drive, &burn->facts);
	if (r == EXIT_OK)
		r = read_disc_facts(burn->drive, &burn->disc);
	if (r == EXIT_OK)
		r = burn_check(burn);
	if (r != EXIT_OK)
		return r;
	lock.cdb[4] = 1;
	(void)drive_try(burn->drive, &lock, &outcome); /* a drive without a lock burns as well */
	r = burn_prepare(burn);
	if (r == EXIT_OK)
		r = fits(burn, image);
	if (r == EXIT_OK)
		r = write_and_close(burn, image, options);
	lock.cdb[4] = 0;
	(void)drive_try(burn->drive, &lock, &outcome);
	return r;
}

static int open_image(struct image *image)
{
	struct stat st;

	image->fd = strcmp(image->name, "-") == 0 ? STDIN_FILENO
						  : open(image->name, O_RDONLY | O_CLOEXEC);
	if (image->fd < 0 || fstat(image->fd, &st) < 0) {
		guest_say("%s: %s", image->name, strerror(errno));
		return EXIT_FAILED;
	}
	image->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	if (S_ISREG(st.st_mode) && st.st_size == 0) {
		guest_say("%s: is empty", image->name);
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static bool parse(struct burn *burn, struct image *image, bool *eject, int argc, char *argv[])
{
	static const struct option known[] = {
		{ "multi", no_argument, NULL, 'm' },
		{ "speed", required_argument, NULL, 's' },
		{ "eject", no_argument, NULL, 'e' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "ms:e", known, NULL)) != -1) {
		if (c == 'm')
			burn->multi = true;
		else if (c == 's' && atoi(optarg) > 0)
			burn->speed = (unsigned int)atoi(optarg);
		else if (c == 'e')
			*eject = true;
		else
			return false;
	}
	if (optind != argc - 1)
		return false;
	image->name = argv[optind];
	return true;
}

static int run(const struct guest_options *options, int argc, char *argv[])
{
	struct burn burn = { 0 };
	struct image image = { .fd = -1 };
	struct packet out = packet_none(XO_OP_START_STOP_UNIT, 6);
	struct drive drive = { 0 };
	bool eject = false;
	int r;

	if (!parse(&burn, &image, &eject, argc, argv))
		return guest_usage(&guest_burn);
	r = open_image(&image);
	if (r != EXIT_OK)
		return r;
	guest_catch_signals();
	r = drive_open(&drive, options, 3, CHUNK * BLOCK_SIZE);
	if (r != EXIT_OK)
		return r;
	burn.drive = &drive;
	r = burn_image(&burn, &image, options);
	out.cdb[4] = 0x02;
	if (r == EXIT_OK && eject)
		r = drive_must(&drive, &out);
	drive_close(&drive);
	if (image.fd > STDERR_FILENO)
		close(image.fd);
	return r;
}

const struct guest_command guest_burn = {
	.name = "burn",
	.arguments = "[--speed X] [--multi] [--eject] IMAGE",
	.summary = "an image onto a blank disc",
	.help = "  IMAGE          a file, or '-' for stdin\n"
		"  -s, --speed X  at X times single speed\n"
		"  -m, --multi    leave the disc open for another session\n"
		"  -e, --eject    open the tray when done\n",
	.run = run,
};

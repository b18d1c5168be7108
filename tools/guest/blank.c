// SPDX-License-Identifier: GPL-2.0-or-later
/* xenoptic-guest blank: erases or formats a rewritable disc. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "disc.h"
#include "mmc/opcode.h"
#include "mmc/profile.h"
#include "progress.h"

/* BLANK (MMC-6 6.1): the whole disc, or what makes it look blank. */
static struct packet blank_packet(bool full)
{
	struct packet packet = packet_none(XO_OP_BLANK, 12);

	packet.cdb[1] = (uint8_t)(0x10 | (full ? 0x00 : 0x01)); /* IMMED */
	return packet;
}

/* The drive's own idea of the format's size (READ FORMAT CAPACITIES, MMC-6 6.23). */
static uint32_t formattable(struct drive *drive, unsigned int type)
{
	uint8_t data[252] = { 0 };
	struct packet packet = packet_in(XO_OP_READ_FORMAT_CAPACITIES, 10, data, sizeof(data));
	struct outcome outcome;

	packet.cdb[8] = sizeof(data);
	if (drive_try(drive, &packet, &outcome) != EXIT_OK)
		return 0;
	for (size_t at = 12; at + 8 <= sizeof(data) && at < 4u + data[3]; at += 8)
		if (data[at + 4] >> 2 == type)
			return xo_get_be32(data + at);
	return 0;
}

/* FORMAT UNIT with one descriptor (MMC-6 6.5). */
static int format(struct drive *drive, unsigned int type, uint8_t list[12], struct packet *packet)
{
	uint32_t blocks = formattable(drive, type);

	if (!blocks) {
		guest_say("the drive cannot format this disc");
		return EXIT_MEDIUM;
	}
	memset(list, 0, 12);
	list[1] = 0x82; /* FOV, IMMED */
	list[3] = 8;
	xo_put_be32(list + 4, blocks);
	list[8] = (uint8_t)(type << 2);
	*packet = packet_out(XO_OP_FORMAT_UNIT, 6, list, 12);
	packet->cdb[1] = 0x11; /* FMTDATA, format code 1 */
	return EXIT_OK;
}

static int choose(struct drive *drive, unsigned int profile, bool full, uint8_t list[12],
		  struct packet *packet)
{
	switch (profile) {
	case XO_PROFILE_CD_RW:
	case XO_PROFILE_DVD_RW_SEQUENTIAL:
	case XO_PROFILE_DVD_RW_RESTRICTED_OVERWRITE:
		*packet = blank_packet(full);
		return EXIT_OK;
	case XO_PROFILE_DVD_PLUS_RW:
		return format(drive, 0x26, list, packet);
	case XO_PROFILE_DVD_RAM:
	case XO_PROFILE_BD_RE:
		return format(drive, 0x00, list, packet);
	default:
		guest_say("a %s cannot be erased", xo_profile_name(profile));
		return EXIT_MEDIUM;
	}
}

static int blank(struct drive *drive, bool full, const struct guest_options *options)
{
	struct drive_facts facts;
	struct progress progress;
	struct packet packet;
	uint8_t list[12];
	int r;

	r = drive_ready(drive, false);
	if (r == EXIT_OK)
		r = read_drive_facts(drive, &facts);
	if (r == EXIT_OK)
		r = choose(drive, facts.profile, full, list, &packet);
	if (r != EXIT_OK)
		return r;
	progress_start(&progress, "blanking", 0, 1, options->json);
	r = drive_must(drive, &packet);
	if (r == EXIT_OK)
		r = drive_finish(drive, "blanking", progress_step, &progress);
	(void)progress_end(&progress);
	return r;
}

static int run(const struct guest_options *options, int argc, char *argv[])
{
	static const struct option known[] = { { "full", no_argument, NULL, 'f' }, { 0 } };
	struct drive drive = { 0 };
	bool full = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "f", known, NULL)) != -1) {
		if (c != 'f')
			return guest_usage(&guest_blank);
		full = true;
	}
	if (optind != argc)
		return guest_usage(&guest_blank);
	r = drive_open(&drive, options, 1, 4096);
	if (r != EXIT_OK)
		return r;
	r = blank(&drive, full, options);
	drive_close(&drive);
	return r;
}

const struct guest_command guest_blank = {
	.name = "blank",
	.arguments = "[--full]",
	.summary = "erases a rewritable disc",
	.help = "  -f, --full  all of it, not only what makes it look blank\n",
	.run = run,
};

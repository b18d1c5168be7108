// SPDX-License-Identifier: GPL-2.0-or-later
/* What has to happen before and after the data of a burn, by kind of medium. */
#include "burn.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "mmc/opcode.h"
#include "mmc/profile.h"

/* CLOSE TRACK SESSION's function field (MMC-6 6.3.2.3). */
enum { CLOSE_NONE = 0, CLOSE_TRACK = 1, CLOSE_SESSION = 2, CLOSE_FINALIZE = 6 };

/* How a kind of medium is written. */
static const struct medium {
	uint16_t profile;
	bool write_parameters; /* has a mode page 05h to set */
	uint8_t write_type; /* for it */
	uint8_t link_size; /* for it; 0: none */
	bool calibrate; /* SEND OPC INFORMATION */
	uint16_t least; /* blocks of the shortest track */
	uint8_t close_open; /* after the track, to leave the disc appendable */
	uint8_t close_for_good;
} media[] = {
	/* 4 s is the shortest track of a CD (MMC-6 4.2.3) */
	{ XO_PROFILE_CD_R, true, XO_WRITE_TRACK_AT_ONCE, 0, true, 300, CLOSE_SESSION,
	  CLOSE_SESSION },
	{ XO_PROFILE_CD_RW, true, XO_WRITE_TRACK_AT_ONCE, 0, true, 300, CLOSE_SESSION,
	  CLOSE_SESSION },
	{ XO_PROFILE_DVD_R, true, XO_WRITE_PACKET, 16, true, 0, CLOSE_SESSION, CLOSE_SESSION },
	{ XO_PROFILE_DVD_RW_SEQUENTIAL, true, XO_WRITE_PACKET, 16, true, 0, CLOSE_SESSION,
	  CLOSE_SESSION },
	{ XO_PROFILE_DVD_PLUS_R, false, 0, 0, false, 0, CLOSE_SESSION, CLOSE_FINALIZE },
	{ XO_PROFILE_DVD_PLUS_R_DL, false, 0, 0, false, 0, CLOSE_SESSION, CLOSE_FINALIZE },
	{ XO_PROFILE_BD_R_SRM, false, 0, 0, false, 0, CLOSE_SESSION, CLOSE_FINALIZE },
	/* overwritable: nothing to close */
	{ XO_PROFILE_DVD_RAM, false, 0, 0, false, 0, CLOSE_NONE, CLOSE_NONE },
	{ XO_PROFILE_DVD_PLUS_RW, false, 0, 0, false, 0, CLOSE_NONE, CLOSE_NONE },
	{ XO_PROFILE_DVD_RW_RESTRICTED_OVERWRITE, false, 0, 0, false, 0, CLOSE_NONE, CLOSE_NONE },
	{ XO_PROFILE_BD_RE, false, 0, 0, false, 0, CLOSE_NONE, CLOSE_NONE },
};

static const struct medium *medium_of(const struct burn *burn)
{
	for (size_t i = 0; i < XO_ARRAY_SIZE(media); i++)
		if (media[i].profile == burn->facts.profile)
			return &media[i];
	return NULL;
}

static bool overwritable(const struct burn *burn)
{
	return medium_of(burn)->close_for_good == CLOSE_NONE;
}

int burn_check(struct burn *burn)
{
	const struct medium *medium = medium_of(burn);

	if (!medium) {
		guest_say("the disc is a %s: it cannot be burned, or not by this program",
			  xo_profile_name(burn->facts.profile));
		return EXIT_MEDIUM;
	}
	if (!overwritable(burn) && burn->disc.status == 2) {
		guest_say("the disc is complete: nothing can be added%s",
			  burn->disc.erasable ? " (`xenoptic-guest blank` erases it)" : "");
		return EXIT_MEDIUM;
	}
	if (!overwritable(burn) && burn->disc.status != 0) {
		guest_say("the disc is not blank (%s, %u sessions)",
			  disc_status_text(burn->disc.status), burn->disc.sessions);
		return EXIT_MEDIUM;
	}
	burn->least = medium->least;
	return EXIT_OK;
}

/* Sets write type, data block type and multi-session in the page that the drive has (MMC-6 7.5). */
static int write_parameters(struct burn *burn, const struct medium *medium)
{
	uint8_t data[128] = { 0 };
	struct packet sense = packet_in(XO_OP_MODE_SENSE_10, 10, data, sizeof(data));
	struct packet select = packet_out(XO_OP_MODE_SELECT_10, 10, data, 0);
	size_t at, length;
	uint8_t *page;
	int r;

	sense.cdb[1] = 0x08; /* DBD */
	sense.cdb[2] = XO_PAGE_WRITE_PARAMETERS;
	sense.cdb[8] = sizeof(data);
	r = drive_must(burn->drive, &sense);
	if (r != EXIT_OK)
		return r;
	at = 8 + (size_t)xo_get_be16(data + 6);
	if (at + 2 > sizeof(data) || (data[at] & 0x3f) != XO_PAGE_WRITE_PARAMETERS)
		goto bad;
	length = data[at + 1] + 2u;
	if (length < 16 || at + length > sizeof(data))
		goto bad;
	page = data + at;
	memset(data, 0, at); /* reserved in MODE SELECT, and no block descriptors */
	memmove(data + 8, page, length);
	page = data + 8;
	page[0] &= 0x3f; /* PS is reserved too */
	page[2] = (uint8_t)(0x40 | (medium->link_size ? 0x20 : 0) |
			    medium->write_type); /* BUFE, LS_V */
	page[3] = (uint8_t)((burn->multi ? 0xc0 : 0x00) | (page[3] & 0x30) | 0x04); /* data track */
	page[4] = (uint8_t)((page[4] & 0xf0) | 0x08); /* mode 1, 2048 bytes */
	page[5] = medium->link_size;
	page[8] = 0; /* session format: CD-ROM */
	select.cdb[1] = 0x10; /* PF */
	select.length = (uint32_t)(8 + length);
	select.cdb[8] = (uint8_t)select.length;
	return drive_must(burn->drive, &select);
bad:
	guest_say("the drive's write parameters page makes no sense");
	return EXIT_FAILED;
}

/* A drive that cannot do it does not need it. */
static void optional(struct burn *burn, const struct packet *packet)
{
	struct outcome outcome;

	if (drive_try(burn->drive, packet, &outcome) != EXIT_OK &&
	    outcome.sense.key != XO_KEY_ILLEGAL_REQUEST && outcome.status)
		outcome_say(xo_opcode_find(packet->cdb, packet->cdb_length)->name, &outcome);
}

static void set_speed(struct burn *burn)
{
	struct packet packet = packet_none(XO_OP_SET_CD_SPEED, 12);
	uint64_t rate = (uint64_t)burn->speed * profile_single_speed(burn->facts.profile) / 1000;

	/* A CD's speed counts whole sectors: 176.4 kB/s. */
	if (profile_is_cd(burn->facts.profile))
		rate = (uint64_t)burn->speed * 1764 / 10 + 1;
	xo_put_be16(packet.cdb + 2, 0xffff);
	xo_put_be16(packet.cdb + 4, (unsigned int)XO_MIN(rate, 0xffff));
	if (burn->speed)
		optional(burn, &packet);
}

int burn_prepare(struct burn *burn)
{
	const struct medium *medium = medium_of(burn);
	struct packet calibrate = packet_none(XO_OP_SEND_OPC_INFORMATION, 10);
	uint8_t track[36];
	int r;

	set_speed(burn);
	if (medium->write_parameters) {
		r = write_parameters(burn, medium);
		if (r != EXIT_OK)
			return r;
	}
	calibrate.cdb[1] = 0x01; /* DoOPC */
	if (medium->calibrate)
		optional(burn, &calibrate);
	if (overwritable(burn))
		return EXIT_OK;
	/* The invisible track: where the next one will begin. */
	if (read_track(burn->drive, profile_is_cd(burn->facts.profile) ? 0xff : 1, track) !=
		    EXIT_OK ||
	    !(track[7] & 1)) {
		guest_say("the drive does not say where it would write next");
		return EXIT_FAILED;
	}
	burn->first = xo_get_be32(track + 12);
	burn->disc.free_blocks = xo_get_be32(track + 16);
	return EXIT_OK;
}

/* A command with IMMED, and the wait for its end. */
static int immediate(struct burn *burn, struct packet *packet, const char *what,
		     struct progress *progress)
{
	int r;

	packet->cdb[1] |= packet->cdb[0] == XO_OP_SYNCHRONIZE_CACHE ? 0x02 : 0x01;
	r = drive_must(burn->drive, packet);
	return r == EXIT_OK ? drive_finish(burn->drive, what, progress_step, progress) : r;
}

static int close_part(struct burn *burn, unsigned int function, unsigned int number,
		      const char *what, struct progress *progress)
{
	struct packet packet = packet_none(XO_OP_CLOSE_TRACK_SESSION, 10);

	packet.cdb[2] = (uint8_t)function;
	xo_put_be16(packet.cdb + 4, number);
	return immediate(burn, &packet, what, progress);
}

int burn_close(struct burn *burn, struct progress *progress)
{
	const struct medium *medium = medium_of(burn);
	struct packet synchronize = packet_none(XO_OP_SYNCHRONIZE_CACHE, 10);
	unsigned int last = burn->multi ? medium->close_open : medium->close_for_good;
	int r;

	r = immediate(burn, &synchronize, "emptying the drive's buffer", progress);
	/* Packet writing leaves the track open; so do DVD+R and BD-R. TAO closes it by itself. */
	if (r == EXIT_OK && last != CLOSE_NONE && medium->write_type != XO_WRITE_TRACK_AT_ONCE)
		r = close_part(burn, CLOSE_TRACK, 1, "closing the track", progress);
	if (r == EXIT_OK && last != CLOSE_NONE)
		r = close_part(burn, last, 0, "closing the disc", progress);
	return r;
}

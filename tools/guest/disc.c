// SPDX-License-Identifier: GPL-2.0-or-later
/* What drive and disc say of themselves. */
#include "disc.h"

#include <string.h>

#include "base/bytes.h"
#include "mmc/opcode.h"
#include "mmc/profile.h"

/* A text field of INQUIRY: padded with blanks, and not to be trusted to be printable. */
static void copy_text(char *to, const uint8_t *from, size_t length)
{
	for (size_t i = 0; i < length; i++)
		to[i] = from[i] >= 0x20 && from[i] < 0x7f ? (char)from[i] : '?';
	to[length] = '\0';
	while (length > 0 && to[length - 1] == ' ')
		to[--length] = '\0';
}

int read_drive_facts(struct drive *drive, struct drive_facts *facts)
{
	uint8_t data[36] = { 0 }, header[8] = { 0 };
	struct packet inquiry = packet_in(XO_OP_INQUIRY, 6, data, sizeof(data));
	struct packet configuration =
		packet_in(XO_OP_GET_CONFIGURATION, 10, header, sizeof(header));
	struct outcome outcome;
	int r;

	inquiry.cdb[4] = sizeof(data);
	r = drive_must(drive, &inquiry);
	if (r != EXIT_OK)
		return r;
	copy_text(facts->vendor, data + 8, 8);
	copy_text(facts->product, data + 16, 16);
	copy_text(facts->revision, data + 32, 4);
	/* RT 2 of feature 0: the header alone. Old readers have no such command. */
	configuration.cdb[1] = 0x02;
	configuration.cdb[8] = sizeof(header);
	facts->profile = 0;
	if (drive_try(drive, &configuration, &outcome) == EXIT_OK)
		facts->profile = xo_get_be16(header + 6);
	return EXIT_OK;
}

int read_track(struct drive *drive, unsigned int track, uint8_t info[36])
{
	struct packet packet = packet_in(XO_OP_READ_TRACK_INFORMATION, 10, info, 36);
	struct outcome outcome;

	memset(info, 0, 36);
	packet.cdb[1] = 0x01;
	xo_put_be32(packet.cdb + 2, track);
	packet.cdb[8] = 36;
	return drive_try(drive, &packet, &outcome);
}

static void read_capacity(struct drive *drive, struct disc_facts *facts)
{
	uint8_t data[8] = { 0 };
	struct packet packet = packet_in(XO_OP_READ_CAPACITY, 10, data, sizeof(data));
	struct outcome outcome;

	facts->capacity = 0;
	if (drive_try(drive, &packet, &outcome) == EXIT_OK && outcome.residual == 0 &&
	    xo_get_be32(data) != UINT32_MAX)
		facts->capacity = xo_get_be32(data) + 1;
}

int read_disc_facts(struct drive *drive, struct disc_facts *facts)
{
	uint8_t data[34] = { 0 }, track[36];
	struct packet packet = packet_in(XO_OP_READ_DISC_INFORMATION, 10, data, sizeof(data));
	struct outcome outcome;

	*facts = (struct disc_facts){ .status = 2, .sessions = 1, .last_track = 1 };
	packet.cdb[8] = sizeof(data);
	/* A drive that only reads has no such command, and its discs are complete. */
	if (drive_try(drive, &packet, &outcome) != EXIT_OK) {
		if (outcome.sense.key != XO_KEY_ILLEGAL_REQUEST) {
			outcome_say("READ DISC INFORMATION", &outcome);
			return EXIT_FAILED;
		}
		read_capacity(drive, facts);
		return EXIT_OK;
	}
	facts->status = data[2] & 3;
	facts->last_session = data[2] >> 2 & 3;
	facts->erasable = data[2] & 0x10;
	facts->first_track = data[3];
	facts->sessions = data[4] | (unsigned int)data[9] << 8;
	facts->last_track = data[6] | (unsigned int)data[11] << 8;
	if (read_track(drive, facts->last_track, track) == EXIT_OK) {
		facts->nwa_valid = track[7] & 1;
		facts->next_writable = xo_get_be32(track + 12);
		facts->free_blocks = xo_get_be32(track + 16);
		facts->track_mode = track[5] & 0x0f;
	}
	read_capacity(drive, facts);
	return EXIT_OK;
}

const char *disc_status_text(unsigned int status)
{
	static const char *const names[] = { "blank", "appendable", "complete", "rewritable" };

	return names[status & 3];
}

unsigned int profile_single_speed(unsigned int profile)
{
	if (profile >= XO_PROFILE_BD_ROM && profile < XO_PROFILE_HD_DVD_ROM)
		return 4495500;
	if (profile >= XO_PROFILE_DVD_ROM && profile < XO_PROFILE_BD_ROM)
		return 1385000;
	return 75 * BLOCK_SIZE;
}

bool profile_is_cd(unsigned int profile)
{
	return profile == XO_PROFILE_CD_ROM || profile == XO_PROFILE_CD_R ||
	       profile == XO_PROFILE_CD_RW;
}

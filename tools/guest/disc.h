/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What drive and disc say of themselves. */
#ifndef XO_GUEST_DISC_H
#define XO_GUEST_DISC_H

#include "drive.h"

#define BLOCK_SIZE 2048u

struct drive_facts {
	char vendor[9], product[17], revision[5];
	unsigned int profile; /* current; 0: no disc, or one that the drive does not know */
};

/* READ DISC INFORMATION, READ TRACK INFORMATION of the last track, READ CAPACITY. */
struct disc_facts {
	unsigned int status; /* 0 blank, 1 appendable, 2 complete, 3 other */
	unsigned int last_session; /* its status: 0 empty, 1 incomplete, 2 damaged, 3 complete */
	bool erasable;
	unsigned int sessions, first_track, last_track;
	bool nwa_valid;
	uint32_t next_writable, free_blocks;
	unsigned int track_mode; /* of the last track */
	uint32_t capacity; /* readable blocks; 0: none */
};

/* EXIT_OK, or EXIT_FAILED after a message. */
int read_drive_facts(struct drive *drive, struct drive_facts *facts);
int read_disc_facts(struct drive *drive, struct disc_facts *facts);
/* READ TRACK INFORMATION of a track: 36 bytes at most. */
int read_track(struct drive *drive, unsigned int track, uint8_t info[36]);

/* "blank", "appendable", "complete", "rewritable" */
const char *disc_status_text(unsigned int status);

/* Bytes a second at the medium's single speed. */
unsigned int profile_single_speed(unsigned int profile);
bool profile_is_cd(unsigned int profile);

#endif

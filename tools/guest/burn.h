/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What has to happen before and after the data of a burn, by kind of medium. */
#ifndef XO_GUEST_BURN_H
#define XO_GUEST_BURN_H

#include "disc.h"
#include "progress.h"

struct burn {
	struct drive *drive;
	struct drive_facts facts;
	struct disc_facts disc;
	bool multi; /* leave the disc open for another session */
	unsigned int speed; /* x; 0: the fastest */
	uint32_t first; /* where the data begin */
	uint32_t least; /* blocks that the track must have: zeros are added */
};

/* Whether the medium can be burned, and how. EXIT_OK, EXIT_MEDIUM after a message. */
int burn_check(struct burn *burn);
/* Speed, write parameters, calibration, first address. */
int burn_prepare(struct burn *burn);
/* SYNCHRONIZE CACHE, then closes track, session and disc, with progress. */
int burn_close(struct burn *burn, struct progress *progress);

#endif

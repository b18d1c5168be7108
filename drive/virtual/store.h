/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks into the sector file, for the ways of recording. */
#ifndef XO_VIRTUAL_STORE_H
#define XO_VIRTUAL_STORE_H

#include "virtual.h"

/* Mode, control and sector size of a track that is written in blocks of that type (MMC-6 7.5.4.9). */
void vb_track_from_block_type(struct xo_disc_track *track, unsigned int block_type,
			      unsigned int control);

/*
 * Writes count blocks of the track (or its stored pregap) from lba on. block_type: how
 * they come; anything but 11 to 13 comes as it is stored. 0 or -errno.
 */
int vb_store(struct vb *vb, const struct xo_disc_track *track, uint32_t lba, uint32_t count,
	     const uint8_t *data, unsigned int block_type);

#endif

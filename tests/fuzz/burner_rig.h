/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A virtual burner for a fuzz target: what it answers is judged, not compared. */
#ifndef TESTS_FUZZ_BURNER_RIG_H
#define TESTS_FUZZ_BURNER_RIG_H

#include <stddef.h>
#include <stdint.h>

#include "drive/burner.h"
#include "drive/disc.h"

#define RIG_DATA 65536u

struct rig {
	struct xo_unit *unit;
	void *region;
	int fd;
	uint64_t id;
	uint8_t *data; /* RIG_DATA bytes, exactly as large: a byte too far is seen */
	struct xo_command command; /* the last */
};

/* With a blank disc, its operations ending at once; attentions are still to come. */
void rig_open(struct rig *rig, unsigned int media);
/* Also: the description of the disc as it is must be one that can be read again. */
void rig_close(struct rig *rig);

void rig_insert(struct rig *rig, unsigned int media);
void rig_restart(struct rig *rig);

/* Runs a command on rig->data[0 .. length). Returns its SCSI status. */
unsigned int rig_run(struct rig *rig, const uint8_t *cdb, size_t cdb_length, unsigned int direction,
		     uint32_t length);

/* The write parameters page. */
void rig_write_parameters(struct rig *rig, unsigned int write_type, unsigned int track_mode,
			  unsigned int block_type);

#endif

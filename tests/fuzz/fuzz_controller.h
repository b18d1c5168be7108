/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest made of bytes, against one controller of the model: accesses to its
 * registers and its configuration space, writes to guest memory (descriptor
 * tables, FISes), answers of the drive, and restarts. Afterwards a reset must
 * bring back a device that shows its signature.
 */
#ifndef XO_FUZZ_CONTROLLER_H
#define XO_FUZZ_CONTROLLER_H

#include "../protocol/rig.h"

#define FUZZ_PORTS 0xc000u /* IDE: command, control and bus-master block, 16 ports apart */
#define FUZZ_ABAR 0xf2000000u

/* Its registers there, decoding and bus mastering on. */
static inline void fuzz_map(struct rig *rig)
{
	if (rig->kind == RIG_IDE) {
		rig_config_write(rig, 0x10, 4, FUZZ_PORTS);
		rig_config_write(rig, 0x14, 4, FUZZ_PORTS + 0x10);
		rig_config_write(rig, 0x20, 4, FUZZ_PORTS + 0x20);
	} else {
		rig_config_write(rig, 0x24, 4, FUZZ_ABAR);
	}
	rig_config_write(rig, 4, 2, 7);
}
#define FUZZ_MEMORY 0x200000u /* 64 KiB that the input can write */

int fuzz_controller(enum rig_controller kind, const uint8_t *data, size_t size);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rig with a fake drive, for cmocka; and what every test of packet devices knows. */
#ifndef XO_TESTS_RIG_BOARD_H
#define XO_TESTS_RIG_BOARD_H

#include "fake_drive.h"
#include "rig.h"

struct board {
	struct rig rig;
	struct fake_drive fake;
	struct xo_packet_drive drive;
};

struct board *board_new(enum rig_controller kind);
void board_free(struct board *b);

/* For cmocka: one whose controller lies nowhere yet, and its end. */
int board_setup(void **state, enum rig_controller kind);
int teardown(void **state);

/* Whether it is a command of a packet device's (ATA8-ACS); all others are aborted. */
bool packet_device_has(unsigned int command);
/* Counts to try the others with. */
extern const uint8_t odd_counts[3];

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See rig_board.h. */
#include "rig_board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const uint8_t odd_counts[3] = { 0, 1, 0xff };

struct board *board_new(enum rig_controller kind)
{
	struct board *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	fake_drive_init(&b->fake, &b->drive);
	assert_int_equal(rig_init(&b->rig, kind, &b->drive), 0);
	return b;
}

void board_free(struct board *b)
{
	rig_fini(&b->rig);
	free(b);
}

int board_setup(void **state, enum rig_controller kind)
{
	*state = board_new(kind);
	return 0;
}

int teardown(void **state)
{
	board_free(*state);
	return 0;
}

bool packet_device_has(unsigned int command)
{
	static const uint8_t own[] = { 0x08, 0x90, 0xa0, 0xa1, 0xe0, 0xe1, 0xe5, 0xe6, 0xef };

	return memchr(own, (int)command, sizeof(own));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See ide_driver.h. */
#include "ide_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

int setup_unplaced(void **state)
{
	return board_setup(state, RIG_IDE);
}

int setup(void **state)
{
	struct board *b;

	setup_unplaced(state);
	b = *state;
	rig_config_write(&b->rig, 0x10, 4, CMD);
	rig_config_write(&b->rig, 0x14, 4, CTL);
	rig_config_write(&b->rig, 0x20, 4, BM);
	rig_config_write(&b->rig, 4, 2, 5);
	return 0;
}

uint8_t in(struct board *b, uint16_t port)
{
	return (uint8_t)rig_in(&b->rig, port, 1);
}

void out(struct board *b, uint16_t port, uint8_t value)
{
	rig_out(&b->rig, port, 1, value);
}

void packet(struct board *b, const uint8_t cdb[12], uint16_t limit)
{
	out(b, ERR, limit ? 0 : 1);
	out(b, MID, (uint8_t)limit);
	out(b, HIGH, (uint8_t)(limit >> 8));
	out(b, STATUS, 0xa0);
	assert_int_equal(in(b, STATUS) & 0x89, 0x08);
	assert_int_equal(in(b, COUNT) & 3, 1);
	for (int i = 0; i < 12; i += 2)
		rig_out(&b->rig, DATA, 2, xo_get_le16(cdb + i));
}

void region(struct board *b, unsigned int index, uint32_t address, uint32_t word)
{
	rig_write(&b->rig, TABLE + 8 * index, 4, address);
	rig_write(&b->rig, TABLE + 8 * index + 4, 4, word);
}

void start_dma(struct board *b, uint8_t command)
{
	rig_out(&b->rig, BM + 4, 4, TABLE);
	out(b, BM, command & 8);
	out(b, BM, command);
}

void read10(uint8_t cdb[12], uint32_t lba, uint16_t blocks)
{
	memset(cdb, 0, 12);
	cdb[0] = 0x28;
	xo_put_be32(cdb + 2, lba);
	xo_put_be16(cdb + 7, blocks);
}

void assert_alive(struct board *b)
{
	uint8_t id[512];
	uint8_t sum = 0;
	uint8_t cdb[12];

	out(b, ALT, SRST);
	out(b, ALT, 0);
	assert_int_equal(in(b, STATUS) & 0x89, 0);
	assert_int_equal(in(b, MID), 0x14);
	assert_int_equal(in(b, HIGH), 0xeb);
	out(b, DEV, 0);
	out(b, STATUS, 0xa1);
	assert_true(b->rig.intx);
	assert_int_equal(in(b, STATUS) & 0x89, 0x08);
	for (int i = 0; i < 512; i += 2)
		xo_put_le16(id + i, (unsigned int)rig_in(&b->rig, DATA, 2));
	for (int i = 0; i < 512; i++)
		sum = (uint8_t)(sum + id[i]);
	assert_int_equal(sum, 0);
	assert_int_equal(in(b, STATUS) & 0x89, 0);
	read10(cdb, 9, 1);
	packet(b, cdb, 2048);
	fake_run(&b->fake, rig_packet(&b->rig));
	for (uint32_t i = 0; i < 2048; i += 2)
		assert_int_equal(rig_in(&b->rig, DATA, 2),
				 fake_pattern(9, i) | fake_pattern(9, i + 1) << 8);
	assert_int_equal(in(b, STATUS) & 0x89, 0);
}

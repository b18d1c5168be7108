/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See ahci_driver.h. */
#include "ahci_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

uint32_t get(struct board *b, uint32_t reg)
{
	return (uint32_t)rig_read(&b->rig, ABAR + reg, 4);
}

void set(struct board *b, uint32_t reg, uint32_t value)
{
	rig_write(&b->rig, ABAR + reg, 4, value);
}

void start_port(struct board *b)
{
	set(b, CLB, LIST);
	set(b, FB, FISES);
	set(b, SERR, 0xffffffff);
	set(b, PIS, 0xffffffff);
	set(b, IS, 1);
	set(b, PIE, 0xffffffff);
	set(b, CMD, FRE | 6);
	assert_int_equal(get(b, CMD) & 0x4000, 0x4000);
	assert_int_equal(get(b, TFD) & 0x89, 0);
	set(b, CMD, FRE | ST | 6);
	assert_int_equal(get(b, CMD) & 0x8000, 0x8000);
	set(b, GHC, 0x80000002);
}

int setup_unplaced(void **state)
{
	return board_setup(state, RIG_AHCI);
}

int setup(void **state)
{
	struct board *b;

	setup_unplaced(state);
	b = *state;
	rig_config_write(&b->rig, 0x24, 4, ABAR);
	rig_config_write(&b->rig, 4, 2, 6);
	start_port(b);
	return 0;
}

uint32_t table_of(unsigned int slot)
{
	return TABLES + slot * 0x10000;
}

void region(struct board *b, unsigned int slot, unsigned int index, uint64_t address,
	    uint32_t bytes)
{
	uint32_t at = table_of(slot) + 0x80 + 16 * index;

	rig_write(&b->rig, at, 8, address);
	rig_write(&b->rig, at + 8, 4, 0);
	rig_write(&b->rig, at + 12, 4, bytes - 1);
}

void prepare(struct board *b, unsigned int slot, uint8_t command, uint8_t feature,
	     const uint8_t *cdb, unsigned int regions, uint16_t flags)
{
	uint32_t header = LIST + 32 * slot;
	uint32_t table = table_of(slot);
	uint8_t fis[64] = { 0x27, 0x80, command, feature };

	memcpy(rig_ram(&b->rig, table, 64), fis, 64);
	if (cdb)
		memcpy(rig_ram(&b->rig, table + 0x40, 12), cdb, 12);
	rig_write(&b->rig, header, 4, (uint32_t)regions << 16 | flags | (cdb ? 0x20u : 0) | 5);
	rig_write(&b->rig, header + 4, 4, 0xdeadbeef);
	rig_write(&b->rig, header + 8, 8, table);
}

void read10(uint8_t cdb[12], uint32_t lba, uint16_t blocks)
{
	memset(cdb, 0, 12);
	cdb[0] = 0x28;
	xo_put_be32(cdb + 2, lba);
	xo_put_be16(cdb + 7, blocks);
}

void run(struct board *b)
{
	fake_run(&b->fake, rig_packet(&b->rig));
}

void assert_pattern(struct board *b, uint32_t address, uint32_t lba, uint32_t bytes)
{
	for (uint32_t at = 0; at < bytes; at++)
		assert_int_equal(*rig_ram(&b->rig, address + at, 1),
				 fake_pattern(lba + at / 2048, at % 2048));
}

void clear_causes(struct board *b)
{
	set(b, PIS, get(b, PIS));
	set(b, IS, 1);
	assert_false(b->rig.intx);
}

void assert_alive(struct board *b)
{
	uint8_t cdb[12];

	set(b, CMD, 6);
	set(b, SCTL, 1);
	assert_int_equal(get(b, SSTS), 0);
	set(b, SCTL, 0);
	assert_int_equal(get(b, SSTS), 0x113);
	start_port(b);
	assert_int_equal(get(b, SIG), 0xeb140101);
	memset(rig_ram(&b->rig, BUFFER, 8192), 0xee, 8192);
	region(b, 0, 0, BUFFER, 512);
	prepare(b, 0, 0xa1, 0, NULL, 1, 0);
	set(b, CI, 1);
	assert_int_equal(get(b, CI), 0);
	assert_int_equal(rig_read(&b->rig, BUFFER, 2), 0x85c0);
	clear_causes(b);
	read10(cdb, 77, 1);
	region(b, 0, 0, BUFFER, 2048);
	prepare(b, 0, 0xa0, 1, cdb, 1, 0);
	set(b, CI, 1);
	run(b);
	assert_int_equal(get(b, CI), 0);
	assert_int_equal(get(b, TFD) & 0x89, 0);
	assert_pattern(b, BUFFER, 77, 2048);
	assert_int_equal(rig_read(&b->rig, LIST + 4, 4), 2048);
	clear_causes(b);
}

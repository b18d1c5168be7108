/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A register-level driver for the AHCI controller: commands, resets in every state, malformed lists, restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ahci_driver.h"
#include "base/bytes.h"
#include "mmc/sense.h"

static void identify_and_aborted_commands(void **state)
{
	struct board *b = *state;

	assert_alive(b);
	prepare(b, 3, 0xec, 0, NULL, 0, 0);
	set(b, CI, 8);
	assert_int_equal(get(b, PIS), (uint32_t)TFES | DHRS);
	assert_int_equal(get(b, TFD), 0x0451);
	assert_int_equal(get(b, CI), 8); /* stays until ST is cleared */
	assert_int_equal(rig_read(&b->rig, FISES + 0x40, 1), 0x34);
	assert_int_equal(rig_read(&b->rig, FISES + 0x45, 2), 0xeb14);
	set(b, CMD, FRE | 6);
	assert_int_equal(get(b, CI), 0);
	clear_causes(b);
	set(b, CMD, FRE | ST | 6);
	prepare(b, 4, 0xef, 0x03, NULL, 0, 0); /* SET FEATURES: UDMA 2 */
	rig_write(&b->rig, table_of(4) + 12, 1, 0x42);
	set(b, CI, 16);
	assert_int_equal(get(b, PIS), DHRS);
	assert_int_equal(b->rig.ahci_state.ata.transfer_mode, 0x42);
	clear_causes(b);
}

static void one_write_starts_a_read(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	read10(cdb, 1000, 100); /* two parts */
	region(b, 7, 0, BUFFER, 4096);
	region(b, 7, 1, BUFFER + 4096, 2);
	region(b, 7, 2, BUFFER + 4098, 100 * 2048 - 4098);
	prepare(b, 7, 0xa0, 1, cdb, 3, 0);
	set(b, CI, 1 << 7);
	assert_int_equal(get(b, TFD) & 0x80, 0x80);
	assert_int_equal(get(b, CI), 1 << 7);
	run(b);
	assert_int_equal(b->fake.commands, 2);
	assert_true(b->rig.intx);
	assert_int_equal(get(b, PIS), DHRS);
	assert_int_equal(get(b, CI), 0);
	assert_int_equal(get(b, TFD), 0x50);
	assert_int_equal(rig_read(&b->rig, LIST + 7 * 32 + 4, 4), 100 * 2048);
	assert_pattern(b, BUFFER, 1000, 100 * 2048);
	clear_causes(b);
}

static void writes_and_parameter_lists_reach_the_drive(void **state)
{
	static const uint8_t mode_select[12] = { 0x55, 0x10, 0, 0, 0, 0, 0, 0, 60 };
	struct board *b = *state;
	uint8_t cdb[12] = { 0x2a, 0, 0xff, 0xff, 0xff, 0x6a, 0, 0, 2 };

	for (uint32_t i = 0; i < 8192; i++)
		*rig_ram(&b->rig, BUFFER + i, 1) = (uint8_t)(i * 29);
	region(b, 0, 0, BUFFER, 60);
	prepare(b, 0, 0xa0, 1, mode_select, 1, 0x40);
	set(b, CI, 1);
	run(b);
	region(b, 1, 0, BUFFER, 4096);
	prepare(b, 1, 0xa0, 1, cdb, 1, 0x40);
	set(b, CI, 2);
	run(b);
	assert_int_equal(get(b, CI), 0);
	assert_int_equal(b->fake.written_bytes, 60 + 4096);
	for (uint32_t i = 0; i < 4096; i++)
		assert_int_equal(b->fake.written[60 + i], (uint8_t)(i * 29));
	clear_causes(b);
}

static void sense_comes_by_request_sense(void **state)
{
	static const uint8_t request_sense[12] = { 0x03, 0, 0, 0, 18 };
	static const uint8_t test_unit_ready[12] = { 0 };
	struct board *b = *state;

	prepare(b, 0, 0xa0, 0, test_unit_ready, 0, 0);
	set(b, CI, 1);
	fake_answer(&b->fake, rig_packet(&b->rig), XO_SENSE_NO_MEDIUM, 0);
	assert_int_equal(get(b, PIS), (uint32_t)TFES | DHRS);
	assert_int_equal(get(b, TFD), 0x2051);
	set(b, CMD, FRE | 6);
	clear_causes(b);
	set(b, CMD, FRE | ST | 6);
	region(b, 1, 0, BUFFER, 96);
	prepare(b, 1, 0xa0, 1, request_sense, 1, 0);
	set(b, CI, 2);
	assert_int_equal(get(b, CI), 0);
	assert_int_equal(fake_pending(&b->fake), -1);
	assert_int_equal(rig_read(&b->rig, LIST + 32 + 4, 4), 18);
	assert_int_equal(rig_read(&b->rig, BUFFER + 2, 1) & 0xf, 2);
	assert_int_equal(rig_read(&b->rig, BUFFER + 12, 1), 0x3a);
	clear_causes(b);
}

static void residuals_show_in_the_byte_count(void **state)
{
	static const uint8_t inquiry[12] = { 0x12, 0, 0, 0, 96 };
	struct board *b = *state;

	region(b, 0, 0, BUFFER, 512);
	prepare(b, 0, 0xa0, 1, inquiry, 1, 0);
	set(b, CI, 1);
	fake_answer(&b->fake, rig_packet(&b->rig), 0, 59);
	assert_int_equal(get(b, CI), 0);
	assert_int_equal(rig_read(&b->rig, LIST + 4, 4), 37);
	clear_causes(b);
}

/*
 * A drive that leaves some of a part of a WRITE and says GOOD: what comes after them is not sent, since it would be written
 * in another place than the guest has named, and the guest is told. Of the last part, or all, it is the drive's own word.
 */
static void nothing_follows_a_residual_of_a_write(void **state)
{
	static const struct {
		uint16_t blocks;
		unsigned int part; /* that the drive does not take all of */
		uint32_t residual;
	} rows[] = {
		{ 200, 0, 2048 }, { 200, 0, 1 },	{ 200, 0, 64 * 2048 }, { 200, 1, 2048 },
		{ 200, 3, 2048 }, { 200, 3, 8 * 2048 }, { 2, 0, 2048 },	       { 2, 0, 4096 },
	};
	struct board *b = *state;
	uint8_t cdb[12];

	for (uint32_t i = 0; i < 200 * 2048; i++)
		*rig_ram(&b->rig, BUFFER + i, 1) = (uint8_t)(i * 29 + i / 2048);
	for (size_t row = 0; row < XO_ARRAY_SIZE(rows); row++) {
		uint32_t part_bytes = XO_MIN(rows[row].blocks * 2048u, (uint32_t)FAKE_BUFFER);
		bool last = (rows[row].part + 1) * part_bytes >= rows[row].blocks * 2048u;
		uint32_t taken = 0;
		unsigned int parts = 0;
		int handle;

		b->fake.written_bytes = 0;
		read10(cdb, 1000, rows[row].blocks);
		cdb[0] = 0x2a;
		region(b, 0, 0, BUFFER, rows[row].blocks * 2048u);
		prepare(b, 0, 0xa0, 1, cdb, 1, 0x40);
		set(b, CI, 1);
		while ((handle = fake_pending(&b->fake)) >= 0) {
			uint32_t residual = parts == rows[row].part ? rows[row].residual : 0;

			assert_int_equal(xo_get_be32(b->fake.cdb[handle] + 2),
					 1000 + parts * (part_bytes / 2048));
			taken += b->fake.length[handle] - residual;
			parts++;
			fake_answer(&b->fake, rig_packet(&b->rig), 0, residual);
		}
		assert_int_equal(parts, rows[row].part + 1);
		assert_int_equal(get(b, PIS), last ? DHRS : (uint32_t)TFES | DHRS);
		assert_int_equal(get(b, TFD), last ? 0x50 : 0xb051); /* ABORTED COMMAND */
		assert_int_equal(b->fake.written_bytes, taken);
		assert_memory_equal(b->fake.written, rig_ram(&b->rig, BUFFER, taken), taken);
		set(b, CMD, FRE | 6);
		clear_causes(b);
		set(b, CMD, FRE | ST | 6);
	}
}

/* RECOVERED ERROR is success to drivers: a split command goes on, and tells of it at its end (drive/split.c does so). */
static void a_recovered_part_is_not_the_last(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	for (unsigned int part = 0; part < 4; part++) {
		bool write = part % 2;

		b->fake.commands = 0;
		b->fake.written_bytes = 0;
		memset(rig_ram(&b->rig, BUFFER, 200 * 2048), 0xee, 200 * 2048);
		read10(cdb, 1000, 200);
		cdb[0] = write ? 0x2a : 0x28;
		region(b, 0, 0, BUFFER, 200 * 2048);
		prepare(b, 0, 0xa0, 1, cdb, 1, write ? 0x40 : 0);
		set(b, CI, 1);
		for (unsigned int n = 0; fake_pending(&b->fake) >= 0; n++)
			fake_answer(&b->fake, rig_packet(&b->rig),
				    n == part ? XO_SENSE_RECOVERED_WITH_RETRIES : 0, 0);
		assert_int_equal(b->fake.commands, 4);
		assert_int_equal(get(b, TFD), 0x1051); /* RECOVERED ERROR */
		assert_int_equal(rig_read(&b->rig, LIST + 4, 4), 200 * 2048);
		if (write)
			assert_int_equal(b->fake.written_bytes, 200 * 2048);
		else
			assert_pattern(b, BUFFER, 1000, 200 * 2048);
		set(b, CMD, FRE | 6);
		clear_causes(b);
		set(b, CMD, FRE | ST | 6);
	}
}

/* The drive says that it did what the list asks, and is believed. */
static void a_parameter_list_with_a_residual_ends_good(void **state)
{
	static const uint8_t mode_select[12] = { 0x55, 0x10, 0, 0, 0, 0, 0, 0, 60 };
	struct board *b = *state;

	region(b, 0, 0, BUFFER, 60);
	prepare(b, 0, 0xa0, 1, mode_select, 1, 0x40);
	set(b, CI, 1);
	fake_answer(&b->fake, rig_packet(&b->rig), 0, 20);
	assert_int_equal(get(b, CI), 0);
	assert_int_equal(get(b, TFD), 0x50);
	clear_causes(b);
}

static void all_slots_are_served_in_turn(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	for (unsigned int slot = 0; slot < 32; slot++) {
		read10(cdb, slot * 10, 1);
		region(b, slot, 0, BUFFER + slot * 4096, 2048);
		prepare(b, slot, 0xa0, 1, cdb, 1, 0);
	}
	set(b, CI, 0xffffffff);
	run(b);
	assert_int_equal(get(b, CI), 0);
	for (unsigned int slot = 0; slot < 32; slot++)
		assert_pattern(b, BUFFER + slot * 4096, slot * 10, 2048);
	clear_causes(b);
}

static void malformed_lists_stop_the_port(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	read10(cdb, 0, 4);
	for (int way = 0; way < 9; way++) {
		uint32_t expected = HBFS;

		region(b, 0, 0, BUFFER, 8192);
		prepare(b, 0, 0xa0, 1, cdb, 1, 0);
		switch (way) {
		case 0: /* list outside RAM */
			set(b, CLB, 0xf0000000);
			break;
		case 1: /* list above everything */
			set(b, CLBU, 0xffffffff);
			set(b, CLB, 0xfffffc00);
			break;
		case 2: /* table outside RAM */
			rig_write(&b->rig, LIST + 8, 8, 0xffffffffffffff80);
			break;
		case 3: /* region outside RAM */
			region(b, 0, 0, 0xf0000000, 8192);
			break;
		case 4: /* region that wraps */
			region(b, 0, 0, 0xfffffffffffff000, 8192);
			break;
		case 5: /* descriptors that leave RAM */
			rig_write(&b->rig, LIST + 8, 8, RIG_RAM_BASE + RIG_RAM_SIZE - 256);
			memcpy(rig_ram(&b->rig, RIG_RAM_BASE + RIG_RAM_SIZE - 256, 0x80),
			       rig_ram(&b->rig, table_of(0), 0x80), 0x80);
			rig_write(&b->rig, LIST, 4, 0xffff0025);
			break;
		case 6: /* no FIS at all */
			rig_write(&b->rig, table_of(0), 1, 0);
			expected = (uint32_t)TFES | DHRS;
			break;
		case 7: /* a short FIS */
			rig_write(&b->rig, LIST, 4, 0x10021);
			expected = (uint32_t)TFES | DHRS;
			break;
		case 8: /* received FISes outside RAM */
			set(b, FB, 0xf0000000);
			break;
		}
		set(b, CI, 1);
		run(b);
		assert_int_equal(get(b, PIS), expected);
		assert_int_equal(get(b, CI), 1);
		set(b, CI, 2); /* a halted list does nothing */
		run(b);
		set(b, CLBU, 0);
		assert_alive(b);
	}
}

/*
 * CVE-2014-9718: a table shorter than the transfer, down to none. What the
 * regions hold is moved and nothing beyond; the byte count says how much.
 */
static void cve_2014_9718_tables_shorter_than_the_transfer(void **state)
{
	static const uint32_t totals[] = { 4096, 2048, 5, 1, 0 };
	struct board *b = *state;

	for (size_t i = 0; i < 4 * XO_ARRAY_SIZE(totals); i++) {
		uint32_t total = totals[i / 4];
		bool to_drive = i & 1;
		bool dma = i & 2;
		uint8_t cdb[12];

		read10(cdb, 6, 4);
		if (to_drive)
			cdb[0] = 0x2a;
		memset(rig_ram(&b->rig, BUFFER, 8192), 0xee, 8192);
		b->fake.written_bytes = 0;
		if (total)
			region(b, 0, 0, BUFFER, total);
		region(b, 0, total ? 1 : 0, BUFFER + 4096, 4096); /* behind the table */
		prepare(b, 0, 0xa0, dma, cdb, total ? 1 : 0, to_drive ? 0x40 : 0);
		set(b, CI, 1);
		assert_true(fake_pending(&b->fake) >= 0);
		assert_int_equal(b->fake.length[fake_pending(&b->fake)], total);
		run(b);
		assert_int_equal(get(b, CI), 0);
		assert_int_equal(rig_read(&b->rig, LIST + 4, 4), total);
		assert_int_equal(b->fake.written_bytes, to_drive ? total : 0);
		for (uint32_t at = 0; at < 8192; at++)
			assert_int_equal(*rig_ram(&b->rig, BUFFER + at, 1),
					 !to_drive && at < total
						 ? fake_pattern(6 + at / 2048, at % 2048)
						 : 0xee);
		clear_causes(b);
	}
	/* IDENTIFY into less than its 512 bytes. */
	for (uint32_t total = 0; total <= 20; total += 10) {
		memset(rig_ram(&b->rig, BUFFER, 512), 0xee, 512);
		region(b, 0, 0, BUFFER, total ? total : 512);
		prepare(b, 0, 0xa1, 0, NULL, total ? 1 : 0, 0);
		set(b, CI, 1);
		assert_int_equal(get(b, CI), 0);
		assert_int_equal(rig_read(&b->rig, LIST + 4, 4), total);
		for (uint32_t at = total; at < 512; at++)
			assert_int_equal(*rig_ram(&b->rig, BUFFER + at, 1), 0xee);
		clear_causes(b);
	}
	assert_alive(b);
}

/* Bit 0 of an address is 0 whatever is written; odd counts, which 4.2.3.3 forbids, are taken by the byte. */
static void odd_regions_are_taken_by_the_byte(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	read10(cdb, 6, 2);
	memset(rig_ram(&b->rig, BUFFER, 0x4000), 0xee, 0x4000);
	region(b, 0, 0, BUFFER + 1, 1001);
	region(b, 0, 1, BUFFER + 0x1003, 1);
	region(b, 0, 2, BUFFER + 0x2001, 4194304); /* the largest */
	prepare(b, 0, 0xa0, 1, cdb, 3, 0);
	set(b, CI, 1);
	run(b);
	assert_int_equal(get(b, CI), 0);
	assert_int_equal(rig_read(&b->rig, LIST + 4, 4), 4096);
	for (uint32_t at = 0; at < 4096; at++) {
		uint32_t to = at < 1001 ? at : at == 1001 ? 0x1002 : 0x2000 + at - 1002;

		assert_int_equal(*rig_ram(&b->rig, BUFFER + to, 1),
				 fake_pattern(6 + at / 2048, at % 2048));
	}
	assert_int_equal(*rig_ram(&b->rig, BUFFER + 1001, 1), 0xee);
	assert_int_equal(*rig_ram(&b->rig, BUFFER + 0x1003, 1), 0xee);
	assert_int_equal(*rig_ram(&b->rig, BUFFER + 0x2000 + 3094, 1), 0xee);
	clear_causes(b);
	/* The table's own address has 7 bits that are none. */
	rig_write(&b->rig, LIST + 8, 4, table_of(0) | 0x7f);
	set(b, CI, 1);
	run(b);
	assert_int_equal(get(b, CI), 0);
	assert_int_equal(rig_read(&b->rig, LIST + 4, 4), 4096);
	clear_causes(b);
}

/* CVE-2019-12067: a command is asked for where no list is, or where the guest took its memory away. */
static void cve_2019_12067_no_command_header(void **state)
{
	static const uint32_t lists[] = { 0, 0xfffffc00, RIG_RAM_BASE + RIG_RAM_SIZE };
	struct board *b = *state;

	for (size_t i = 0; i < 2 * XO_ARRAY_SIZE(lists); i++) {
		set(b, CMD, FRE | 6);
		set(b, CLB, lists[i / 2]);
		set(b, CMD, FRE | ST | 6);
		set(b, CI, i & 1 ? 0x80000000 : 0xffffffff);
		assert_int_equal(get(b, PIS), HBFS);
		assert_int_equal(b->fake.commands, 0);
		assert_alive(b);
		b->fake.commands = 0;
	}
}

/*
 * CVE-2016-1568, CVE-2020-25743, CVE-2023-5088: a port is reset with commands
 * under way, and answers to them come when another one runs. CVE-2021-3735:
 * it is reset again and again meanwhile.
 */
static void cve_2016_1568_late_answers_touch_no_later_command(void **state)
{
	static const struct xo_packet_result good;
	struct board *b = *state;
	uint8_t cdb[12];

	for (int reset = 0; reset < 3; reset++) {
		int handle;

		for (unsigned int slot = 0; slot < 3; slot++) {
			read10(cdb, 3 + slot, 4);
			region(b, slot, 0, BUFFER + 8192 * slot, 8192);
			prepare(b, slot, 0xa0, 1, cdb, 1, 0);
		}
		memset(rig_ram(&b->rig, BUFFER, 0x8000), 0xee, 0x8000);
		set(b, CI, 7);
		assert_int_equal(get(b, TFD) & 0x80, 0x80);
		handle = fake_pending(&b->fake);
		for (int again = 0; again < 20; again++) {
			if (reset == 0) {
				set(b, CMD, FRE | 6);
				set(b, CMD, FRE | 8 | 6);
			} else if (reset == 1) {
				set(b, SCTL, 1);
				set(b, SCTL, 0);
				xo_packet_complete(rig_packet(&b->rig), handle, &good);
				set(b, CMD, FRE | 6);
			} else {
				set(b, GHC, 0x80000001);
			}
		}
		assert_int_equal(get(b, CI), 0);
		start_port(b);
		read10(cdb, 70, 1);
		region(b, 9, 0, BUFFER + 0x7000, 2048);
		prepare(b, 9, 0xa0, 1, cdb, 1, 0);
		set(b, CI, 1 << 9);
		/* To a drive that has given the first one up, and to none. */
		xo_packet_complete(rig_packet(&b->rig), handle, &good);
		fake_answer(&b->fake, rig_packet(&b->rig), 0, 0);
		assert_int_equal(get(b, CI), 1 << 9);
		assert_int_equal(get(b, TFD) & 0x80, 0x80);
		assert_false(b->rig.intx);
		for (uint32_t at = 0; at < 0x8000; at++)
			assert_int_equal(*rig_ram(&b->rig, BUFFER + at, 1), 0xee);
		fake_answer(&b->fake, rig_packet(&b->rig), 0, 0);
		assert_int_equal(get(b, CI), 0);
		assert_pattern(b, BUFFER + 0x7000, 70, 2048);
		assert_int_equal(*rig_ram(&b->rig, BUFFER, 1), 0xee);
		clear_causes(b);
		assert_alive(b);
	}
}

/* ST off, SRST, COMRESET, HBA reset, PCI reset: while idle, with the drive, after an error. */
static void every_reset_in_every_state(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	for (int reset = 0; reset < 5; reset++) {
		for (int at = 0; at < 3; at++) {
			read10(cdb, 3, 4);
			region(b, 0, 0, BUFFER, 8192);
			prepare(b, 0, 0xa0, 1, cdb, 1, 0);
			if (at)
				set(b, CI, 1);
			if (at == 2)
				fake_answer(&b->fake, rig_packet(&b->rig),
					    XO_SENSE_UNRECOVERED_READ, 8192);
			switch (reset) {
			case 0:
				set(b, CMD, FRE | 6);
				break;
			case 1:
				set(b, CMD, FRE | 6);
				set(b, CMD, FRE | 8 | 6); /* CLO */
				assert_int_equal(get(b, CMD) & 8, 0);
				assert_int_equal(get(b, TFD) & 0x88, 0);
				set(b, CMD, FRE | ST | 6);
				for (int srst = 1; srst >= 0; srst--) {
					prepare(b, 1, 0, 0, NULL, 0, 0);
					rig_write(&b->rig, table_of(1) + 1, 1, 0);
					rig_write(&b->rig, table_of(1) + 15, 1, srst ? 4 : 0);
					set(b, CI, 2);
					assert_int_equal(get(b, CI), 0);
				}
				assert_int_equal(get(b, TFD) & 0x89, 0);
				assert_int_equal(rig_read(&b->rig, FISES + 0x45, 2), 0xeb14);
				break;
			case 2:
				set(b, SCTL, 1);
				set(b, SCTL, 0);
				break;
			case 3:
				set(b, GHC, 0x80000001);
				assert_int_equal(get(b, GHC), 0x80000000);
				assert_int_equal(get(b, CLB), LIST);
				assert_int_equal(get(b, CMD) & ST, 0);
				break;
			case 4:
				xo_ahci_reset(&b->rig.ahci);
				rig_config_write(&b->rig, 0x24, 4, ABAR);
				rig_config_write(&b->rig, 4, 2, 6);
				break;
			}
			run(b);
			assert_alive(b);
		}
	}
}

static void messages_replace_the_line(void **state)
{
	static const uint8_t test_unit_ready[12] = { 0 };
	struct board *b = *state;

	assert_int_equal(rig_config_read(&b->rig, 0x80, 1), 0x05);
	rig_config_write(&b->rig, 0x84, 4, 0xfee00000);
	rig_config_write(&b->rig, 0x8c, 2, 0x4041);
	rig_config_write(&b->rig, 0x82, 2, 1);
	prepare(b, 0, 0xa0, 1, test_unit_ready, 0, 0);
	set(b, CI, 1);
	run(b);
	assert_false(b->rig.intx);
	assert_int_equal(b->rig.msi_count, 1);
	assert_int_equal(b->rig.msi_address, 0xfee00000);
	assert_int_equal(b->rig.msi_data, 0x4041);
	/* A second end while the first is not acknowledged: a message of its own once it is a new cause. */
	set(b, PIS, DHRS);
	set(b, IS, 1);
	set(b, CI, 1);
	run(b);
	assert_int_equal(b->rig.msi_count, 2);
	/* Told once, they stay. */
	set(b, PIS, DHRS);
	set(b, IS, 1);
	assert_int_equal(rig_restart(&b->rig, &b->drive), 0);
	set(b, CI, 1);
	run(b);
	assert_int_equal(b->rig.msi_count, 3);
	assert_false(b->rig.intx);
}

/*
 * In D3hot the function neither touches memory nor interrupts (PCI PM 1.2, 5.4.1), by line or by message, though a command
 * was with the drive; back in D0 it has kept its state (No_Soft_Reset), tells of what happened, and recovers.
 */
static void d3_moves_nothing_and_interrupts_nobody(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	for (unsigned int msi = 0; msi < 2; msi++) {
		unsigned int messages = b->rig.msi_count;

		rig_config_write(&b->rig, 0x84, 4, 0xfee00000);
		rig_config_write(&b->rig, 0x82, 2, msi);
		read10(cdb, 7, 2);
		region(b, 0, 0, BUFFER, 4096);
		prepare(b, 0, 0xa0, 1, cdb, 1, 0);
		memset(rig_ram(&b->rig, BUFFER, 4096), 0xee, 4096);
		memset(rig_ram(&b->rig, FISES, 256), 0xee, 256);
		set(b, CI, 1);
		rig_config_write(&b->rig, 0x74, 2, 3);
		run(b);
		for (uint32_t i = 0; i < 4096; i++)
			assert_int_equal(*rig_ram(&b->rig, BUFFER + i, 1), 0xee);
		assert_int_equal(rig_read(&b->rig, LIST + 4, 4), 0xdeadbeef);
		assert_int_equal(*rig_ram(&b->rig, FISES + 0x40, 1), 0xee);
		assert_false(b->rig.intx);
		assert_int_equal(b->rig.msi_count, messages);
		assert_int_equal(get(b, CI), 0xffffffff);
		rig_config_write(&b->rig, 0x74, 2, 0);
		assert_int_equal(b->rig.intx, !msi);
		assert_int_equal(b->rig.msi_count, messages + msi);
		/* Its FIS could not be written: a host bus fatal error (AHCI 1.3.1 6.1.2). */
		assert_int_equal(get(b, PIS) & (uint32_t)HBFS, (uint32_t)HBFS);
		set(b, CMD, FRE | 6);
		set(b, PIS, 0xffffffff);
		set(b, IS, 1);
		set(b, CMD, FRE | ST | 6);
		assert_alive(b);
	}
}

static void media_events_notify_who_asked(void **state)
{
	struct board *b = *state;

	xo_ahci_notify(&b->rig.ahci);
	assert_int_equal(get(b, PIS), 0);
	prepare(b, 0, 0xef, 0x10, NULL, 0, 0);
	rig_write(&b->rig, table_of(0) + 12, 1, 5);
	set(b, CI, 1);
	clear_causes(b);
	xo_ahci_notify(&b->rig.ahci);
	assert_int_equal(get(b, PIS), SDBS);
	assert_int_equal(get(b, SNTF), 1);
	assert_int_equal(rig_read(&b->rig, FISES + 0x58, 1), 0xa1);
	set(b, SNTF, 1);
	assert_int_equal(get(b, SNTF), 0);
	clear_causes(b);
}

static void a_successor_goes_on(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	read10(cdb, 1000, 100);
	region(b, 0, 0, BUFFER, 100 * 2048);
	prepare(b, 0, 0xa0, 1, cdb, 1, 0);
	set(b, CI, 1);
	assert_int_equal(rig_restart(&b->rig, &b->drive), 0);
	fake_answer(&b->fake, rig_packet(&b->rig), 0, 0);
	assert_int_equal(rig_restart(&b->rig, &b->drive), 0);
	run(b);
	assert_int_equal(rig_restart(&b->rig, &b->drive), 0);
	assert_true(b->rig.intx);
	assert_int_equal(b->fake.commands, 2);
	assert_int_equal(get(b, CI), 0);
	assert_pattern(b, BUFFER, 1000, 100 * 2048);
	clear_causes(b);
	assert_alive(b);
}

static void accesses_of_every_width(void **state)
{
	struct board *b = *state;

	assert_int_equal(rig_read(&b->rig, ABAR + 0x10, 1), 0x01);
	assert_int_equal(rig_read(&b->rig, ABAR + 0x11, 1), 0x03);
	assert_int_equal(rig_read(&b->rig, ABAR + 0x12, 2), 0x0001);
	assert_int_equal(rig_read(&b->rig, ABAR + 0x0e, 4), 0x03010000);
	assert_int_equal(rig_read(&b->rig, ABAR + 0x0c, 8), 0x0001030100000001);
	rig_write(&b->rig, ABAR + CLB, 8, 0x1122334455667788);
	assert_int_equal(get(b, CLB), 0x55667400);
	assert_int_equal(get(b, CLBU), 0x11223344);
	assert_int_equal(rig_read(&b->rig, ABAR + 0x180, 4), 0); /* no second port */
	assert_int_equal(rig_read(&b->rig, ABAR + 0xffc, 4), 0);
}

static void random_accesses_do_no_harm(void **state)
{
	struct board *b = *state;
	uint32_t seed = 20240612;

	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 500; i++) {
			uint32_t reg;
			unsigned int width;

			seed = seed * 1664525 + 1013904223;
			reg = (seed >> 8) % 0x180;
			width = 1u << (seed >> 20) % 4;
			if (seed >> 31)
				rig_write(&b->rig, ABAR + reg, width, seed * 2654435761u);
			else
				rig_read(&b->rig, ABAR + reg, width);
			if (i % 20 == 0) {
				set(b, CLB, LIST);
				set(b, CLBU, 0);
			}
			if (i % 50 == 0)
				run(b);
		}
		run(b);
		set(b, CLBU, 0);
		set(b, FB + 4, 0);
		assert_alive(b);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(identify_and_aborted_commands),
		TEST(one_write_starts_a_read),
		TEST(writes_and_parameter_lists_reach_the_drive),
		TEST(sense_comes_by_request_sense),
		TEST(residuals_show_in_the_byte_count),
		TEST(nothing_follows_a_residual_of_a_write),
		TEST(a_recovered_part_is_not_the_last),
		TEST(a_parameter_list_with_a_residual_ends_good),
		TEST(all_slots_are_served_in_turn),
		TEST(malformed_lists_stop_the_port),
		TEST(cve_2014_9718_tables_shorter_than_the_transfer),
		TEST(odd_regions_are_taken_by_the_byte),
		TEST(cve_2019_12067_no_command_header),
		TEST(cve_2016_1568_late_answers_touch_no_later_command),
		TEST(every_reset_in_every_state),
		TEST(messages_replace_the_line),
		TEST(d3_moves_nothing_and_interrupts_nobody),
		TEST(media_events_notify_who_asked),
		TEST(a_successor_goes_on),
		TEST(accesses_of_every_width),
		TEST(random_accesses_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A register-level driver for the IDE controller: PIO, DMA, every reset, malformed tables, restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "ide_driver.h"
#include "mmc/sense.h"

static void resets_leave_the_signature(void **state)
{
	struct board *b = *state;

	assert_int_equal(in(b, COUNT), 1);
	assert_int_equal(in(b, LOW), 1);
	assert_int_equal(in(b, ERR), 1);
	out(b, STATUS, 0xec); /* IDENTIFY DEVICE is aborted, with the signature */
	assert_int_equal(in(b, ALT) & 0x89, 0x01);
	assert_int_equal(in(b, ERR), 4);
	assert_int_equal(in(b, MID), 0x14);
	assert_true(b->rig.intx);
	in(b, STATUS);
	assert_false(b->rig.intx);
	out(b, DEV, 0x10); /* the slave is not there */
	assert_int_equal(in(b, STATUS), 0);
	out(b, STATUS, 0xa1);
	assert_int_equal(in(b, STATUS), 0);
	out(b, DEV, 0);
	assert_alive(b);
}

static void pio_in_goes_in_blocks(void **state)
{
	static const struct {
		uint16_t limit;
		uint16_t first; /* bytes of the first block */
	} rows[] = { { 2048, 2048 }, { 5120, 5120 }, { 0xffff, 0xfffe }, { 7, 6 }, { 1001, 1000 } };
	struct board *b = *state;
	uint8_t cdb[12];

	for (size_t row = 0; row < XO_ARRAY_SIZE(rows); row++) {
		uint32_t at = 0;
		uint32_t total = rows[row].limit < 1000 ? 2048 : 32 * 2048;

		read10(cdb, 100, (uint16_t)(total / 2048));
		packet(b, cdb, rows[row].limit);
		assert_int_equal(in(b, ALT) & 0x88, 0x80);
		assert_false(b->rig.intx);
		fake_run(&b->fake, rig_packet(&b->rig));
		while (at < total) {
			uint32_t block = in(b, MID) | (uint32_t)in(b, HIGH) << 8;

			assert_true(b->rig.intx);
			assert_int_equal(in(b, STATUS) & 0x89, 0x08);
			assert_false(b->rig.intx);
			assert_int_equal(in(b, COUNT) & 3, 2);
			assert_int_equal(block, XO_MIN((uint32_t)rows[row].first, total - at));
			for (uint32_t i = 0; i < block; i += 2, at += 2)
				assert_int_equal(
					rig_in(&b->rig, DATA, 2),
					fake_pattern(100 + at / 2048, at % 2048) |
						fake_pattern(100 + at / 2048, at % 2048 + 1) << 8);
		}
		assert_true(b->rig.intx);
		assert_int_equal(in(b, COUNT) & 3, 3);
		assert_int_equal(in(b, STATUS) & 0x89, 0);
	}
}

static void pio_odd_lengths_are_padded(void **state)
{
	static const uint8_t inquiry[12] = { 0x12, 0, 0, 0, 35 };
	struct board *b = *state;
	uint8_t bytes[36];

	packet(b, inquiry, 0xfffe);
	fake_answer(&b->fake, rig_packet(&b->rig), 0, 0);
	assert_int_equal(in(b, MID), 35);
	for (int i = 0; i < 36; i += 2)
		xo_put_le16(bytes + i, (unsigned int)rig_in(&b->rig, DATA, 2));
	assert_int_equal(bytes[34],
			 fake_pattern(35 << 16, 34) /* lba field of an INQUIRY is noise */);
	assert_int_equal(bytes[35], 0);
	assert_int_equal(in(b, STATUS) & 0x89, 0);
}

static void pio_out_reaches_the_drive(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12] = { 0x2a, 0, 0, 0, 0, 5, 0, 0, 3 };
	uint32_t at = 0;

	packet(b, cdb, 4096);
	while (at < 3 * 2048) {
		uint32_t block = in(b, MID) | (uint32_t)in(b, HIGH) << 8;

		assert_true(b->rig.intx);
		assert_int_equal(in(b, STATUS) & 0x89, 0x08);
		assert_int_equal(in(b, COUNT) & 3, 0);
		for (uint32_t i = 0; i < block; i += 4, at += 4)
			rig_out(&b->rig, DATA, 4, at * 0x01010101u);
	}
	assert_int_equal(in(b, ALT) & 0x88, 0x80);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_int_equal(in(b, STATUS) & 0x89, 0);
	assert_int_equal(b->fake.written_bytes, 3 * 2048);
	for (at = 0; at < 3 * 2048; at += 4)
		assert_int_equal(xo_get_le32(b->fake.written + at), at * 0x01010101u);
}

static void sense_is_kept_for_request_sense(void **state)
{
	static const uint8_t test_unit_ready[12] = { 0 };
	static const uint8_t request_sense[12] = { 0x03, 0, 0, 0, 18 };
	struct board *b = *state;
	uint8_t sense[18];

	packet(b, test_unit_ready, 0xfffe);
	fake_answer(&b->fake, rig_packet(&b->rig), XO_SENSE_NO_MEDIUM, 0);
	assert_int_equal(in(b, ERR), 0x20);
	assert_int_equal(in(b, STATUS) & 0x89, 0x01);
	packet(b, request_sense, 0xfffe);
	assert_int_equal(fake_pending(&b->fake), -1);
	for (int i = 0; i < 18; i += 2)
		xo_put_le16(sense + i, (unsigned int)rig_in(&b->rig, DATA, 2));
	assert_int_equal(sense[2] & 0xf, 2);
	assert_int_equal(sense[12], 0x3a);
	assert_int_equal(in(b, STATUS) & 0x89, 0);
	packet(b, request_sense, 0xfffe); /* the second goes to the drive */
	assert_true(fake_pending(&b->fake) >= 0);
	fake_run(&b->fake, rig_packet(&b->rig));
}

static void dma_moves_along_the_regions(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	read10(cdb, 50, 100); /* longer than the drive's buffer: two parts */
	for (unsigned int i = 0; i < 3; i++)
		region(b, i, BUFFER + i * 0x10000, i == 2 ? 0x80000000u : 0); /* 0: 64 KiB */
	region(b, 3, BUFFER + 0x30000, 0x80000000u | 8192);
	region(b, 2, BUFFER + 0x20000, 0);
	packet(b, cdb, 0);
	assert_int_equal(fake_pending(&b->fake), -1);
	start_dma(b, BM_READ);
	assert_int_equal(in(b, BM + 2) & 7, 1);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_true(b->rig.intx);
	assert_int_equal(in(b, BM + 2) & 7, 4);
	assert_int_equal(in(b, STATUS) & 0x89, 0);
	for (uint32_t at = 0; at < 100 * 2048; at++)
		assert_int_equal(*rig_ram(&b->rig, BUFFER + at, 1),
				 fake_pattern(50 + at / 2048, at % 2048));
	out(b, BM, 0);
	out(b, BM + 2, 0x64);
	assert_int_equal(in(b, BM + 2), 0x60);
}

static void dma_longer_regions_stay_active(void **state)
{
	static const uint8_t inquiry[12] = { 0x12, 0, 0, 0, 36 };
	struct board *b = *state;

	region(b, 0, BUFFER, 0x80000000u | 512);
	start_dma(b, BM_READ);
	packet(b, inquiry, 0);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_int_equal(in(b, BM + 2) & 7, 5);
	out(b, BM, 0);
	assert_int_equal(in(b, BM + 2) & 7, 4);
	assert_int_equal(in(b, STATUS) & 0x89, 0);
}

static void dma_out_reaches_the_drive(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12] = { 0x2a, 0, 0, 0, 0, 5, 0, 0, 2 };

	for (uint32_t i = 0; i < 4096; i++)
		*rig_ram(&b->rig, BUFFER + i, 1) = (uint8_t)(i * 13);
	region(b, 0, BUFFER, 1000);
	region(b, 1, BUFFER + 1000, 0x80000000u | 3096);
	packet(b, cdb, 0);
	start_dma(b, BM_WRITE);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_int_equal(in(b, BM + 2) & 7, 4);
	assert_int_equal(in(b, STATUS) & 0x89, 0);
	assert_int_equal(b->fake.written_bytes, 4096);
	for (uint32_t i = 0; i < 4096; i++)
		assert_int_equal(b->fake.written[i], (uint8_t)(i * 13));
}

/* By DMA and by PIO: a drive that leaves blocks of a WRITE and says GOOD gets no more of it, and the guest is told. */
static void nothing_follows_a_residual_of_a_write(void **state)
{
	static const uint32_t residuals[] = { 1, 2048, 64 * 2048 };
	struct board *b = *state;
	uint8_t cdb[12];

	for (uint32_t i = 0; i < 100 * 2048; i++)
		*rig_ram(&b->rig, BUFFER + i, 1) = (uint8_t)(i * 13 + i / 2048);
	for (unsigned int i = 0; i < 2 * XO_ARRAY_SIZE(residuals); i++) {
		uint32_t residual = residuals[i / 2];
		uint32_t taken = 64 * 2048 - residual;
		bool dma = i % 2;

		b->fake.written_bytes = 0;
		read10(cdb, 5, 100);
		cdb[0] = 0x2a;
		for (unsigned int at = 0; at < 100; at += 25)
			region(b, at / 25, BUFFER + at * 2048,
			       (at == 75 ? 0x80000000u : 0) | 25 * 2048);
		packet(b, cdb, dma ? 0 : 2048);
		if (dma)
			start_dma(b, BM_WRITE);
		for (uint32_t at = 0; !dma && at < 64 * 2048; at += 2)
			rig_out(&b->rig, DATA, 2, (uint32_t)rig_read(&b->rig, BUFFER + at, 2));
		fake_answer(&b->fake, rig_packet(&b->rig), 0, residual);
		assert_int_equal(fake_pending(&b->fake), -1);
		assert_int_equal(in(b, ERR), 0xb0); /* ABORTED COMMAND */
		assert_int_equal(in(b, STATUS) & 0x89, 0x01);
		assert_int_equal(b->fake.written_bytes, taken);
		assert_memory_equal(b->fake.written, rig_ram(&b->rig, BUFFER, taken), taken);
	}
	assert_alive(b);
}

/* In D3hot the bus master moves nothing, whichever way, and no interrupt comes (PCI PM 1.2, 5.4.1). */
static void d3_moves_nothing_and_interrupts_nobody(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	read10(cdb, 7, 2);
	region(b, 0, BUFFER, 0x80000000u | 4096);
	memset(rig_ram(&b->rig, BUFFER, 4096), 0xee, 4096);
	packet(b, cdb, 0);
	start_dma(b, BM_READ);
	rig_config_write(&b->rig, 0x74, 2, 3);
	fake_run(&b->fake, rig_packet(&b->rig));
	for (uint32_t i = 0; i < 4096; i++)
		assert_int_equal(*rig_ram(&b->rig, BUFFER + i, 1), 0xee);
	assert_false(b->rig.intx);
	assert_int_equal(in(b, STATUS), 0xff); /* nothing is decoded */
	rig_config_write(&b->rig, 0x74, 2, 0);
	assert_true(b->rig.intx);
	assert_int_equal(in(b, BM + 2) & 3, 2); /* Error, not Active */
	assert_int_equal(in(b, STATUS) & 0x89, 0x01);
	out(b, BM, 0);
	assert_alive(b);
}

static void a_dma_command_without_data_needs_no_bus_master(void **state)
{
	static const uint8_t test_unit_ready[12] = { 0 };
	struct board *b = *state;

	packet(b, test_unit_ready, 0);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_int_equal(in(b, STATUS) & 0x89, 0);
}

static void malformed_tables_fail_and_nothing_is_lost(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	read10(cdb, 0, 4);
	for (int way = 0; way < 7; way++) {
		uint32_t table = TABLE;

		memset(rig_ram(&b->rig, TABLE, 0x20000), 0, 0x20000);
		region(b, 0, BUFFER, 0x80000000u | 8192);
		switch (way) {
		case 0: /* outside RAM */
			region(b, 0, 0xf0000000, 0x80000000u | 8192);
			break;
		case 1: /* the table itself outside RAM */
			table = 0xfffffff8;
			break;
		case 2: /* no end: as many as fit into 64 KiB */
			region(b, 0, 0xf0000000, 2);
			break;
		case 3: /* across the end of RAM */
			region(b, 0, RIG_RAM_BASE + RIG_RAM_SIZE - 4096, 0x80000000u | 8192);
			break;
		case 4: /* wraps at 4 GiB */
			region(b, 0, 0xfffff000, 0x80000000u | 8192);
			break;
		case 5: /* no bus mastering */
			rig_config_write(&b->rig, 4, 2, 1);
			break;
		case 6: /* the wrong direction */
			break;
		}
		out(b, BM, 0);
		rig_out(&b->rig, BM + 4, 4, table);
		packet(b, cdb, 0);
		out(b, BM, way == 6 ? BM_WRITE : BM_READ);
		fake_run(&b->fake, rig_packet(&b->rig));
		assert_int_equal(in(b, STATUS) & 0x89, 0x01);
		out(b, BM, 0);
		out(b, BM + 2, 6);
		rig_config_write(&b->rig, 4, 2, 5);
		assert_alive(b);
	}
}

/*
 * CVE-2014-9718: a table shorter than the transfer. What the regions hold is
 * moved and nothing beyond, the drive is asked for no more, and the bus master
 * has nothing left to do.
 */
static void cve_2014_9718_tables_shorter_than_the_transfer(void **state)
{
	static const uint32_t totals[] = { 4096, 2048, 6, 2 };
	struct board *b = *state;

	for (size_t i = 0; i < 2 * XO_ARRAY_SIZE(totals); i++) {
		uint32_t total = totals[i / 2];
		bool to_drive = i & 1;
		uint8_t cdb[12];

		read10(cdb, 6, 4);
		if (to_drive)
			cdb[0] = 0x2a;
		memset(rig_ram(&b->rig, BUFFER, 0x3000), 0xee, 0x3000);
		b->fake.written_bytes = 0;
		region(b, 0, BUFFER, total / 2 & ~1u);
		region(b, 1, BUFFER + 0x2000, 0x80000000u | (total - (total / 2 & ~1u)));
		if (total == 2)
			region(b, 0, BUFFER + 0x2000, 0x80000002);
		packet(b, cdb, 0);
		start_dma(b, to_drive ? BM_WRITE : BM_READ);
		assert_true(fake_pending(&b->fake) >= 0);
		assert_int_equal(b->fake.length[fake_pending(&b->fake)], total);
		fake_run(&b->fake, rig_packet(&b->rig));
		assert_int_equal(in(b, BM + 2) & 3, 0);
		in(b, STATUS);
		for (uint32_t at = 0; !to_drive && at < total; at++) {
			uint32_t first = total == 2 ? 0 : total / 2 & ~1u;
			uint32_t to = at < first ? at : 0x2000 + at - first;

			assert_int_equal(*rig_ram(&b->rig, BUFFER + to, 1),
					 fake_pattern(6 + at / 2048, at % 2048));
			*rig_ram(&b->rig, BUFFER + to, 1) = 0xee;
		}
		for (uint32_t at = 0; at < 0x3000; at++)
			assert_int_equal(*rig_ram(&b->rig, BUFFER + at, 1), 0xee);
		if (to_drive)
			assert_int_equal(b->fake.written_bytes, total);
		out(b, BM, 0);
		out(b, BM + 2, 6);
		assert_alive(b);
	}
}

/* Bit 0 of addresses and counts, and bits 1 and 0 of the table's address, are 0 whatever is written. */
static void odd_tables_are_taken_as_even(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	read10(cdb, 6, 2);
	memset(rig_ram(&b->rig, BUFFER, 0x3000), 0xee, 0x3000);
	region(b, 0, BUFFER + 1, 1001);
	region(b, 1, BUFFER + 0x1003, 0x80000000u | 3097);
	rig_out(&b->rig, BM + 4, 4, TABLE + 3);
	assert_int_equal(rig_in(&b->rig, BM + 4, 4), TABLE);
	packet(b, cdb, 0);
	out(b, BM, BM_READ);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_int_equal(in(b, BM + 2) & 7, 4);
	assert_int_equal(in(b, STATUS) & 0x89, 0);
	for (uint32_t at = 0; at < 4096; at++)
		assert_int_equal(*rig_ram(&b->rig, BUFFER + (at < 1000 ? at : 0x1002 + at - 1000),
					  1),
				 fake_pattern(6 + at / 2048, at % 2048));
	assert_int_equal(*rig_ram(&b->rig, BUFFER + 1000, 1), 0xee);
	assert_int_equal(*rig_ram(&b->rig, BUFFER + 0x1001, 1), 0xee);
	assert_int_equal(*rig_ram(&b->rig, BUFFER + 0x1002 + 3096, 1), 0xee);
	/* A count of 1 is one of 0 then: 64 KiB. */
	region(b, 0, BUFFER, 0x80000001);
	packet(b, cdb, 0);
	start_dma(b, BM_READ);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_int_equal(in(b, BM + 2) & 7, 5);
	assert_int_equal(in(b, STATUS) & 0x89, 0);
	out(b, BM, 0);
}

/* A table may not cross 64 KiB; what lies behind the boundary is not its part. */
static void tables_end_at_64_kib(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	memset(rig_ram(&b->rig, BUFFER, 8192), 0xee, 8192);
	rig_write(&b->rig, 0x20fff8, 8, 0x0000100000000000u | BUFFER);
	rig_write(&b->rig, 0x210000, 8, 0x8000100000000000u | (BUFFER + 4096));
	read10(cdb, 6, 4);
	packet(b, cdb, 0);
	rig_out(&b->rig, BM + 4, 4, 0x20fff8);
	out(b, BM, BM_READ);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_int_equal(in(b, STATUS) & 0x89, 0x01);
	assert_int_equal(in(b, BM + 2) & 3, 2);
	for (uint32_t at = 0; at < 8192; at++)
		assert_int_equal(*rig_ram(&b->rig, BUFFER + at, 1), 0xee);
	out(b, BM, 0);
	assert_alive(b);
}

/*
 * CVE-2015-5154: string accesses beyond the block that the device asked for.
 * The packet takes its 12 bytes, each data block its own, and then nobody.
 */
static void cve_2015_5154_strings_beyond_the_block(void **state)
{
	static const uint8_t mode_select[12] = { 0x55, 0x10, 0, 0, 0, 0, 0, 0, 31 };
	static uint8_t bytes[1 << 20];
	struct board *b = *state;

	for (unsigned int width = 1; width <= 4; width *= 2) {
		/* Only the command's own data follow it: of a MiB the drive gets 31 bytes. */
		memset(bytes, 0x5a, sizeof(bytes));
		memcpy(bytes, mode_select, 12);
		b->fake.written_bytes = 0;
		b->fake.commands = 0;
		out(b, ERR, 0);
		out(b, MID, 16);
		out(b, HIGH, 0);
		out(b, STATUS, 0xa0);
		assert_true(xo_bus_write_string(&b->rig.bus, DATA, width, bytes,
						(uint32_t)sizeof(bytes) / width));
		assert_int_equal(in(b, ALT) & 0x88, 0x80);
		fake_run(&b->fake, rig_packet(&b->rig));
		assert_int_equal(in(b, STATUS) & 0x89, 0);
		assert_int_equal(b->fake.commands, 1);
		assert_int_equal(b->fake.written_bytes, 31);
		for (uint32_t at = 0; at < 31; at++)
			assert_int_equal(b->fake.written[at], 0x5a);
		/* With no command, in a data-in block, and while the drive has it: nothing. */
		assert_true(xo_bus_write_string(&b->rig.bus, DATA, width, bytes, 4096));
		out(b, STATUS, 0xa1);
		assert_true(xo_bus_write_string(&b->rig.bus, DATA, width, bytes, 4096));
		assert_int_equal(in(b, ALT) & 0x88, 0x08);
		assert_true(xo_bus_read_string(&b->rig.bus, DATA, width, bytes,
					       (uint32_t)sizeof(bytes) / width));
		assert_int_equal(xo_get_le16(bytes), 0x85c0);
		for (uint32_t at = 512; at < sizeof(bytes); at++)
			assert_int_equal(bytes[at], 0);
		assert_int_equal(in(b, STATUS) & 0x89, 0);
		assert_alive(b);
	}
}

/* CVE-2020-29443: an address that wraps, read by PIO. The drive alone judges it; no byte comes that it did not give. */
static void cve_2020_29443_addresses_that_wrap(void **state)
{
	static uint8_t bytes[512 * 1024];
	struct board *b = *state;
	uint8_t cdb[12];

	read10(cdb, 0xffffffff, 100); /* more than the drive's buffer */
	packet(b, cdb, 0xfffe);
	fake_answer(&b->fake, rig_packet(&b->rig), 0, 0);
	memset(bytes, 0xee, sizeof(bytes));
	assert_true(xo_bus_read_string(&b->rig.bus, DATA, 2, bytes, sizeof(bytes) / 2));
	assert_int_equal(bytes[64 * 2048 - 1], fake_pattern(0xffffffff + 63, 2047));
	for (uint32_t at = 64 * 2048; at < sizeof(bytes); at++)
		assert_int_equal(bytes[at], 0);
	assert_int_equal(in(b, ALT) & 0x88, 0x80);
	assert_int_equal(xo_get_be32(b->fake.cdb[fake_pending(&b->fake)] + 2), 63);
	fake_answer(&b->fake, rig_packet(&b->rig), XO_SENSE_LBA_OUT_OF_RANGE, 36 * 2048);
	assert_int_equal(rig_in(&b->rig, DATA, 2), 0);
	assert_int_equal(in(b, STATUS) & 0x89, 0x01);
	assert_int_equal(in(b, ERR) >> 4, 5);
	assert_alive(b);
}

/* CVE-2020-25743, CVE-2023-5088: the answer to a command that was reset comes while another one runs. */
static void cve_2023_5088_late_answers_touch_no_later_command(void **state)
{
	static const struct xo_packet_result good;
	struct board *b = *state;
	uint8_t cdb[12];

	for (int reset = 0; reset < 2; reset++) {
		int handle;

		memset(rig_ram(&b->rig, BUFFER, 8192), 0xee, 8192);
		read10(cdb, 3, 4);
		region(b, 0, BUFFER, 0x80000000u | 8192);
		packet(b, cdb, 0);
		start_dma(b, BM_READ);
		handle = fake_pending(&b->fake);
		if (reset) {
			out(b, ALT, SRST);
			out(b, ALT, 0);
		} else {
			out(b, STATUS, 0x08);
		}
		xo_packet_complete(rig_packet(&b->rig), handle, &good);
		assert_false(b->rig.intx);
		out(b, BM, 0);
		out(b, BM + 2, 6);
		read10(cdb, 70, 1);
		region(b, 0, BUFFER + 4096, 0x80000000u | 2048);
		packet(b, cdb, 0);
		start_dma(b, BM_READ);
		/* The first one's answer, with data: to a drive that has given it up, and to none. */
		xo_packet_complete(rig_packet(&b->rig), handle, &good);
		fake_answer(&b->fake, rig_packet(&b->rig), 0, 0);
		assert_int_equal(in(b, ALT) & 0x88, 0x80);
		assert_int_equal(in(b, BM + 2) & 7, 1);
		assert_false(b->rig.intx);
		for (uint32_t at = 0; at < 8192; at++)
			assert_int_equal(*rig_ram(&b->rig, BUFFER + at, 1), 0xee);
		fake_answer(&b->fake, rig_packet(&b->rig), 0, 0);
		assert_int_equal(in(b, STATUS) & 0x89, 0);
		for (uint32_t at = 0; at < 2048; at++)
			assert_int_equal(*rig_ram(&b->rig, BUFFER + 4096 + at, 1),
					 fake_pattern(70, at));
		out(b, BM, 0);
		out(b, BM + 2, 6);
		assert_alive(b);
	}
}

/* SRST, DEVICE RESET or a PCI reset in each state of a command; late answers of the drive go nowhere. */
static void every_reset_in_every_state(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	for (int reset = 0; reset < 3; reset++) {
		for (int at = 0; at < 8; at++) {
			read10(cdb, 3, 4);
			if (at == 7)
				cdb[0] = 0x2a;
			region(b, 0, BUFFER, 0x80000000u | 8192);
			switch (at) {
			case 0: /* idle */
				break;
			case 1: /* packet half sent */
				out(b, STATUS, 0xa0);
				rig_out(&b->rig, DATA, 2, 0x28);
				break;
			case 2: /* with the drive, PIO */
				packet(b, cdb, 2048);
				break;
			case 3: /* in a data block */
				packet(b, cdb, 2048);
				fake_run(&b->fake, rig_packet(&b->rig));
				rig_in(&b->rig, DATA, 2);
				break;
			case 4: /* waits for the bus master */
				packet(b, cdb, 0);
				break;
			case 5: /* with the drive, DMA */
				packet(b, cdb, 0);
				start_dma(b, BM_READ);
				break;
			case 6: /* identifying */
				out(b, STATUS, 0xa1);
				rig_in(&b->rig, DATA, 4);
				break;
			case 7: /* taking data */
				packet(b, cdb, 2048);
				rig_out(&b->rig, DATA, 4, 1);
				break;
			}
			if (reset == 0) {
				out(b, ALT, SRST);
				assert_int_equal(in(b, ALT) & 0x80, 0x80);
				out(b, ALT, 0);
			} else if (reset == 1) {
				out(b, STATUS, 0x08);
			} else {
				xo_ide_reset(&b->rig.ide);
				rig_config_write(&b->rig, 0x10, 4, CMD);
				rig_config_write(&b->rig, 0x14, 4, CTL);
				rig_config_write(&b->rig, 0x20, 4, BM);
				rig_config_write(&b->rig, 4, 2, 5);
			}
			assert_false(b->rig.intx);
			fake_run(&b->fake, rig_packet(&b->rig));
			assert_false(b->rig.intx);
			out(b, BM, 0);
			assert_alive(b);
		}
	}
}

static void nien_masks_the_line_only(void **state)
{
	static const uint8_t test_unit_ready[12] = { 0 };
	struct board *b = *state;

	out(b, ALT, NIEN);
	packet(b, test_unit_ready, 0xfffe);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_false(b->rig.intx);
	out(b, ALT, 0);
	assert_true(b->rig.intx);
	rig_config_write(&b->rig, 4, 2, 5 | 0x400); /* INTx disable */
	assert_false(b->rig.intx);
	assert_int_equal(rig_config_read(&b->rig, 6, 2) & 8, 8);
	rig_config_write(&b->rig, 4, 2, 5);
	assert_true(b->rig.intx);
	in(b, STATUS);
	assert_false(b->rig.intx);
}

static void strings_are_moved_whole(void **state)
{
	struct board *b = *state;
	uint8_t bytes[4096];
	uint8_t cdb[12];

	read10(cdb, 20, 2);
	packet(b, cdb, 4096);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_true(xo_bus_read_string(&b->rig.bus, DATA, 2, bytes, 2048));
	for (uint32_t at = 0; at < 4096; at++)
		assert_int_equal(bytes[at], fake_pattern(20 + at / 2048, at % 2048));
	assert_int_equal(in(b, STATUS) & 0x89, 0);
	/* Longer than what is there: zeros. */
	assert_true(xo_bus_read_string(&b->rig.bus, DATA, 4, bytes, 1024));
	assert_int_equal(bytes[0], 0);
}

/* Killed at any point of a read and a write: the successor goes on, and each command reaches the drive once. */
static void a_successor_goes_on(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12] = { 0x2a, 0, 0, 0, 0, 5, 0, 0, 2 };

	packet(b, cdb, 2048);
	assert_int_equal(rig_restart(&b->rig, &b->drive), 0);
	for (uint32_t i = 0; i < 4096; i += 2) {
		if (i == 2048 || i == 1022)
			assert_int_equal(rig_restart(&b->rig, &b->drive), 0);
		rig_out(&b->rig, DATA, 2, i);
	}
	assert_int_equal(rig_restart(&b->rig, &b->drive), 0);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_int_equal(rig_restart(&b->rig, &b->drive), 0);
	assert_true(b->rig.intx);
	assert_int_equal(in(b, STATUS) & 0x89, 0);
	assert_int_equal(b->fake.commands, 1);
	assert_int_equal(b->fake.written_bytes, 4096);
	for (uint32_t i = 0; i < 4096; i += 2)
		assert_int_equal(xo_get_le16(b->fake.written + i), i);
	assert_alive(b);
}

static void the_drive_may_be_busy_with_what_was_reset(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	read10(cdb, 3, 1);
	for (int i = 0; i < FAKE_HANDLES; i++) {
		packet(b, cdb, 2048);
		out(b, STATUS, 0x08);
	}
	packet(b, cdb, 2048);
	assert_int_equal(in(b, STATUS) & 0x89, 0x01);
	assert_int_equal(in(b, ERR), 0x20); /* NOT READY, becoming ready: try again */
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_alive(b);
}

/* Any sequence of port accesses: no crash (sanitizers watch), and a reset brings back a working device. */
static void random_accesses_do_no_harm(void **state)
{
	struct board *b = *state;
	uint32_t seed = 20240611;

	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 500; i++) {
			uint16_t port;
			unsigned int width;

			seed = seed * 1664525 + 1013904223;
			port = (uint16_t)(CMD + (seed >> 8) % 0x30);
			width = 1u << (seed >> 20) % 3;
			if (seed >> 31)
				rig_out(&b->rig, port, width,
					(seed >> 24 & 7) == 0 ? 0xa0 : seed >> 3);
			else
				rig_in(&b->rig, port, width);
			if (i % 50 == 0)
				fake_run(&b->fake, rig_packet(&b->rig));
		}
		fake_run(&b->fake, rig_packet(&b->rig));
		out(b, BM, 0);
		out(b, DEV, 0);
		out(b, ALT, 0);
		assert_alive(b);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(resets_leave_the_signature),
		TEST(pio_in_goes_in_blocks),
		TEST(pio_odd_lengths_are_padded),
		TEST(pio_out_reaches_the_drive),
		TEST(sense_is_kept_for_request_sense),
		TEST(dma_moves_along_the_regions),
		TEST(dma_longer_regions_stay_active),
		TEST(dma_out_reaches_the_drive),
		TEST(nothing_follows_a_residual_of_a_write),
		TEST(d3_moves_nothing_and_interrupts_nobody),
		TEST(a_dma_command_without_data_needs_no_bus_master),
		TEST(malformed_tables_fail_and_nothing_is_lost),
		TEST(cve_2014_9718_tables_shorter_than_the_transfer),
		TEST(odd_tables_are_taken_as_even),
		TEST(tables_end_at_64_kib),
		TEST(cve_2015_5154_strings_beyond_the_block),
		TEST(cve_2020_29443_addresses_that_wrap),
		TEST(cve_2023_5088_late_answers_touch_no_later_command),
		TEST(every_reset_in_every_state),
		TEST(nien_masks_the_line_only),
		TEST(strings_are_moved_whole),
		TEST(a_successor_goes_on),
		TEST(the_drive_may_be_busy_with_what_was_reset),
		TEST(random_accesses_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every command of the IDE device, by its registers and INTRQ: those that
 * ATA8-ACS has for a packet device, those that it has not, PACKET with each
 * kind of data, and what stands where there is no drive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "ide_driver.h"
#include "mmc/sense.h"

enum {
	BSY = 0x80,
	DRDY = 0x40,
	DRQ = 0x08,
	CHK = 0x01,
	BUSY_MASK = BSY | DRQ | CHK,
	ABRT = 0x04,
	DEVICE_ONE = 0x10,
	DEVICE_RESET = 0x08,
	READ_SECTORS = 0x20,
	DIAGNOSTIC = 0x90,
	PACKET = 0xa0,
	IDENTIFY_PACKET = 0xa1,
	IDENTIFY = 0xec,
	SET_FEATURES = 0xef,
};

static void write_task_file(struct board *b, uint8_t feature, uint8_t count)
{
	out(b, ERR, feature);
	out(b, COUNT, count);
	out(b, LOW, 0x55);
	out(b, MID, 0x66);
	out(b, HIGH, 0x77);
}

static void assert_signature(struct board *b)
{
	assert_int_equal(in(b, COUNT), 1);
	assert_int_equal(in(b, LOW), 1);
	assert_int_equal(in(b, MID), 0x14);
	assert_int_equal(in(b, HIGH), 0xeb);
}

/* A command that ends at once, with INTRQ until the status is read. */
static void assert_ended(struct board *b, uint8_t status)
{
	assert_true(b->rig.intx);
	assert_int_equal(in(b, ALT), status);
	assert_true(b->rig.intx);
	assert_int_equal(in(b, STATUS), status);
	assert_false(b->rig.intx);
	assert_int_equal(b->fake.commands, 0);
}

static void assert_done(struct board *b)
{
	assert_ended(b, 0x50);
	assert_int_equal(in(b, ERR), 0);
}

static void assert_aborted(struct board *b)
{
	assert_ended(b, 0x51);
	assert_int_equal(in(b, ERR), ABRT);
}

static void identify(struct board *b, uint8_t id[512])
{
	out(b, STATUS, IDENTIFY_PACKET);
	assert_true(b->rig.intx);
	assert_int_equal(in(b, STATUS) & BUSY_MASK, DRQ);
	for (int i = 0; i < 512; i += 2)
		xo_put_le16(id + i, (unsigned int)rig_in(&b->rig, DATA, 2));
	assert_int_equal(in(b, STATUS) & BUSY_MASK, 0);
}

static unsigned int word(const uint8_t id[512], unsigned int at)
{
	return xo_get_le16(id + 2 * at);
}

/* Both devices run it, whichever is selected; device 0 tells the code of both (ATA8-ACS 7.9). */
static void a_diagnostic_is_for_both_devices(void **state)
{
	struct board *b = *state;

	for (unsigned int selected = 0; selected <= DEVICE_ONE; selected += DEVICE_ONE) {
		write_task_file(b, 0, 9);
		out(b, DEV, (uint8_t)selected);
		out(b, STATUS, DIAGNOSTIC);
		assert_true(b->rig.intx);
		/* Device 0 is selected afterwards, passed, and device 1 passed or not there. */
		assert_int_equal(in(b, DEV) & DEVICE_ONE, 0);
		assert_int_equal(in(b, ERR), 0x01);
		assert_signature(b);
		/* A packet device leaves DRDY clear, unlike a disk. */
		assert_ended(b, 0);
	}
	out(b, ALT, NIEN);
	out(b, STATUS, DIAGNOSTIC);
	assert_false(b->rig.intx);
	assert_int_equal(in(b, STATUS) & BUSY_MASK, 0);
	out(b, ALT, 0);
	assert_alive(b);
}

enum device_state {
	IDLE,
	AFTER_ERROR,
	PACKET_WANTED,
	WITH_DRIVE,
	DATA_IN,
	DATA_OUT,
	WAITS_FOR_BUS_MASTER,
	WITH_DRIVE_BY_DMA,
	IDENTIFYING,
	DEVICE_STATES,
};

static void enter(struct board *b, enum device_state at)
{
	uint8_t write10[12] = { 0x2a, 0, 0, 0, 0, 5, 0, 0, 2 };
	uint8_t cdb[12];

	read10(cdb, 3, 4);
	region(b, 0, BUFFER, 0x80000000u | 8192);
	switch (at) {
	case AFTER_ERROR:
		packet(b, cdb, 2048);
		fake_answer(&b->fake, rig_packet(&b->rig), XO_SENSE_NO_MEDIUM, 8192);
		break;
	case PACKET_WANTED:
		out(b, ERR, 0);
		out(b, STATUS, PACKET);
		break;
	case WITH_DRIVE:
		packet(b, cdb, 2048);
		break;
	case DATA_IN:
		packet(b, cdb, 2048);
		fake_run(&b->fake, rig_packet(&b->rig));
		break;
	case DATA_OUT:
		packet(b, write10, 2048);
		break;
	case WAITS_FOR_BUS_MASTER:
		packet(b, cdb, 0);
		break;
	case WITH_DRIVE_BY_DMA:
		packet(b, cdb, 0);
		start_dma(b, BM_READ);
		break;
	case IDENTIFYING:
		out(b, STATUS, IDENTIFY_PACKET);
		break;
	default:
		break;
	}
}

/* DEVICE RESET alone is taken while BSY or DRQ is set; it does not interrupt (ATA8-ACS 7.6). */
static void device_reset_ends_every_state(void **state)
{
	struct board *b = *state;

	write_task_file(b, 3, 0x42);
	out(b, STATUS, SET_FEATURES);
	in(b, STATUS);
	for (enum device_state at = IDLE; at < DEVICE_STATES; at++) {
		enter(b, at);
		out(b, STATUS, DEVICE_RESET);
		assert_false(b->rig.intx);
		assert_int_equal(in(b, ALT), 0);
		assert_int_equal(in(b, ERR), 0x01);
		assert_signature(b);
		assert_int_equal(in(b, BM + 2) & 1, 0);
		/* The data port is closed, and the drive's late answer goes nowhere. */
		assert_int_equal(rig_in(&b->rig, DATA, 2), 0);
		fake_run(&b->fake, rig_packet(&b->rig));
		assert_int_equal(in(b, ALT), 0);
		assert_false(b->rig.intx);
		/* It is not the bus' reset: what SET FEATURES said stays. */
		assert_int_equal(b->rig.ide_state.ata.transfer_mode, 0x42);
		out(b, BM, 0);
		assert_alive(b);
	}
}

/* Every other command has no effect then: not its own, nor on the one that runs. */
static void commands_are_ignored_while_one_runs(void **state)
{
	static const enum device_state states[] = { PACKET_WANTED, WITH_DRIVE, DATA_IN, DATA_OUT,
						    WAITS_FOR_BUS_MASTER };
	static const uint8_t commands[] = { DIAGNOSTIC, PACKET,	      IDENTIFY_PACKET,
					    IDENTIFY,	SET_FEATURES, READ_SECTORS,
					    0xe5 };
	struct board *b = *state;

	for (size_t i = 0; i < XO_ARRAY_SIZE(states); i++) {
		uint8_t status;
		uint8_t count;
		bool intx;

		enter(b, states[i]);
		status = in(b, ALT);
		count = in(b, COUNT);
		intx = b->rig.intx;
		for (size_t k = 0; k < XO_ARRAY_SIZE(commands); k++) {
			write_task_file(b, 3, 0x42);
			out(b, STATUS, commands[k]);
			assert_int_equal(in(b, ALT), status);
			assert_int_equal(in(b, COUNT), count);
			assert_int_equal(b->rig.intx, intx);
		}
		assert_int_equal(b->rig.ide_state.ata.transfer_mode, 0x45);
		fake_run(&b->fake, rig_packet(&b->rig));
		assert_alive(b);
	}
}

/* SET FEATURES 03h with each of its values: what IDENTIFY offers is set, the rest aborted. */
static void transfer_modes_are_set_or_aborted(void **state)
{
	struct board *b = *state;
	uint8_t id[512];
	uint8_t dma = 0x45;

	for (unsigned int mode = 0; mode < 256; mode++) {
		bool pio = mode <= 1 || (mode >= 0x08 && mode <= 0x0c);
		bool mwdma = mode >= 0x20 && mode <= 0x22;
		bool udma = mode >= 0x40 && mode <= 0x45;

		write_task_file(b, 3, (uint8_t)mode);
		out(b, STATUS, SET_FEATURES);
		if (!pio && !mwdma && !udma) {
			assert_aborted(b);
			assert_int_equal(b->rig.ide_state.ata.transfer_mode, dma);
			continue;
		}
		assert_done(b);
		if (!pio)
			dma = (uint8_t)mode;
		identify(b, id);
		assert_int_equal(word(id, 63), 0x0007 | (dma < 0x40 ? 0x100u << (dma & 7) : 0));
		assert_int_equal(word(id, 88), 0x003f | (dma >= 0x40 ? 0x100u << (dma & 7) : 0));
	}
}

static void other_features_are_known_or_aborted(void **state)
{
	/* Keep and revert at reset are no more than a promise here; the others nobody has. */
	static const struct {
		uint8_t feature;
		uint8_t count;
		bool known;
	} rows[] = {
		{ 0x66, 0, true },  { 0xcc, 0, true }, /* settings at a reset */
		{ 0x02, 0, false }, { 0x82, 0, false }, /* write cache */
		{ 0x05, 1, false }, { 0x85, 0, false }, /* advanced power management */
		{ 0x5d, 0, false }, { 0x5e, 0, false }, /* interrupts of overlapped commands */
		{ 0x10, 5, false }, { 0x90, 5, false }, /* Serial ATA's */
		{ 0x00, 0, false }, { 0xff, 0, false },
	};
	struct board *b = *state;

	for (size_t i = 0; i < XO_ARRAY_SIZE(rows); i++) {
		write_task_file(b, rows[i].feature, rows[i].count);
		out(b, STATUS, SET_FEATURES);
		if (rows[i].known)
			assert_done(b);
		else
			assert_aborted(b);
	}
}

static void power_commands_end_at_once(void **state)
{
	static const uint8_t commands[] = { 0xe0 /* STANDBY IMMEDIATE */, 0xe1 /* IDLE IMMEDIATE */,
					    0xe6 /* SLEEP */ };
	struct board *b = *state;

	for (size_t i = 0; i < XO_ARRAY_SIZE(commands); i++) {
		write_task_file(b, 0, 7);
		out(b, STATUS, commands[i]);
		assert_done(b);
		/* The drive behind it sleeps when it likes, so it is always active. */
		write_task_file(b, 0, 7);
		out(b, STATUS, 0xe5);
		assert_done(b);
		assert_int_equal(in(b, COUNT), 0xff);
		assert_alive(b);
		b->fake.commands = 0;
	}
	/* Their timers are the host's to set on disks alone. */
	out(b, STATUS, 0xe2); /* STANDBY */
	assert_aborted(b);
	out(b, STATUS, 0xe3); /* IDLE */
	assert_aborted(b);
}

/*
 * CVE-2015-6855: commands for disks, with any count, reached an ATAPI device
 * and divided by its sectors. Whatever is no packet device's is aborted.
 */
static void cve_2015_6855_commands_of_disks_are_aborted(void **state)
{
	struct board *b = *state;

	for (unsigned int command = 0; command < 256; command++) {
		if (packet_device_has(command))
			continue;
		for (size_t i = 0; i < sizeof(odd_counts); i++) {
			write_task_file(b, 0, odd_counts[i]);
			out(b, STATUS, (uint8_t)command);
			assert_int_equal(rig_in(&b->rig, DATA, 4), 0);
			assert_aborted(b);
			if (command == READ_SECTORS || command == IDENTIFY) {
				/* How old hosts tell a packet device (ATA8-ACS 7.16, 7.33). */
				assert_signature(b);
				continue;
			}
			assert_int_equal(in(b, COUNT), odd_counts[i]);
			assert_int_equal(in(b, LOW), 0x55);
			assert_int_equal(in(b, MID), 0x66);
			assert_int_equal(in(b, HIGH), 0x77);
		}
	}
	assert_alive(b);
}

static void packet_with_overlap_is_aborted(void **state)
{
	struct board *b = *state;

	for (uint8_t feature = 2; feature < 4; feature++) {
		write_task_file(b, feature, 0);
		out(b, STATUS, PACKET);
		assert_aborted(b);
	}
	assert_alive(b);
}

/* The DMA bit alone decides who moves the data. */
static void packet_by_dma_and_by_pio_are_not_mixed(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	read10(cdb, 5, 1);
	memset(rig_ram(&b->rig, BUFFER, 2048), 0xee, 2048);
	region(b, 0, BUFFER, 0x80000000u | 2048);
	/* By DMA, and the host reads the data port: nothing there, nothing asked of the drive. */
	packet(b, cdb, 0);
	assert_int_equal(in(b, ALT) & (BSY | DRQ), BSY);
	assert_int_equal(rig_in(&b->rig, DATA, 2), 0);
	assert_int_equal(fake_pending(&b->fake), -1);
	assert_false(b->rig.intx);
	start_dma(b, BM_READ);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_int_equal(in(b, STATUS) & BUSY_MASK, 0);
	assert_int_equal(*rig_ram(&b->rig, BUFFER, 1), fake_pattern(5, 0));
	out(b, BM, 0);
	out(b, BM + 2, 6);
	/* By PIO, with the bus master running: it moves nothing and stays as it is. */
	memset(rig_ram(&b->rig, BUFFER, 2048), 0xee, 2048);
	start_dma(b, BM_READ);
	packet(b, cdb, 2048);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_int_equal(in(b, STATUS) & BUSY_MASK, DRQ);
	for (uint32_t i = 0; i < 2048; i += 2)
		assert_int_equal(rig_in(&b->rig, DATA, 2),
				 fake_pattern(5, i) | fake_pattern(5, i + 1) << 8);
	assert_int_equal(in(b, STATUS) & BUSY_MASK, 0);
	assert_int_equal(*rig_ram(&b->rig, BUFFER, 1), 0xee);
	assert_int_equal(in(b, BM + 2) & 3, 1);
	out(b, BM, 0);
	assert_alive(b);
}

/* DRQ and INTRQ come again after the packet, for every kind of list (ATA8-ACS 7.18.4). */
static void parameter_lists_go_out_by_pio(void **state)
{
	static const struct {
		uint8_t cdb[12];
		uint32_t length;
		uint16_t limit;
	} rows[] = {
		{ { 0x55, 0x10, 0, 0, 0, 0, 0, 0, 60 }, 60, 0xfffe }, /* MODE SELECT(10) */
		{ { 0x55, 0x10, 0, 0, 0, 0, 0, 0, 60 }, 60, 16 },
		{ { 0x55, 0x10, 0, 0, 0, 0, 0, 0, 59 }, 59, 32 },
		{ { 0x5d, 0, 0, 0, 0, 0, 0, 0, 24 }, 24, 0xfffe }, /* SEND CUE SHEET */
		{ { 0x5d, 0, 0, 0, 0, 0, 0, 3, 0x20 }, 800, 512 },
		{ { 0x04, 0x11 }, 12, 0xfffe }, /* FORMAT UNIT */
	};
	struct board *b = *state;

	for (size_t row = 0; row < XO_ARRAY_SIZE(rows); row++) {
		uint32_t length = rows[row].length;
		uint32_t at = 0;

		b->fake.written_bytes = 0;
		b->fake.commands = 0;
		packet(b, rows[row].cdb, rows[row].limit);
		while (at < length) {
			uint32_t block = in(b, MID) | (uint32_t)in(b, HIGH) << 8;

			assert_int_equal(b->fake.commands, 0);
			assert_true(b->rig.intx);
			assert_int_equal(in(b, STATUS) & BUSY_MASK, DRQ);
			assert_int_equal(in(b, COUNT) & 3, 0);
			assert_int_equal(block, XO_MIN((uint32_t)rows[row].limit, length - at));
			for (uint32_t i = 0; i < block; i += 2)
				rig_out(&b->rig, DATA, 2,
					(uint8_t)(at + i) | (uint8_t)(at + i + 1) << 8);
			at += block;
		}
		assert_int_equal(in(b, ALT) & (BSY | DRQ), BSY);
		assert_false(b->rig.intx);
		assert_int_equal(b->fake.commands, 1);
		fake_run(&b->fake, rig_packet(&b->rig));
		assert_true(b->rig.intx);
		assert_int_equal(in(b, COUNT) & 3, 3);
		assert_int_equal(in(b, STATUS) & BUSY_MASK, 0);
		assert_int_equal(b->fake.written_bytes, length);
		for (uint32_t i = 0; i < length; i++)
			assert_int_equal(b->fake.written[i], (uint8_t)i);
	}
}

/* A drive that gives less than the CDB asks for: the last block says how much, down to nothing. */
static void residuals_end_a_read_early(void **state)
{
	static const struct {
		uint32_t got;
		uint16_t limit;
	} rows[] = { { 804, 0xfffe }, { 20, 0xfffe }, { 19, 0xfffe }, { 1, 0xfffe },
		     { 0, 0xfffe },   { 200, 64 },    { 201, 64 },    { 63, 64 } };
	static const uint8_t read_toc[12] = { 0x43, 0, 0, 0, 0, 0, 0, 3, 0x24 };
	struct board *b = *state;

	for (size_t row = 0; row < XO_ARRAY_SIZE(rows); row++) {
		uint32_t at = 0;

		packet(b, read_toc, rows[row].limit);
		fake_answer(&b->fake, rig_packet(&b->rig), 0, 804 - rows[row].got);
		while (at < rows[row].got) {
			uint32_t block = in(b, MID) | (uint32_t)in(b, HIGH) << 8;

			assert_true(b->rig.intx);
			assert_int_equal(in(b, STATUS) & BUSY_MASK, DRQ);
			assert_int_equal(block,
					 XO_MIN((uint32_t)rows[row].limit, rows[row].got - at));
			for (uint32_t i = 0; i < block; i += 2, at += 2) {
				unsigned int low = fake_pattern(0, at);
				unsigned int high =
					at + 1 < rows[row].got ? fake_pattern(0, at + 1) : 0;

				assert_int_equal(rig_in(&b->rig, DATA, 2), low | high << 8);
			}
		}
		assert_true(b->rig.intx);
		assert_int_equal(in(b, COUNT) & 3, 3);
		assert_int_equal(in(b, STATUS) & BUSY_MASK, 0);
	}
	/* The same by DMA: no byte behind, and Active stays, since the regions are not used up. */
	for (size_t row = 0; row < 5; row++) {
		uint32_t got = rows[row].got;

		memset(rig_ram(&b->rig, BUFFER, 1024), 0xee, 1024);
		region(b, 0, BUFFER, 0x80000000u | 804);
		packet(b, read_toc, 0);
		start_dma(b, BM_READ);
		fake_answer(&b->fake, rig_packet(&b->rig), 0, 804 - got);
		assert_true(b->rig.intx);
		assert_int_equal(in(b, BM + 2) & 7, got == 804 ? 4 : 5);
		assert_int_equal(in(b, STATUS) & BUSY_MASK, 0);
		out(b, BM, 0);
		out(b, BM + 2, 6);
		for (uint32_t i = 0; i < 1024; i++)
			assert_int_equal(*rig_ram(&b->rig, BUFFER + i, 1),
					 i < got ? fake_pattern(0, i) : 0xee);
	}
}

/* ATA/ATAPI-6 9.16.1: writes go to device 0, commands to nobody, and reads give 0. */
static void device_one_is_not_there(void **state)
{
	struct board *b = *state;

	out(b, DEV, DEVICE_ONE);
	write_task_file(b, 0x33, 0x44);
	for (unsigned int reg = ERR; reg <= STATUS; reg++)
		assert_int_equal(in(b, (uint16_t)reg), 0);
	assert_int_equal(in(b, ALT), 0);
	assert_int_equal(rig_in(&b->rig, DATA, 2), 0);
	for (unsigned int command = 0; command < 256; command++) {
		if (command == DIAGNOSTIC)
			continue;
		out(b, STATUS, (uint8_t)command);
		assert_int_equal(in(b, ALT), 0);
		assert_false(b->rig.intx);
	}
	out(b, DEV, 0);
	assert_int_equal(in(b, COUNT), 0x44);
	assert_int_equal(in(b, LOW), 0x55);
	assert_int_equal(in(b, MID), 0x66);
	assert_int_equal(in(b, HIGH), 0x77);
	assert_alive(b);
}

/* Nothing is on the second cable: its lines float high, and whatever is written there is lost. */
static void the_second_channel_floats(void **state)
{
	enum { CMD_2 = 0xc030, CTL_2 = 0xc040, BM_2 = BM + 8 };
	struct board *b = *state;
	uint8_t cdb[12];

	rig_config_write(&b->rig, 0x18, 4, CMD_2);
	rig_config_write(&b->rig, 0x1c, 4, CTL_2);
	read10(cdb, 8, 1);
	packet(b, cdb, 2048); /* the first channel's business goes on meanwhile */
	for (unsigned int command = 0; command < 256; command++) {
		for (unsigned int reg = CMD_2 + 1; reg < CMD_2 + 7; reg++)
			out(b, (uint16_t)reg, 0x14);
		out(b, CMD_2 + 7, (uint8_t)command);
		for (unsigned int reg = CMD_2 + 1; reg < CMD_2 + 8; reg++)
			assert_int_equal(in(b, (uint16_t)reg), 0xff);
		assert_int_equal(in(b, CTL_2 + 2), 0xff);
		assert_false(b->rig.intx);
	}
	out(b, CTL_2 + 2, SRST);
	out(b, CTL_2 + 2, 0);
	rig_out(&b->rig, BM_2 + 4, 4, TABLE);
	out(b, BM_2, BM_READ);
	out(b, BM_2, 0);
	assert_int_equal(in(b, BM_2 + 2) & 7, 0);
	assert_int_equal(in(b, CTL_2 + 2), 0xff);
	assert_false(b->rig.intx);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_int_equal(b->fake.commands, 1);
	assert_int_equal(in(b, STATUS) & BUSY_MASK, DRQ);
	assert_int_equal(rig_in(&b->rig, DATA, 2), fake_pattern(8, 0) | fake_pattern(8, 1) << 8);
	assert_alive(b);
}

static void assert_string(const uint8_t *words, const char *text)
{
	for (size_t i = 0; i < strlen(text); i++)
		assert_int_equal(words[i ^ 1], text[i]);
}

/* IDENTIFY PACKET DEVICE, word by word as ATA8-ACS 7.17 has them. */
static void identity_words(void **state)
{
	struct board *b = *state;
	uint8_t id[512];
	uint8_t sum = 0;

	identify(b, id);
	assert_int_equal(word(id, 0), 0x85c0); /* MMC, removable, 12 bytes, DRQ within 50 us */
	assert_string(id + 2 * 10, "00000001            ");
	assert_string(id + 2 * 23, "1.0     ");
	assert_string(id + 2 * 27, "XENOPTIC VIRTUAL BURNER                 ");
	assert_int_equal(word(id, 49), 0x0f00); /* DMA, LBA, IORDY; no overlap, no queues */
	assert_int_equal(word(id, 53), 0x0006);
	assert_int_equal(word(id, 63), 0x0007);
	assert_int_equal(word(id, 64), 0x0003);
	for (unsigned int at = 65; at <= 68; at++)
		assert_int_equal(word(id, at), 120);
	for (unsigned int at = 69; at < 80; at++)
		assert_int_equal(word(id, at), 0); /* nothing of Serial ATA's */
	assert_int_equal(word(id, 80), 0x01f0);
	assert_int_equal(word(id, 82), 0x0210); /* DEVICE RESET, PACKET */
	assert_int_equal(word(id, 83) & 0xc000, 0x4000);
	assert_int_equal(word(id, 84) & 0xc000, 0x4000);
	assert_int_equal(word(id, 85), word(id, 82));
	assert_int_equal(word(id, 87) & 0xc000, 0x4000);
	assert_int_equal(word(id, 88), 0x203f);
	assert_int_equal(word(id, 93) & 0xe001, 0x6001); /* device 0, cable for UDMA 3 and more */
	assert_int_equal(id[510], 0xa5);
	for (int i = 0; i < 512; i++)
		sum = (uint8_t)(sum + id[i]);
	assert_int_equal(sum, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_diagnostic_is_for_both_devices),
		TEST(device_reset_ends_every_state),
		TEST(commands_are_ignored_while_one_runs),
		TEST(transfer_modes_are_set_or_aborted),
		TEST(other_features_are_known_or_aborted),
		TEST(power_commands_end_at_once),
		TEST(cve_2015_6855_commands_of_disks_are_aborted),
		TEST(packet_with_overlap_is_aborted),
		TEST(packet_by_dma_and_by_pio_are_not_mixed),
		TEST(parameter_lists_go_out_by_pio),
		TEST(residuals_end_a_read_early),
		TEST(device_one_is_not_there),
		TEST(the_second_channel_floats),
		TEST(identity_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

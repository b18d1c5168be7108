/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How others than Linux bring an IDE channel up: the order of register
 * accesses of OVMF (EDK2's AtaAtapiPassThru), which polls with interrupts
 * off, and of FreeBSD's ata(4), which resets both devices and then works by
 * interrupts and bus-master DMA.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "ide_driver.h"
#include "mmc/sense.h"

enum {
	CMD_2 = 0xc030, /* the second channel: BAR 2 and 3 */
	CTL_2 = 0xc040,
	POLLS = 50, /* what stands for a driver's time-out */
	ANSWER_AT = 3, /* the poll before which the drive answers */
	BSY = 0x80,
	DRQ = 0x08,
	CHK = 0x01,
	BIT_3 = 0x08, /* of device control: drivers from before ATA-3 set it */
	DIAGNOSTIC = 0x90,
	IDENTIFY_PACKET = 0xa1,
	SET_FEATURES = 0xef,
	LBA = 0xe0, /* device register with the once obsolete bits and LBA */
};

/* The ports of a channel, as a driver takes them from the base addresses. */
struct channel {
	struct board *board;
	uint16_t command;
	uint16_t control; /* device control, alternate status */
	uint32_t residual; /* of the drive's next answer */
};

static uint8_t reg_in(struct channel *c, uint16_t reg)
{
	return in(c->board, (uint16_t)(c->command + reg - CMD));
}

static void reg_out(struct channel *c, uint16_t reg, uint8_t value)
{
	out(c->board, (uint16_t)(c->command + reg - CMD), value);
}

/* Status of `port` when BSY is clear, or 0xff after the driver's time-out; the drive takes its time. */
static uint8_t wait_ready(struct channel *c, uint16_t port)
{
	struct board *b = c->board;

	for (int i = 0; i < POLLS; i++) {
		uint8_t status;

		if (i == ANSWER_AT)
			fake_answer(&b->fake, rig_packet(&b->rig), 0, c->residual);
		status = in(b, port);
		if (!(status & BSY))
			return status;
	}
	return 0xff;
}

/* A bus driver's part: every BAR sized and placed, then I/O and bus mastering. */
static void place(struct board *b)
{
	static const uint32_t ports[] = { CMD, CTL, CMD_2, CTL_2, BM };

	assert_int_equal(rig_config_read(&b->rig, 0x0a, 2), 0x0101);
	/* Both channels in native mode, so that the base addresses count. */
	assert_int_equal(rig_config_read(&b->rig, 0x09, 1) & 5, 5);
	for (unsigned int bar = 0; bar < XO_ARRAY_SIZE(ports); bar++) {
		rig_config_write(&b->rig, 0x10 + 4 * bar, 4, 0xffffffff);
		assert_int_equal(rig_config_read(&b->rig, 0x10 + 4 * bar, 4) & 1, 1);
		rig_config_write(&b->rig, 0x10 + 4 * bar, 4, ports[bar]);
	}
	rig_config_write(&b->rig, 4, 2, 5);
}

static struct channel channel_of(struct board *b, unsigned int index)
{
	unsigned int bar = 0x10 + 8 * index;

	return (struct channel){
		.board = b,
		.command = (uint16_t)(rig_config_read(&b->rig, bar, 2) & 0xfff8),
		.control = (uint16_t)((rig_config_read(&b->rig, bar + 4, 2) & 0xfffc) + 2),
	};
}

/* --- OVMF --- */

/* Each register twice, as for 48-bit addresses: the second value counts. */
static void ovmf_issue(struct channel *c, uint8_t device, uint8_t feature, uint8_t count,
		       uint16_t bytes, uint8_t command)
{
	const uint8_t values[][2] = {
		{ ERR - CMD, feature },
		{ COUNT - CMD, count },
		{ LOW - CMD, 0 },
		{ MID - CMD, (uint8_t)bytes },
		{ HIGH - CMD, (uint8_t)(bytes >> 8) },
	};

	reg_out(c, DEV, LBA | device);
	out(c->board, c->control, BIT_3 | NIEN);
	assert_int_equal(in(c->board, c->control) & DRQ, 0);
	assert_int_equal(wait_ready(c, (uint16_t)(c->command + 7)) & BSY, 0);
	reg_out(c, DEV, LBA | device);
	for (size_t i = 0; i < XO_ARRAY_SIZE(values); i++) {
		reg_out(c, (uint16_t)(CMD + values[i][0]), 0);
		reg_out(c, (uint16_t)(CMD + values[i][0]), values[i][1]);
	}
	reg_out(c, STATUS, command);
}

static bool ovmf_identify_packet(struct channel *c, uint8_t device, uint8_t id[512])
{
	ovmf_issue(c, device, 0, 0, 0, IDENTIFY_PACKET);
	if ((wait_ready(c, c->control) & (BSY | DRQ)) != DRQ || (reg_in(c, STATUS) & CHK))
		return false;
	assert_true(xo_bus_read_string(&c->board->rig.bus, c->command, 2, id, 256));
	return !(reg_in(c, STATUS) & (BSY | DRQ | CHK));
}

static void ovmf_set_mode(struct channel *c, uint8_t mode)
{
	ovmf_issue(c, 0, 3, mode, 0, SET_FEATURES);
	assert_int_equal(wait_ready(c, (uint16_t)(c->command + 7)) & (BSY | DRQ | CHK), 0);
}

/* Devices found on a channel, as a mask; `id` gets device 0's identity. */
static unsigned int ovmf_detect(struct channel *c, uint8_t id[512])
{
	unsigned int found = 0;

	for (uint8_t device = 0; device < 2; device++) {
		uint8_t select = (uint8_t)(device << 4);

		reg_out(c, DEV, LBA | select);
		reg_out(c, STATUS, DIAGNOSTIC);
		if (wait_ready(c, (uint16_t)(c->command + 7)) & BSY)
			continue;
		reg_out(c, DEV, LBA | select);
		if (reg_in(c, MID) != 0x14 || reg_in(c, HIGH) != 0xeb) {
			/* Nor is it a hard disk. */
			assert_false(reg_in(c, COUNT) == 1 && reg_in(c, LOW) == 1);
			continue;
		}
		/* A signature without a device would cost a time-out. */
		assert_true(ovmf_identify_packet(c, select, id));
		found |= 1u << device;
	}
	return found;
}

/* The packet by PIO; up to `length` bytes of data-in. The bytes that came, -1 for a check condition. */
static int ovmf_packet(struct channel *c, const uint8_t cdb[12], uint8_t *data, uint32_t length)
{
	struct rig *rig = &c->board->rig;
	uint32_t at = 0;

	ovmf_issue(c, 0, 0, 0, 0xfffe, 0xa0);
	assert_int_equal(wait_ready(c, (uint16_t)(c->command + 7)) & (BSY | DRQ | CHK), DRQ);
	for (int i = 0; i < 12; i += 2)
		rig_out(rig, c->command, 2, xo_get_le16(cdb + i));
	while (at < length) {
		uint32_t block;

		if ((wait_ready(c, c->control) & (BSY | DRQ)) != DRQ)
			break; /* the device had less to give */
		block = reg_in(c, MID) | (uint32_t)reg_in(c, HIGH) << 8;
		block = XO_MIN(block / 2 * 2, length - at);
		assert_true(xo_bus_read_string(&rig->bus, c->command, 2, data + at, block / 2));
		at += block;
		if (reg_in(c, STATUS) & CHK)
			return -1;
	}
	/* What the device has beyond what was asked for is read away. */
	while ((in(c->board, c->control) & (BSY | DRQ)) == DRQ)
		rig_in(rig, c->command, 2);
	assert_false(rig->intx);
	return wait_ready(c, (uint16_t)(c->command + 7)) & CHK ? -1 : (int)at;
}

static void ovmf_finds_the_drive_and_reads(void **state)
{
	static const uint8_t inquiry[12] = { 0x12, 0, 0, 0, 96 };
	static const uint8_t test_unit_ready[12] = { 0 };
	static uint8_t data[32 * 2048];
	struct board *b = *state;
	struct channel first;
	struct channel second;
	uint8_t id[512] = { 0 };
	uint8_t cdb[12];

	place(b);
	first = channel_of(b, 0);
	second = channel_of(b, 1);
	/* A drive, and no ghost of a second one (ATA/ATAPI-6 9.16.1). */
	assert_int_equal(ovmf_detect(&first, id), 1);
	assert_int_equal(xo_get_le16(id), 0x85c0);
	assert_int_equal(ovmf_detect(&second, id), 0);
	ovmf_set_mode(&first, 0x0c);
	ovmf_set_mode(&first, 0x45);
	assert_int_equal(b->rig.ide_state.ata.transfer_mode, 0x45);
	assert_int_equal(ovmf_packet(&first, test_unit_ready, NULL, 0), 0);
	first.residual = 60;
	assert_int_equal(ovmf_packet(&first, inquiry, data, 96), 36);
	first.residual = 0;
	read10(cdb, 16, 32);
	assert_int_equal(ovmf_packet(&first, cdb, data, sizeof(data)), sizeof(data));
	for (uint32_t at = 0; at < sizeof(data); at++)
		assert_int_equal(data[at], fake_pattern(16 + at / 2048, at % 2048));
	assert_int_equal(ovmf_packet(&first, cdb, data, 512), 512);
	assert_int_equal(data[511], fake_pattern(16, 511));
	/* What comes after the firmware finds the device as it expects it. */
	out(b, ALT, 0);
	assert_alive(b);
}

/* --- FreeBSD --- */

enum {
	PHASE_COMMAND = 0x09, /* interrupt reason with DRQ: the packet is wanted, */
	PHASE_READ = 0x0a, /* data are there, */
	PHASE_DONE = 0x03, /* the end */
	BM_STATUS = BM + 2,
};

/* What ata(4) finds after its reset of both devices: bit 0 master, bit 1 slave. */
static unsigned int freebsd_reset(struct channel *c)
{
	unsigned int found = 0;
	unsigned int there = 0;

	for (uint8_t device = 0; device < 2; device++) {
		uint8_t status;

		reg_out(c, DEV, (uint8_t)(LBA | device << 4));
		status = reg_in(c, STATUS);
		if ((status & 0xf8) != 0xf8 && status != 0xa5)
			there |= 1u << device;
	}
	if (!there)
		return 0;
	reg_out(c, DEV, LBA);
	out(c->board, c->control, NIEN | SRST);
	assert_int_equal(in(c->board, c->control) & BSY, BSY);
	out(c->board, c->control, NIEN);
	reg_in(c, ERR);
	for (uint8_t device = 0; device < 2; device++) {
		uint8_t error;
		uint8_t mid;
		uint8_t high;
		uint8_t status;

		reg_out(c, DEV, (uint8_t)(0xa0 | device << 4));
		error = reg_in(c, ERR);
		mid = reg_in(c, MID);
		high = reg_in(c, HIGH);
		status = reg_in(c, STATUS);
		assert_int_equal(status & BSY, 0);
		/* A code of 1, with the signature of a packet device or DRDY of a disk. */
		if ((error & 0x7f) == 1 && ((mid == 0x14 && high == 0xeb) || (status & 0x40)))
			found |= 1u << device;
	}
	return found;
}

static void freebsd_command(struct channel *c, uint8_t command, uint8_t feature, uint8_t count,
			    uint16_t bytes)
{
	reg_out(c, DEV, LBA);
	assert_int_equal(in(c->board, c->control) & BSY, 0);
	out(c->board, c->control, BIT_3);
	reg_out(c, ERR, feature);
	reg_out(c, COUNT, count);
	reg_out(c, LOW, 0);
	reg_out(c, MID, (uint8_t)bytes);
	reg_out(c, HIGH, (uint8_t)(bytes >> 8));
	reg_out(c, DEV, LBA);
	reg_out(c, STATUS, command);
}

/* The interrupt is there; its status, which ends it. */
static uint8_t freebsd_interrupt(struct channel *c)
{
	uint8_t status;

	assert_true(c->board->rig.intx);
	assert_int_equal(in(c->board, c->control) & BSY, 0);
	status = reg_in(c, STATUS);
	assert_false(c->board->rig.intx);
	return status;
}

static uint8_t freebsd_phase(struct channel *c, uint8_t status)
{
	return (reg_in(c, COUNT) & 3) | (status & DRQ);
}

static void freebsd_send_packet(struct channel *c, const uint8_t cdb[12])
{
	uint8_t status = in(c->board, c->control);

	/* DRQ within 50 us, as word 0 says: polled for, and no interrupt. */
	assert_int_equal(status & (BSY | CHK), 0);
	assert_int_equal(freebsd_phase(c, status), PHASE_COMMAND);
	assert_false(c->board->rig.intx);
	assert_true(xo_bus_write_string(&c->board->rig.bus, c->command, 2, cdb, 6));
}

static void freebsd_packet_dma(struct channel *c, const uint8_t cdb[12], uint32_t bytes)
{
	struct board *b = c->board;
	uint8_t status;

	for (uint32_t at = 0, i = 0; at < bytes; at += 0x10000, i++)
		region(b, i, BUFFER + at,
		       (bytes - at <= 0x10000 ? 0x80000000u : 0) |
			       (XO_MIN(bytes - at, 0x10000u) & 0xffff));
	freebsd_command(c, 0xa0, 1, 0, 0);
	freebsd_send_packet(c, cdb);
	/* Causes cleared, table, direction, and only then the start. */
	out(b, BM_STATUS, in(b, BM_STATUS) | 6);
	rig_out(&b->rig, BM + 4, 4, TABLE);
	out(b, BM, in(b, BM) | 8);
	out(b, BM, in(b, BM) | 1);
	assert_false(b->rig.intx);
	fake_run(&b->fake, rig_packet(&b->rig));
	status = in(b, BM_STATUS) & 7;
	assert_int_equal(status & 4, 4);
	out(b, BM_STATUS, status & ~2);
	assert_int_equal(freebsd_phase(c, freebsd_interrupt(c)), PHASE_DONE);
	status = in(b, BM_STATUS);
	out(b, BM, in(b, BM) & 0xfe);
	out(b, BM_STATUS, 6);
	assert_int_equal(status & 3, 0);
}

static void freebsd_finds_the_drive_and_reads(void **state)
{
	static const uint8_t inquiry[12] = { 0x12, 0, 0, 0, 36 };
	static const uint8_t test_unit_ready[12] = { 0 };
	struct board *b = *state;
	struct channel c;
	uint8_t id[512];
	uint8_t data[36];
	uint8_t cdb[12];

	place(b);
	c = channel_of(b, 1);
	assert_int_equal(freebsd_reset(&c), 0);
	c = channel_of(b, 0);
	assert_int_equal(freebsd_reset(&c), 1);
	freebsd_command(&c, IDENTIFY_PACKET, 0, 0, 0);
	assert_int_equal(freebsd_interrupt(&c) & (DRQ | CHK), DRQ);
	assert_true(xo_bus_read_string(&b->rig.bus, c.command, 4, id, 128));
	assert_int_equal(xo_get_le16(id), 0x85c0);
	freebsd_command(&c, SET_FEATURES, 3, 0x45, 0);
	assert_int_equal(freebsd_interrupt(&c) & (DRQ | CHK), 0);
	/* By PIO first, each phase told by interrupt reason and DRQ. */
	freebsd_command(&c, 0xa0, 0, 0, 36);
	freebsd_send_packet(&c, inquiry);
	fake_run(&b->fake, rig_packet(&b->rig));
	assert_int_equal(freebsd_phase(&c, freebsd_interrupt(&c)), PHASE_READ);
	assert_int_equal(reg_in(&c, MID) | reg_in(&c, HIGH) << 8, 36);
	assert_true(xo_bus_read_string(&b->rig.bus, c.command, 4, data, 9));
	assert_int_equal(freebsd_phase(&c, freebsd_interrupt(&c)), PHASE_DONE);
	freebsd_command(&c, 0xa0, 0, 0, 0);
	freebsd_send_packet(&c, test_unit_ready);
	fake_answer(&b->fake, rig_packet(&b->rig), XO_SENSE_NO_MEDIUM, 0);
	assert_int_equal(freebsd_interrupt(&c) & CHK, CHK);
	assert_int_equal(reg_in(&c, ERR) >> 4, 2);
	read10(cdb, 16, 64);
	freebsd_packet_dma(&c, cdb, 64 * 2048);
	for (uint32_t at = 0; at < 64 * 2048; at++)
		assert_int_equal(*rig_ram(&b->rig, BUFFER + at, 1),
				 fake_pattern(16 + at / 2048, at % 2048));
	out(b, ALT, 0);
	assert_alive(b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_unplaced, teardown)
		TEST(ovmf_finds_the_drive_and_reads),
		TEST(freebsd_finds_the_drive_and_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

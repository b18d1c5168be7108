/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How others than Linux bring an AHCI port up: the order of register accesses
 * of OVMF (EDK2's AtaAtapiPassThru), which polls received FISes in memory with
 * interrupts off and stops the port after each command, and of FreeBSD's
 * ahci(4), which resets by COMRESET and SRST and works by interrupts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ahci_driver.h"
#include "base/bytes.h"
#include "mmc/sense.h"

enum {
	CAP = 0x00,
	PI = 0x0c,
	FBU = P + 0x0c,
	CR = 0x8000,
	FR = 0x4000,
	CLO = 8,
	ATAPI = 1 << 24, /* of PxCMD */
	DLAE = 1 << 25,
	BUSY = 0x88, /* BSY, DRQ */
	PIO_SETUP = FISES + 0x20,
	D2H = FISES + 0x40,
	HEADER_ATAPI = 0x20,
	HEADER_WRITE = 0x40,
	HEADER_PREFETCH = 0x80,
	HEADER_RESET = 0x100,
	HEADER_CLEAR_BUSY = 0x400,
	INTERRUPT_ON_END = (int)0x80000000, /* of a region's count */
	IDENTIFY_PACKET = 0xa1,
	SET_FEATURES = 0xef,
};

/* What a driver puts into slot 0. */
struct command {
	uint8_t fis[20];
	uint16_t flags; /* of the header, without the FIS's length */
	const uint8_t *cdb;
	uint32_t bytes; /* at BUFFER */
};

static void or_reg(struct board *b, uint32_t reg, uint32_t bits)
{
	set(b, reg, get(b, reg) | bits);
}

static void and_reg(struct board *b, uint32_t reg, uint32_t bits)
{
	set(b, reg, get(b, reg) & bits);
}

/* A bus driver's part. Decoding and bus mastering on, at an address above all memory. */
static void place(struct board *b)
{
	assert_int_equal(rig_config_read(&b->rig, 9, 1) | rig_config_read(&b->rig, 0x0a, 2) << 8,
			 0x010601);
	rig_config_write(&b->rig, 0x24, 4, 0xffffffff);
	assert_int_equal(rig_config_read(&b->rig, 0x24, 4), 0xfffff000);
	rig_config_write(&b->rig, 0x24, 4, ABAR);
	rig_config_write(&b->rig, 4, 2, 6);
	assert_int_equal(rig_config_read(&b->rig, 4, 2) & 6, 6);
}

static void reset_hba(struct board *b)
{
	or_reg(b, GHC, 0x80000000);
	or_reg(b, GHC, 1);
	assert_int_equal(get(b, GHC) & 1, 0);
	/* Of the bits that a reset leaves, AHCI mode is the one that matters. */
	or_reg(b, GHC, 0x80000000);
}

static void build(struct board *b, const struct command *command)
{
	uint8_t *header = rig_ram(&b->rig, LIST, 32);
	uint8_t *table = rig_ram(&b->rig, table_of(0), 0x1000);
	uint32_t last = command->bytes ? (command->bytes - 1) >> 22 : 0;

	memset(header, 0, 32);
	memset(table, 0, 0x1000);
	xo_put_le16(header, command->flags | 5u);
	xo_put_le16(header + 2, command->bytes ? last + 1 : 0);
	xo_put_le32(header + 8, table_of(0));
	memcpy(table, command->fis, sizeof(command->fis));
	if (command->cdb)
		memcpy(table + 0x40, command->cdb, 12);
	if (!command->bytes)
		return;
	xo_put_le32(table + 0x80, BUFFER);
	xo_put_le32(table + 0x8c, (command->bytes - 1) | (uint32_t)INTERRUPT_ON_END);
}

/* --- OVMF --- */

static void ovmf_start(struct board *b, const struct command *command)
{
	memset(rig_ram(&b->rig, FISES, 256), 0, 256);
	build(b, command);
	if (command->cdb)
		or_reg(b, CMD, DLAE | ATAPI);
	else
		and_reg(b, CMD, ~(uint32_t)(DLAE | ATAPI));
	set(b, SERR, get(b, SERR));
	set(b, PIS, get(b, PIS));
	set(b, IS, get(b, IS));
	or_reg(b, CMD, FRE);
	assert_int_equal(get(b, CMD) & FR, FR);
	assert_int_equal(get(b, CAP) & 1 << 24, 1 << 24);
	if (get(b, TFD) & BUSY) {
		or_reg(b, CMD, CLO);
		assert_int_equal(get(b, CMD) & CLO, 0);
	}
	or_reg(b, CMD, ST);
	or_reg(b, CI, 1);
}

static void ovmf_stop(struct board *b)
{
	and_reg(b, CMD, ~(uint32_t)ST);
	assert_int_equal(get(b, CMD) & CR, 0);
	and_reg(b, CMD, ~(uint32_t)FRE);
	assert_int_equal(get(b, CMD) & FR, 0);
	assert_false(b->rig.intx);
}

static void ovmf_pio_in(struct board *b, uint8_t command)
{
	const struct command c = {
		.fis = { 0x27, 0x80, command, 0, 0, 0, 0, 0xe0 },
		.bytes = 512,
	};

	ovmf_start(b, &c);
	/* Told by the PIO Setup FIS, and by the count of bytes that have come. */
	assert_int_equal(rig_read(&b->rig, PIO_SETUP, 1), 0x5f);
	assert_int_equal(get(b, TFD) & 1, 0);
	assert_int_equal(rig_read(&b->rig, LIST + 4, 4), 512);
	ovmf_stop(b);
}

static void ovmf_set_mode(struct board *b, uint8_t mode)
{
	const struct command c = {
		.fis = { 0x27, 0x80, SET_FEATURES, 3, 0, 0, 0, 0xe0, 0, 0, 0, 0, mode },
	};

	ovmf_start(b, &c);
	assert_int_equal(rig_read(&b->rig, D2H, 1), 0x34);
	assert_int_equal(get(b, TFD) & 1, 0);
	ovmf_stop(b);
}

/* The bytes that came, or -1 for a check condition. */
static int ovmf_packet(struct board *b, const uint8_t cdb[12], uint32_t bytes, uint32_t kcq,
		       uint32_t residual)
{
	const struct command c = {
		.fis = { 0x27, 0x80, 0xa0, 0, 0, 0xfe, 0xff, 0xe0 },
		.flags = HEADER_ATAPI,
		.cdb = cdb,
		.bytes = bytes,
	};
	bool error;

	ovmf_start(b, &c);
	/* No D2H FIS stays from before: the driver takes the first one for the end. */
	assert_int_equal(rig_read(&b->rig, D2H, 1), 0);
	fake_answer(&b->fake, rig_packet(&b->rig), kcq, residual);
	assert_int_equal(rig_read(&b->rig, D2H, 1), 0x34);
	error = get(b, TFD) & 1;
	ovmf_stop(b);
	return error ? -1 : (int)rig_read(&b->rig, LIST + 4, 4);
}

static void ovmf_finds_the_drive_and_reads(void **state)
{
	static const uint8_t inquiry[12] = { 0x12, 0, 0, 0, 96 };
	static const uint8_t test_unit_ready[12] = { 0 };
	struct board *b = *state;
	uint8_t cdb[12];

	place(b);
	reset_hba(b);
	assert_int_equal(get(b, PI), 1);
	assert_int_equal(get(b, CAP) & 0x1f, 0); /* one port, as PI says */
	set(b, FB, FISES);
	set(b, FBU, 0);
	set(b, CLB, LIST);
	set(b, CLBU, 0);
	assert_int_equal(get(b, CMD) & 1 << 20, 0); /* no cold presence detection */
	or_reg(b, SCTL, 0x300); /* no partial, no slumber */
	set(b, PIE, 0);
	or_reg(b, CMD, FRE);
	assert_int_equal(get(b, CMD) & FR, FR);
	assert_int_equal(get(b, SSTS) & 0xf, 3);
	set(b, SERR, get(b, SERR));
	assert_int_equal(get(b, SERR), 0);
	assert_int_equal(get(b, TFD) & (BUSY | 1), 0);
	/* The signature's FIS waited for reception. */
	assert_int_equal(rig_read(&b->rig, D2H, 1), 0x34);
	assert_int_equal(get(b, SIG), 0xeb140101);
	ovmf_pio_in(b, IDENTIFY_PACKET);
	assert_int_equal(rig_read(&b->rig, BUFFER, 2), 0x85c0);
	ovmf_set_mode(b, 0x45);
	assert_int_equal(b->rig.ahci_state.ata.transfer_mode, 0x45);
	assert_int_equal(ovmf_packet(b, test_unit_ready, 0, XO_SENSE_NO_MEDIUM, 0), -1);
	assert_int_equal(ovmf_packet(b, test_unit_ready, 0, 0, 0), 0);
	assert_int_equal(ovmf_packet(b, inquiry, 96, 0, 60), 36);
	read10(cdb, 16, 32);
	assert_int_equal(ovmf_packet(b, cdb, 32 * 2048, 0, 0), 32 * 2048);
	assert_pattern(b, BUFFER, 16, 32 * 2048);
	/* What comes after the firmware finds the port as it expects it. */
	assert_alive(b);
}

/* --- FreeBSD --- */

static void freebsd_start(struct board *b)
{
	set(b, SERR, 0xffffffff);
	assert_int_equal(get(b, CMD) & CR, 0);
	or_reg(b, CMD, ST);
	assert_int_equal(get(b, CMD) & CR, CR);
}

static void freebsd_stop(struct board *b)
{
	and_reg(b, CMD, ~(uint32_t)ST);
	assert_int_equal(get(b, CMD) & CR, 0);
}

/* The port's reset: COMRESET with FIS reception on, then the list. */
static void freebsd_reset(struct board *b)
{
	set(b, PIE, 0);
	freebsd_stop(b);
	set(b, SCTL, 0x301);
	set(b, SCTL, 0x300);
	/* Present, at some speed, active. */
	assert_int_equal(get(b, SSTS) & 0xf0f, 0x103);
	assert_int_not_equal(get(b, SSTS) & 0xf0, 0);
	set(b, SERR, 0xffffffff);
	assert_int_equal(get(b, TFD) & BUSY, 0);
	freebsd_start(b);
	set(b, PIE, 0x7dc0005f);
	assert_false(b->rig.intx);
}

/* SRST by two control FISes, polled for by PxCI; the second alone is answered. */
static void freebsd_soft_reset(struct board *b)
{
	struct command c = { .fis = { 0x27, 0, [15] = 4 },
			     .flags = HEADER_RESET | HEADER_CLEAR_BUSY };

	freebsd_stop(b);
	or_reg(b, CMD, CLO);
	assert_int_equal(get(b, CMD) & CLO, 0);
	freebsd_start(b);
	memset(rig_ram(&b->rig, FISES, 256), 0, 256);
	build(b, &c);
	set(b, CI, 1);
	assert_int_equal(get(b, CI), 0);
	assert_int_equal(rig_read(&b->rig, D2H, 1), 0);
	c.fis[15] = 0;
	c.flags = 0;
	build(b, &c);
	set(b, CI, 1);
	assert_int_equal(get(b, CI), 0);
	assert_int_equal(get(b, TFD) & (BUSY | 1), 0);
	/* The signature, from the received FIS. */
	assert_int_equal(rig_read(&b->rig, D2H, 1), 0x34);
	assert_int_equal(rig_read(&b->rig, D2H + 4, 4) & 0xffffff, 0xeb1401);
	assert_int_equal(rig_read(&b->rig, D2H + 12, 1), 1);
	assert_false(b->rig.intx);
}

/* The interrupt's way: HBA, port, its causes away, the HBA's away, and which slots are done. */
static uint32_t freebsd_interrupt(struct board *b)
{
	uint32_t causes;

	assert_true(b->rig.intx);
	assert_int_equal(get(b, IS), 1);
	causes = get(b, PIS);
	set(b, PIS, causes);
	set(b, IS, 1);
	assert_false(b->rig.intx);
	return causes;
}

static void freebsd_ata(struct board *b, uint8_t command, uint8_t feature, uint8_t count,
			uint32_t bytes)
{
	const struct command c = {
		.fis = { 0x27, 0x80, command, feature, [12] = count, [15] = 8 },
		.bytes = bytes,
	};

	build(b, &c);
	set(b, CI, 1);
	assert_int_equal(freebsd_interrupt(b) & (uint32_t)TFES, 0);
	assert_int_equal(get(b, CI), 0);
}

static uint32_t freebsd_packet(struct board *b, const uint8_t cdb[12], uint32_t bytes,
			       uint16_t flags, uint32_t kcq)
{
	const struct command c = {
		.fis = { 0x27, 0x80, 0xa0, 1, [7] = 0x40, [15] = 8 },
		.flags = HEADER_ATAPI | HEADER_PREFETCH | flags,
		.cdb = cdb,
		.bytes = bytes,
	};

	or_reg(b, CMD, ATAPI);
	build(b, &c);
	set(b, CI, 1);
	if (fake_pending(&b->fake) >= 0) {
		assert_false(b->rig.intx);
		fake_answer(&b->fake, rig_packet(&b->rig), kcq, 0);
	}
	return freebsd_interrupt(b);
}

static void freebsd_finds_the_drive_and_reads(void **state)
{
	static const uint8_t request_sense[12] = { 0x03, 0, 0, 0, 18 };
	static const uint8_t test_unit_ready[12] = { 0 };
	static const uint8_t write10[12] = { 0x2a, 0, 0, 0, 0, 16, 0, 0, 4 };
	struct board *b = *state;
	uint8_t cdb[12];

	place(b);
	set(b, GHC, 1);
	assert_int_equal(get(b, GHC) & 1, 0);
	set(b, GHC, 0x80000000);
	set(b, IS, get(b, IS));
	set(b, PIE, 0);
	set(b, CLB, LIST);
	set(b, CLBU, 0);
	set(b, FB, FISES);
	set(b, FBU, 0);
	set(b, CMD, 0x10000006); /* active; powered and spun up */
	or_reg(b, CMD, FRE);
	freebsd_start(b);
	or_reg(b, GHC, 2);
	freebsd_reset(b);
	freebsd_soft_reset(b);
	freebsd_ata(b, IDENTIFY_PACKET, 0, 0, 512);
	assert_int_equal(rig_read(&b->rig, BUFFER, 2), 0x85c0);
	assert_int_equal(rig_read(&b->rig, LIST + 4, 4), 512);
	freebsd_ata(b, SET_FEATURES, 3, 0x45, 0);
	assert_int_equal(b->rig.ahci_state.ata.transfer_mode, 0x45);
	/* An error: the list is started anew, and sense asked for. */
	assert_int_equal(freebsd_packet(b, test_unit_ready, 0, 0, XO_SENSE_NO_MEDIUM) &
				 (uint32_t)TFES,
			 TFES);
	assert_int_equal(get(b, CI), 1);
	assert_int_equal(get(b, TFD), 0x2051);
	freebsd_stop(b);
	assert_int_equal(get(b, CI), 0);
	freebsd_start(b);
	assert_int_equal(freebsd_packet(b, request_sense, 18, 0, 0) & (uint32_t)TFES, 0);
	assert_int_equal(rig_read(&b->rig, BUFFER + 2, 1) & 0xf, 2);
	read10(cdb, 16, 32);
	assert_int_equal(freebsd_packet(b, cdb, 32 * 2048, 0, 0) & (uint32_t)TFES, 0);
	assert_pattern(b, BUFFER, 16, 32 * 2048);
	assert_int_equal(freebsd_packet(b, write10, 4 * 2048, HEADER_WRITE, 0) & (uint32_t)TFES, 0);
	assert_int_equal(b->fake.written_bytes, 4 * 2048);
	assert_memory_equal(b->fake.written, rig_ram(&b->rig, BUFFER, 8192), 4 * 2048);
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

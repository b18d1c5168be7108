/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every command of the SATA device, by the FISes that it sends, PxTFD, PxIS
 * and PxCI: those that ATA8-ACS has for a packet device, those that it has
 * not, PACKET with each kind of data, and the rules of the port's registers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ahci_driver.h"
#include "base/bytes.h"
#include "mmc/sense.h"

enum {
	SACT = P + 0x34,
	CLO = 8,
	CCS = 0x1f00,
	FR = 0x4000,
	CR = 0x8000,
	PCS = 1 << 6,
	PRCS = 1 << 22,
	DIAG_N = 1 << 16,
	DIAG_X = 1 << 26,
	BSY = 0x80,
	DRQ = 0x08,
	ABRT = 0x04,
	PIO_SETUP = FISES + 0x20,
	D2H = FISES + 0x40,
	HEADER_WRITE = 0x40,
	DEVICE_RESET = 0x08,
	READ_SECTORS = 0x20,
	DIAGNOSTIC = 0x90,
	PACKET = 0xa0,
	IDENTIFY_PACKET = 0xa1,
	IDENTIFY = 0xec,
	SET_FEATURES = 0xef,
};

static uint8_t byte(struct board *b, uint32_t address)
{
	return (uint8_t)rig_read(&b->rig, address, 1);
}

/* A command without data in slot 0, whose FIS has something in each register. */
static void ata(struct board *b, uint8_t command, uint8_t feature, uint8_t count)
{
	uint32_t fis = table_of(0);

	memset(rig_ram(&b->rig, FISES, 256), 0, 256);
	prepare(b, 0, command, feature, NULL, 0, 0);
	rig_write(&b->rig, fis + 4, 4, 0xe0776655);
	rig_write(&b->rig, fis + 12, 1, count);
	set(b, CI, 1);
}

static void assert_d2h(struct board *b, uint8_t flags, uint8_t status, uint8_t error)
{
	assert_int_equal(byte(b, D2H), 0x34);
	assert_int_equal(byte(b, D2H + 1), flags);
	assert_int_equal(byte(b, D2H + 2), status);
	assert_int_equal(byte(b, D2H + 3), error);
	assert_int_equal(get(b, TFD), (unsigned int)status | (unsigned int)error << 8);
}

static void assert_signature(struct board *b)
{
	assert_int_equal(byte(b, D2H + 4), 0x01);
	assert_int_equal(byte(b, D2H + 5), 0x14);
	assert_int_equal(byte(b, D2H + 6), 0xeb);
	assert_int_equal(byte(b, D2H + 12), 0x01);
}

static void assert_done(struct board *b)
{
	assert_true(b->rig.intx);
	assert_int_equal(get(b, PIS), DHRS);
	assert_int_equal(get(b, CI), 0);
	assert_d2h(b, 0x40, 0x50, 0);
	assert_int_equal(b->fake.commands, 0);
	clear_causes(b);
}

/* The error's recovery (AHCI 1.3.1 6.2.2.1): the slot stays until ST is cleared, and works again after. */
static void assert_aborted(struct board *b)
{
	assert_true(b->rig.intx);
	assert_int_equal(get(b, PIS), (uint32_t)TFES | DHRS);
	assert_int_equal(get(b, CI), 1);
	assert_d2h(b, 0x40, 0x51, ABRT);
	assert_int_equal(b->fake.commands, 0);
	set(b, CMD, FRE | 6);
	assert_int_equal(get(b, CI), 0);
	clear_causes(b);
	set(b, CMD, FRE | ST | 6);
}

static unsigned int word(struct board *b, unsigned int at)
{
	return (unsigned int)rig_read(&b->rig, BUFFER + 2 * at, 2);
}

static void identify(struct board *b)
{
	memset(rig_ram(&b->rig, BUFFER, 512), 0xee, 512);
	region(b, 0, 0, BUFFER, 512);
	prepare(b, 0, IDENTIFY_PACKET, 0, NULL, 1, 0);
	set(b, CI, 1);
	assert_int_equal(get(b, PIS), DHRS | PSS);
	clear_causes(b);
}

static void resets_by_command_give_the_signature(void **state)
{
	struct board *b = *state;

	ata(b, DIAGNOSTIC, 0, 9);
	assert_true(b->rig.intx);
	assert_int_equal(get(b, PIS), DHRS);
	assert_int_equal(get(b, CI), 0);
	assert_d2h(b, 0x40, 0, 1);
	assert_signature(b);
	clear_causes(b);
	/* DEVICE RESET ends without an interrupt, whatever was before. */
	ata(b, DEVICE_RESET, 0, 9);
	assert_false(b->rig.intx);
	assert_int_equal(get(b, PIS), 0);
	assert_int_equal(get(b, CI), 0);
	assert_d2h(b, 0, 0, 1);
	assert_signature(b);
	/* After a command that was given up: the list anew, BSY cleared, and then it. */
	for (int error = 0; error < 2; error++) {
		uint8_t cdb[12];

		read10(cdb, 3, 4);
		region(b, 0, 0, BUFFER, 8192);
		prepare(b, 0, PACKET, 1, cdb, 1, 0);
		set(b, CI, 1);
		if (error)
			fake_answer(&b->fake, rig_packet(&b->rig), XO_SENSE_UNRECOVERED_READ, 8192);
		set(b, CMD, FRE | 6);
		set(b, CMD, FRE | CLO | 6);
		set(b, PIS, get(b, PIS));
		set(b, IS, 1);
		set(b, CMD, FRE | ST | 6);
		ata(b, DEVICE_RESET, 0, 0);
		assert_d2h(b, 0, 0, 1);
		run(b);
		assert_false(b->rig.intx);
		assert_alive(b);
	}
}

static void transfer_modes_are_set_or_aborted(void **state)
{
	struct board *b = *state;
	uint8_t dma = 0x45;

	for (unsigned int mode = 0; mode < 256; mode++) {
		bool pio = mode <= 1 || (mode >= 0x08 && mode <= 0x0c);
		bool other = (mode >= 0x20 && mode <= 0x22) || (mode >= 0x40 && mode <= 0x45);

		ata(b, SET_FEATURES, 3, (uint8_t)mode);
		if (!pio && !other) {
			assert_aborted(b);
			continue;
		}
		assert_done(b);
		if (!pio)
			dma = (uint8_t)mode;
		identify(b);
		assert_int_equal(word(b, 63), 0x0007 | (dma < 0x40 ? 0x100u << (dma & 7) : 0));
		assert_int_equal(word(b, 88), 0x003f | (dma >= 0x40 ? 0x100u << (dma & 7) : 0));
	}
}

static void other_features_are_known_or_aborted(void **state)
{
	static const struct {
		uint8_t feature;
		uint8_t count;
		bool known;
	} rows
		[] = {
			{ 0x10, 5, true },  { 0x90, 5, true }, /* asynchronous notification */
			{ 0x10, 2, false }, { 0x10, 3, false },
			{ 0x90, 6, false }, /* Serial ATA's others */
			{ 0x66, 0, true },  { 0xcc, 0, true },
			{ 0x02, 0, false }, { 0x82, 0, false },
			{ 0x05, 1, false }, { 0x5d, 0, false },
		};
	struct board *b = *state;

	for (size_t i = 0; i < XO_ARRAY_SIZE(rows); i++) {
		ata(b, SET_FEATURES, rows[i].feature, rows[i].count);
		if (!rows[i].known) {
			assert_aborted(b);
			continue;
		}
		assert_done(b);
		identify(b);
		assert_int_equal(word(b, 79), rows[i].feature == 0x10 ? 0x20 : 0);
	}
}

static void power_commands_end_at_once(void **state)
{
	static const uint8_t commands[] = { 0xe0, 0xe1, 0xe6 };
	struct board *b = *state;

	for (size_t i = 0; i < XO_ARRAY_SIZE(commands); i++) {
		ata(b, commands[i], 0, 7);
		assert_done(b);
		ata(b, 0xe5, 0, 7);
		assert_int_equal(byte(b, D2H + 12), 0xff); /* active */
		assert_done(b);
		assert_alive(b);
		b->fake.commands = 0;
	}
	ata(b, 0xe2, 0, 7);
	assert_aborted(b);
	ata(b, 0xe3, 0, 7);
	assert_aborted(b);
}

/* CVE-2015-6855, and queued commands with their PxSACT: whatever is no packet device's is aborted. */
static void cve_2015_6855_commands_of_disks_are_aborted(void **state)
{
	struct board *b = *state;

	for (unsigned int command = 0; command < 256; command++) {
		if (packet_device_has(command))
			continue;
		for (size_t i = 0; i < sizeof(odd_counts); i++) {
			if (command == 0x60 || command == 0x61)
				set(b, SACT, 1);
			ata(b, (uint8_t)command, 0, odd_counts[i]);
			if (command == READ_SECTORS || command == IDENTIFY)
				assert_signature(b);
			assert_aborted(b);
			assert_int_equal(get(b, SACT), 0);
		}
	}
	assert_alive(b);
}

static void packet_with_overlap_is_aborted(void **state)
{
	static const uint8_t test_unit_ready[12] = { 0 };
	struct board *b = *state;

	for (uint8_t feature = 2; feature < 4; feature++) {
		prepare(b, 0, PACKET, feature, test_unit_ready, 0, 0);
		set(b, CI, 1);
		assert_aborted(b);
	}
	assert_alive(b);
}

static void assert_pio_setup(struct board *b, uint8_t flags, uint8_t reason, uint32_t bytes)
{
	assert_int_equal(byte(b, PIO_SETUP), 0x5f);
	assert_int_equal(byte(b, PIO_SETUP + 1), flags);
	assert_int_equal(byte(b, PIO_SETUP + 2) & (BSY | DRQ | 1), DRQ);
	assert_int_equal(byte(b, PIO_SETUP + 3), 0);
	assert_int_equal(byte(b, PIO_SETUP + 12), reason);
	assert_int_equal(byte(b, PIO_SETUP + 15) & DRQ, 0); /* what the status is afterwards */
	assert_int_equal(rig_read(&b->rig, PIO_SETUP + 16, 2), bytes);
	assert_int_equal(rig_read(&b->rig, PIO_SETUP + 18, 2), 0);
}

/* The PIO Setup FIS of a packet, of each kind of data, and of IDENTIFY (Serial ATA 2.6 10.3.10). */
static void pio_setup_tells_of_each_block(void **state)
{
	static const struct {
		uint16_t limit;
		uint32_t last; /* bytes of the last block of 800 */
	} rows[] = { { 0, 800 }, { 0xffff, 800 }, { 512, 288 }, { 400, 400 }, { 513, 288 } };
	static const uint8_t read_toc[12] = { 0x43, 0, 0, 0, 0, 0, 0, 3, 0x20 };
	static const uint8_t cue_sheet[12] = { 0x5d, 0, 0, 0, 0, 0, 0, 3, 0x20 };
	struct board *b = *state;

	identify(b);
	assert_pio_setup(b, 0x60, 2, 512);
	for (size_t i = 0; i < 2 * XO_ARRAY_SIZE(rows); i++) {
		uint16_t limit = rows[i / 2].limit;
		uint32_t last = rows[i / 2].last;
		bool out = i & 1;

		memset(rig_ram(&b->rig, FISES, 256), 0, 256);
		region(b, 0, 0, BUFFER, 800);
		prepare(b, 0, PACKET, 0, out ? cue_sheet : read_toc, 1, out ? HEADER_WRITE : 0);
		rig_write(&b->rig, table_of(0) + 5, 2, limit);
		set(b, CI, 1);
		/* The packet: to the device, a command, no interrupt, and BSY after it. */
		assert_pio_setup(b, 0, 1, 12);
		assert_int_equal(byte(b, PIO_SETUP + 15) & BSY, BSY);
		assert_int_equal(get(b, PIS), 0);
		run(b);
		assert_pio_setup(b, out ? 0x40 : 0x60, out ? 0 : 2, last);
		assert_int_equal(rig_read(&b->rig, PIO_SETUP + 5, 2), last);
		assert_int_equal(get(b, PIS), DHRS | PSS);
		assert_d2h(b, 0x40, 0x50, 0);
		assert_int_equal(byte(b, D2H + 12), 3);
		assert_int_equal(rig_read(&b->rig, LIST + 4, 4), 800);
		clear_causes(b);
	}
	/* By DMA there is none but the packet's. */
	region(b, 0, 0, BUFFER, 800);
	prepare(b, 0, PACKET, 1, read_toc, 1, 0);
	set(b, CI, 1);
	run(b);
	assert_pio_setup(b, 0, 1, 12);
	assert_int_equal(get(b, PIS), DHRS);
	clear_causes(b);
}

static void parameter_lists_reach_the_drive(void **state)
{
	static const struct {
		uint8_t cdb[12];
		uint32_t length;
	} rows[] = {
		{ { 0x55, 0x10, 0, 0, 0, 0, 0, 0, 60 }, 60 }, /* MODE SELECT(10) */
		{ { 0x55, 0x10, 0, 0, 0, 0, 0, 0, 59 }, 59 },
		{ { 0x5d, 0, 0, 0, 0, 0, 0, 0, 24 }, 24 }, /* SEND CUE SHEET */
		{ { 0x5d, 0, 0, 0, 0, 0, 0, 3, 0x20 }, 800 },
		{ { 0x04, 0x11 }, 12 }, /* FORMAT UNIT */
		{ { 0x2a, 0, 0, 0, 0, 5, 0, 0, 1 }, 2048 }, /* WRITE(10) */
	};
	struct board *b = *state;

	for (size_t i = 0; i < 2 * XO_ARRAY_SIZE(rows); i++) {
		uint32_t length = rows[i / 2].length;

		for (uint32_t at = 0; at < length; at++)
			*rig_ram(&b->rig, BUFFER + at, 1) = (uint8_t)(at * 31 + i);
		b->fake.written_bytes = 0;
		b->fake.commands = 0;
		region(b, 0, 0, BUFFER, 10);
		region(b, 0, 1, BUFFER + 10, length - 10);
		prepare(b, 0, PACKET, i & 1, rows[i / 2].cdb, 2, HEADER_WRITE);
		set(b, CI, 1);
		assert_int_equal(b->fake.commands, 1);
		assert_int_equal(get(b, TFD) & (BSY | DRQ), BSY);
		run(b);
		assert_int_equal(get(b, CI), 0);
		assert_d2h(b, 0x40, 0x50, 0);
		assert_int_equal(rig_read(&b->rig, LIST + 4, 4), length);
		assert_int_equal(b->fake.written_bytes, length);
		for (uint32_t at = 0; at < length; at++)
			assert_int_equal(b->fake.written[at], (uint8_t)(at * 31 + i));
		clear_causes(b);
	}
}

/* The direction of the header's W bit is not the command's: nothing moves, nothing reaches the drive. */
static void a_wrong_direction_is_refused(void **state)
{
	static const uint8_t write10[12] = { 0x2a, 0, 0, 0, 0, 5, 0, 0, 1 };
	struct board *b = *state;
	uint8_t cdb[12];

	read10(cdb, 5, 1);
	memset(rig_ram(&b->rig, BUFFER, 2048), 0xee, 2048);
	for (int out = 0; out < 2; out++) {
		region(b, 0, 0, BUFFER, 2048);
		prepare(b, 0, PACKET, 1, out ? write10 : cdb, 1, out ? 0 : HEADER_WRITE);
		set(b, CI, 1);
		assert_int_equal(b->fake.commands, 0);
		assert_int_equal(get(b, TFD), 0x5051); /* ILLEGAL REQUEST */
		assert_int_equal(byte(b, BUFFER), 0xee);
		assert_alive(b);
		b->fake.commands = 0;
		memset(rig_ram(&b->rig, BUFFER, 2048), 0xee, 2048);
	}
}

/* COMRESET shows in PxSERR, and through it in PxIS, until software clears it there (3.3.5, 3.3.12). */
static void a_reset_shows_until_it_is_cleared(void **state)
{
	struct board *b = *state;

	set(b, CMD, FRE | 6);
	memset(rig_ram(&b->rig, FISES, 256), 0, 256);
	set(b, SCTL, 1);
	assert_int_equal(get(b, SSTS), 0);
	assert_int_equal(get(b, TFD) & 0x7f, 0x7f);
	assert_int_equal(get(b, SIG), 0xffffffff);
	set(b, SCTL, 0);
	assert_int_equal(get(b, SSTS), 0x113);
	assert_int_equal(get(b, SIG), 0xeb140101);
	assert_d2h(b, 0, 0, 1);
	assert_signature(b);
	assert_int_equal(get(b, SERR), (uint32_t)DIAG_X | DIAG_N);
	assert_int_equal(get(b, PIS), (uint32_t)PCS | PRCS);
	assert_true(b->rig.intx);
	set(b, PIS, 0xffffffff); /* both are read-only here */
	assert_int_equal(get(b, PIS), (uint32_t)PCS | PRCS);
	set(b, IS, 1);
	assert_int_equal(get(b, IS), 1);
	assert_true(b->rig.intx);
	set(b, SERR, DIAG_X);
	assert_int_equal(get(b, SERR), DIAG_N);
	assert_int_equal(get(b, PIS), PRCS);
	set(b, SERR, DIAG_N);
	assert_int_equal(get(b, SERR), 0);
	assert_int_equal(get(b, PIS), 0);
	set(b, IS, 1);
	assert_false(b->rig.intx);
	/* Without reception nothing is written, and the signature comes when it is switched on. */
	set(b, CMD, 6);
	memset(rig_ram(&b->rig, FISES, 256), 0, 256);
	set(b, SCTL, 1);
	set(b, SCTL, 0);
	assert_int_equal(byte(b, D2H), 0);
	set(b, CMD, FRE | 6);
	assert_d2h(b, 0, 0, 1);
	/* The interface switched off: no device, until it is switched on. */
	set(b, SCTL, 4);
	assert_int_equal(get(b, SSTS), 4);
	assert_int_equal(get(b, SIG), 0xffffffff);
	set(b, CMD, FRE | ST | 6);
	ata(b, DIAGNOSTIC, 0, 0);
	assert_int_equal(get(b, CI), 1);
	set(b, SCTL, 0);
	assert_alive(b);
}

/* PxCMD (3.3.7): CR and FR follow ST and FRE, CLO is heard only while ST is clear. */
/* GHC.HR resets all of the port but where its list and FISes are (AHCI 1.3.1 10.4.3); power-on resets that as well. */
static void a_reset_of_the_hba_keeps_the_addresses(void **state)
{
	static const uint64_t list = 0x12345678fffffc00, fises = 0x9abcdef0ffffff00;
	struct board *b = *state;

	set(b, CMD, FRE | 6);
	rig_write(&b->rig, ABAR + CLB, 8, list);
	rig_write(&b->rig, ABAR + FB, 8, fises);
	set(b, GHC, 0x80000001);
	assert_int_equal(get(b, GHC), 0x80000000);
	assert_true(rig_read(&b->rig, ABAR + CLB, 8) == list);
	assert_true(rig_read(&b->rig, ABAR + FB, 8) == fises);
	assert_int_equal(get(b, PIE), 0);
	assert_int_equal(get(b, CMD) & (FRE | ST | FR | CR), 0);
	/* A driver that relies on it. */
	rig_write(&b->rig, ABAR + CLB, 8, LIST);
	rig_write(&b->rig, ABAR + FB, 8, FISES);
	memset(rig_ram(&b->rig, FISES, 256), 0, 256);
	set(b, GHC, 0x80000001);
	set(b, CMD, FRE | 6);
	assert_int_equal(byte(b, D2H), 0x34);
	assert_signature(b);
	set(b, PIS, 0xffffffff);
	set(b, SERR, 0xffffffff);
	set(b, PIE, 0xffffffff);
	set(b, GHC, 0x80000002);
	set(b, CMD, FRE | ST | 6);
	ata(b, SET_FEATURES, 3, 0x45);
	assert_done(b);
	xo_ahci_reset(&b->rig.ahci);
	rig_config_write(&b->rig, 0x24, 4, ABAR);
	rig_config_write(&b->rig, 4, 2, 6);
	assert_true(rig_read(&b->rig, ABAR + CLB, 8) == 0);
	assert_true(rig_read(&b->rig, ABAR + FB, 8) == 0);
}

static void list_and_reception_say_whether_they_run(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	set(b, CMD, CR | FR | CCS | 6); /* software cannot set them */
	assert_int_equal(get(b, CMD), 6);
	set(b, CI, 1); /* nor ask for anything while ST is clear (3.3.14) */
	set(b, SACT, 1);
	assert_int_equal(get(b, CI) | get(b, SACT), 0);
	set(b, CMD, FRE | 6);
	assert_int_equal(get(b, CMD), FR | FRE | 6);
	set(b, CMD, FRE | ST | 6);
	assert_int_equal(get(b, CMD), CR | FR | FRE | ST | 6);
	read10(cdb, 3, 1);
	region(b, 5, 0, BUFFER, 2048);
	prepare(b, 5, PACKET, 1, cdb, 1, 0);
	set(b, CI, 1 << 5);
	assert_int_equal(get(b, CMD) & CCS, 5 << 8);
	assert_int_equal(get(b, TFD) & BSY, BSY);
	set(b, CMD, FRE | ST | CLO | 6);
	assert_int_equal(get(b, CMD) & CLO, 0);
	assert_int_equal(get(b, TFD) & BSY, BSY);
	assert_int_equal(get(b, CI), 1 << 5);
	set(b, CMD, FRE | 6); /* stops in the midst of it, and BSY stays the device's */
	assert_int_equal(get(b, CMD), FR | FRE | 6);
	assert_int_equal(get(b, CI), 0);
	assert_int_equal(get(b, TFD) & BSY, BSY);
	set(b, CMD, FRE | CLO | 6);
	assert_int_equal(get(b, TFD) & (BSY | DRQ), 0);
	assert_int_equal(get(b, CMD), FR | FRE | 6);
	run(b);
	assert_int_equal(get(b, PIS), 0);
	assert_alive(b);
}

/* ST without FRE is against 10.3.1: no FIS is written, and a port that is started well works. */
static void a_list_without_reception_writes_no_fis(void **state)
{
	struct board *b = *state;
	uint8_t cdb[12];

	set(b, CMD, 6);
	set(b, CMD, ST | 6);
	assert_int_equal(get(b, CMD) & FR, 0);
	memset(rig_ram(&b->rig, FISES, 256), 0xee, 256);
	read10(cdb, 3, 1);
	region(b, 0, 0, BUFFER, 2048);
	prepare(b, 0, PACKET, 0, cdb, 1, 0);
	set(b, CI, 1);
	run(b);
	for (uint32_t i = 0; i < 256; i++)
		assert_int_equal(byte(b, FISES + i), 0xee);
	assert_alive(b);
}

static void assert_string(struct board *b, unsigned int at, const char *text)
{
	for (size_t i = 0; i < strlen(text); i++)
		assert_int_equal(byte(b, BUFFER + 2 * at + (uint32_t)(i ^ 1)), text[i]);
}

static void identity_words(void **state)
{
	struct board *b = *state;
	uint8_t sum = 0;

	identify(b);
	assert_int_equal(word(b, 0), 0x85c0);
	assert_string(b, 10, "00000001            ");
	assert_string(b, 23, "1.0     ");
	assert_string(b, 27, "XENOPTIC VIRTUAL BURNER                 ");
	assert_int_equal(word(b, 49), 0x0f00);
	assert_int_equal(word(b, 76), 0x0002); /* 1.5 Gb/s; no queues, no power management */
	assert_int_equal(word(b, 77), 0);
	assert_int_equal(word(b, 78), 0x0020); /* asynchronous notification, */
	assert_int_equal(word(b, 79), 0); /* off */
	assert_int_equal(word(b, 82), 0x0210);
	assert_int_equal(word(b, 88), 0x203f);
	assert_int_equal(word(b, 93), 0); /* no cable to tell of */
	for (uint32_t i = 0; i < 512; i++)
		sum = (uint8_t)(sum + byte(b, BUFFER + i));
	assert_int_equal(sum, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(resets_by_command_give_the_signature),
		TEST(transfer_modes_are_set_or_aborted),
		TEST(other_features_are_known_or_aborted),
		TEST(power_commands_end_at_once),
		TEST(cve_2015_6855_commands_of_disks_are_aborted),
		TEST(packet_with_overlap_is_aborted),
		TEST(pio_setup_tells_of_each_block),
		TEST(parameter_lists_reach_the_drive),
		TEST(a_wrong_direction_is_refused),
		TEST(a_reset_shows_until_it_is_cleared),
		TEST(a_reset_of_the_hba_keeps_the_addresses),
		TEST(list_and_reception_say_whether_they_run),
		TEST(a_list_without_reception_writes_no_fis),
		TEST(identity_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

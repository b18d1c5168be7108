/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes what AHCI fetches for a command: its header, the FIS from host to device and the packet. Each is issued
 * to a running port, the drive answers, and then the command has ended or an error has stopped the list; software's
 * error recovery (AHCI 1.3.1 §6.2.2.1) must bring the port back. In the end a port reset and a TEST UNIT READY work.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz_controller.h"
#include "../protocol/fake_drive.h"
#include "mmc/sense.h"

#define COMMANDS_MAX 48
#define PARTS_MAX 64
#define LIST FUZZ_MEMORY
#define RECEIVED (FUZZ_MEMORY + 0x400u)
#define TABLE (FUZZ_MEMORY + 0x1000u)
#define DATA (FUZZ_MEMORY + 0x100000u)
#define REGION_BYTES 0x10000u
#define OUTSIDE 0xff /* in place of a residual: the command's table is no RAM */

enum {
	IS = 0x110,
	CMD = 0x118,
	TFD = 0x120,
	SIG = 0x124,
	SCTL = 0x12c,
	SERR = 0x130,
	CI = 0x138,

	CMD_ON = 0x16, /* FRE, POD, SUD */
	CMD_START = 0x01,
	CMD_CLO = 0x08,
	TFD_BUSY = 0x88, /* BSY, DRQ */

	/* How a command goes. */
	GOES_SLOT = 0x0f,
	GOES_TWICE = 0x10, /* the next slot as well */
	GOES_CHECK = 0x20,
	GOES_LATE = 0x40, /* no answer before the list is stopped */
	GOES_RESTART = 0x80, /* a new process while it is with the drive */
};
#define IS_ERRORS 0x78000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake_drive fake;
static struct xo_packet_drive drive;
static struct rig rig;

static uint32_t get(uint32_t reg)
{
	return (uint32_t)rig_read(&rig, FUZZ_ABAR + reg, 4);
}

static void set(uint32_t reg, uint32_t value)
{
	rig_write(&rig, FUZZ_ABAR + reg, 4, value);
}

static void require(bool what)
{
	if (!what)
		abort();
}

static void start(void)
{
	set(SERR, UINT32_MAX);
	set(IS, UINT32_MAX);
	set(0x100, LIST);
	set(0x108, RECEIVED);
	set(0x114, UINT32_MAX);
	set(4, 2);
	set(CMD, CMD_ON);
	set(CMD, CMD_ON | CMD_START);
}

/* COMRESET (§10.4.2). */
static void reset_port(void)
{
	set(CMD, CMD_ON);
	set(SCTL, 1);
	set(SCTL, 0);
	require(get(SIG) == 0xeb140101);
	start();
}

static void put_command(unsigned int slot, const uint8_t first[4], const uint8_t fis[64],
			const uint8_t packet[16])
{
	uint8_t *header = rig_ram(&rig, LIST + slot * 32, 32);
	uint32_t at = TABLE + slot * 0x100;
	uint8_t *table = rig_ram(&rig, at, 0x100);

	memset(header, 0, 32);
	memcpy(header, first, 4);
	xo_put_le32(header + 8, at);
	memset(table, 0, 0x100);
	memcpy(table, fis, 64);
	memcpy(table + 0x40, packet, 16);
	for (uint32_t i = 0; i < 8; i++) {
		xo_put_le32(table + 0x80 + i * 16, DATA + i * REGION_BYTES);
		xo_put_le32(table + 0x8c + i * 16, REGION_BYTES - 1);
	}
}

static void read_some(struct xo_reader *r, uint8_t *to, size_t size)
{
	size_t length = xo_read_u8(r);
	size_t n = XO_MIN(XO_MIN(length, size), xo_reader_left(r));
	const uint8_t *bytes = xo_read_bytes(r, n);

	if (bytes)
		memcpy(to, bytes, n);
}

/* No command comes back for ever, and none has more parts than its regions hold. */
static void answer(uint8_t goes, uint32_t residual)
{
	for (int i = 0; i < PARTS_MAX && fake_pending(&fake) >= 0; i++)
		fake_answer(&fake, rig_packet(&rig), goes & GOES_CHECK ? XO_SENSE_NO_MEDIUM : 0,
			    residual);
	require(fake_pending(&fake) < 0);
}

/* §6.2.2.1: ST off and on; the commands that were issued are software's again. */
static void recover(void)
{
	set(CMD, CMD_ON);
	require(!get(CI));
	require(!(get(CMD) & 1u << 15));
	set(SERR, UINT32_MAX);
	set(IS, UINT32_MAX);
	if (get(TFD) & TFD_BUSY)
		set(CMD, CMD_ON | CMD_CLO);
	require(!(get(TFD) & TFD_BUSY));
	set(CMD, CMD_ON | CMD_START);
}

static void run_command(struct xo_reader *r)
{
	uint8_t goes = xo_read_u8(r);
	uint8_t answered = xo_read_u8(r);
	uint32_t residual = answered * 64u;
	uint32_t slot = goes & GOES_SLOT;
	uint8_t first[4] = { 0 };
	uint8_t fis[64] = { 0 };
	uint8_t packet[16] = { 0 };
	const uint8_t *bytes = xo_read_bytes(r, 4);

	if (bytes)
		memcpy(first, bytes, 4);
	read_some(r, fis, sizeof(fis));
	read_some(r, packet, sizeof(packet));
	put_command(slot, first, fis, packet);
	put_command(slot + 1, first, fis, packet);
	if (answered == OUTSIDE)
		xo_put_le32(rig_ram(&rig, LIST + slot * 32 + 8, 4), 0xfffff000);
	set(CI, (goes & GOES_TWICE ? 3u : 1u) << slot);
	if (goes & GOES_RESTART)
		require(!rig_restart(&rig, &drive));
	if (!(goes & GOES_LATE))
		answer(goes, residual);
	/* Ended, with the drive, or stopped by an error that software is told of. */
	if (get(CI) && fake_pending(&fake) < 0)
		require(get(IS) & IS_ERRORS);
	if (get(CI))
		recover();
	set(IS, UINT32_MAX);
	/* Late answers are nobody's. */
	answer(goes, residual);
	require(!get(CI));
}

static void assert_works(void)
{
	static const uint8_t first[4] = { 5 };
	static const uint8_t fis[64] = { 0x27, 0x80, 0xa0 };
	static const uint8_t packet[16] = { 0 };
	unsigned int commands;

	reset_port();
	commands = fake.commands;
	put_command(0, first, fis, packet);
	set(CI, 1);
	fake_run(&fake, rig_packet(&rig));
	require(!get(CI) && !(get(IS) & IS_ERRORS) && fake.commands == commands + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xo_reader r = xo_reader(data, size);

	fake_drive_init(&fake, &drive);
	require(!rig_init(&rig, RIG_AHCI, &drive));
	fuzz_map(&rig);
	start();
	for (int i = 0; i < COMMANDS_MAX && xo_reader_left(&r); i++)
		run_command(&r);
	assert_works();
	rig_fini(&rig);
	return 0;
}

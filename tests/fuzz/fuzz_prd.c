/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes tables of physical regions, IDE's PRD and AHCI's PRDT: one packet command over one table, and what it moves
 * compared with another reading of the table, made here. Data go to the regions in their order and nowhere else,
 * as many as the drive has given or the regions hold, and up to the first region that is no RAM.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz_controller.h"
#include "../protocol/fake_drive.h"

#define LIST 0x1f0000u /* AHCI's list and received FISes, before the window */
#define RECEIVED 0x1f0400u
#define PRDT 0x80u
#define TABLE_BYTES 0x4000u /* that the input can fill */
#define REGIONS_MAX 0x2000u /* a table of IDE's ends with its 64 KiB */
#define RAM_END (RIG_RAM_BASE + RIG_RAM_SIZE)
#define FILLED 0x20000u /* of the usual place of data */
#define DATA 0x300000u

enum {
	HOW_AHCI = 0x01,
	HOW_DEVICE_WRITES = 0x02, /* to memory: the direction that the controller is told */
	HOW_PIO = 0x04, /* the packet says so; AHCI moves its data all the same */
	HOW_AT_END = 0x08, /* the table lies at the end of RAM */
	HOW_REPEAT = 0x10, /* the table goes on as it began */
	HOW_COMMAND_SHIFT = 5,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake_drive fake;
static struct xo_packet_drive drive;
static struct rig rig;

/* What the table says. */
static struct {
	uint64_t address;
	uint32_t length;
} regions[REGIONS_MAX];
static uint32_t region_count;
static bool
	unclear; /* with the table or with AHCI's own places: what is moved may change what is said */

/* Where the next byte of data has to go. */
static uint32_t at_region, at_byte;
static uint64_t moved;
static bool watching, to_memory;

static const struct xo_machine_ops *board;

static void require(bool what)
{
	if (!what)
		abort();
}

static bool overlap(uint64_t a, uint64_t length, uint64_t b, uint64_t size)
{
	return a < b + size && b < a + length;
}

/* One move of data: all of it in the region whose turn it is. */
static bool move_expected(uint64_t address, size_t length)
{
	while (at_region < region_count && at_byte == regions[at_region].length) {
		at_region++;
		at_byte = 0;
	}
	return at_region < region_count && address == regions[at_region].address + at_byte &&
	       length <= regions[at_region].length - at_byte;
}

static void moves(uint64_t address, size_t length)
{
	require(move_expected(address, length));
	at_byte += (uint32_t)length;
	moved += length;
}

static bool is_own(uint64_t address, size_t length)
{
	return rig.kind == RIG_AHCI && overlap(address, length, LIST, 0x500);
}

static int watched_write(void *priv, uint64_t address, const void *buffer, size_t length)
{
	int r = board->dma_write(priv, address, buffer, length);

	if (!r && watching && !is_own(address, length)) {
		require(to_memory);
		moves(address, length);
	}
	return r;
}

/* --- the table --- */

static void add_region(uint64_t address, uint32_t length, uint64_t table, uint64_t size)
{
	require(region_count < REGIONS_MAX);
	regions[region_count].address = address;
	regions[region_count++].length = length;
	if (overlap(address, length, table, size) || overlap(address, length, LIST, 0x500))
		unclear = true;
}

/* False: it has no end where it must have one, or leaves RAM. */
static bool read_prd(uint32_t table)
{
	uint32_t size = 0x10000 - (table & 0xffff);

	for (uint32_t at = 0; at + 8 <= size; at += 8) {
		const uint8_t *entry = rig_ram(&rig, (uint64_t)table + at, 8);
		uint32_t count;

		if (!entry)
			return false;
		count = xo_get_le32(entry + 4);
		add_region(xo_get_le32(entry) & ~1u, count & 0xfffe ? count & 0xfffe : 0x10000,
			   table, size);
		if (count >> 31)
			return true;
	}
	return false;
}

static bool read_prdt(uint64_t table, uint32_t entries)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < entries; i++) {
		const uint8_t *entry = rig_ram(&rig, table + i * 16ull, 16);
		uint32_t length;

		/* No command moves 4 GiB: what follows may be left unread. */
		if (!entry)
			return unclear = total > UINT32_MAX;
		length = (xo_get_le32(entry + 12) & 0x3fffff) + 1;
		add_region(xo_get_le64(entry) & ~1ull, length, table, entries * 16ull);
		total += length;
	}
	return true;
}

static uint64_t regions_total(void)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < region_count; i++)
		total += regions[i].length;
	return total;
}

/* What of `length` bytes lies in RAM from the begin: a region outside it ends the command. */
static bool all_ram(uint64_t length)
{
	for (uint32_t i = 0; i < region_count && length; i++) {
		uint64_t n = XO_MIN((uint64_t)regions[i].length, length);

		if (!rig_ram(&rig, regions[i].address, n))
			return false;
		length -= n;
	}
	return true;
}

static uint64_t place_table(struct xo_reader *r, uint8_t how)
{
	uint32_t offset = xo_read_be16(r);
	uint64_t table = how & HOW_AT_END ? RAM_END - 1 - offset : FUZZ_MEMORY + offset;

	table &= how & HOW_AHCI ? ~0x7full : ~3ull;
	return table;
}

static void fill_table(struct xo_reader *r, uint64_t table, uint8_t how)
{
	size_t n = XO_MIN(xo_reader_left(r), (size_t)TABLE_BYTES);
	const uint8_t *bytes = xo_read_bytes(r, n);
	uint64_t room = table < RAM_END ? RAM_END - table : 0;
	uint64_t size = how & HOW_REPEAT ? 0x10000 : n;
	uint8_t *ram;

	size = XO_MIN(size, room);
	ram = rig_ram(&rig, table, size);
	if (!bytes || !n || !ram)
		return;
	for (uint64_t i = 0; i < size; i++)
		ram[i] = bytes[i % n];
}

/* --- the command --- */

/* What its data come to, `count` being blocks or bytes. */
static uint32_t command_length(uint8_t opcode, uint8_t count)
{
	switch (opcode) {
	case 0x00:
		return 0;
	case 0x12:
	case 0x43:
	case 0x55:
		return count;
	case 0xbe:
		return count * 2352u;
	default:
		return count * 2048u;
	}
}

static void make_cdb(uint8_t cdb[12], unsigned int command, uint8_t count)
{
	static const uint8_t opcodes[8] = { 0x28, 0x2a, 0x12, 0x55, 0x43, 0x00, 0xbe, 0xa8 };

	memset(cdb, 0, 12);
	cdb[0] = opcodes[command];
	switch (cdb[0]) {
	case 0x12:
		cdb[4] = count;
		break;
	case 0x43:
	case 0x55:
	case 0x28:
	case 0x2a:
		cdb[8] = count;
		break;
	case 0xbe:
		cdb[8] = count;
		cdb[9] = 0xf8;
		break;
	case 0xa8:
		cdb[9] = count;
		break;
	}
}

static void issue_ide(const uint8_t cdb[12], uint8_t how, uint32_t table)
{
	const uint16_t bm = FUZZ_PORTS + 0x20;

	rig_out(&rig, bm + 4, 4, table);
	rig_out(&rig, bm + 2, 1, 6);
	rig_out(&rig, FUZZ_PORTS + 1, 1, 1);
	rig_out(&rig, FUZZ_PORTS + 7, 1, 0xa0);
	for (int i = 0; i < 12; i += 2)
		rig_out(&rig, FUZZ_PORTS, 2, xo_get_le16(cdb + i));
	rig_out(&rig, bm, 1, how & HOW_DEVICE_WRITES ? 9 : 1);
}

static void issue_ahci(const uint8_t cdb[12], uint8_t how, uint64_t table, uint16_t entries)
{
	uint8_t *header = rig_ram(&rig, LIST, 32);
	uint8_t *head = rig_ram(&rig, table, PRDT);
	static const uint32_t registers[][2] = {
		{ 0x130, UINT32_MAX }, { 0x100, LIST }, { 0x108, RECEIVED },
		{ 0x114, UINT32_MAX }, { 0x118, 0x16 }, { 0x118, 0x17 },
	};

	if (!head)
		return;
	header[0] = how & HOW_DEVICE_WRITES ? 0x25 : 0x65;
	xo_put_le16(header + 2, entries);
	xo_put_le64(header + 8, table);
	memset(head, 0, PRDT);
	head[0] = 0x27;
	head[1] = 0x80;
	head[2] = 0xa0;
	head[3] = how & HOW_PIO ? 0 : 1;
	head[6] = 0x80;
	memcpy(head + 0x40, cdb, 12);
	for (size_t i = 0; i < XO_ARRAY_SIZE(registers); i++)
		rig_write(&rig, FUZZ_ABAR + registers[i][0], 4, registers[i][1]);
	rig_write(&rig, FUZZ_ABAR + 0x138, 4, 1);
}

/* Bytes to the drive are those of the regions, in their order. */
static void check_written(void)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < region_count && at < fake.written_bytes; i++) {
		uint32_t n = XO_MIN(regions[i].length, fake.written_bytes - at);
		const uint8_t *ram = rig_ram(&rig, regions[i].address, n);

		require(ram && !memcmp(ram, fake.written + at, n));
		at += n;
	}
	require(at == fake.written_bytes);
}

/* Answers all of it; the bytes that the drive was asked for or given, and those that it gave. */
static uint64_t answer(uint32_t residual, uint64_t *asked)
{
	uint64_t given = 0;
	int handle;

	*asked = 0;
	while ((handle = fake_pending(&fake)) >= 0) {
		uint32_t length = fake.length[handle];

		*asked += length;
		if (fake.direction[handle] == XO_DIR_IN)
			given += length - XO_MIN(residual, length);
		fake_answer(&fake, rig_packet(&rig), 0, residual);
	}
	return given;
}

static void map(void)
{
	static struct xo_machine_ops watched;

	/* What is read is seen by what the drive gets (check_written). */
	board = rig.bus.machine.ops;
	watched = *board;
	watched.dma_write = watched_write;
	rig.bus.machine.ops = &watched;
	fuzz_map(&rig);
}

static void fill_data(void)
{
	uint8_t *ram = rig_ram(&rig, DATA, FILLED);

	for (uint32_t i = 0; i < FILLED; i++)
		ram[i] = (uint8_t)(i * 5 + (i >> 8) + 3);
}

static void run(struct xo_reader *r, uint8_t how)
{
	uint8_t count = xo_read_u8(r);
	uint32_t residual = (uint32_t)xo_read_u8(r) * 64;
	uint16_t entries = xo_read_be16(r) % REGIONS_MAX;
	uint64_t table = place_table(r, how);
	uint8_t cdb[12];
	uint32_t length;
	uint64_t asked;
	uint64_t given;
	bool valid;
	bool out;

	make_cdb(cdb, how >> HOW_COMMAND_SHIFT, count);
	length = command_length(cdb[0], count);
	out = cdb[0] == 0x2a || cdb[0] == 0x55;
	if (out)
		fill_data();
	fill_table(r, rig.kind == RIG_IDE ? table : table + PRDT, how);
	valid = rig.kind == RIG_IDE ? read_prd((uint32_t)table) : read_prdt(table + PRDT, entries);
	to_memory = how & HOW_DEVICE_WRITES;
	watching = valid && !unclear;
	if (rig.kind == RIG_IDE)
		issue_ide(cdb, how, (uint32_t)table);
	else
		issue_ahci(cdb, how, table, entries);
	given = answer(residual, &asked);
	/* A command without data needs no table. */
	if (!valid && length)
		require(!fake.commands);
	if (!watching)
		return;
	/*
	 * All of it, if nothing keeps the regions from holding it; or as much as they hold, where that is as many blocks
	 * of another size that a medium may have (xo_block_size_plausible()), and nothing of those that lie outside RAM.
	 */
	if (!residual && regions_total() >= length && out != to_memory && all_ram(length))
		require(asked == length || asked == regions_total() ||
			(!asked && regions_total() % count == 0 && !all_ram(regions_total())));
	require(moved <= given && moved <= regions_total());
	if (given && given <= regions_total() && all_ram(given))
		require(moved == given);
	check_written();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xo_reader r = xo_reader(data, size);
	uint8_t how = xo_read_u8(&r);

	region_count = at_region = at_byte = 0;
	unclear = false;
	watching = false;
	moved = 0;
	fake_drive_init(&fake, &drive);
	require(!rig_init(&rig, how & HOW_AHCI ? RIG_AHCI : RIG_IDE, &drive));
	map();
	run(&r, how);
	rig_fini(&rig);
	return 0;
}

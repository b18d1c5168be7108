/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block sizes: of READ CD's selections, of data block types, and those that a drive was told by
 * MODE SELECT and SEND CUE SHEET.
 */
#include "mmc/cdb.h"

#include <string.h>

#include "base/bytes.h"
#include "fields.h"
#include "mmc/profile.h"

/* Parts of a CD sector (MMC-6 4.2.3.8). */
enum { SYNC = 12, HEADER = 4, SUB_HEADER = 8 };

/* Expected sector types of READ CD (MMC-6 table 351), with their user data and EDC/ECC. */
enum sector_type { ANY, CD_DA, MODE_1, MODE_2, MODE_2_FORM_1, MODE_2_FORM_2, SECTOR_TYPES };
static const struct {
	uint16_t user;
	uint16_t edc_ecc;
	bool sub_header;
} sector_parts[SECTOR_TYPES] = {
	[CD_DA] = { 2352, 0, false },	     [MODE_1] = { 2048, 288, false },
	[MODE_2] = { 2336, 0, false },	     [MODE_2_FORM_1] = { 2048, 280, true },
	[MODE_2_FORM_2] = { 2328, 0, true },
};

/* Byte 9 of READ CD: main channel selection. */
#define MAIN_SYNC 0x80
#define MAIN_SUB_HEADER 0x40
#define MAIN_HEADER 0x20
#define MAIN_USER 0x10
#define MAIN_EDC_ECC 0x08
#define MAIN_ALL 0xf8

static uint32_t main_channel_size(enum sector_type type, uint8_t selection)
{
	uint32_t size = 0;

	if (!(selection & MAIN_ALL))
		return 0;
	/* Audio has no parts (MMC-6 table 355), and everything of any sector is all of it. */
	if (type == CD_DA || (selection & MAIN_ALL) == MAIN_ALL)
		return 2352;
	if (selection & MAIN_SYNC)
		size += SYNC;
	if (selection & MAIN_HEADER)
		size += HEADER;
	if (selection & MAIN_SUB_HEADER && sector_parts[type].sub_header)
		size += SUB_HEADER;
	if (selection & MAIN_USER)
		size += sector_parts[type].user;
	if (selection & MAIN_EDC_ECC)
		size += sector_parts[type].edc_ecc;
	return size;
}

static uint32_t c2_size(uint8_t selection)
{
	static const uint16_t size[4] = { 0, 294, 296, 0 };

	return size[selection >> 1 & 3];
}

static uint32_t sub_channel_size(uint8_t selection)
{
	static const uint8_t size[8] = { [1] = 96, [2] = 16, [4] = 96 };

	return size[selection & 7];
}

static enum sector_type expected_type(const uint8_t *cdb)
{
	unsigned type = cdb[1] >> 2 & 7;

	return type < SECTOR_TYPES ? (enum sector_type)type : ANY;
}

static uint32_t read_cd_size(const uint8_t *cdb, enum sector_type type)
{
	return main_channel_size(type, cdb[9]) + c2_size(cdb[9]) + sub_channel_size(cdb[10]);
}

uint32_t xo_read_cd_block_size(const uint8_t *cdb)
{
	enum sector_type type = expected_type(cdb);

	return read_cd_size(cdb, type == ANY ? MODE_1 : type);
}

bool xo_read_cd_exact(const uint8_t *cdb)
{
	uint8_t selection = cdb[9] & MAIN_ALL;

	return expected_type(cdb) != ANY || selection == 0 || selection == MAIN_ALL;
}

static bool plausible_on_cd(uint32_t size)
{
	static const uint16_t main_channel[] = {
		0, 2048, 2056, 2324, 2328, 2332, 2336, 2340, 2352
	};
	static const uint8_t sub_channel[] = { 0, 16, 96 };

	for (size_t i = 0; i < XO_ARRAY_SIZE(main_channel); i++)
		for (size_t j = 0; j < XO_ARRAY_SIZE(sub_channel); j++)
			if (size && size == (uint32_t)main_channel[i] + sub_channel[j])
				return true;
	return false;
}

bool xo_block_size_plausible(const struct xo_opcode *op, const uint8_t *cdb, uint32_t size)
{
	if (op->rule != XO_LENGTH_READ_CD && op->rule != XO_LENGTH_READ_CD_MSF)
		return plausible_on_cd(size);
	for (unsigned type = CD_DA; type < SECTOR_TYPES; type++)
		if (size && size == read_cd_size(cdb, (enum sector_type)type))
			return true;
	return false;
}

uint32_t xo_data_block_size(unsigned data_block_type)
{
	static const uint16_t size[16] = {
		[0] = 2352, /* raw */
		[1] = 2368, /* raw with P and Q */
		[2] = 2448, /* raw with P-W, packed */
		[3] = 2448, /* raw with P-W, raw */
		[8] = 2048, /* mode 1 */
		[9] = 2336, /* mode 2 */
		[10] = 2048, /* mode 2 form 1, sub-header from the page */
		[11] = 2056, /* mode 2 form 1 with sub-header */
		[12] = 2324, /* mode 2 form 2, sub-header from the page */
		[13] = 2332, /* mode 2, form 1 or 2, with sub-header */
	};

	return data_block_type < XO_ARRAY_SIZE(size) ? size[data_block_type] : 0;
}

void xo_blocks_init(struct xo_blocks *blocks)
{
	*blocks = (struct xo_blocks){
		.read = 2048,
		.write = 2048,
		.write_type = XO_WRITE_TRACK_AT_ONCE,
	};
}

uint32_t xo_blocks_write_size(const struct xo_blocks *blocks, int32_t lba)
{
	uint32_t size = blocks->write;

	if (blocks->write_type != XO_WRITE_SESSION_AT_ONCE)
		return size;
	for (unsigned i = 0; i < blocks->runs && blocks->run[i].lba <= lba; i++)
		size = blocks->run[i].block_size;
	/* Nothing is written where the drive makes the data; whoever does it means the page. */
	return size ? size : blocks->write;
}

/* Data forms of a cue sheet (MMC-6 tables 548, 549): main data and sub-channel of a block. */
uint16_t xo_cue_block_size(uint8_t data_form)
{
	static const uint16_t sub_channel[4] = { 0, 96, 0, 96 };
	uint16_t size = 0;

	switch (data_form & 0x3f) {
	case 0x00: /* CD-DA */
	case 0x11: /* mode 1, whole sectors */
	case 0x13:
	case 0x21: /* XA, whole sectors */
	case 0x23:
	case 0x31: /* mode 2, whole sectors */
		size = 2352;
		break;
	case 0x10: /* mode 1, user data */
	case 0x12:
		size = 2048;
		break;
	case 0x20: /* XA, sub-header to EDC */
	case 0x22:
	case 0x30: /* mode 2, user data */
		size = 2336;
		break;
	default: /* 01h, 14h, 24h, 34h: made by the drive */
		break;
	}
	return (uint16_t)(size + sub_channel[data_form >> 6]);
}

/* A cue sheet (MMC-6 6.33): eight bytes an entry, in ascending order of address. */
static void note_cue_sheet(struct xo_blocks *blocks, const uint8_t *sheet, size_t len)
{
	unsigned runs = 0;
	int32_t lba;

	for (size_t at = 0; at + 8 <= len; at += 8) {
		const uint8_t *cue = sheet + at;
		uint16_t size = xo_cue_block_size(cue[3]);

		if ((cue[0] & 0x0f) != 1) /* ADR: catalogue number or ISRC, no address */
			continue;
		if (cue[1] == 0) /* the lead-in, which goes before everything */
			lba = INT32_MIN;
		else if (!xo_msf_to_lba(cue[5], cue[6], cue[7], &lba))
			continue;
		if (runs && blocks->run[runs - 1].block_size == size)
			continue;
		if (runs == XO_CUE_RUNS_MAX)
			break;
		blocks->run[runs++] = (struct xo_cue_run){ .lba = lba, .block_size = size };
	}
	blocks->runs = (uint8_t)runs;
}

/* The write parameters page (MMC-6 7.5.4). */
static void note_write_parameters(struct xo_blocks *blocks, const uint8_t *page, size_t len)
{
	uint32_t size;

	if (len < 5)
		return;
	size = xo_data_block_size(page[4] & 0x0f);
	if (size)
		blocks->write = (uint16_t)size;
	blocks->write_type = page[2] & 0x0f;
	blocks->runs = 0;
}

/* A mode parameter list (SPC-4 7.5): header, block descriptors, pages. */
static void note_mode_parameters(struct xo_blocks *blocks, const uint8_t *list, size_t len,
				 bool ten)
{
	size_t at = ten ? 8 : 4;
	size_t descriptors;

	if (len < at)
		return;
	descriptors = ten ? xo_get_be16(list + 6) : list[3];
	if (descriptors > len - at)
		return;
	if (descriptors >= 8 && plausible_on_cd(xo_get_be24(list + at + 5)))
		blocks->read = (uint16_t)xo_get_be24(list + at + 5);
	at += descriptors;
	while (len - at >= 2 && len - at - 2 >= list[at + 1]) {
		if (list[at] & 0x40) /* SPF: a sub-page, none of which concerns us */
			return;
		if ((list[at] & 0x7f) == XO_PAGE_WRITE_PARAMETERS)
			note_write_parameters(blocks, list + at, (size_t)list[at + 1] + 2);
		at += (size_t)list[at + 1] + 2;
	}
}

void xo_blocks_note(struct xo_blocks *blocks, const uint8_t *cdb, size_t len, const uint8_t *params,
		    size_t params_len)
{
	if (xo_cdb_check(cdb, len))
		return;
	if (cdb[0] == XO_OP_SEND_CUE_SHEET)
		note_cue_sheet(blocks, params, params_len);
	else if (cdb[0] == XO_OP_MODE_SELECT_10 || cdb[0] == XO_OP_MODE_SELECT_6)
		note_mode_parameters(blocks, params, params_len, cdb[0] == XO_OP_MODE_SELECT_10);
}

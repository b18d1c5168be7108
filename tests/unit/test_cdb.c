/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CDB rules beyond what the recorded programs use: every length rule, block sizes, splitting. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "mmc/cdb.h"

#define READ_CD(type, main, sub)                                                \
	{                                                                       \
		XO_OP_READ_CD, (type) << 2, 0, 0, 0, 16, 0, 0, 2, (main), (sub) \
	}

static struct xo_transfer transfer(const uint8_t *cdb, size_t len, const struct xo_blocks *blocks,
				   enum xo_direction dir, uint32_t buffer_len)
{
	const struct xo_guest_buffer buffer = { .dir = dir, .length = buffer_len };
	const struct xo_cdb_context ctx = { .blocks = blocks, .buffer = &buffer };
	struct xo_transfer xfer;

	memset(&xfer, 0xff, sizeof(xfer));
	assert_int_equal(0, xo_cdb_transfer(cdb, len, &ctx, &xfer));
	return xfer;
}

static struct xo_transfer transfer_blind(const uint8_t *cdb, size_t len,
					 const struct xo_blocks *blocks)
{
	const struct xo_cdb_context ctx = { .blocks = blocks };
	struct xo_transfer xfer;

	memset(&xfer, 0xff, sizeof(xfer));
	assert_int_equal(0, xo_cdb_transfer(cdb, len, &ctx, &xfer));
	return xfer;
}

static void lengths_by_rule(void **state)
{
	static const struct {
		uint8_t cdb[XO_CDB_MAX];
		enum xo_direction dir;
		uint32_t length;
	} cases[] = {
		{ { XO_OP_TEST_UNIT_READY }, XO_DIR_NONE, 0 },
		{ { XO_OP_INQUIRY, [3] = 1, [4] = 4 }, XO_DIR_IN, 260 },
		{ { XO_OP_READ_CAPACITY }, XO_DIR_IN, 8 },
		{ { XO_OP_READ_10, [8] = 3 }, XO_DIR_IN, 6144 },
		{ { XO_OP_READ_6, [4] = 0 }, XO_DIR_IN, 256 * 2048 },
		{ { XO_OP_READ_12, [6] = 0, 0, 1, 0 }, XO_DIR_IN, 256 * 2048 },
		{ { XO_OP_READ_12, [6] = 0xff, 0xff, 0xff, 0xff }, XO_DIR_IN, UINT32_MAX },
		{ { XO_OP_WRITE_12, [9] = 2 }, XO_DIR_OUT, 4096 },
		{ { XO_OP_VERIFY_10, [8] = 16 }, XO_DIR_NONE, 0 },
		{ { XO_OP_VERIFY_10, 0x02, [8] = 16 }, XO_DIR_OUT, 32768 },
		{ { XO_OP_WRITE_BUFFER, 2, [6] = 1, 0, 4 }, XO_DIR_OUT, 0x10004 },
		{ { XO_OP_READ_BUFFER, 2, [6] = 1, 0, 4 }, XO_DIR_IN, 0x10004 },
		{ { XO_OP_SEND_CUE_SHEET, [6] = 1, 0, 8 }, XO_DIR_OUT, 0x10008 },
		{ { XO_OP_READ_TOC_PMA_ATIP, [8] = 12, 0x40 }, XO_DIR_IN, 12 },
		{ { XO_OP_FORMAT_UNIT, 0x11 }, XO_DIR_OUT, 12 },
		{ { XO_OP_FORMAT_UNIT, 0x01 }, XO_DIR_NONE, 0 },
		{ { XO_OP_GET_PERFORMANCE, 4, [9] = 2, 0x00 }, XO_DIR_IN, 8 + 2 * 16 },
		{ { XO_OP_GET_PERFORMANCE, 0, [9] = 2, 0x01 }, XO_DIR_IN, 8 + 2 * 8 },
		{ { XO_OP_GET_PERFORMANCE, 0, [9] = 2, 0x02 }, XO_DIR_IN, 8 + 2 * 2048 },
		{ { XO_OP_GET_PERFORMANCE, 0, [9] = 2, 0x03 }, XO_DIR_IN, 8 + 2 * 16 },
		{ { XO_OP_GET_PERFORMANCE, 0, [9] = 2, 0x04 }, XO_DIR_IN, 8 + 2 * 8 },
		{ { XO_OP_REPORT_KEY, [9] = 8, 0x00 }, XO_DIR_IN, 8 },
		{ { XO_OP_REPORT_KEY, [9] = 8, 0x3f }, XO_DIR_NONE, 0 },
		{ { XO_OP_SEND_KEY, [9] = 16, 0x01 }, XO_DIR_OUT, 16 },
		{ { XO_OP_SET_STREAMING, [10] = 28 }, XO_DIR_OUT, 28 },
		{ { XO_OP_MECHANISM_STATUS, [9] = 8 }, XO_DIR_IN, 8 },
		{ { XO_OP_READ_DISC_STRUCTURE, [8] = 8, 4 }, XO_DIR_IN, 2052 },
		{ { XO_OP_SEND_DISC_STRUCTURE, [9] = 20 }, XO_DIR_OUT, 20 },
		{ { XO_OP_GET_EVENT_STATUS, 1, [4] = 0x10, [8] = 8 }, XO_DIR_IN, 8 },
		{ { XO_OP_SECURITY_PROTOCOL_IN, [9] = 2 }, XO_DIR_IN, 2 },
		{ { XO_OP_SECURITY_PROTOCOL_IN, [4] = 0x80, [9] = 2 }, XO_DIR_IN, 1024 },
		{ { XO_OP_READ_CD_MSF, 4, 0, 0, 2, 0, 0, 2, 3, 0xf8 }, XO_DIR_IN, 3 * 2352 },
		/* From 99:59:74 (the last block of the lead-in's end) across to 00:00:01. */
		{ { XO_OP_READ_CD_MSF, 4, 0, 99, 59, 74, 0, 0, 1, 0xf8 }, XO_DIR_IN, 2 * 2352 },
		{ { XO_OP_READ_CD_MSF, 4, 0, 0, 2, 3, 0, 2, 0, 0xf8 }, XO_DIR_NONE, 0 },
		{ { XO_OP_BLANK, 0x11 }, XO_DIR_NONE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(cases); i++) {
		struct xo_transfer xfer = transfer_blind(cases[i].cdb, XO_CDB_MAX, NULL);

		assert_int_equal(cases[i].length, xfer.length);
		assert_int_equal(cases[i].dir, xfer.dir);
		assert_false(xfer.mismatch);
	}
}

/* MMC-6 table 355, with C2 and sub-channel. */
static void read_cd_block_sizes(void **state)
{
	static const struct {
		uint8_t cdb[12];
		uint32_t size;
	} cases[] = {
		{ READ_CD(1, 0x10, 0), 2352 },
		{ READ_CD(1, 0xf8, 0), 2352 },
		{ READ_CD(1, 0xf8, 1), 2448 },
		{ READ_CD(1, 0xf8, 2), 2368 },
		{ READ_CD(1, 0xf8, 4), 2448 },
		{ READ_CD(1, 0xfa, 0), 2352 + 294 },
		{ READ_CD(1, 0xfc, 1), XO_BLOCK_SIZE_MAX },
		{ READ_CD(1, 0x00, 2), 16 },
		{ READ_CD(1, 0x00, 0), 0 },
		{ READ_CD(2, 0x10, 0), 2048 },
		{ READ_CD(2, 0x18, 0), 2336 },
		{ READ_CD(2, 0x20, 0), 4 },
		{ READ_CD(2, 0x30, 0), 2052 },
		{ READ_CD(2, 0x38, 0), 2340 },
		{ READ_CD(2, 0xa0, 0), 16 },
		{ READ_CD(2, 0xb0, 0), 2064 },
		{ READ_CD(2, 0xb8, 0), 2352 },
		{ READ_CD(3, 0x10, 0), 2336 },
		{ READ_CD(3, 0x30, 0), 2340 },
		{ READ_CD(3, 0xb0, 0), 2352 },
		{ READ_CD(4, 0x10, 0), 2048 },
		{ READ_CD(4, 0x18, 0), 2328 },
		{ READ_CD(4, 0x40, 0), 8 },
		{ READ_CD(4, 0x50, 0), 2056 },
		{ READ_CD(4, 0x58, 0), 2336 },
		{ READ_CD(4, 0x60, 0), 12 },
		{ READ_CD(4, 0x70, 0), 2060 },
		{ READ_CD(4, 0x78, 0), 2340 },
		{ READ_CD(4, 0xe0, 0), 24 },
		{ READ_CD(4, 0xf0, 0), 2072 },
		{ READ_CD(4, 0xf8, 0), 2352 },
		{ READ_CD(5, 0x10, 0), 2328 },
		{ READ_CD(5, 0x50, 0), 2336 },
		{ READ_CD(5, 0x70, 0), 2340 },
		{ READ_CD(5, 0xf0, 0), 2352 },
		{ READ_CD(0, 0xf8, 0), 2352 },
		{ READ_CD(0, 0x10, 0), 2048 },
	};

	(void)state;
	for (size_t i = 0; i < XO_ARRAY_SIZE(cases); i++) {
		struct xo_transfer xfer = transfer_blind(cases[i].cdb, 12, NULL);

		assert_int_equal(cases[i].size, xo_read_cd_block_size(cases[i].cdb));
		assert_int_equal(2 * cases[i].size, xfer.length);
	}
}

static void the_buffer_is_the_limit(void **state)
{
	const uint8_t inquiry[6] = { XO_OP_INQUIRY, [4] = 96 };
	const uint8_t ready[6] = { 0 };
	const uint8_t any[12] = READ_CD(0, 0x10, 0);
	const uint8_t read[10] = { XO_OP_READ_10, [8] = 16 };
	struct xo_transfer xfer;

	(void)state;
	assert_int_equal(36, transfer(inquiry, 6, NULL, XO_DIR_IN, 36).length);
	assert_int_equal(96, transfer(inquiry, 6, NULL, XO_DIR_IN, 4096).length);
	assert_int_equal(0, transfer(inquiry, 6, NULL, XO_DIR_NONE, 0).length);
	/* A buffer for a command without data does no harm. */
	xfer = transfer(ready, 6, NULL, XO_DIR_OUT, 512);
	assert_int_equal(XO_DIR_NONE, xfer.dir);
	assert_int_equal(0, xfer.length);
	assert_false(xfer.mismatch);
	/* The other direction is never carried out. */
	xfer = transfer(inquiry, 6, NULL, XO_DIR_OUT, 96);
	assert_true(xfer.mismatch);
	assert_int_equal(0, xfer.length);
	assert_int_equal(XO_DIR_NONE, xfer.dir);
	/* "Any type": the guest knows that it reads audio. */
	assert_int_equal(2 * 2352, transfer(any, 12, NULL, XO_DIR_IN, 2 * 2352).length);
	assert_int_equal(2 * 2048, transfer(any, 12, NULL, XO_DIR_IN, 2 * 2049).length);
	/* READ(10) of raw sectors, after a MODE SELECT that we did not see. */
	xfer = transfer(read, 10, NULL, XO_DIR_IN, 16 * 2352);
	assert_int_equal(16 * 2352, xfer.length);
	assert_int_equal(2352, xfer.block_size);
	assert_int_equal(16 * 2048, transfer(read, 10, NULL, XO_DIR_IN, 65536).length);
	assert_int_equal(1000, transfer(read, 10, NULL, XO_DIR_IN, 1000).length);
}

static void vendor_commands_take_the_buffer(void **state)
{
	const uint8_t vendor[10] = { 0xe5, [8] = 14 };
	const uint8_t format[6] = { XO_OP_FORMAT_UNIT, 0x11 };
	const uint8_t ata[16] = { XO_OP_ATA_PASS_THROUGH_16, 0x08, 0x0e };
	const uint8_t msf[12] = { XO_OP_READ_CD_MSF, 4, 0, 255, 255, 255, 0, 2, 3, 0xf8 };

	(void)state;
	assert_int_equal(14, transfer(vendor, 10, NULL, XO_DIR_IN, 14).length);
	assert_int_equal(XO_DIR_OUT, transfer(vendor, 10, NULL, XO_DIR_OUT, 20).dir);
	assert_int_equal(0, transfer_blind(vendor, 10, NULL).length);
	assert_int_equal(8, transfer(format, 6, NULL, XO_DIR_OUT, 8).length);
	assert_int_equal(512, transfer(ata, 16, NULL, XO_DIR_IN, 512).length);
	assert_int_equal(XO_DIR_IN, transfer(ata, 16, NULL, XO_DIR_IN, 512).dir);
	/* From the current position: the CDB does not tell how much. */
	assert_int_equal(4704, transfer(msf, 12, NULL, XO_DIR_IN, 4704).length);
}

static void short_cdbs_are_refused(void **state)
{
	const struct xo_cdb_context ctx = { 0 };
	const uint8_t cdb[17] = { XO_OP_READ_10, [8] = 1 };
	struct xo_transfer xfer;

	(void)state;
	assert_int_equal(-EINVAL, xo_cdb_transfer(cdb, 0, &ctx, &xfer));
	assert_int_equal(-EINVAL, xo_cdb_transfer(cdb, 9, &ctx, &xfer));
	assert_int_equal(0, xfer.length);
	assert_int_equal(-EINVAL, xo_cdb_transfer(cdb, 17, &ctx, &xfer));
	assert_int_equal(0, xo_cdb_transfer(cdb, 12, &ctx, &xfer));
}

static void note_page_05(struct xo_blocks *blocks, uint8_t write_type, uint8_t block_type)
{
	const uint8_t cdb[10] = { XO_OP_MODE_SELECT_10, 0x10, [8] = 60 };
	uint8_t list[60] = { [8] = 0x05, 0x32, write_type, 0, block_type };

	xo_blocks_note(blocks, cdb, sizeof(cdb), list, sizeof(list));
}

static void write_sizes_by_data_block_type(void **state)
{
	static const uint16_t sizes[16] = { 2352, 2368, 2448, 2448, 0,	  0,	0, 0,
					    2048, 2336, 2048, 2056, 2324, 2332, 0, 0 };
	const uint8_t cdb[10] = { XO_OP_WRITE_10, [8] = 27 };
	struct xo_blocks blocks;

	(void)state;
	for (unsigned type = 0; type < 16; type++) {
		xo_blocks_init(&blocks);
		note_page_05(&blocks, 1, (uint8_t)type);
		assert_int_equal(sizes[type], xo_data_block_size(type));
		assert_int_equal(27 * (sizes[type] ? sizes[type] : 2048),
				 transfer_blind(cdb, sizeof(cdb), &blocks).length);
	}
	assert_int_equal(0, xo_data_block_size(16));
}

static void mode_parameter_lists_are_walked(void **state)
{
	const uint8_t six[6] = { XO_OP_MODE_SELECT_6, 0x10 };
	const uint8_t ten[10] = { XO_OP_MODE_SELECT_10, 0x10 };
	/* Header, block descriptor of 2352, error recovery page, write parameters page of raw. */
	const uint8_t list6[] = { 0,	0,    0, 8, 0,	  0, 0, 0, 0, 0, 0x09,
				  0x30, 0x01, 2, 0, 0x20, 5, 4, 1, 0, 0, 0 };
	/* A block descriptor length, and a page length, that reach beyond the list. */
	const uint8_t beyond[] = { 0, 0, 0, 0, 0, 0, 0xff, 0xff, 5, 4, 1, 0, 0, 0 };
	const uint8_t page_beyond[] = { 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 1, 0, 0, 0 };
	struct xo_blocks blocks;

	(void)state;
	xo_blocks_init(&blocks);
	xo_blocks_note(&blocks, six, sizeof(six), list6, sizeof(list6));
	assert_int_equal(2352, blocks.read);
	assert_int_equal(2352, blocks.write);
	xo_blocks_init(&blocks);
	xo_blocks_note(&blocks, ten, sizeof(ten), beyond, sizeof(beyond));
	xo_blocks_note(&blocks, ten, sizeof(ten), page_beyond, sizeof(page_beyond));
	xo_blocks_note(&blocks, ten, sizeof(ten), NULL, 0);
	assert_int_equal(2048, blocks.read);
	assert_int_equal(2048, blocks.write);
}

/* Audio with CD-TEXT in the lead-in, then a data track: three block sizes in one session. */
static void write_sizes_by_cue_sheet(void **state)
{
	const uint8_t cdb[10] = { XO_OP_SEND_CUE_SHEET, [8] = 48 };
	const uint8_t sheet[] = {
		0x01, 0x00, 0x00, 0x41, 0, 0, 0,  0, /* lead-in: 96 bytes of sub-channel */
		0x02, 0x01, 'U',  'S',	1, 2, 3,  4, /* a catalogue number, no address */
		0x01, 0x01, 0x00, 0x00, 0, 0, 0,  0, /* pre-gap of track 1 */
		0x01, 0x01, 0x01, 0x00, 0, 0, 2,  0, /* track 1 at LBA 0 */
		0x41, 0x02, 0x01, 0x10, 0, 0, 6,  0, /* track 2 at LBA 300 */
		0x41, 0xaa, 0x01, 0x14, 0, 0, 10, 0, /* lead-out, made by the drive */
	};
	struct xo_blocks blocks;

	(void)state;
	xo_blocks_init(&blocks);
	note_page_05(&blocks, 2, 0);
	xo_blocks_note(&blocks, cdb, sizeof(cdb), sheet, sizeof(sheet));
	assert_int_equal(96, xo_blocks_write_size(&blocks, -11634));
	assert_int_equal(2352, xo_blocks_write_size(&blocks, -150));
	assert_int_equal(2352, xo_blocks_write_size(&blocks, 299));
	assert_int_equal(2048, xo_blocks_write_size(&blocks, 300));
	assert_int_equal(2352, xo_blocks_write_size(&blocks, 600));
	/* The next page 05h forgets the sheet, whatever its write type. */
	note_page_05(&blocks, 2, 8);
	assert_int_equal(2048, xo_blocks_write_size(&blocks, -11634));
	note_page_05(&blocks, 1, 8);
	assert_int_equal(2048, xo_blocks_write_size(&blocks, 0));
}

static void cue_sheets_are_bounded(void **state)
{
	const uint8_t cdb[10] = { XO_OP_SEND_CUE_SHEET };
	uint8_t sheet[8 * 400];
	struct xo_blocks blocks;

	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		const uint8_t cue[8] = {
			1, 1, 1, i & 1 ? 0x10 : 0, 0, (uint8_t)(i / 60), (uint8_t)(i % 60), 0
		};

		memcpy(sheet + 8 * i, cue, 8);
	}
	xo_blocks_init(&blocks);
	note_page_05(&blocks, 2, 0);
	xo_blocks_note(&blocks, cdb, sizeof(cdb), sheet, sizeof(sheet) - 3);
	assert_int_equal(XO_CUE_RUNS_MAX, blocks.runs);
}

static void toc_format_from_either_byte(void **state)
{
	const uint8_t mmc[10] = { XO_OP_READ_TOC_PMA_ATIP, 2, 4 };
	const uint8_t sff[10] = { XO_OP_READ_TOC_PMA_ATIP, [9] = 0x80 };
	const uint8_t both[10] = { XO_OP_READ_TOC_PMA_ATIP, 0, 1, [9] = 0x40 };

	(void)state;
	assert_int_equal(4, xo_read_toc_format(mmc));
	assert_int_equal(2, xo_read_toc_format(sff));
	assert_int_equal(1, xo_read_toc_format(both));
}

/* Cuts a command and checks that its parts are the whole: returns how many there were. */
static unsigned cut(const uint8_t *cdb, size_t len, uint32_t buffer_len, uint32_t max,
		    struct xo_part *first, struct xo_part *last)
{
	const struct xo_opcode *op = xo_opcode_find(cdb, len);
	enum xo_direction dir = (enum xo_direction)op->dir;
	struct xo_transfer xfer = transfer(cdb, len, NULL, dir, buffer_len);
	struct xo_part part = { .last = false };
	struct xo_split split;
	uint32_t offset = 0;
	unsigned parts = 0;

	assert_true(xo_cdb_split(&split, cdb, len, &xfer, max) >= 0);
	while (xo_cdb_split_next(&split, &part)) {
		assert_false(parts && last->last);
		assert_int_equal(offset, part.offset);
		assert_true(part.length <= max);
		assert_int_equal(part.length,
				 transfer(part.cdb, len, NULL, dir, part.length).length);
		offset += part.length;
		if (!parts++)
			*first = part;
		*last = part;
	}
	assert_true(last->last);
	assert_int_equal(xfer.length, offset);
	return parts;
}

static void commands_are_cut(void **state)
{
	const uint8_t read[10] = { XO_OP_READ_10, 0x08, 0, 0, 1, 0, 0, 0, 250 };
	const uint8_t lead_in[10] = { XO_OP_WRITE_10, 0, 0xff, 0xff, 0xff, 0x6a, 0, 0, 200 };
	const uint8_t cd[12] = { XO_OP_READ_CD, 4, 0, 0, 0, 10, 0, 0, 54, 0xf8, 1 };
	const uint8_t msf[12] = { XO_OP_READ_CD_MSF, 4, 0, 0, 1, 74, 0, 3, 0, 0xf8 };
	const uint8_t verify[10] = { XO_OP_VERIFY_10, 0x02, [8] = 64 };
	struct xo_part first = { .last = false }, last = { .last = false };

	(void)state;
	/* 131,072 bytes take 64 blocks: 64, 64, 64, 58. */
	assert_int_equal(4, cut(read, 10, 250 * 2048, 131072, &first, &last));
	assert_int_equal(0x08, last.cdb[1]);
	assert_int_equal(256 + 192, xo_get_be32(last.cdb + 2));
	assert_int_equal(58, xo_get_be16(last.cdb + 7));
	/* 120 KiB would be 60 blocks: whole clusters of 32. */
	assert_int_equal(8, cut(read, 10, 250 * 2048, 122880, &first, &last));
	assert_int_equal(32, xo_get_be16(first.cdb + 7));
	/* Across LBA 0. */
	assert_int_equal(7, cut(lead_in, 10, 200 * 2352, 65536 + 32768, &first, &last));
	assert_int_equal(0xffffff6a, xo_get_be32(first.cdb + 2));
	assert_int_equal(-150 + 192, (int32_t)xo_get_be32(last.cdb + 2));
	assert_int_equal(4, cut(cd, 12, 54 * 2448, 16 * 2448 + 1, &first, &last));
	assert_int_equal(1, last.cdb[10]);
	assert_int_equal(6, xo_get_be24(last.cdb + 6));
	/* 00:01:74 to 00:03:00: 76 frames. */
	assert_int_equal(3, cut(msf, 12, 76 * 2352, 32 * 2352, &first, &last));
	assert_int_equal(74, first.cdb[5]);
	assert_int_equal(3, last.cdb[7]);
	assert_int_equal(0, last.cdb[8]);
	assert_int_equal(63, last.cdb[5]);
	assert_int_equal(2, cut(verify, 10, 64 * 2048, 65536, &first, &last));
	/* What fits stays as it is. */
	assert_int_equal(1, cut(read, 10, 250 * 2048, 250 * 2048, &first, &last));
	assert_memory_equal(read, first.cdb, sizeof(read));
}

static void some_commands_cannot_be_cut(void **state)
{
	const uint8_t inquiry[6] = { XO_OP_INQUIRY, [3] = 0xff };
	const uint8_t read[10] = { XO_OP_READ_10, [8] = 64 };
	struct xo_transfer xfer = transfer_blind(inquiry, 6, NULL);
	struct xo_split split;

	(void)state;
	assert_int_equal(-EMSGSIZE, xo_cdb_split(&split, inquiry, 6, &xfer, 4096));
	xfer = transfer_blind(read, 10, NULL);
	assert_int_equal(-EMSGSIZE, xo_cdb_split(&split, read, 10, &xfer, 2047));
	/* A buffer that ends within the command. */
	xfer = transfer(read, 10, NULL, XO_DIR_IN, 100000);
	assert_int_equal(-EMSGSIZE, xo_cdb_split(&split, read, 10, &xfer, 65536));
}

static void cdbs_are_formatted(void **state)
{
	const uint8_t read[10] = { XO_OP_READ_10, 0, 0, 0, 0, 16, 0, 0, 2, 0 };
	const uint8_t lead_in[10] = { XO_OP_WRITE_10, 0, 0xff, 0xff, 0xff, 0x6a, 0, 0, 27 };
	const uint8_t vendor[6] = { 0xd8 };
	char text[128], small[5];

	(void)state;
	xo_cdb_format(text, sizeof(text), read, sizeof(read));
	assert_string_equal("READ(10) lba=16 blocks=2 [28 00 00 00 00 10 00 00 02 00]", text);
	assert_int_equal(strlen(text), xo_cdb_format(small, sizeof(small), read, sizeof(read)));
	assert_string_equal("READ", small);
	xo_cdb_format(text, sizeof(text), lead_in, sizeof(lead_in));
	assert_non_null(strstr(text, "lba=-150 blocks=27"));
	xo_cdb_format(text, sizeof(text), vendor, sizeof(vendor));
	assert_string_equal("vendor specific [d8 00 00 00 00 00]", text);
	xo_cdb_format(text, sizeof(text), read, 4);
	assert_string_equal("READ(10) (4 bytes) [28 00 00 00]", text);
	xo_cdb_format(text, sizeof(text), read, 0);
	assert_string_equal("unknown (0 bytes) []", text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_by_rule),
		cmocka_unit_test(read_cd_block_sizes),
		cmocka_unit_test(the_buffer_is_the_limit),
		cmocka_unit_test(vendor_commands_take_the_buffer),
		cmocka_unit_test(short_cdbs_are_refused),
		cmocka_unit_test(write_sizes_by_data_block_type),
		cmocka_unit_test(mode_parameter_lists_are_walked),
		cmocka_unit_test(write_sizes_by_cue_sheet),
		cmocka_unit_test(cue_sheets_are_bounded),
		cmocka_unit_test(toc_format_from_either_byte),
		cmocka_unit_test(commands_are_cut),
		cmocka_unit_test(some_commands_cannot_be_cut),
		cmocka_unit_test(cdbs_are_formatted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CDB rules: is a CDB whole, what does it transfer, and where. */
#include "mmc/cdb.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "fields.h"

/* GET PERFORMANCE (MMC-6 6.8.3): header, and bytes of a descriptor by type. */
#define PERFORMANCE_HEADER 8
static const uint16_t performance_descriptor[] = {
	[0x00] = 16, /* performance */
	[0x01] = 8, /* unusable area */
	[0x02] = 2048, /* defect status */
	[0x03] = 16, /* write speed */
	[0x04] = 8, /* DBI */
	[0x05] = 8, /* DBI cache zone */
};

/* FORMAT UNIT (MMC-6 6.5.4): a format list header and one descriptor; longer lists are SBC's. */
#define FORMAT_LIST 12

/* REPORT KEY, SEND KEY: the key format that gives an AGID back. */
#define KEY_INVALIDATE_AGID 0x3f

uint32_t xo_field_get(const uint8_t *cdb, struct xo_field field)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < field.width; i++)
		value = value << 8 | cdb[field.at + i];
	return value;
}

void xo_field_put(uint8_t *cdb, struct xo_field field, uint32_t value)
{
	for (unsigned i = field.width; i-- > 0; value >>= 8)
		cdb[field.at + i] = (uint8_t)value;
}

int xo_cdb_check(const uint8_t *cdb, size_t len)
{
	const struct xo_opcode *op = xo_opcode_find(cdb, len);

	if (len == 0 || len > XO_CDB_MAX || len < op->cdb_len)
		return -EINVAL;
	return 0;
}

bool xo_cdb_lba(const uint8_t *cdb, size_t len, int32_t *lba)
{
	const struct xo_opcode *op = xo_opcode_find(cdb, len);

	if (op->lba.width == 0 || len < op->cdb_len)
		return false;
	/* The six-byte commands have 21 bits, below the LUN. */
	*lba = (int32_t)(xo_field_get(cdb, op->lba) & (op->lba.width == 3 ? 0x1fffffu : ~0u));
	return true;
}

unsigned xo_read_toc_format(const uint8_t *cdb)
{
	unsigned format = cdb[2] & 0x0f;

	/* SFF-8020i 10.8.20: byte 9, bits 7-6, where byte 2 was reserved. */
	return format ? format : cdb[9] >> 6;
}

bool xo_msf_to_lba(uint8_t m, uint8_t s, uint8_t f, int32_t *lba)
{
	int32_t frames = (m * 60 + s) * 75 + f;

	if (m > 99 || s > 59 || f > 74)
		return false;
	/* MMC-6 table 645 (annex B): 90:00:00 to 99:59:74 lie before the program area. */
	*lba = m >= 90 ? frames - 450150 : frames - 150;
	return true;
}

/* Saturates: no buffer is that large, and the guest's is looked at afterwards. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product;

	return xo_mul_overflows(a, b, &product) ? UINT32_MAX : product;
}

/* Blocks that a block command moves; false where the CDB does not tell. */
static bool count_blocks(const struct xo_opcode *op, const uint8_t *cdb, uint32_t *blocks)
{
	int32_t from, to;

	if (op->rule == XO_LENGTH_READ_CD_MSF) {
		/* FFFFFFh: "from where the head is"; and what is no MSF the drive refuses. */
		if (!xo_msf_to_lba(cdb[3], cdb[4], cdb[5], &from) ||
		    !xo_msf_to_lba(cdb[6], cdb[7], cdb[8], &to))
			return false;
		*blocks = to > from ? (uint32_t)(to - from) : 0;
		return true;
	}
	*blocks = xo_field_get(cdb, op->length);
	if (op->length.width == 1 && *blocks == 0)
		*blocks = 256; /* READ(6), WRITE(6) */
	return true;
}

/*
 * Bytes of one block, as far as the CDB and what the drive was told say. *exact is cleared where
 * the medium has a say in it.
 */
static uint32_t block_size(const struct xo_opcode *op, const uint8_t *cdb,
			   const struct xo_cdb_context *ctx, bool *exact)
{
	int32_t lba;

	switch (op->rule) {
	case XO_LENGTH_READ_CD:
	case XO_LENGTH_READ_CD_MSF:
		*exact = xo_read_cd_exact(cdb);
		return xo_read_cd_block_size(cdb);
	case XO_LENGTH_READ:
		*exact = false;
		return ctx->blocks ? ctx->blocks->read : 2048;
	default:
		*exact = false;
		if (!ctx->blocks || !xo_cdb_lba(cdb, op->cdb_len, &lba))
			return 2048;
		return xo_blocks_write_size(ctx->blocks, lba);
	}
}

/* Data of a command that moves blocks. */
static void transfer_blocks(const struct xo_opcode *op, const uint8_t *cdb,
			    const struct xo_cdb_context *ctx, struct xo_transfer *out)
{
	const struct xo_guest_buffer *buffer = ctx->buffer;

	if (op->rule == XO_LENGTH_VERIFY && !(cdb[1] & 0x02)) /* BYTCHK */
		return;
	if (!count_blocks(op, cdb, &out->blocks)) {
		out->exact = false;
		out->cdb_length = UINT32_MAX;
		return;
	}
	out->block_size = block_size(op, cdb, ctx, &out->exact);
	out->cdb_length = multiply(out->blocks, out->block_size);
	/* A guest that knows better than we do what a block of this track is. */
	if (!out->exact && buffer && out->blocks && buffer->length % out->blocks == 0 &&
	    xo_block_size_plausible(op, cdb, buffer->length / out->blocks)) {
		out->block_size = buffer->length / out->blocks;
		out->cdb_length = buffer->length;
	}
}

static uint32_t performance_length(const uint8_t *cdb)
{
	uint32_t descriptors = xo_get_be16(cdb + 8);
	unsigned type = cdb[10];
	uint32_t each = type < XO_ARRAY_SIZE(performance_descriptor) ? performance_descriptor[type]
								     : performance_descriptor[0x02];

	return PERFORMANCE_HEADER + descriptors * each;
}

/* ATA PASS-THROUGH(16) (SAT-4 12.2.2): T_DIR, and what T_LENGTH says is left to the guest. */
static void transfer_ata(const uint8_t *cdb, struct xo_transfer *out)
{
	if ((cdb[2] & 0x03) == 0)
		return;
	out->dir = cdb[2] & 0x08 ? XO_DIR_IN : XO_DIR_OUT;
	out->cdb_length = UINT32_MAX;
	out->exact = false;
}

/* What the CDB asks for: *out->length is not looked at yet. */
static void transfer_by_cdb(const struct xo_opcode *op, const uint8_t *cdb,
			    const struct xo_cdb_context *ctx, struct xo_transfer *out)
{
	out->dir = (enum xo_direction)op->dir;
	out->exact = true;
	switch ((enum xo_length_rule)op->rule) {
	case XO_LENGTH_NONE:
		break;
	case XO_LENGTH_FIXED:
		out->cdb_length = op->length.at;
		break;
	case XO_LENGTH_FIELD:
		out->cdb_length = xo_field_get(cdb, op->length);
		break;
	case XO_LENGTH_KEY:
		if ((cdb[10] & 0x3f) != KEY_INVALIDATE_AGID)
			out->cdb_length = xo_field_get(cdb, op->length);
		break;
	case XO_LENGTH_SECURITY:
		out->cdb_length = multiply(xo_field_get(cdb, op->length), cdb[4] & 0x80 ? 512 : 1);
		break;
	case XO_LENGTH_PERFORMANCE:
		out->cdb_length = performance_length(cdb);
		break;
	case XO_LENGTH_FORMAT:
		out->exact = !(cdb[1] & 0x10); /* FMTDATA */
		out->cdb_length = out->exact ? 0 : ctx->buffer ? UINT32_MAX : FORMAT_LIST;
		break;
	case XO_LENGTH_ATA:
		transfer_ata(cdb, out);
		break;
	case XO_LENGTH_GUEST:
		out->exact = false;
		out->dir = ctx->buffer ? ctx->buffer->dir : XO_DIR_NONE;
		out->cdb_length = ctx->buffer ? ctx->buffer->length : 0;
		break;
	case XO_LENGTH_READ:
	case XO_LENGTH_WRITE:
	case XO_LENGTH_VERIFY:
	case XO_LENGTH_READ_CD:
	case XO_LENGTH_READ_CD_MSF:
		transfer_blocks(op, cdb, ctx, out);
		break;
	}
}

int xo_cdb_transfer(const uint8_t *cdb, size_t len, const struct xo_cdb_context *ctx,
		    struct xo_transfer *out)
{
	const struct xo_guest_buffer *buffer = ctx->buffer;
	uint8_t padded[XO_CDB_MAX] = { 0 };

	*out = (struct xo_transfer){ 0 };
	if (xo_cdb_check(cdb, len))
		return -EINVAL;
	memcpy(padded, cdb, len);
	transfer_by_cdb(xo_opcode_find(cdb, len), padded, ctx, out);
	out->length = out->cdb_length;
	if (buffer) {
		out->mismatch = out->length && buffer->dir != XO_DIR_NONE &&
				buffer->dir != out->dir && buffer->length;
		if (out->mismatch || buffer->dir == XO_DIR_NONE)
			out->length = 0;
		out->length = XO_MIN(out->length, buffer->length);
	}
	if (out->length == 0)
		out->dir = XO_DIR_NONE;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cutting a command that is larger than the drive's host takes into several. */
#include "mmc/cdb.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "fields.h"

/* BD clusters and fixed packets have 32 blocks, DVD ECC blocks 16 (MMC-6 4.3, 4.4). */
static uint32_t round_chunk(uint32_t blocks)
{
	if (blocks >= 32)
		return blocks / 32 * 32;
	return blocks >= 16 ? 16 : blocks;
}

int xo_cdb_split(struct xo_split *split, const uint8_t *cdb, size_t len,
		 const struct xo_transfer *xfer, uint32_t max_bytes)
{
	const struct xo_opcode *op = xo_opcode_find(cdb, len);

	*split = (struct xo_split){ .op = op, .whole = true, .length = xfer->length };
	memcpy(split->cdb, cdb, XO_MIN(len, sizeof(split->cdb)));
	if (xfer->length <= max_bytes)
		return 0;
	/* Only whole blocks can be cut: not a guest's buffer that is shorter than its command. */
	if (!op->split || xfer->block_size == 0 || xfer->block_size > max_bytes ||
	    (uint64_t)xfer->blocks * xfer->block_size != xfer->length)
		return -EMSGSIZE;
	split->whole = false;
	split->blocks = xfer->blocks;
	split->block_size = xfer->block_size;
	split->chunk = round_chunk(max_bytes / xfer->block_size);
	return 1;
}

static void put_msf(uint8_t *msf, int32_t lba)
{
	/* The inverse of xo_msf_to_lba(); both addresses of a part lie between two valid ones. */
	int32_t frames = lba >= -150 ? lba + 150 : lba + 450150;

	msf[0] = (uint8_t)(frames / 75 / 60);
	msf[1] = (uint8_t)(frames / 75 % 60);
	msf[2] = (uint8_t)(frames % 75);
}

/* The part's address and number of blocks into its CDB. */
static void aim(const struct xo_split *split, uint8_t *cdb, uint32_t skip, uint32_t blocks)
{
	const struct xo_opcode *op = split->op;
	int32_t lba = 0;

	if (op->rule == XO_LENGTH_READ_CD_MSF) {
		xo_msf_to_lba(cdb[3], cdb[4], cdb[5], &lba);
		put_msf(cdb + 3, lba + (int32_t)skip);
		put_msf(cdb + 6, lba + (int32_t)(skip + blocks));
		return;
	}
	/* Addresses may start below zero (SAO, raw) and wrap to it. */
	xo_field_put(cdb, op->lba, xo_field_get(cdb, op->lba) + skip);
	xo_field_put(cdb, op->length, blocks);
}

bool xo_cdb_split_next(struct xo_split *split, struct xo_part *part)
{
	uint32_t blocks;

	memcpy(part->cdb, split->cdb, sizeof(part->cdb));
	if (split->whole) {
		part->offset = 0;
		part->length = split->length;
		part->last = true;
		split->whole = false;
		return true;
	}
	if (split->next == split->blocks)
		return false;
	blocks = XO_MIN(split->chunk, split->blocks - split->next);
	aim(split, part->cdb, split->next, blocks);
	part->offset = split->next * split->block_size;
	part->length = blocks * split->block_size;
	split->next += blocks;
	part->last = split->next == split->blocks;
	return true;
}

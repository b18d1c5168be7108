/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CDB rules: direction and length of a command's data, the block sizes that they depend on, how a
 * command that is too large is cut into several, and a CDB as a line of a trace.
 */
#ifndef XO_MMC_CDB_H
#define XO_MMC_CDB_H

#include "mmc/opcode.h"

/* Bytes of a block with the largest main channel and sub-channel and C2 (READ CD). */
#define XO_BLOCK_SIZE_MAX (2352 + 296 + 96)

/* A run of blocks of one size in a cue sheet, from .lba to the next run. */
struct xo_cue_run {
	int32_t lba;
	uint16_t block_size; /* 0: the drive makes the data itself */
};

#define XO_CUE_RUNS_MAX 128

/*
 * What a drive was told about its block sizes: kept by whoever has to know lengths without the
 * guest's word. One per drive; xo_blocks_init() at start, medium change and reset.
 */
struct xo_blocks {
	uint16_t read; /* READ(10/12): block length of the mode select block descriptor */
	uint16_t write; /* WRITE: by data block type of the write parameters page (05h) */
	uint8_t write_type; /* of the same page: 0 packet, 1 TAO, 2 SAO, 3 raw, 4 layer jump */
	uint8_t runs; /* SAO: runs of the last cue sheet, 0 if there was none */
	struct xo_cue_run run[XO_CUE_RUNS_MAX];
};

void xo_blocks_init(struct xo_blocks *blocks);

/*
 * Take note of a command that the drive has just accepted (GOOD): MODE SELECT and SEND CUE SHEET
 * change block sizes, everything else is ignored. params is the parameter list, already copied out
 * of shared memory; what is malformed in it is ignored.
 */
void xo_blocks_note(struct xo_blocks *blocks, const uint8_t *cdb, size_t len, const uint8_t *params,
		    size_t params_len);

/* The block size of a WRITE at an address. */
uint32_t xo_blocks_write_size(const struct xo_blocks *blocks, int32_t lba);

/* The block size of a data block type of the write parameters page (MMC-6 7.5.4), 0 if reserved. */
uint32_t xo_data_block_size(unsigned data_block_type);

/* What the host sends for a block of a cue sheet's data form (MMC-6 tables 548, 549); 0: nothing. */
uint16_t xo_cue_block_size(uint8_t data_form);

/* The buffer that the guest gives with a command. */
struct xo_guest_buffer {
	enum xo_direction dir; /* that the guest named */
	uint32_t length;
};

/* What is known about a command beside its CDB. */
struct xo_cdb_context {
	const struct xo_blocks *blocks; /* NULL: 2048 both ways */
	const struct xo_guest_buffer *buffer; /* NULL: not known (PIO) */
};

/* What a command transfers. */
struct xo_transfer {
	enum xo_direction dir; /* NONE, IN or OUT; NONE if and only if length is 0 */
	uint32_t length; /* bytes, never more than the guest's buffer */
	uint32_t cdb_length; /* bytes that the CDB alone asks for */
	uint32_t blocks; /* block commands: how many, else 0 */
	uint32_t block_size; /* block commands: bytes each (of the length, not of cdb_length) */
	bool exact; /* the CDB alone decides; otherwise the guest's buffer helped */
	bool mismatch; /* the guest named the other direction: length is 0, refuse it */
};

/*
 * Direction and length of a command's data.
 *
 * Where the CDB decides (allocation lengths), the length is the smaller of the CDB's and the
 * buffer's. Where it does not (vendor commands, FORMAT UNIT, a number of blocks of a size that we
 * may not know), it is what the guest's buffer holds if that makes sense. The guest's residual is
 * therefore buffer_len - length + the drive's residual.
 *
 * Returns 0, or -EINVAL for a CDB that xo_cdb_check() refuses (*out is then all zero).
 */
int xo_cdb_transfer(const uint8_t *cdb, size_t len, const struct xo_cdb_context *ctx,
		    struct xo_transfer *out);

/* -EINVAL for a CDB that is empty, longer than XO_CDB_MAX or shorter than its opcode says; else 0. */
int xo_cdb_check(const uint8_t *cdb, size_t len);

/* The logical block address, if the command has one. */
bool xo_cdb_lba(const uint8_t *cdb, size_t len, int32_t *lba);

/*
 * Bytes of one block of READ CD or READ CD MSF, by sector type and selected parts; 0 if nothing is
 * selected. For "any type" where the type matters: as mode 1.
 */
uint32_t xo_read_cd_block_size(const uint8_t *cdb);

/* READ TOC/PMA/ATIP: the format, from byte 2 or, as SFF-8020i and Linux have it, from byte 9. */
unsigned xo_read_toc_format(const uint8_t *cdb);

/* MSF to LBA: 00:02:00 is 0, from 90:00:00 on negative. False if not a valid MSF. */
bool xo_msf_to_lba(uint8_t m, uint8_t s, uint8_t f, int32_t *lba);

/* One of the commands that a large command is cut into. */
struct xo_part {
	uint8_t cdb[XO_CDB_MAX]; /* padded with zeros; as long as the whole command's */
	uint32_t offset; /* of its data in the whole command's */
	uint32_t length; /* bytes */
	bool last;
};

/* The state of cutting one command; nothing to free. */
struct xo_split {
	const struct xo_opcode *op;
	uint8_t cdb[XO_CDB_MAX];
	bool whole; /* not cut, and not yet given */
	uint32_t length; /* whole: bytes */
	uint32_t block_size;
	uint32_t blocks; /* of the whole command */
	uint32_t chunk; /* blocks of a part */
	uint32_t next; /* first block of the next part */
};

/*
 * Prepare to cut a command into parts of at most max_bytes. Parts are whole multiples of 32 or 16
 * blocks where max_bytes allows, so that ECC blocks and packets stay whole.
 *
 * Returns 1 if it must be cut, 0 if it fits as it is (then xo_cdb_split_next() gives it whole),
 * -EMSGSIZE if it is too large and cannot be cut.
 */
int xo_cdb_split(struct xo_split *split, const uint8_t *cdb, size_t len,
		 const struct xo_transfer *xfer, uint32_t max_bytes);

/* The next part; false when there is none. */
bool xo_cdb_split_next(struct xo_split *split, struct xo_part *part);

/*
 * A CDB as text: "READ(10) lba=16 blocks=2 [28 00 00 00 00 10 00 00 02 00]". Like snprintf:
 * terminated, and the returned length is what the whole text would need.
 */
int xo_cdb_format(char *buf, size_t size, const uint8_t *cdb, size_t len);

#endif

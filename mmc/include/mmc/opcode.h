/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of packet commands (opcodes.def): what each command is, where its length stands, what
 * it does when repeated, how long it may take, and what the policy says of it. Whoever needs one of
 * these facts asks here; nothing else decides them by opcode.
 */
#ifndef XO_MMC_OPCODE_H
#define XO_MMC_OPCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/link.h" /* XO_CDB_MAX, enum xo_direction */

/* Operation codes by their standard's name: XO_OP_TEST_UNIT_READY, XO_OP_READ_10, … */
enum xo_op {
#define XO_OPCODE(ident, op, ...) XO_OP_##ident = (op),
#include "../../opcodes.def"
};

/* Where the transfer length comes from. */
enum xo_length_rule {
	XO_LENGTH_NONE, /* no data */
	XO_LENGTH_FIXED, /* a constant */
	XO_LENGTH_FIELD, /* bytes: an allocation or parameter list length in the CDB */
	XO_LENGTH_READ, /* blocks of the read block size */
	XO_LENGTH_WRITE, /* blocks of the current track's block size */
	XO_LENGTH_VERIFY, /* blocks, if BYTCHK is set */
	XO_LENGTH_READ_CD, /* blocks by sector type, main channel, C2 and sub-channel bits */
	XO_LENGTH_READ_CD_MSF, /* the same between two MSF addresses */
	XO_LENGTH_PERFORMANCE, /* header and descriptors by type (GET PERFORMANCE) */
	XO_LENGTH_FORMAT, /* FORMAT UNIT: a format list, if FMTDATA is set */
	XO_LENGTH_KEY, /* REPORT KEY: none when an AGID is invalidated */
	XO_LENGTH_SECURITY, /* SECURITY PROTOCOL IN/OUT: bytes or 512s by INC_512 */
	XO_LENGTH_ATA, /* ATA PASS-THROUGH: what T_LENGTH says */
	XO_LENGTH_GUEST, /* nothing in the CDB that we know: the guest's buffer */
};

/* What a command is for. */
enum xo_class {
	XO_CLASS_INFO, /* asks; changes nothing but what REQUEST SENSE and events consume */
	XO_CLASS_READ, /* reads the medium */
	XO_CLASS_WRITE, /* writes user data to the medium */
	XO_CLASS_MEDIUM, /* changes the medium otherwise: blank, format, close, reserve */
	XO_CLASS_STATE, /* changes the drive: speed, door, mode pages, authentication */
	XO_CLASS_DANGEROUS, /* may change the drive for good, or nobody knows what it does */
};

/* What happens if a command that the drive may already have done is sent again. */
enum xo_replay {
	XO_REPLAY_SAFE, /* the same answer, the same state */
	XO_REPLAY_CONSUMES, /* the first answer took something with it (sense, events) */
	XO_REPLAY_NWA, /* harm; but the next writable address tells whether it was done */
	XO_REPLAY_ONCE, /* harm, and no way to find out */
};

/* Named permissions of the configuration: each allows what is otherwise refused. */
enum xo_permission {
	XO_PERMIT_ALWAYS, /* allowed without being named */
#define XO_PERMISSION(ident, name, text) XO_PERMIT_##ident,
#include "../../opcodes.def"
	XO_PERMIT_COUNT
};

/* What mode=ro says of a command. */
enum xo_read_only {
	XO_RO_ALLOW,
	XO_RO_WRITE_PROTECTED, /* refused with 07/27/00 WRITE PROTECTED */
	XO_RO_NO_COMMAND, /* refused with 05/20/00: a reader does not have the command */
};

/* What we keep ourselves, and may answer a command with when the drive is not to be asked. */
enum xo_own {
	XO_OWN_NOTHING,
	XO_OWN_IDENTITY, /* the standard INQUIRY data */
	XO_OWN_SENSE, /* sense that has come or is due */
	XO_OWN_EVENTS, /* a media event that was polled */
};

/* A field of a CDB: its first byte and its width in bytes; width 0 where there is none. */
struct xo_field {
	uint8_t at;
	uint8_t width;
};

/* One row of the table. */
struct xo_opcode {
	const char *name; /* the standard's */
	uint8_t opcode;
	uint8_t cdb_len; /* 6, 10, 12 or 16; 0 where the guest's length is taken (vendor) */
	uint8_t dir; /* enum xo_direction; NONE also where rule is GUEST or ATA */
	uint8_t rule; /* enum xo_length_rule */
	/* The length or block count in the CDB (XO_LENGTH_FIXED: .at is the constant). */
	struct xo_field length;
	struct xo_field lba; /* the logical block address, for commands that have one */
	uint8_t class; /* enum xo_class */
	uint8_t replay; /* enum xo_replay */
	uint8_t permission; /* enum xo_permission that the command as a whole needs */
	uint8_t read_only; /* enum xo_read_only */
	uint8_t immed; /* mask of the IMMED bit in byte 1, 0 if there is none */
	bool slow; /* may block for more than a second or two */
	bool split; /* may be cut into several commands over parts of its blocks */
	bool closes; /* ends a burn: when it has succeeded, all of it is on the medium */
	bool direct; /* what guests give most: a ring may give it to a lent drive itself */
	bool quiet; /* neither reports nor clears a unit attention (SPC-4 5.14, MMC-6 4.1.6) */
	uint8_t own; /* enum xo_own */
	uint16_t timeout; /* seconds, long enough for the slowest drive */
};

/*
 * The row of a CDB's opcode. Never NULL: an opcode that is in no standard has a row of its own,
 * "vendor specific" for C0h-FFh and "unknown" for the rest (also for an empty CDB).
 */
const struct xo_opcode *xo_opcode_find(const uint8_t *cdb, size_t len);

/* Whether the row stands in the table under its own opcode, i.e. is neither vendor nor unknown. */
bool xo_opcode_known(const struct xo_opcode *op);

/* All known rows in ascending order of opcode; NULL after the last. For tests and documentation. */
const struct xo_opcode *xo_opcode_next(const struct xo_opcode *op);

/* Time-out of a CDB in seconds. */
uint32_t xo_cdb_timeout(const uint8_t *cdb, size_t len);

/* Whether the command may keep the drive busy for long before it answers (IMMED looked at). */
bool xo_cdb_may_block(const uint8_t *cdb, size_t len);

/* Whether the command writes, i.e. is refused under mode=ro. */
bool xo_cdb_writes(const uint8_t *cdb, size_t len);

#endif

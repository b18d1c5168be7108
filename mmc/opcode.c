/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of packet commands in memory, and the questions that only it answers. */
#include "mmc/opcode.h"

#include "base/bytes.h"

enum {
	SLOW = 1,
	SPLIT = 2,
	QUIET = 4,
	OWN_IDENTITY = 8,
	OWN_SENSE = 16,
	OWN_EVENTS = 32,
	CLOSES = 64,
	DIRECT = 128
};

#define OWN(flags)                              \
	((flags)&OWN_IDENTITY ? XO_OWN_IDENTITY \
	 : (flags)&OWN_SENSE  ? XO_OWN_SENSE    \
	 : (flags)&OWN_EVENTS ? XO_OWN_EVENTS   \
			      : XO_OWN_NOTHING)

#define XO_OPCODE(ident, op, cdb_length, direction, length_rule, at, width_, lba_at, lba_width, \
		  class_, replay_, seconds, permit, ro, immed_mask, flags, text)                \
	{ .name = (text),                                                                       \
	  .opcode = (op),                                                                       \
	  .cdb_len = (cdb_length),                                                              \
	  .dir = XO_DIR_##direction,                                                            \
	  .rule = XO_LENGTH_##length_rule,                                                      \
	  .length = { (at), (width_) },                                                         \
	  .lba = { (lba_at), (lba_width) },                                                     \
	  .class = XO_CLASS_##class_,                                                           \
	  .replay = XO_REPLAY_##replay_,                                                        \
	  .permission = XO_PERMIT_##permit,                                                     \
	  .read_only = XO_RO_##ro,                                                              \
	  .immed = (immed_mask),                                                                \
	  .slow = ((flags)&SLOW) != 0,                                                          \
	  .split = ((flags)&SPLIT) != 0,                                                        \
	  .quiet = ((flags)&QUIET) != 0,                                                        \
	  .closes = ((flags)&CLOSES) != 0,                                                      \
	  .direct = ((flags)&DIRECT) != 0,                                                      \
	  .own = OWN(flags),                                                                    \
	  .timeout = (seconds) },

static const struct xo_opcode table[] = {
#include "opcodes.def"
};

#define XO_FALLBACK(ident, direction, length_rule, class_, replay_, seconds, permit, ro, flags, \
		    text)                                                                       \
	static const struct xo_opcode fallback_##ident = {                                      \
		.name = (text),                                                                 \
		.dir = XO_DIR_##direction,                                                      \
		.rule = XO_LENGTH_##length_rule,                                                \
		.class = XO_CLASS_##class_,                                                     \
		.replay = XO_REPLAY_##replay_,                                                  \
		.permission = XO_PERMIT_##permit,                                               \
		.read_only = XO_RO_##ro,                                                        \
		.slow = ((flags)&SLOW) != 0,                                                    \
		.split = ((flags)&SPLIT) != 0,                                                  \
		.timeout = (seconds),                                                           \
	};
#include "opcodes.def"

/* Opcode to 1 + index of its row; 0 for opcodes that have none. */
enum {
#define XO_OPCODE(ident, ...) ROW_##ident,
#include "opcodes.def"
};
static const uint8_t row_of[256] = {
#define XO_OPCODE(ident, op, ...) [op] = ROW_##ident + 1,
#include "opcodes.def"
};

const struct xo_opcode *xo_opcode_find(const uint8_t *cdb, size_t len)
{
	if (len == 0)
		return &fallback_UNKNOWN;
	if (row_of[cdb[0]])
		return &table[row_of[cdb[0]] - 1];
	/* SPC-4 4.2.5.1: group codes 6 and 7 are vendor specific. */
	return cdb[0] >= 0xc0 ? &fallback_VENDOR : &fallback_UNKNOWN;
}

bool xo_opcode_known(const struct xo_opcode *op)
{
	return op != &fallback_VENDOR && op != &fallback_UNKNOWN;
}

const struct xo_opcode *xo_opcode_next(const struct xo_opcode *op)
{
	if (!op)
		return table;
	return op + 1 < table + XO_ARRAY_SIZE(table) ? op + 1 : NULL;
}

uint32_t xo_cdb_timeout(const uint8_t *cdb, size_t len)
{
	return xo_opcode_find(cdb, len)->timeout;
}

bool xo_cdb_may_block(const uint8_t *cdb, size_t len)
{
	const struct xo_opcode *op = xo_opcode_find(cdb, len);

	return op->slow && !(len > 1 && (cdb[1] & op->immed));
}

bool xo_cdb_writes(const uint8_t *cdb, size_t len)
{
	return xo_opcode_find(cdb, len)->read_only != XO_RO_ALLOW;
}

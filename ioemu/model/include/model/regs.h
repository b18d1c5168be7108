/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers by declaration: a table says where each lies, what it holds after
 * reset, and which bits do what; the core merges partial, unaligned and
 * spanning accesses, so that a side effect sees whole registers.
 */
#ifndef XO_MODEL_REGS_H
#define XO_MODEL_REGS_H

#include <stddef.h>
#include <stdint.h>

struct xo_regs;
struct xo_reg;

/* What a write did to one register. */
struct xo_reg_write {
	uint32_t old;
	uint32_t now; /* what the masks made of it, stored already */
	uint32_t written; /* the bits the guest wrote, others 0 */
	uint32_t mask; /* which bytes it wrote */
};

struct xo_reg {
	uint16_t offset; /* naturally aligned to width */
	uint8_t width; /* 1, 2 or 4 */
	const char *name;
	uint32_t reset;
	uint32_t rw; /* bits the guest sets as it likes */
	uint32_t rw1c; /* bits that writing 1 clears */
	uint32_t rw1s; /* bits that writing 1 sets */
	/* Bits in no mask keep their value (read-only), and what no register holds reads 0. */
	uint32_t (*read)(void *priv, const struct xo_reg *reg, uint32_t stored);
	void (*written)(void *priv, const struct xo_reg *reg, const struct xo_reg_write *write);
};

struct xo_regs {
	const struct xo_reg *table; /* ascending offsets */
	size_t count;
	uint8_t *bytes; /* the stored values, little-endian, at their offsets */
	uint32_t size; /* of the register file */
	void *priv;
};

/* Checks the table: ascending, aligned, without overlap, within size. 0 or -EINVAL. Does not reset. */
int xo_regs_init(struct xo_regs *regs, const struct xo_reg *table, size_t count, uint8_t *bytes,
		 uint32_t size, void *priv);
void xo_regs_reset(struct xo_regs *regs);

/* width 1 to 8; [offset, offset + width) within size, else all ones and nothing. */
uint64_t xo_regs_read(struct xo_regs *regs, uint32_t offset, unsigned int width);
void xo_regs_write(struct xo_regs *regs, uint32_t offset, unsigned int width, uint64_t value);

/* The stored value of a 1, 2 or 4 byte register, for the device itself. */
uint32_t xo_regs_get(const struct xo_regs *regs, uint32_t offset, unsigned int width);
void xo_regs_set(struct xo_regs *regs, uint32_t offset, unsigned int width, uint32_t value);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers by declaration; see model/regs.h. */
#include "model/regs.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

int xo_regs_init(struct xo_regs *regs, const struct xo_reg *table, size_t count, uint8_t *bytes,
		 uint32_t size, void *priv)
{
	uint32_t next = 0;

	for (size_t i = 0; i < count; i++) {
		const struct xo_reg *reg = &table[i];

		if ((reg->width != 1 && reg->width != 2 && reg->width != 4) ||
		    reg->offset % reg->width || reg->offset < next ||
		    (uint32_t)reg->offset + reg->width > size)
			return -EINVAL;
		next = (uint32_t)reg->offset + reg->width;
	}
	*regs = (struct xo_regs){
		.table = table,
		.count = count,
		.bytes = bytes,
		.size = size,
		.priv = priv,
	};
	return 0;
}

uint32_t xo_regs_get(const struct xo_regs *regs, uint32_t offset, unsigned int width)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < width; i++)
		value |= (uint32_t)regs->bytes[offset + i] << 8 * i;
	return value;
}

void xo_regs_set(struct xo_regs *regs, uint32_t offset, unsigned int width, uint32_t value)
{
	for (unsigned int i = 0; i < width; i++)
		regs->bytes[offset + i] = (uint8_t)(value >> 8 * i);
}

void xo_regs_reset(struct xo_regs *regs)
{
	memset(regs->bytes, 0, regs->size);
	for (size_t i = 0; i < regs->count; i++)
		xo_regs_set(regs, regs->table[i].offset, regs->table[i].width,
			    regs->table[i].reset);
}

/* The first register that ends behind `offset`. */
static size_t first_touched(const struct xo_regs *regs, uint32_t offset)
{
	size_t low = 0;
	size_t high = regs->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct xo_reg *reg = &regs->table[middle];

		if ((uint32_t)reg->offset + reg->width <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Moves the bits of a register at `reg_offset` to where an access at `offset` has them. */
static uint64_t shift_to(uint64_t value, uint32_t reg_offset, uint32_t offset)
{
	return reg_offset >= offset ? value << 8 * (reg_offset - offset)
				    : value >> 8 * (offset - reg_offset);
}

static uint64_t width_mask(unsigned int width)
{
	return width >= 8 ? UINT64_MAX : (1ull << 8 * width) - 1;
}

uint64_t xo_regs_read(struct xo_regs *regs, uint32_t offset, unsigned int width)
{
	uint64_t value = 0;

	if (!width || width > 8 || !xo_range_within(offset, width, regs->size))
		return width_mask(width);
	for (size_t i = first_touched(regs, offset); i < regs->count; i++) {
		const struct xo_reg *reg = &regs->table[i];
		uint32_t part;

		if (reg->offset >= offset + width)
			break;
		part = xo_regs_get(regs, reg->offset, reg->width);
		if (reg->read)
			part = reg->read(regs->priv, reg, part);
		value |= shift_to(part & width_mask(reg->width), reg->offset, offset);
	}
	return value & width_mask(width);
}

static void reg_write(struct xo_regs *regs, const struct xo_reg *reg, uint32_t value, uint32_t mask)
{
	struct xo_reg_write write = {
		.old = xo_regs_get(regs, reg->offset, reg->width),
		.written = value & mask,
		.mask = mask,
	};
	uint32_t rw = reg->rw & mask;

	write.now = (write.old & ~rw) | (value & rw);
	write.now &= ~(value & mask & reg->rw1c);
	write.now |= value & mask & reg->rw1s;
	xo_regs_set(regs, reg->offset, reg->width, write.now);
	if (reg->written)
		reg->written(regs->priv, reg, &write);
}

void xo_regs_write(struct xo_regs *regs, uint32_t offset, unsigned int width, uint64_t value)
{
	if (!width || width > 8 || !xo_range_within(offset, width, regs->size))
		return;
	for (size_t i = first_touched(regs, offset); i < regs->count; i++) {
		const struct xo_reg *reg = &regs->table[i];
		uint64_t mask;

		if (reg->offset >= offset + width)
			break;
		mask = shift_to(width_mask(width), offset, reg->offset) & width_mask(reg->width);
		reg_write(regs, reg,
			  (uint32_t)shift_to(value & width_mask(width), offset, reg->offset),
			  (uint32_t)mask);
	}
}

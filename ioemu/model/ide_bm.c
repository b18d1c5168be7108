/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bus master of the IDE controller: its registers and the walk over physical region descriptors. */
#include <errno.h>

#include "base/bytes.h"
#include "ide_private.h"

enum {
	BM_COMMAND = 0,
	BM_START = 0x01,
	BM_TO_MEMORY = 0x08, /* the guest reads */
	BM_STATUS = 2,
	BM_ACTIVE = 0x01,
	BM_ERROR = 0x02,
	BM_INTERRUPT = 0x04,
	BM_DMA_CAPABLE = 0x60, /* both drives; firmware would have set them */
	BM_TABLE = 4,
	BM_CHANNEL = 8,

	PRD_SIZE = 8,
	PRD_TABLE_MAX = 0x10000, /* a table does not cross a 64 KiB boundary */
	PRD_AT_ONCE = 32,
};
#define PRD_END 0x80000000u

static unsigned int channel_of(const struct xo_reg *reg)
{
	return reg->offset / BM_CHANNEL;
}

static uint32_t bm_get(const struct xo_ide *ide, unsigned int channel, unsigned int reg,
		       unsigned int width)
{
	return xo_regs_get(&ide->bus_master_regs, channel * BM_CHANNEL + reg, width);
}

static void bm_set_status(struct xo_ide *ide, unsigned int channel, uint32_t status)
{
	xo_regs_set(&ide->bus_master_regs, channel * BM_CHANNEL + BM_STATUS, 1, status);
}

bool xo_ide_bm_active(const struct xo_ide *ide, unsigned int channel)
{
	return bm_get(ide, channel, BM_STATUS, 1) & BM_ACTIVE;
}

void xo_ide_bm_interrupt(struct xo_ide *ide, unsigned int channel)
{
	bm_set_status(ide, channel, bm_get(ide, channel, BM_STATUS, 1) | BM_INTERRUPT);
}

void xo_ide_bm_end(struct xo_ide *ide, unsigned int channel, bool error)
{
	uint32_t status = bm_get(ide, channel, BM_STATUS, 1) & ~(uint32_t)BM_ACTIVE;

	bm_set_status(ide, channel, status | (error ? BM_ERROR : 0));
}

static void command_written(void *priv, const struct xo_reg *reg, const struct xo_reg_write *write)
{
	struct xo_ide *ide = priv;
	unsigned int channel = channel_of(reg);
	uint32_t status = bm_get(ide, channel, BM_STATUS, 1);

	if (!((write->old ^ write->now) & BM_START))
		return;
	if (!(write->now & BM_START)) {
		bm_set_status(ide, channel, status & ~(uint32_t)BM_ACTIVE);
		return;
	}
	bm_set_status(ide, channel, status | BM_ACTIVE);
	xo_ide_channel_started(&ide->channels[channel]);
}

#define CHANNEL_REGS(n)                                                              \
	{ .offset = (n)*BM_CHANNEL + BM_COMMAND,                                     \
	  .width = 1,                                                                \
	  .name = "BM command",                                                      \
	  .rw = BM_START | BM_TO_MEMORY,                                             \
	  .written = command_written },                                              \
		{ .offset = (n)*BM_CHANNEL + BM_STATUS,                              \
		  .width = 1,                                                        \
		  .name = "BM status",                                               \
		  .reset = BM_DMA_CAPABLE,                                           \
		  .rw = BM_DMA_CAPABLE,                                              \
		  .rw1c = BM_ERROR | BM_INTERRUPT },                                 \
	{                                                                            \
		.offset = (n)*BM_CHANNEL + BM_TABLE, .width = 4, .name = "BM table", \
		.rw = 0xfffffffc                                                     \
	}

static const struct xo_reg bm_table[] = { CHANNEL_REGS(0), CHANNEL_REGS(1) };

int xo_ide_bm_init(struct xo_ide *ide, bool again)
{
	int r = xo_regs_init(&ide->bus_master_regs, bm_table, XO_ARRAY_SIZE(bm_table),
			     ide->state->bus_master, XO_IDE_BM_SIZE, ide);

	if (!r && !again)
		xo_regs_reset(&ide->bus_master_regs);
	return r;
}

static uint64_t bm_read(struct xo_region *region, uint64_t offset, unsigned int width)
{
	struct xo_ide *ide = region->priv;

	return xo_regs_read(&ide->bus_master_regs, (uint32_t)offset, width);
}

static void bm_write(struct xo_region *region, uint64_t offset, unsigned int width, uint64_t value)
{
	struct xo_ide *ide = region->priv;

	xo_regs_write(&ide->bus_master_regs, (uint32_t)offset, width, value);
}

const struct xo_region_ops xo_ide_bus_master_ops = { .read = bm_read, .write = bm_write };

/* The walk over a table, some descriptors at a time. */
struct prd_walk {
	struct xo_ide *ide;
	uint32_t next; /* address of the descriptor after those in `entries` */
	uint32_t limit; /* the table's 64 KiB end (0: 4 GiB) */
	uint8_t entries[PRD_AT_ONCE * PRD_SIZE];
	uint32_t have;
	uint32_t at;
	bool ended;
};

static void walk_begin(struct prd_walk *walk, struct xo_ide *ide, unsigned int channel)
{
	uint32_t table = bm_get(ide, channel, BM_TABLE, 4);

	walk->ide = ide;
	walk->next = table;
	walk->limit = (table & ~(uint32_t)(PRD_TABLE_MAX - 1)) + PRD_TABLE_MAX;
	walk->have = 0;
	walk->at = 0;
	walk->ended = false;
}

static int walk_fetch(struct prd_walk *walk)
{
	const struct xo_machine *machine = &walk->ide->pci.bus->machine;
	uint32_t left = (walk->limit - walk->next) / PRD_SIZE * PRD_SIZE;
	uint32_t want = XO_MIN(left, (uint32_t)sizeof(walk->entries));

	if (!want)
		return -EFAULT; /* no end of table within its 64 KiB */
	/* Behind the last descriptor there may be no RAM. */
	if (machine->ops->dma_read(machine->priv, walk->next, walk->entries, want)) {
		want = PRD_SIZE;
		if (machine->ops->dma_read(machine->priv, walk->next, walk->entries, want))
			return -EFAULT;
	}
	walk->next += want;
	walk->have = want;
	walk->at = 0;
	return 0;
}

/* The next region. 1: there is one; 0: the end of the table was passed; -EFAULT. */
static int walk_next(struct prd_walk *walk, uint32_t *address, uint32_t *length)
{
	uint32_t word;

	if (walk->ended)
		return 0;
	if (walk->at == walk->have) {
		int r = walk_fetch(walk);

		if (r)
			return r;
	}
	*address = xo_get_le32(walk->entries + walk->at) & ~1u;
	word = xo_get_le32(walk->entries + walk->at + 4);
	*length = word & 0xfffe;
	if (!*length)
		*length = 0x10000;
	walk->ended = word & PRD_END;
	walk->at += PRD_SIZE;
	return 1;
}

int xo_ide_bm_buffer(struct xo_ide *ide, unsigned int channel, struct xo_guest_buffer *buffer)
{
	bool to_memory = bm_get(ide, channel, BM_COMMAND, 1) & BM_TO_MEMORY;
	struct prd_walk walk;
	uint32_t address;
	uint32_t length;
	uint32_t total = 0;
	int r;

	if (!xo_pci_is_master(&ide->pci))
		return -EFAULT;
	walk_begin(&walk, ide, channel);
	/* At most 8,192 descriptors of 64 KiB: 512 MiB. */
	while ((r = walk_next(&walk, &address, &length)) > 0)
		total += length;
	*buffer = (struct xo_guest_buffer){
		.dir = to_memory ? XO_DIR_IN : XO_DIR_OUT,
		.length = total,
	};
	return r;
}

static int move_region(const struct xo_machine *machine, uint32_t address, uint8_t *data,
		       uint32_t length, bool to_guest)
{
	uint32_t sum;

	if (xo_add_overflows(address, length - 1, &sum))
		return -EFAULT;
	return to_guest ? machine->ops->dma_write(machine->priv, address, data, length)
			: machine->ops->dma_read(machine->priv, address, data, length);
}

int xo_ide_bm_move(struct xo_ide *ide, unsigned int channel, uint32_t start, uint8_t *data,
		   uint32_t length, bool to_guest)
{
	const struct xo_machine *machine = &ide->pci.bus->machine;
	struct prd_walk walk;
	uint32_t address;
	uint32_t size;

	if (!xo_pci_is_master(&ide->pci))
		return -EFAULT;
	walk_begin(&walk, ide, channel);
	while (length) {
		uint32_t part;

		if (walk_next(&walk, &address, &size) <= 0)
			return -EFAULT;
		if (start >= size) {
			start -= size;
			continue;
		}
		part = XO_MIN(size - start, length);
		if (move_region(machine, address + start, data, part, to_guest))
			return -EFAULT;
		data += part;
		length -= part;
		start = 0;
	}
	return 0;
}

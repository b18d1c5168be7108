/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A PCI function's configuration space, PCI 3.0 chapter 6; see model/pci.h. */
#include "model/pci.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"

enum {
	PCI_COMMAND = 0x04,
	PCI_COMMAND_IO = 0x0001,
	PCI_COMMAND_MEMORY = 0x0002,
	PCI_COMMAND_MASTER = 0x0004,
	PCI_COMMAND_INTX_OFF = 0x0400,
	PCI_COMMAND_RW = 0x0547, /* I/O, memory, master, parity, SERR#, INTx disable */
	PCI_STATUS = 0x06,
	PCI_STATUS_INTERRUPT = 0x0008,
	PCI_STATUS_CAPABILITIES = 0x0010,
	PCI_STATUS_DEVSEL_MEDIUM = 0x0200,
	PCI_BAR0 = 0x10,
	PCI_CAPABILITIES = 0x34,
	PCI_BAR_IO = 1,
	PCI_INTERRUPT_PIN_A = 1,

	/* Not at 40h: Linux takes an Intel function for an IDE-R only where that reads 0. */
	PM_OFFSET = 0x70,
	PM_CAPABILITIES = 0x0002, /* version 2 of the specification, no D1, D2, no PME# */
	PM_NO_SOFT_RESET = 0x0008, /* D3hot to D0 keeps the state */
	PM_STATE = 0x0003,
	MSI_OFFSET = 0x80,
	MSI_64BIT = 0x0080,
	MSI_ENABLE = 0x0001,
};

static uint32_t bar_offset(unsigned int index)
{
	return PCI_BAR0 + 4 * index;
}

/* Writable bits of a base address register: the address bits above the size. */
static uint32_t bar_mask(const struct xo_region *region)
{
	return ~((uint32_t)region->size - 1);
}

static bool in_d0(const struct xo_pci *pci)
{
	return !(xo_regs_get(&pci->regs, PM_OFFSET + 4, 2) & PM_STATE);
}

/* Where the register says the region is, or 0 when it is nowhere: never sized, half-written, or decoding off. */
static uint64_t bar_target(const struct xo_pci *pci, unsigned int index)
{
	const struct xo_region *region = pci->bars[index].region;
	bool port = region->space == XO_SPACE_PORT;
	uint32_t command = xo_regs_get(&pci->regs, PCI_COMMAND, 2);
	uint32_t address = xo_regs_get(&pci->regs, bar_offset(index), 4) & bar_mask(region);

	if (!(command & (port ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)) || !in_d0(pci))
		return 0;
	if (pci->state->bar_half[index] || address == bar_mask(region))
		return 0;
	if (port && address + region->size > 0x10000)
		return 0;
	return address;
}

static int bar_map(struct xo_pci *pci, unsigned int index, uint64_t target)
{
	int r = xo_bus_map(pci->bus, pci->bars[index].region, target);

	if (r)
		xo_log_limited(XO_LOG_WARNING, "PCI: BAR %u at %#llx cannot be mapped: %s", index,
			       (unsigned long long)target, strerror(-r));
	return r;
}

/*
 * Makes the bus's mappings what the configuration space says. All that leave go first: one that could not be mapped, since
 * another was in its place, is mapped when that goes.
 */
static int bars_update(struct xo_pci *pci)
{
	uint64_t targets[XO_PCI_BARS] = { 0 };
	int result = 0;

	for (unsigned int i = 0; i < XO_PCI_BARS; i++) {
		struct xo_region *region = pci->bars[i].region;

		if (!region)
			continue;
		targets[i] = bar_target(pci, i);
		if (region->mapped && region->base != targets[i])
			xo_bus_unmap(pci->bus, region);
	}
	for (unsigned int i = 0; i < XO_PCI_BARS; i++) {
		int r = 0;

		if (targets[i] && !pci->bars[i].region->mapped)
			r = bar_map(pci, i, targets[i]);
		result = result ? result : r;
	}
	return result;
}

static bool msi_enabled(const struct xo_pci *pci)
{
	return pci->msi_offset && (xo_regs_get(&pci->regs, pci->msi_offset + 2u, 2) & MSI_ENABLE);
}

static void intx_update(struct xo_pci *pci)
{
	const struct xo_machine *machine = &pci->bus->machine;
	uint32_t status = xo_regs_get(&pci->regs, PCI_STATUS, 2) & ~(uint32_t)PCI_STATUS_INTERRUPT;
	bool level = pci->state->interrupt && !msi_enabled(pci) && in_d0(pci) &&
		     !(xo_regs_get(&pci->regs, PCI_COMMAND, 2) & PCI_COMMAND_INTX_OFF);

	if (pci->state->interrupt)
		status |= PCI_STATUS_INTERRUPT;
	xo_regs_set(&pci->regs, PCI_STATUS, 2, status);
	if (level == (bool)pci->state->intx_level)
		return;
	pci->state->intx_level = level;
	machine->ops->intx(machine->priv, level);
}

static void msi_send(struct xo_pci *pci)
{
	const struct xo_machine *machine = &pci->bus->machine;
	uint64_t address = xo_regs_get(&pci->regs, pci->msi_offset + 4u, 4);

	address |= (uint64_t)xo_regs_get(&pci->regs, pci->msi_offset + 8u, 4) << 32;
	machine->ops->msi(machine->priv, address,
			  xo_regs_get(&pci->regs, pci->msi_offset + 12u, 2));
}

void xo_pci_interrupt_again(struct xo_pci *pci)
{
	if (pci->state->interrupt && msi_enabled(pci) && xo_pci_is_master(pci))
		msi_send(pci);
}

void xo_pci_interrupt(struct xo_pci *pci, bool request)
{
	if (request == (bool)pci->state->interrupt)
		return;
	pci->state->interrupt = request;
	intx_update(pci);
	xo_pci_interrupt_again(pci);
}

bool xo_pci_is_master(const struct xo_pci *pci)
{
	return (xo_regs_get(&pci->regs, PCI_COMMAND, 2) & PCI_COMMAND_MASTER) && in_d0(pci);
}

static void command_written(void *priv, const struct xo_reg *reg, const struct xo_reg_write *write)
{
	struct xo_pci *pci = priv;

	(void)reg;
	(void)write;
	bars_update(pci);
	intx_update(pci);
}

static void pm_written(void *priv, const struct xo_reg *reg, const struct xo_reg_write *write)
{
	struct xo_pci *pci = priv;
	uint32_t state = write->now & PM_STATE;

	/* D1 and D2 are not supported: such a write changes nothing (PCI PM 1.2, 3.2.4). */
	if (state == 1 || state == 2)
		xo_regs_set(&pci->regs, reg->offset, 2,
			    (write->now & ~(uint32_t)PM_STATE) | (write->old & PM_STATE));
	bars_update(pci);
	intx_update(pci);
	/* What was requested meanwhile was kept, and no message told of it. */
	if ((write->old & PM_STATE) && in_d0(pci))
		xo_pci_interrupt_again(pci);
}

static void msi_written(void *priv, const struct xo_reg *reg, const struct xo_reg_write *write)
{
	struct xo_pci *pci = priv;

	(void)reg;
	intx_update(pci);
	if ((write->now & MSI_ENABLE) && !(write->old & MSI_ENABLE))
		xo_pci_interrupt_again(pci);
}

static void bar_written(void *priv, const struct xo_reg *reg, const struct xo_reg_write *write)
{
	struct xo_pci *pci = priv;
	unsigned int index = (reg->offset - PCI_BAR0) / 4u;
	uint32_t *half = &pci->state->bar_half[index];

	/* Written in pieces, it is whole again when every byte came. */
	*half |= write->mask;
	if (*half == UINT32_MAX)
		*half = 0;
	bars_update(pci);
}

static struct xo_reg *table_add(struct xo_pci *pci, size_t *count, const struct xo_reg *reg)
{
	pci->table[*count] = *reg;
	return &pci->table[(*count)++];
}

#define ADD(...) table_add(pci, &n, &(const struct xo_reg){ __VA_ARGS__ })
#define READ_ONLY(at, bytes, text, value) \
	ADD(.offset = (at), .width = (bytes), .name = (text), .reset = (value))

static size_t table_header(struct xo_pci *pci, size_t n)
{
	const struct xo_pci_identity *id = &pci->identity;

	READ_ONLY(0x00, 2, "vendor", id->vendor);
	READ_ONLY(0x02, 2, "device", id->device);
	ADD(.offset = PCI_COMMAND, .width = 2, .name = "command", .rw = PCI_COMMAND_RW,
	    .written = command_written);
	ADD(.offset = PCI_STATUS, .width = 2, .name = "status", .rw1c = 0xf900,
	    .reset = PCI_STATUS_CAPABILITIES | PCI_STATUS_DEVSEL_MEDIUM);
	READ_ONLY(0x08, 1, "revision", id->revision);
	ADD(.offset = 0x09, .width = 1, .name = "programming interface",
	    .reset = id->class_code & 0xff, .rw = id->prog_if_rw);
	READ_ONLY(0x0a, 2, "class", id->class_code >> 8);
	ADD(.offset = 0x0c, .width = 1, .name = "cache line size", .rw = 0xff);
	ADD(.offset = 0x0d, .width = 1, .name = "latency timer", .rw = 0xf8);
	for (unsigned int i = 0; i < XO_PCI_BARS; i++) {
		const struct xo_region *region = pci->bars[i].region;

		if (region)
			ADD(.offset = (uint16_t)bar_offset(i), .width = 4, .name = region->name,
			    .reset = region->space == XO_SPACE_PORT ? PCI_BAR_IO : 0,
			    .rw = bar_mask(region), .written = bar_written);
	}
	READ_ONLY(0x2c, 2, "subsystem vendor", id->subsystem_vendor);
	READ_ONLY(0x2e, 2, "subsystem", id->subsystem);
	READ_ONLY(PCI_CAPABILITIES, 1, "capabilities", pci->msi_offset ? MSI_OFFSET : PM_OFFSET);
	ADD(.offset = 0x3c, .width = 1, .name = "interrupt line", .rw = 0xff);
	READ_ONLY(0x3d, 1, "interrupt pin", PCI_INTERRUPT_PIN_A);
	return n;
}

static size_t table_capabilities(struct xo_pci *pci, size_t n)
{
	READ_ONLY(PM_OFFSET, 2, "power management", 0x01);
	READ_ONLY(PM_OFFSET + 2, 2, "PMC", PM_CAPABILITIES);
	ADD(.offset = PM_OFFSET + 4, .width = 2, .name = "PMCSR", .reset = PM_NO_SOFT_RESET,
	    .rw = PM_STATE, .written = pm_written);
	if (pci->msi_offset) {
		READ_ONLY(MSI_OFFSET, 2, "MSI", 0x05 | PM_OFFSET << 8);
		ADD(.offset = MSI_OFFSET + 2, .width = 2, .name = "MSI control", .reset = MSI_64BIT,
		    .rw = MSI_ENABLE, .written = msi_written);
		ADD(.offset = MSI_OFFSET + 4, .width = 4, .name = "MSI address", .rw = 0xfffffffc);
		ADD(.offset = MSI_OFFSET + 8, .width = 4, .name = "MSI upper address",
		    .rw = 0xffffffff);
		ADD(.offset = MSI_OFFSET + 12, .width = 2, .name = "MSI data", .rw = 0xffff);
	}
	if (pci->identity.vendor_reg.width)
		ADD(.offset = pci->identity.vendor_reg.offset,
		    .width = pci->identity.vendor_reg.width, .name = pci->identity.vendor_reg.name,
		    .rw = pci->identity.vendor_reg.rw);
	return n;
}

int xo_pci_init(struct xo_pci *pci, struct xo_bus *bus, struct xo_pci_state *state,
		const struct xo_pci_identity *identity, const struct xo_pci_bar bars[XO_PCI_BARS],
		bool again)
{
	size_t count;
	int r;

	*pci = (struct xo_pci){
		.bus = bus,
		.state = state,
		.identity = *identity,
		.pm_offset = PM_OFFSET,
		/* A guest that was told of it has it, whatever the successor would offer. */
		.msi_offset =
			(again ? state->config[PCI_CAPABILITIES] == MSI_OFFSET : identity->msi)
				? MSI_OFFSET
				: 0,
	};
	memcpy(pci->bars, bars, sizeof(pci->bars));
	count = table_capabilities(pci, table_header(pci, 0));
	r = xo_regs_init(&pci->regs, pci->table, count, state->config, XO_PCI_CONFIG_SIZE, pci);
	if (r)
		return r;
	if (!again) {
		memset(state, 0, sizeof(*state));
		xo_regs_reset(&pci->regs);
	}
	return 0;
}

void xo_pci_fini(struct xo_pci *pci)
{
	for (unsigned int i = 0; i < XO_PCI_BARS; i++)
		if (pci->bars[i].region)
			xo_bus_unmap(pci->bus, pci->bars[i].region);
}

void xo_pci_reset(struct xo_pci *pci)
{
	pci->state->interrupt = 0;
	memset(pci->state->bar_half, 0, sizeof(pci->state->bar_half));
	xo_regs_reset(&pci->regs);
	bars_update(pci);
	intx_update(pci);
}

int xo_pci_resume(struct xo_pci *pci)
{
	const struct xo_machine *machine = &pci->bus->machine;
	int r = bars_update(pci);

	/* The line may be anything: say it once more. */
	machine->ops->intx(machine->priv, pci->state->intx_level);
	intx_update(pci);
	/* A message may have been lost; one too many is harmless. */
	xo_pci_interrupt_again(pci);
	return r;
}

static bool access_valid(uint32_t offset, unsigned int width)
{
	return (width == 1 || width == 2 || width == 4) && offset < XO_PCI_CONFIG_SIZE &&
	       offset % 4 + width <= 4;
}

uint32_t xo_pci_config_read(struct xo_pci *pci, uint32_t offset, unsigned int width)
{
	if (!access_valid(offset, width))
		return UINT32_MAX;
	return (uint32_t)xo_regs_read(&pci->regs, offset, width);
}

void xo_pci_config_write(struct xo_pci *pci, uint32_t offset, unsigned int width, uint32_t value)
{
	if (access_valid(offset, width))
		xo_regs_write(&pci->regs, offset, width, value);
}

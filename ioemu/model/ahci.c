/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AHCI's registers: generic host control, the port, resets, and the interrupt. */
#include "model/ahci.h"

#include <errno.h>
#include <string.h>

#include "ahci_private.h"
#include "base/bytes.h"

/* The identity of the adapter that every operating system since 2007 knows; found by class anyway. */
static const struct xo_pci_identity ahci_identity = {
	.vendor = 0x8086,
	.device = 0x2922,
	.subsystem_vendor = 0x5853, /* XenSource */
	.subsystem = 0x0001,
	.class_code = 0x010601,
	.revision = 0x02,
	/* Which ports are powered; drivers for this adapter switch theirs on. */
	.vendor_reg = { .offset = 0x92, .width = 2, .name = "port control and status", .rw = 0x3f },
};

enum {
	CAP_SLOTS = (XO_AHCI_SLOTS - 1) << 8,
	CAP_ONLY_AHCI = 1 << 18,
	CAP_GEN1 = 1 << 20,
	CAP_CLO = 1 << 24,
	CAP_NOTIFICATION = 1 << 29,
	PORT_BASE = 0x100,
	NOTIFY_FIS = 0xa1, /* Set Device Bits, to the host */
	NOTIFY_BITS = 0xc0, /* N and I; port multiplier port 0 */
	NOTIFY_OFFSET = 0x58,
};
#define CAP_64BIT (1u << 31)

/* PxIS and PxIE, whose bits are the same; PCS and PRCS follow PxSERR. */
#define IS_RW1C 0xfd8000afu
#define IE_RW 0xfdc000ffu

static void interrupt_update(struct xo_ahci *ahci)
{
	bool pending = xo_ahci_get(ahci, PX_IS) & xo_ahci_get(ahci, PX_IE);
	uint32_t is = xo_regs_get(&ahci->generic, HBA_IS, 4);

	if (pending)
		is |= 1;
	xo_regs_set(&ahci->generic, HBA_IS, 4, is);
	xo_pci_interrupt(&ahci->pci,
			 is && (xo_regs_get(&ahci->generic, HBA_GHC, 4) & GHC_INTERRUPT));
}

void xo_ahci_raise(struct xo_ahci *ahci, uint32_t causes)
{
	uint32_t before = xo_ahci_get(ahci, PX_IS);
	bool was_requested = ahci->state->pci.interrupt;

	xo_ahci_set(ahci, PX_IS, before | causes);
	interrupt_update(ahci);
	/* A new cause on top of one that is being served: the message must not be lost (§10.6.2.2). */
	if (was_requested && (causes & ~before & xo_ahci_get(ahci, PX_IE)))
		xo_pci_interrupt_again(&ahci->pci);
}

/* --- resets --- */

static void phy_up(struct xo_ahci *ahci)
{
	xo_ahci_set(ahci, PX_SSTS, SSTS_UP);
	xo_ahci_set(ahci, PX_SERR, xo_ahci_get(ahci, PX_SERR) | SERR_DIAG_X | SERR_DIAG_N);
	xo_ata_reset(&ahci->state->ata, false);
	xo_ahci_signature(ahci);
	xo_ahci_raise(ahci, IS_PCS | IS_PRCS);
}

/* COMRESET begins: the link is down until DET is 0 again (§10.4.2). */
static void phy_down(struct xo_ahci *ahci, uint32_t ssts)
{
	xo_ahci_stop(ahci);
	ahci->state->soft_reset = false;
	ahci->state->signature_due = false;
	xo_ahci_set(ahci, PX_SSTS, ssts);
	xo_ahci_set(ahci, PX_TFD, TFD_NO_DEVICE);
	xo_ahci_set(ahci, PX_SIG, UINT32_MAX);
}

static void port_reset(struct xo_ahci *ahci)
{
	xo_ahci_stop(ahci);
	xo_regs_reset(&ahci->port);
	ahci->state->halted = false;
	ahci->state->soft_reset = false;
	ahci->state->signature_due = false;
	phy_up(ahci);
}

/*
 * GHC.HR (§10.4.3): what firmware initialised (PI, CAP) is read-only here, and of the port's registers those that say
 * where its list and its FISes are keep what they have.
 */
static void hba_reset(struct xo_ahci *ahci)
{
	uint8_t addresses[PX_IS - PX_CLB];

	memcpy(addresses, ahci->state->port + PX_CLB, sizeof(addresses));
	xo_regs_reset(&ahci->generic);
	port_reset(ahci);
	memcpy(ahci->state->port + PX_CLB, addresses, sizeof(addresses));
	interrupt_update(ahci);
}

/* --- generic host control --- */

static void ghc_written(void *priv, const struct xo_reg *reg, const struct xo_reg_write *write)
{
	struct xo_ahci *ahci = priv;

	(void)reg;
	if (write->written & GHC_RESET)
		hba_reset(ahci);
	else
		interrupt_update(ahci);
}

static void is_written(void *priv, const struct xo_reg *reg, const struct xo_reg_write *write)
{
	(void)reg;
	(void)write;
	interrupt_update(priv);
}

static const struct xo_reg generic_table[] = {
	{ .offset = HBA_CAP,
	  .width = 4,
	  .name = "CAP",
	  .reset = CAP_64BIT | CAP_NOTIFICATION | CAP_CLO | CAP_GEN1 | CAP_ONLY_AHCI | CAP_SLOTS },
	{ .offset = HBA_GHC,
	  .width = 4,
	  .name = "GHC",
	  .reset = GHC_AHCI,
	  .rw = GHC_INTERRUPT,
	  .written = ghc_written },
	{ .offset = HBA_IS, .width = 4, .name = "IS", .rw1c = 1, .written = is_written },
	{ .offset = HBA_PI, .width = 4, .name = "PI", .reset = 1 },
	{ .offset = HBA_VS, .width = 4, .name = "VS", .reset = 0x00010301 },
	{ .offset = HBA_CAP2, .width = 4, .name = "CAP2" },
	{ .offset = HBA_BOHC, .width = 4, .name = "BOHC" },
};

/* --- port --- */

static void list_stop(struct xo_ahci *ahci)
{
	xo_ahci_stop(ahci);
	ahci->state->halted = false;
	xo_ahci_set(ahci, PX_CI, 0);
	xo_ahci_set(ahci, PX_SACT, 0);
}

static void command_written(void *priv, const struct xo_reg *reg, const struct xo_reg_write *write)
{
	struct xo_ahci *ahci = priv;
	uint32_t now = write->now;

	(void)reg;
	if ((write->written & CMD_CLO) && !(now & CMD_ST))
		xo_ahci_set(ahci, PX_TFD,
			    xo_ahci_get(ahci, PX_TFD) & ~(uint32_t)(XO_ATA_ST_BSY | XO_ATA_ST_DRQ));
	/* ST without FRE is software's error (§10.3.1): FR is then simply off. */
	now &= ~(uint32_t)(CMD_CLO | CMD_FR | CMD_CR);
	if (now & CMD_FRE)
		now |= CMD_FR;
	if (now & CMD_ST)
		now |= CMD_CR;
	if ((write->old & CMD_ST) && !(now & CMD_ST)) {
		list_stop(ahci);
		now &= ~(uint32_t)CMD_CCS;
	}
	xo_ahci_set(ahci, PX_CMD, now);
	if ((now & CMD_FRE) && ahci->state->signature_due)
		xo_ahci_signature(ahci);
	xo_ahci_run(ahci);
}

static void interrupt_written(void *priv, const struct xo_reg *reg,
			      const struct xo_reg_write *write)
{
	(void)reg;
	(void)write;
	interrupt_update(priv);
}

static void control_written(void *priv, const struct xo_reg *reg, const struct xo_reg_write *write)
{
	struct xo_ahci *ahci = priv;
	uint32_t old = write->old & SCTL_DET;
	uint32_t now = write->now & SCTL_DET;

	(void)reg;
	if (old == now)
		return;
	if (now == 1)
		phy_down(ahci, 0);
	else if (now == 4)
		phy_down(ahci, SSTS_OFFLINE);
	else if (now == 0)
		phy_up(ahci);
}

static void error_written(void *priv, const struct xo_reg *reg, const struct xo_reg_write *write)
{
	struct xo_ahci *ahci = priv;
	uint32_t is = xo_ahci_get(ahci, PX_IS);

	(void)reg;
	if (!(write->now & SERR_DIAG_X))
		is &= ~(uint32_t)IS_PCS;
	if (!(write->now & SERR_DIAG_N))
		is &= ~(uint32_t)IS_PRCS;
	xo_ahci_set(ahci, PX_IS, is);
	interrupt_update(ahci);
}

static void issue_written(void *priv, const struct xo_reg *reg, const struct xo_reg_write *write)
{
	struct xo_ahci *ahci = priv;

	/* Bits may be set only while ST is (§3.3.13, §3.3.14). */
	if (!(xo_ahci_get(ahci, PX_CMD) & CMD_ST))
		xo_ahci_set(ahci, reg->offset, write->old);
	xo_ahci_run(ahci);
}

static const struct xo_reg port_table[] = {
	{ .offset = PX_CLB, .width = 4, .name = "PxCLB", .rw = 0xfffffc00 },
	{ .offset = PX_CLBU, .width = 4, .name = "PxCLBU", .rw = 0xffffffff },
	{ .offset = PX_FB, .width = 4, .name = "PxFB", .rw = 0xffffff00 },
	{ .offset = PX_FBU, .width = 4, .name = "PxFBU", .rw = 0xffffffff },
	{ .offset = PX_IS,
	  .width = 4,
	  .name = "PxIS",
	  .rw1c = IS_RW1C,
	  .written = interrupt_written },
	{ .offset = PX_IE, .width = 4, .name = "PxIE", .rw = IE_RW, .written = interrupt_written },
	{ .offset = PX_CMD,
	  .width = 4,
	  .name = "PxCMD",
	  .reset = CMD_SUD | CMD_POD,
	  .rw = CMD_ST | CMD_FRE | CMD_ATAPI | CMD_DLAE,
	  .written = command_written },
	{ .offset = PX_TFD, .width = 4, .name = "PxTFD", .reset = TFD_NO_DEVICE },
	{ .offset = PX_SIG, .width = 4, .name = "PxSIG", .reset = 0xffffffff },
	{ .offset = PX_SSTS, .width = 4, .name = "PxSSTS" },
	{ .offset = PX_SCTL,
	  .width = 4,
	  .name = "PxSCTL",
	  .rw = 0xfff,
	  .written = control_written },
	{ .offset = PX_SERR,
	  .width = 4,
	  .name = "PxSERR",
	  .rw1c = 0xffffffff,
	  .written = error_written },
	{ .offset = PX_SACT,
	  .width = 4,
	  .name = "PxSACT",
	  .rw1s = 0xffffffff,
	  .written = issue_written },
	{ .offset = PX_CI,
	  .width = 4,
	  .name = "PxCI",
	  .rw1s = 0xffffffff,
	  .written = issue_written },
	{ .offset = PX_SNTF, .width = 4, .name = "PxSNTF", .rw1c = 0xffff },
};

/* --- the region --- */

static struct xo_regs *file_at(struct xo_ahci *ahci, uint64_t *offset)
{
	if (*offset < XO_AHCI_GENERIC_SIZE)
		return &ahci->generic;
	*offset -= PORT_BASE;
	return *offset < XO_AHCI_PORT_SIZE ? &ahci->port : NULL;
}

/* An 8-byte access is two of 4: no register is wider, and it may span two files. */
static uint64_t abar_read(struct xo_region *region, uint64_t offset, unsigned int width)
{
	struct xo_ahci *ahci = region->priv;
	uint64_t value = 0;

	for (unsigned int at = 0; at < width; at += 4) {
		uint64_t in_file = offset + at;
		struct xo_regs *file = file_at(ahci, &in_file);
		unsigned int part = XO_MIN(width - at, 4u);

		if (file && in_file + part <= file->size)
			value |= xo_regs_read(file, (uint32_t)in_file, part) << 8 * at;
	}
	return value;
}

static void abar_write(struct xo_region *region, uint64_t offset, unsigned int width,
		       uint64_t value)
{
	struct xo_ahci *ahci = region->priv;

	for (unsigned int at = 0; at < width; at += 4) {
		uint64_t in_file = offset + at;
		struct xo_regs *file = file_at(ahci, &in_file);
		unsigned int part = XO_MIN(width - at, 4u);

		if (file && in_file + part <= file->size)
			xo_regs_write(file, (uint32_t)in_file, part, value >> 8 * at);
	}
}

static const struct xo_region_ops abar_ops = { .read = abar_read, .write = abar_write };

static void show(const struct xo_ahci *ahci, uint32_t *shown, uint32_t *page, uint32_t offset)
{
	uint32_t value = offset < PORT_BASE ? xo_regs_get(&ahci->generic, offset, 4)
					    : xo_ahci_get(ahci, offset - PORT_BASE);

	if (shown[offset / 4] == value)
		return;
	shown[offset / 4] = value;
	__atomic_store_n(&page[offset / 4], value, __ATOMIC_RELEASE);
}

void xo_ahci_show(const struct xo_ahci *ahci, uint32_t shown[XO_AHCI_REGISTERS_SIZE / 4],
		  uint32_t *page)
{
	/* Who waits for one of these looks at the others afterwards: PxTFD is right when PxCI is. */
	static const uint16_t last[] = {
		PORT_BASE + PX_SACT,
		PORT_BASE + PX_CI,
		PORT_BASE + PX_IS,
		HBA_IS,
	};

	for (uint32_t offset = 0; offset < XO_AHCI_REGISTERS_SIZE; offset += 4) {
		bool late = false;

		for (size_t i = 0; i < XO_ARRAY_SIZE(last); i++)
			late = late || last[i] == offset;
		if (!late)
			show(ahci, shown, page, offset);
	}
	for (size_t i = 0; i < XO_ARRAY_SIZE(last); i++)
		show(ahci, shown, page, last[i]);
}

void xo_ahci_notify(struct xo_ahci *ahci)
{
	const uint8_t fis[8] = { NOTIFY_FIS, NOTIFY_BITS };

	if (!ahci->state->ata.notification || !(xo_ahci_get(ahci, PX_CMD) & CMD_FR))
		return;
	xo_ahci_receive(ahci, NOTIFY_OFFSET, fis, sizeof(fis));
	xo_ahci_set(ahci, PX_SNTF, xo_ahci_get(ahci, PX_SNTF) | 1);
	xo_ahci_raise(ahci, IS_SDBS);
}

/* --- life --- */

int xo_ahci_init(struct xo_ahci *ahci, struct xo_bus *bus, struct xo_ahci_state *state,
		 const struct xo_packet_drive *drive, const struct xo_ata_identity *identity,
		 bool msi, bool again)
{
	struct xo_pci_identity function = ahci_identity;
	struct xo_pci_bar bars[XO_PCI_BARS] = { 0 };
	int r;

	*ahci = (struct xo_ahci){ .state = state, .identity = *identity };
	ahci->abar = (struct xo_region){
		.name = "ABAR",
		.space = XO_SPACE_MEMORY,
		.size = XO_AHCI_ABAR_SIZE,
		.ops = &abar_ops,
		.priv = ahci,
	};
	bars[5].region = &ahci->abar;
	function.msi = msi;
	r = xo_pci_init(&ahci->pci, bus, &state->pci, &function, bars, again);
	if (!r)
		r = xo_regs_init(&ahci->generic, generic_table, XO_ARRAY_SIZE(generic_table),
				 state->generic, sizeof(state->generic), ahci);
	if (!r)
		r = xo_regs_init(&ahci->port, port_table, XO_ARRAY_SIZE(port_table), state->port,
				 sizeof(state->port), ahci);
	if (r)
		return r;
	xo_packet_init(&ahci->packet, &state->packet, drive, xo_ahci_advance, ahci, again);
	if (!again) {
		state->command = (struct xo_ahci_command){ .slot = -1 };
		xo_ahci_reset(ahci);
	}
	return 0;
}

void xo_ahci_fini(struct xo_ahci *ahci)
{
	xo_pci_fini(&ahci->pci);
}

void xo_ahci_reset(struct xo_ahci *ahci)
{
	xo_pci_reset(&ahci->pci);
	xo_ata_reset(&ahci->state->ata, true);
	xo_regs_reset(&ahci->port);
	hba_reset(ahci);
}

int xo_ahci_resume(struct xo_ahci *ahci)
{
	int r = xo_pci_resume(&ahci->pci);

	xo_packet_resume(&ahci->packet);
	xo_ahci_run(ahci);
	return r;
}

bool xo_ahci_state_valid(const struct xo_ahci_state *state)
{
	/* The command under way was given up before the state was saved. */
	return state->command.slot == -1 && xo_packet_state_valid(&state->packet);
}

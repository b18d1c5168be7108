/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AHCI's registers and what its parts say to each other: registers (ahci.c), command list (ahci_command.c). */
#ifndef XO_MODEL_AHCI_PRIVATE_H
#define XO_MODEL_AHCI_PRIVATE_H

#include "model/ahci.h"

/* Generic host control, AHCI 1.3.1 §3.1. */
enum {
	HBA_CAP = 0x00,
	HBA_GHC = 0x04,
	GHC_RESET = 1u << 0,
	GHC_INTERRUPT = 1u << 1,
	HBA_IS = 0x08,
	HBA_PI = 0x0c,
	HBA_VS = 0x10,
	HBA_CAP2 = 0x24,
	HBA_BOHC = 0x28,
};
#define GHC_AHCI (1u << 31)

/* Port registers, §3.3. */
enum {
	PX_CLB = 0x00,
	PX_CLBU = 0x04,
	PX_FB = 0x08,
	PX_FBU = 0x0c,
	PX_IS = 0x10,
	PX_IE = 0x14,
	PX_CMD = 0x18,
	PX_TFD = 0x20,
	PX_SIG = 0x24,
	PX_SSTS = 0x28,
	PX_SCTL = 0x2c,
	PX_SERR = 0x30,
	PX_SACT = 0x34,
	PX_CI = 0x38,
	PX_SNTF = 0x3c,

	CMD_ST = 1u << 0,
	CMD_SUD = 1u << 1,
	CMD_POD = 1u << 2,
	CMD_CLO = 1u << 3,
	CMD_FRE = 1u << 4,
	CMD_CCS = 0x1f << 8,
	CMD_CCS_SHIFT = 8,
	CMD_FR = 1u << 14,
	CMD_CR = 1u << 15,
	CMD_ATAPI = 1u << 24,
	CMD_DLAE = 1u << 25,

	IS_DHRS = 1u << 0,
	IS_PSS = 1u << 1,
	IS_SDBS = 1u << 3,
	IS_PCS = 1u << 6,
	IS_PRCS = 1u << 22,
	IS_HBFS = 1u << 29,
	IS_TFES = 1u << 30,

	SSTS_UP = 0x113, /* device present, 1.5 Gb/s, active */
	SSTS_OFFLINE = 0x004,
	SCTL_DET = 0xf,
	SERR_DIAG_N = 1u << 16,
	SERR_DIAG_X = 1u << 26,
	TFD_NO_DEVICE = 0x7f,
};
#define PX_SIGNATURE_ATAPI 0xeb140101u

static inline uint32_t xo_ahci_get(const struct xo_ahci *ahci, uint32_t reg)
{
	return xo_regs_get(&ahci->port, reg, 4);
}

static inline void xo_ahci_set(struct xo_ahci *ahci, uint32_t reg, uint32_t value)
{
	xo_regs_set(&ahci->port, reg, 4, value);
}

/* ahci.c */
/* Adds causes to PxIS and makes the interrupt line follow. */
void xo_ahci_raise(struct xo_ahci *ahci, uint32_t causes);

/* ahci_command.c */
/* Works on what PxCI asks for, as far as the port may. */
void xo_ahci_run(struct xo_ahci *ahci);
/* The packet engine's advance(). */
void xo_ahci_advance(void *priv);
/* Forgets the command under way; the list stays as it is. */
void xo_ahci_stop(struct xo_ahci *ahci);
/* Sets task file and signature after a reset, and sends the FIS when reception is on. */
void xo_ahci_signature(struct xo_ahci *ahci);
/* Writes a received FIS to guest memory, if reception is on. 0 or -EFAULT. */
int xo_ahci_receive(struct xo_ahci *ahci, uint32_t offset, const void *fis, uint32_t length);

#endif

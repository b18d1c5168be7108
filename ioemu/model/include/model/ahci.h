/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An AHCI 1.3.1 host bus adapter with one port and one SATA ATAPI drive.
 */
#ifndef XO_MODEL_AHCI_H
#define XO_MODEL_AHCI_H

#include "model/ata.h"
#include "model/packet.h"
#include "model/pci.h"

#define XO_AHCI_ABAR_SIZE 4096
#define XO_AHCI_GENERIC_SIZE 0x100
#define XO_AHCI_PORT_SIZE 0x80
/* Behind them the ABAR reads 0. */
#define XO_AHCI_REGISTERS_SIZE (XO_AHCI_GENERIC_SIZE + XO_AHCI_PORT_SIZE)
#define XO_AHCI_SLOTS 32

/* The command that the port works on: what was fetched from its header and table. */
struct xo_ahci_command {
	int32_t slot; /* -1: none */
	uint8_t packet; /* an ATAPI packet; else an ATA command that is already done */
	uint8_t dma;
	uint16_t prdt_length;
	uint64_t header; /* guest physical address of the command header */
	uint64_t table; /* of the command table */
	uint16_t byte_limit;
	uint8_t write; /* the header's W bit: data go to the drive */
	uint8_t reserved;
	uint32_t moved; /* bytes moved to or from memory */
};

/* Flat: survives a restart. */
struct xo_ahci_state {
	struct xo_pci_state pci;
	struct xo_packet_state packet;
	struct xo_ata_state ata;
	uint8_t generic[XO_AHCI_GENERIC_SIZE];
	uint8_t port[XO_AHCI_PORT_SIZE];
	struct xo_ahci_command command;
	uint8_t halted; /* an error stopped the list until ST is cleared */
	uint8_t signature_due; /* the signature waits for FIS reception */
	uint8_t soft_reset; /* between the two control FISes of SRST */
	uint8_t reserved[5];
};

struct xo_ahci {
	struct xo_ahci_state *state;
	struct xo_pci pci;
	struct xo_packet packet;
	struct xo_ata_identity identity;
	struct xo_regs generic;
	struct xo_regs port;
	struct xo_region abar;
};

/*
 * As xo_ide_init() and so on; `msi`: a fresh function has that capability beside INTA#. With
 * `again` the state tells whether it has.
 */
int xo_ahci_init(struct xo_ahci *ahci, struct xo_bus *bus, struct xo_ahci_state *state,
		 const struct xo_packet_drive *drive, const struct xo_ata_identity *identity,
		 bool msi, bool again);
void xo_ahci_fini(struct xo_ahci *ahci);
void xo_ahci_reset(struct xo_ahci *ahci);
/* Whether a saved state is one that this model can go on with. */
bool xo_ahci_state_valid(const struct xo_ahci_state *state);
int xo_ahci_resume(struct xo_ahci *ahci);

/*
 * Shows the registers in a page of guest memory behind the ABAR, whose reads then need no access
 * here: no register of AHCI changes when it is read. `shown` is what the page holds since the last
 * call, for both zeros at first: the page itself is never read, others may write it. What tells of a
 * command's end is stored last.
 */
void xo_ahci_show(const struct xo_ahci *ahci, uint32_t shown[XO_AHCI_REGISTERS_SIZE / 4],
		  uint32_t *page);

/*
 * The medium or the drive changed, or the button was pressed: tells a guest that enabled
 * asynchronous notification (Set Device Bits FIS with N, PxSNTF).
 */
void xo_ahci_notify(struct xo_ahci *ahci);

#endif

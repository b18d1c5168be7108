/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI IDE controller in native mode with bus-master DMA (PCI IDE Controller
 * Specification 1.0, Programming Interface for Bus Master IDE Controller 1.0)
 * and one ATAPI drive, device 0 of the first channel.
 */
#ifndef XO_MODEL_IDE_H
#define XO_MODEL_IDE_H

#include "model/ata.h"
#include "model/packet.h"
#include "model/pci.h"

#define XO_IDE_CHANNELS 2
#define XO_IDE_BM_SIZE 16

/* What the data port is connected to. */
enum xo_ide_port {
	XO_IDE_PORT_CLOSED = 0,
	XO_IDE_PORT_PACKET, /* takes the 12 bytes of a command packet */
	XO_IDE_PORT_IDENTIFY, /* gives 512 bytes of `identify` */
	XO_IDE_PORT_IN, /* gives the packet command's data */
	XO_IDE_PORT_OUT, /* takes them */
};

/* Flat: survives a restart. */
struct xo_ide_channel_state {
	uint8_t error;
	uint8_t feature;
	uint8_t count; /* interrupt reason in PACKET */
	uint8_t lba_low;
	uint8_t lba_mid; /* byte count low in PACKET */
	uint8_t lba_high;
	uint8_t device;
	uint8_t status;
	uint8_t control;
	uint8_t interrupt; /* INTRQ before nIEN */
	uint8_t port; /* enum xo_ide_port */
	uint8_t dma; /* the packet command uses the bus master */
	uint8_t waiting; /* a DMA packet waits for the bus master's start */
	uint8_t packet[12];
	uint8_t reserved;
	uint16_t byte_limit; /* of PIO data blocks */
	uint32_t block_at; /* next byte of the part, or of packet or identify */
	uint32_t block_end; /* of this DRQ block */
	uint8_t identify[512];
};

struct xo_ide_state {
	struct xo_pci_state pci;
	struct xo_packet_state packet;
	struct xo_ata_state ata;
	struct xo_ide_channel_state channels[XO_IDE_CHANNELS];
	uint8_t bus_master[XO_IDE_BM_SIZE];
};

struct xo_ide;

struct xo_ide_channel {
	struct xo_ide *ide;
	struct xo_ide_channel_state *state;
	unsigned int index;
	struct xo_region command;
	struct xo_region control;
};

struct xo_ide {
	struct xo_ide_state *state;
	struct xo_pci pci;
	struct xo_packet packet;
	struct xo_ata_identity identity;
	struct xo_regs bus_master_regs;
	struct xo_region bus_master;
	struct xo_ide_channel channels[XO_IDE_CHANNELS];
};

/*
 * Sets the controller up over `state`, which the caller owns; with `again` it
 * goes on from there, else it is reset. `ide` is not moved afterwards.
 */
int xo_ide_init(struct xo_ide *ide, struct xo_bus *bus, struct xo_ide_state *state,
		const struct xo_packet_drive *drive, const struct xo_ata_identity *identity,
		bool again);
void xo_ide_fini(struct xo_ide *ide);
/* Power-on or RST#. */
void xo_ide_reset(struct xo_ide *ide);
/* Whether a saved state is one that this model can go on with. */
bool xo_ide_state_valid(const struct xo_ide_state *state);
/* After `again`: mappings, lines and the command that is with the drive. */
int xo_ide_resume(struct xo_ide *ide);

#endif

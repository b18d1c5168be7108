/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A board without Xen around the shipping model: RAM from 1 MiB up, ports and
 * memory, a PCI bus behind 0xCF8/0xCFC with one controller, and its lines.
 */
#ifndef XO_TESTS_RIG_H
#define XO_TESTS_RIG_H

#include "model/ahci.h"
#include "model/ide.h"

#define RIG_RAM_BASE 0x100000u
#define RIG_RAM_SIZE (256u << 20)

enum rig_controller {
	RIG_IDE,
	RIG_AHCI,
};

struct rig {
	enum rig_controller kind;
	unsigned int
		devfn; /* of the controller; function 0 of its device is a bridge if it is another */
	struct xo_bus bus;
	uint8_t *ram;
	uint32_t config_address; /* the latch at 0xCF8 */
	struct xo_region config_ports;
	bool intx;
	void (*intx_changed)(struct rig *rig);
	unsigned int msi_count;
	uint64_t msi_address;
	uint32_t msi_data;
	unsigned int dma_refused; /* accesses outside RAM */
	union {
		struct xo_ide ide;
		struct xo_ahci ahci;
	};
	union {
		struct xo_ide_state ide_state;
		struct xo_ahci_state ahci_state;
	};
	void *priv;
};

/* A board with a freshly reset controller at its usual place (IDE 00:01.1, AHCI 00:1f.2). 0 or -errno. */
int rig_init(struct rig *rig, enum rig_controller kind, const struct xo_packet_drive *drive);
void rig_fini(struct rig *rig);
/* As after a kill -9: a new controller goes on from the state. */
int rig_restart(struct rig *rig, const struct xo_packet_drive *drive);

struct xo_pci *rig_pci(struct rig *rig);
struct xo_packet *rig_packet(struct rig *rig);

/* Host memory of a guest physical range, or NULL outside RAM. */
uint8_t *rig_ram(struct rig *rig, uint64_t address, uint64_t length);

/* Port and memory accesses as a CPU makes them, RAM included; unclaimed reads are all ones. */
uint64_t rig_in(struct rig *rig, uint16_t port, unsigned int width);
void rig_out(struct rig *rig, uint16_t port, unsigned int width, uint32_t value);
uint64_t rig_read(struct rig *rig, uint64_t address, unsigned int width);
void rig_write(struct rig *rig, uint64_t address, unsigned int width, uint64_t value);

/* Configuration accesses through the ports. */
uint32_t rig_config_read(struct rig *rig, unsigned int offset, unsigned int width);
void rig_config_write(struct rig *rig, unsigned int offset, unsigned int width, uint32_t value);

#endif

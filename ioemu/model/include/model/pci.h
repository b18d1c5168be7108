/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI function (PCI 3.0): 256 bytes of configuration space, base address
 * registers that map and unmap regions of the bus, INTA#, and the MSI and
 * power management capabilities.
 */
#ifndef XO_MODEL_PCI_H
#define XO_MODEL_PCI_H

#include "model/bus.h"
#include "model/regs.h"

#define XO_PCI_CONFIG_SIZE 256
#define XO_PCI_BARS 6

struct xo_pci_bar {
	struct xo_region
		*region; /* NULL: not implemented; its size is a power of two, >= 4 (ports) or 16 */
};

struct xo_pci_identity {
	uint16_t vendor;
	uint16_t device;
	uint16_t subsystem_vendor;
	uint16_t subsystem;
	uint32_t class_code; /* class, subclass, programming interface: 24 bits */
	uint8_t revision;
	uint8_t prog_if_rw; /* writable bits of the programming interface */
	bool msi;
	struct xo_reg
		vendor_reg; /* one register of the vendor's above the capabilities; width 0: none */
};

/* Everything that survives a restart: flat, no pointers. */
struct xo_pci_state {
	uint8_t config[XO_PCI_CONFIG_SIZE];
	uint32_t bar_half
		[XO_PCI_BARS]; /* bytes written since a partial write, as a mask; 0: whole */
	uint8_t interrupt; /* the device's request */
	uint8_t intx_level; /* what the machine was told */
	uint8_t reserved[6];
};

struct xo_pci {
	struct xo_bus *bus;
	struct xo_pci_state *state;
	struct xo_regs regs;
	struct xo_reg table[40];
	struct xo_pci_bar bars[XO_PCI_BARS];
	struct xo_pci_identity identity;
	uint8_t msi_offset; /* in configuration space; 0: no such capability */
	uint8_t pm_offset;
};

/*
 * Sets the function up over `state`. With `again` the state is kept (a
 * successor), else it is reset. Regions and state stay the caller's.
 */
int xo_pci_init(struct xo_pci *pci, struct xo_bus *bus, struct xo_pci_state *state,
		const struct xo_pci_identity *identity, const struct xo_pci_bar bars[XO_PCI_BARS],
		bool again);
/* Unmaps whatever is mapped. */
void xo_pci_fini(struct xo_pci *pci);
/* RST#: everything to its reset value. */
void xo_pci_reset(struct xo_pci *pci);
/* Makes the machine's mappings and line what the state says (after a restart or a restore). */
int xo_pci_resume(struct xo_pci *pci);

/* Configuration accesses; width 1, 2 or 4, within one dword (others read all ones). */
uint32_t xo_pci_config_read(struct xo_pci *pci, uint32_t offset, unsigned int width);
void xo_pci_config_write(struct xo_pci *pci, uint32_t offset, unsigned int width, uint32_t value);

/* The device's interrupt request: a level. A message goes out on each rise. */
void xo_pci_interrupt(struct xo_pci *pci, bool request);
/* One more message while the request stays (AHCI: a new cause after one that is not cleared). */
void xo_pci_interrupt_again(struct xo_pci *pci);
/* Whether it may access memory: enabled by the guest, and in D0 (PCI PM 1.2, 5.4.1: not in D3hot). */
bool xo_pci_is_master(const struct xo_pci *pci);

#endif

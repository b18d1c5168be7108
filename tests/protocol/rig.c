/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The board of the protocol tests; see rig.h. */
#include "rig.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"

enum {
	CONFIG_ADDRESS = 0xcf8,
	CONFIG_ENABLE_SHIFT = 31,
	IDE_DEVFN = 1 << 3 | 1,
	AHCI_DEVFN = 0x1f << 3 | 2,
	BRIDGE_MULTIFUNCTION = 0x80,
};

uint8_t *rig_ram(struct rig *rig, uint64_t address, uint64_t length)
{
	if (address < RIG_RAM_BASE ||
	    !xo_range_within(address - RIG_RAM_BASE, length, RIG_RAM_SIZE))
		return NULL;
	return rig->ram + (address - RIG_RAM_BASE);
}

static int rig_dma_read(void *priv, uint64_t address, void *buffer, size_t length)
{
	struct rig *rig = priv;
	uint8_t *ram = rig_ram(rig, address, length);

	if (!ram) {
		rig->dma_refused++;
		return -EFAULT;
	}
	memcpy(buffer, ram, length);
	return 0;
}

static int rig_dma_write(void *priv, uint64_t address, const void *buffer, size_t length)
{
	struct rig *rig = priv;
	uint8_t *ram = rig_ram(rig, address, length);

	if (!ram) {
		rig->dma_refused++;
		return -EFAULT;
	}
	memcpy(ram, buffer, length);
	return 0;
}

static void rig_intx(void *priv, bool level)
{
	struct rig *rig = priv;

	if (rig->intx == level)
		return;
	rig->intx = level;
	if (rig->intx_changed)
		rig->intx_changed(rig);
}

/* A message is a write to memory; where the address is RAM, it can be seen there. */
static void rig_msi(void *priv, uint64_t address, uint32_t data)
{
	struct rig *rig = priv;
	uint8_t *ram = rig_ram(rig, address, 4);

	rig->msi_count++;
	rig->msi_address = address;
	rig->msi_data = data;
	if (ram)
		xo_put_le32(ram, data);
}

static const struct xo_machine_ops rig_machine = {
	.dma_read = rig_dma_read,
	.dma_write = rig_dma_write,
	.intx = rig_intx,
	.msi = rig_msi,
};

struct xo_pci *rig_pci(struct rig *rig)
{
	return rig->kind == RIG_IDE ? &rig->ide.pci : &rig->ahci.pci;
}

struct xo_packet *rig_packet(struct rig *rig)
{
	return rig->kind == RIG_IDE ? &rig->ide.packet : &rig->ahci.packet;
}

/* The bridge that a scan finds at function 0, so that it looks at the others too. */
static uint32_t bridge_read(unsigned int offset, unsigned int width)
{
	static const uint8_t config[64] = {
		[0x00] = 0x86,
		[0x01] = 0x80,
		[0x02] = 0x00,
		[0x03] = 0x70,
		[0x0a] = 0x01,
		[0x0b] = 0x06,
		[0x0e] = BRIDGE_MULTIFUNCTION,
	};
	uint32_t value = 0;

	for (unsigned int i = 0; i < width && offset + i < sizeof(config); i++)
		value |= (uint32_t)config[offset + i] << 8 * i;
	return value;
}

static uint64_t config_port_read(struct xo_region *region, uint64_t offset, unsigned int width)
{
	struct rig *rig = region->priv;
	unsigned int devfn = rig->config_address >> 8 & 0xff;
	unsigned int reg;

	if (offset < 4)
		return offset == 0 && width == 4 ? rig->config_address : UINT64_MAX;
	reg = (rig->config_address & 0xfc) + ((unsigned int)offset & 3);
	if (!(rig->config_address >> CONFIG_ENABLE_SHIFT) || (rig->config_address >> 16 & 0xff))
		return UINT64_MAX;
	if (devfn == rig->devfn)
		return xo_pci_config_read(rig_pci(rig), reg, width);
	return devfn == (rig->devfn & ~7u) ? bridge_read(reg, width) : UINT64_MAX;
}

static void config_port_write(struct xo_region *region, uint64_t offset, unsigned int width,
			      uint64_t value)
{
	struct rig *rig = region->priv;

	if (offset < 4) {
		if (offset == 0 && width == 4)
			rig->config_address = (uint32_t)value;
		return;
	}
	if (!(rig->config_address >> CONFIG_ENABLE_SHIFT) || (rig->config_address >> 16 & 0xff) ||
	    (rig->config_address >> 8 & 0xff) != rig->devfn)
		return;
	xo_pci_config_write(rig_pci(rig), (rig->config_address & 0xfc) + ((unsigned int)offset & 3),
			    width, (uint32_t)value);
}

static const struct xo_region_ops config_ops = { .read = config_port_read,
						 .write = config_port_write };

static int controller_init(struct rig *rig, const struct xo_packet_drive *drive, bool again)
{
	static const struct xo_ata_identity identity = {
		.model = "XENOPTIC VIRTUAL BURNER                 ",
		.firmware = "1.0     ",
		.serial = "00000001            ",
	};

	if (rig->kind == RIG_IDE)
		return xo_ide_init(&rig->ide, &rig->bus, &rig->ide_state, drive, &identity, again);
	/* A successor would offer no messages: the state says that the guest has them. */
	return xo_ahci_init(&rig->ahci, &rig->bus, &rig->ahci_state, drive, &identity, !again,
			    again);
}

int rig_init(struct rig *rig, enum rig_controller kind, const struct xo_packet_drive *drive)
{
	int r;

	memset(rig, 0, sizeof(*rig));
	rig->kind = kind;
	rig->devfn = kind == RIG_IDE ? IDE_DEVFN : AHCI_DEVFN;
	rig->bus.machine = (struct xo_machine){ .ops = &rig_machine, .priv = rig };
	rig->ram = mmap(NULL, RIG_RAM_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (rig->ram == MAP_FAILED)
		return -errno;
	rig->config_ports = (struct xo_region){
		.name = "configuration mechanism",
		.space = XO_SPACE_PORT,
		.size = 8,
		.ops = &config_ops,
		.priv = rig,
	};
	r = xo_bus_map(&rig->bus, &rig->config_ports, CONFIG_ADDRESS);
	return r ? r : controller_init(rig, drive, false);
}

void rig_fini(struct rig *rig)
{
	munmap(rig->ram, RIG_RAM_SIZE);
}

int rig_restart(struct rig *rig, const struct xo_packet_drive *drive)
{
	int r;

	/* The dead process's mappings are gone; nobody unmapped them in order. */
	rig->bus.regions = &rig->config_ports;
	rig->config_ports.next = NULL;
	rig->intx = false;
	r = controller_init(rig, drive, true);
	if (r)
		return r;
	return rig->kind == RIG_IDE ? xo_ide_resume(&rig->ide) : xo_ahci_resume(&rig->ahci);
}

static uint64_t ones(unsigned int width)
{
	return width >= 8 ? UINT64_MAX : (1ull << 8 * width) - 1;
}

uint64_t rig_in(struct rig *rig, uint16_t port, unsigned int width)
{
	uint64_t value;

	xo_bus_read(&rig->bus, XO_SPACE_PORT, port, width, &value);
	return value & ones(width);
}

void rig_out(struct rig *rig, uint16_t port, unsigned int width, uint32_t value)
{
	xo_bus_write(&rig->bus, XO_SPACE_PORT, port, width, value);
}

uint64_t rig_read(struct rig *rig, uint64_t address, unsigned int width)
{
	const uint8_t *ram = rig_ram(rig, address, width);
	uint64_t value = 0;

	if (ram) {
		for (unsigned int i = 0; i < width; i++)
			value |= (uint64_t)ram[i] << 8 * i;
		return value;
	}
	xo_bus_read(&rig->bus, XO_SPACE_MEMORY, address, width, &value);
	return value & ones(width);
}

void rig_write(struct rig *rig, uint64_t address, unsigned int width, uint64_t value)
{
	uint8_t *ram = rig_ram(rig, address, width);

	if (ram) {
		for (unsigned int i = 0; i < width; i++)
			ram[i] = (uint8_t)(value >> 8 * i);
		return;
	}
	xo_bus_write(&rig->bus, XO_SPACE_MEMORY, address, width, value);
}

uint32_t rig_config_read(struct rig *rig, unsigned int offset, unsigned int width)
{
	rig_out(rig, CONFIG_ADDRESS, 4,
		1u << CONFIG_ENABLE_SHIFT | rig->devfn << 8 | (offset & 0xfc));
	return (uint32_t)rig_in(rig, (uint16_t)(CONFIG_ADDRESS + 4 + (offset & 3)), width);
}

void rig_config_write(struct rig *rig, unsigned int offset, unsigned int width, uint32_t value)
{
	rig_out(rig, CONFIG_ADDRESS, 4,
		1u << CONFIG_ENABLE_SHIFT | rig->devfn << 8 | (offset & 0xfc));
	rig_out(rig, (uint16_t)(CONFIG_ADDRESS + 4 + (offset & 3)), width, value);
}

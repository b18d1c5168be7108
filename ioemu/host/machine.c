/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The controller's model in a Xen guest: memory, interrupts, ranges, and the commit of its state. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "host.h"

static int machine_dma_read(void *priv, uint64_t address, void *buffer, size_t length)
{
	struct xo_host *host = priv;

	return xo_guest_memory_read(&host->memory, address, buffer, length);
}

static int machine_dma_write(void *priv, uint64_t address, const void *buffer, size_t length)
{
	struct xo_host *host = priv;

	return xo_guest_memory_write(&host->memory, address, buffer, length);
}

static void machine_intx(void *priv, bool level)
{
	struct xo_host *host = priv;

	host->interrupt.line = true;
	host->interrupt.level = level;
}

static void machine_msi(void *priv, uint64_t address, uint32_t data)
{
	struct xo_host *host = priv;

	host->interrupt.message = true;
	host->interrupt.address = address;
	host->interrupt.data = data;
}

/* What became due since the last commit: a message once, the line at its last level. */
static void deliver_interrupt(struct xo_host *host)
{
	struct xo_ioemu_interrupt *due = &host->interrupt;

	if (due->line &&
	    xendevicemodel_set_pci_intx_level(host->devicemodel, host->options.domid, 0, 0,
					      host->options.device, 0, due->level) < 0)
		xo_log_limited(XO_LOG_WARNING, "cannot set the interrupt line: %s",
			       strerror(errno));
	if (due->message && xendevicemodel_inject_msi(host->devicemodel, host->options.domid,
						      due->address, due->data) < 0)
		xo_log_limited(XO_LOG_WARNING, "cannot inject an interrupt: %s", strerror(errno));
	*due = (struct xo_ioemu_interrupt){ 0 };
}

static int machine_map(void *priv, enum xo_space space, uint64_t base, uint64_t size)
{
	struct xo_host *host = priv;
	int r = xo_server_map(host, space, base, size);

	if (!r && space == XO_SPACE_MEMORY && !host->resuming)
		xo_window_place(host, base);
	return r;
}

static void machine_unmap(void *priv, enum xo_space space, uint64_t base, uint64_t size)
{
	struct xo_host *host = priv;

	if (space == XO_SPACE_MEMORY)
		xo_window_remove(host);
	xo_server_unmap(host, space, base, size);
}

static const struct xo_machine_ops machine_ops = {
	.dma_read = machine_dma_read,
	.dma_write = machine_dma_write,
	.intx = machine_intx,
	.msi = machine_msi,
	.map = machine_map,
	.unmap = machine_unmap,
};

struct xo_pci *xo_machine_pci(struct xo_host *host)
{
	return host->options.bus == XO_BUS_IDE ? &host->ide.pci : &host->ahci.pci;
}

struct xo_packet *xo_machine_packet(struct xo_host *host)
{
	return host->options.bus == XO_BUS_IDE ? &host->ide.packet : &host->ahci.packet;
}

/* The state as it is now becomes the one that a successor finds. */
void xo_machine_commit(struct xo_host *host)
{
	struct xo_ioemu_ledger *record = host->record;
	uint32_t next = record->active == 1 ? 2 : 1;
	size_t length = offsetof(struct xo_ioemu_state, accesses) +
			host->vcpus * sizeof(host->state.accesses[0]);

	xo_guest_memory_report(&host->memory);
	memcpy(&record->snapshots[next - 1], &host->state, length);
	xo_ledger_commit(&record->active, next);
	/* Only now: what the guest learns from the registers or an interrupt is not done again. */
	xo_window_show(host);
	deliver_interrupt(host);
}

static int model_init(struct xo_host *host, bool again)
{
	const struct xo_packet_drive drive = {
		.ops = &xo_drive_port_ops,
		.priv = host,
		.buffer_size = host->link.slot_size,
	};
	const struct xo_ata_identity *identity = &host->record->identity;

	if (host->options.bus == XO_BUS_IDE)
		return xo_ide_init(&host->ide, &host->bus, &host->state.ide, &drive, identity,
				   again);
	return xo_ahci_init(&host->ahci, &host->bus, &host->state.ahci, &drive, identity,
			    host->options.msi, again);
}

static int model_resume(struct xo_host *host)
{
	if (host->options.bus == XO_BUS_IDE)
		return xo_ide_resume(&host->ide);
	return xo_ahci_resume(&host->ahci);
}

int xo_machine_start(struct xo_host *host)
{
	struct xo_ioemu_ledger *record = host->record;
	bool again = record->active;
	int r;

	host->bus.machine = (struct xo_machine){ .ops = &machine_ops, .priv = host };
	if (again)
		memcpy(&host->state, &record->snapshots[record->active - 1], sizeof(host->state));
	else
		host->state.next_tag = XO_MAX(host->state.next_tag, 1u);
	r = model_init(host, again);
	if (r)
		return r;
	host->started = true;
	if (again) {
		xo_server_inherit_ranges(host);
		/* A range that cannot be mapped was said by the bus; the rest goes on. */
		host->resuming = record->accesses != 0;
		model_resume(host);
		host->resuming = false;
		xo_server_drop_inherited(host);
		xo_window_settle(host);
	}
	xo_machine_commit(host);
	return 0;
}

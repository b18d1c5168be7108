/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IDE controller as a whole: its PCI identity, its regions, its interrupt line. */
#include "model/ide.h"

#include <string.h>

#include "base/bytes.h"
#include "ide_private.h"

/*
 * An Intel IDE redirection function: Linux' ata_generic binds these by vendor
 * and class where no other driver claims the device, with DMA and without a
 * kernel parameter. Both channels are in native mode and stay there, since
 * the legacy ports belong to another controller.
 */
static const struct xo_pci_identity ide_identity = {
	.vendor = 0x8086,
	.device = 0x29b6,
	.subsystem_vendor = 0x5853, /* XenSource */
	.subsystem = 0x0001,
	.class_code = 0x010185,
};

enum {
	CONTROL_NIEN = 0x02,
	COMMAND_BLOCK_SIZE = 8,
	CONTROL_BLOCK_SIZE = 4,
};

void xo_ide_update_interrupt(struct xo_ide *ide)
{
	bool request = false;

	for (unsigned int i = 0; i < XO_IDE_CHANNELS; i++) {
		const struct xo_ide_channel_state *s = &ide->state->channels[i];

		request |= s->interrupt && !(s->control & CONTROL_NIEN);
	}
	xo_pci_interrupt(&ide->pci, request);
}

static void channel_init(struct xo_ide *ide, unsigned int index)
{
	struct xo_ide_channel *channel = &ide->channels[index];

	channel->ide = ide;
	channel->index = index;
	channel->state = &ide->state->channels[index];
	channel->command = (struct xo_region){
		.name = index ? "secondary command block" : "primary command block",
		.space = XO_SPACE_PORT,
		.size = COMMAND_BLOCK_SIZE,
		.ops = &xo_ide_command_ops,
		.priv = channel,
	};
	channel->control = (struct xo_region){
		.name = index ? "secondary control block" : "primary control block",
		.space = XO_SPACE_PORT,
		.size = CONTROL_BLOCK_SIZE,
		.ops = &xo_ide_control_ops,
		.priv = channel,
	};
}

int xo_ide_init(struct xo_ide *ide, struct xo_bus *bus, struct xo_ide_state *state,
		const struct xo_packet_drive *drive, const struct xo_ata_identity *identity,
		bool again)
{
	struct xo_pci_bar bars[XO_PCI_BARS] = { 0 };
	int r;

	*ide = (struct xo_ide){ .state = state, .identity = *identity };
	for (unsigned int i = 0; i < XO_IDE_CHANNELS; i++) {
		channel_init(ide, i);
		bars[2 * i].region = &ide->channels[i].command;
		bars[2 * i + 1].region = &ide->channels[i].control;
	}
	ide->bus_master = (struct xo_region){
		.name = "bus master",
		.space = XO_SPACE_PORT,
		.size = XO_IDE_BM_SIZE,
		.ops = &xo_ide_bus_master_ops,
		.priv = ide,
	};
	bars[4].region = &ide->bus_master;
	r = xo_pci_init(&ide->pci, bus, &state->pci, &ide_identity, bars, again);
	if (!r)
		r = xo_ide_bm_init(ide, again);
	if (r)
		return r;
	xo_packet_init(&ide->packet, &state->packet, drive, xo_ide_channel_advance,
		       &ide->channels[0], again);
	if (!again)
		xo_ide_reset(ide);
	return 0;
}

void xo_ide_fini(struct xo_ide *ide)
{
	xo_pci_fini(&ide->pci);
}

void xo_ide_reset(struct xo_ide *ide)
{
	for (unsigned int i = 0; i < XO_IDE_CHANNELS; i++)
		xo_ide_channel_reset(&ide->channels[i], true);
	xo_regs_reset(&ide->bus_master_regs);
	xo_pci_reset(&ide->pci);
}

int xo_ide_resume(struct xo_ide *ide)
{
	int r = xo_pci_resume(&ide->pci);

	xo_packet_resume(&ide->packet);
	return r;
}

static bool channel_valid(const struct xo_ide_channel_state *s)
{
	uint32_t limit = s->port == XO_IDE_PORT_PACKET ? sizeof(s->packet) : sizeof(s->identify);

	/* A command's own data were given up before the state was saved. */
	return s->port <= XO_IDE_PORT_IDENTIFY && s->block_at <= s->block_end &&
	       s->block_end <= (s->port == XO_IDE_PORT_CLOSED ? 0 : limit);
}

bool xo_ide_state_valid(const struct xo_ide_state *state)
{
	for (unsigned int i = 0; i < XO_IDE_CHANNELS; i++)
		if (!channel_valid(&state->channels[i]))
			return false;
	return xo_packet_state_valid(&state->packet);
}

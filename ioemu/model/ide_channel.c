/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One IDE channel: the task file, the PACKET protocols in PIO and DMA, and
 * resets (ATA8-ACS 6 and 7, ATA8-APT for the register protocol).
 */
#include <string.h>

#include "base/bytes.h"
#include "ide_private.h"

enum {
	REG_DATA = 0,
	REG_ERROR = 1, /* features when written */
	REG_COUNT = 2,
	REG_LBA_LOW = 3,
	REG_LBA_MID = 4,
	REG_LBA_HIGH = 5,
	REG_DEVICE = 6,
	REG_STATUS = 7, /* command when written */
	REG_ALTERNATE = 2, /* in the control block */

	CONTROL_NIEN = 0x02,
	CONTROL_SRST = 0x04,
	DEVICE_ONE = 0x10,
	FEATURE_DMA = 0x01,
	FEATURE_OVERLAP = 0x02,

	STATUS_READY = XO_ATA_ST_DRDY | XO_ATA_ST_DSC,
	STATUS_BUSY = XO_ATA_ST_BSY | XO_ATA_ST_DRDY,
	DIAGNOSTIC_PASSED = 0x01,
	PACKET_BYTES = 12,
	IDENTIFY_BYTES = 512,
	BUS_FLOATING = 0xff,
};

static bool drive_here(const struct xo_ide_channel *channel)
{
	return channel->index == 0;
}

/* The drive is device 0 of the first channel. */
static bool drive_selected(const struct xo_ide_channel *channel)
{
	return drive_here(channel) && !(channel->state->device & DEVICE_ONE);
}

static void set_interrupt(struct xo_ide_channel *channel, bool on)
{
	channel->state->interrupt = on;
	if (on && !(channel->state->control & CONTROL_NIEN))
		xo_ide_bm_interrupt(channel->ide, channel->index);
	xo_ide_update_interrupt(channel->ide);
}

static void set_signature(struct xo_ide_channel_state *s)
{
	s->count = 0x01;
	s->lba_low = 0x01;
	s->lba_mid = 0x14;
	s->lba_high = 0xeb;
	s->device &= DEVICE_ONE;
}

static void port_open(struct xo_ide_channel_state *s, enum xo_ide_port port, uint32_t at,
		      uint32_t end)
{
	s->port = (uint8_t)port;
	s->block_at = at;
	s->block_end = end;
	s->status = STATUS_READY | XO_ATA_ST_DRQ;
}

static void port_close(struct xo_ide_channel_state *s)
{
	s->port = XO_IDE_PORT_CLOSED;
	s->block_at = 0;
	s->block_end = 0;
}

static void cancel_command(struct xo_ide_channel *channel)
{
	xo_packet_cancel(&channel->ide->packet);
	xo_ide_bm_end(channel->ide, channel->index, false);
	channel->state->waiting = false;
	channel->state->dma = false;
	port_close(channel->state);
}

void xo_ide_channel_reset(struct xo_ide_channel *channel, bool power_on)
{
	struct xo_ide_channel_state *s = channel->state;
	uint8_t control = s->control;

	if (drive_here(channel)) {
		cancel_command(channel);
		xo_ata_reset(&channel->ide->state->ata, power_on);
	}
	memset(s, 0, sizeof(*s));
	s->control = power_on ? 0 : control;
	set_signature(s);
	s->device = 0;
	s->error = DIAGNOSTIC_PASSED;
	s->status = 0; /* a packet device clears DRDY, ATA8-ACS 7.x "device signature" */
	set_interrupt(channel, false);
}

static void command_done(struct xo_ide_channel *channel)
{
	channel->state->status = STATUS_READY;
	channel->state->error = 0;
	set_interrupt(channel, true);
}

static void command_abort(struct xo_ide_channel *channel)
{
	channel->state->status = STATUS_READY | XO_ATA_ST_ERR;
	channel->state->error = XO_ATA_ER_ABRT;
	set_interrupt(channel, true);
}

/* The limit of a PIO data block: even, unless the rest fits (SFF-8020i 5.5, ATA8-ACS 7.18.4). */
static uint32_t pio_block(const struct xo_ide_channel_state *s, uint32_t left)
{
	uint32_t limit = s->byte_limit;

	if (limit == 0 || limit == 0xffff)
		limit = 0xfffe;
	if (left <= limit)
		return left;
	return limit > 1 ? limit & ~1u : 2;
}

static void pio_begin_block(struct xo_ide_channel *channel, bool to_guest)
{
	struct xo_ide_channel_state *s = channel->state;
	uint32_t left = channel->ide->packet.state->part_length - s->block_end;
	uint32_t size = pio_block(s, left);

	port_open(s, to_guest ? XO_IDE_PORT_IN : XO_IDE_PORT_OUT, s->block_end,
		  s->block_end + size);
	s->lba_mid = (uint8_t)size;
	s->lba_high = (uint8_t)(size >> 8);
	s->count = to_guest ? XO_ATA_IR_IO : 0;
	set_interrupt(channel, true);
}

static void dma_part(struct xo_ide_channel *channel, bool to_guest)
{
	struct xo_ide *ide = channel->ide;
	struct xo_packet_state *packet = ide->packet.state;

	if (!xo_ide_bm_active(ide, channel->index) ||
	    xo_ide_bm_move(ide, channel->index, packet->part_start, xo_packet_buffer(&ide->packet),
			   packet->part_length, to_guest)) {
		xo_ide_bm_end(ide, channel->index, true);
		xo_packet_fail(&ide->packet);
		return;
	}
	xo_packet_moved(&ide->packet);
}

static void packet_done(struct xo_ide_channel *channel)
{
	struct xo_ide *ide = channel->ide;
	struct xo_ide_channel_state *s = channel->state;
	struct xo_packet_state *packet = ide->packet.state;
	uint8_t key = xo_packet_sense_key(&ide->packet);

	port_close(s);
	s->count = XO_ATA_IR_COD | XO_ATA_IR_IO;
	s->status = STATUS_READY;
	s->error = 0;
	if (packet->status) {
		s->status |= XO_ATA_ST_ERR;
		s->error = (uint8_t)(key << 4);
	}
	/* Shorter than the regions: Active stays until the driver stops it. */
	if (s->dma && (!packet->guest_named || packet->part_start >= packet->guest.length))
		xo_ide_bm_end(ide, channel->index, false);
	s->dma = false;
	packet->phase = XO_PACKET_IDLE;
	set_interrupt(channel, true);
}

void xo_ide_channel_advance(void *priv)
{
	struct xo_ide_channel *channel = priv;
	struct xo_ide_channel_state *s = channel->state;
	struct xo_packet_state *packet = channel->ide->packet.state;
	bool to_guest = packet->phase == XO_PACKET_DATA_IN;

	switch (packet->phase) {
	case XO_PACKET_DATA_IN:
	case XO_PACKET_DATA_OUT:
		if (s->dma) {
			dma_part(channel, to_guest);
		} else {
			s->block_end = 0;
			pio_begin_block(channel, to_guest);
		}
		break;
	case XO_PACKET_DONE:
		packet_done(channel);
		break;
	}
}

static void packet_start(struct xo_ide_channel *channel, const struct xo_guest_buffer *buffer)
{
	channel->state->waiting = false;
	channel->state->status = STATUS_BUSY;
	xo_packet_start(&channel->ide->packet, channel->state->packet, buffer);
}

/* Whether the command moves no data, whatever the guest's buffer. */
static bool packet_without_data(const struct xo_ide_channel *channel)
{
	struct xo_cdb_context context = { .blocks = &channel->ide->packet.state->blocks };
	struct xo_transfer transfer;

	return xo_cdb_transfer(channel->state->packet, PACKET_BYTES, &context, &transfer) ||
	       (transfer.exact && transfer.dir == XO_DIR_NONE);
}

void xo_ide_channel_started(struct xo_ide_channel *channel)
{
	struct xo_ide *ide = channel->ide;
	struct xo_guest_buffer buffer;

	if (!channel->state->waiting)
		return;
	/*
	 * A table shorter than what the CDB asks for ends the command as with AHCI (ahci_command.c): nothing more than it
	 * holds is asked of the drive, so the device's transfer has the size of the regions, and the status is GOOD with
	 * Interrupt and not Active (Programming Interface for Bus Master IDE Controller 1.0, 3.1). Neither of them, without
	 * Error, which tells of a transfer larger than the regions, is what hardware stays at while its device still
	 * requests DMA: no interrupt comes, and a driver resets a drive that has carried the command out.
	 */
	if (xo_ide_bm_buffer(ide, channel->index, &buffer)) {
		channel->state->waiting = false;
		xo_ide_bm_end(ide, channel->index, true);
		xo_packet_fail(&ide->packet);
		return;
	}
	packet_start(channel, &buffer);
}

/* All 12 bytes are there. */
static void packet_received(struct xo_ide_channel *channel)
{
	struct xo_ide_channel_state *s = channel->state;

	port_close(s);
	s->status = STATUS_BUSY;
	if (!s->dma || packet_without_data(channel)) {
		packet_start(channel, NULL);
		return;
	}
	/* The regions count only once the bus master runs: drivers start it after the packet. */
	s->waiting = true;
	if (xo_ide_bm_active(channel->ide, channel->index))
		xo_ide_channel_started(channel);
}

/* A DRQ block was moved. */
static void block_done(struct xo_ide_channel *channel)
{
	struct xo_ide_channel_state *s = channel->state;
	struct xo_packet *packet = &channel->ide->packet;
	enum xo_ide_port port = s->port;

	switch (port) {
	case XO_IDE_PORT_PACKET:
		packet_received(channel);
		break;
	case XO_IDE_PORT_IDENTIFY:
		port_close(s);
		s->status = STATUS_READY;
		break;
	case XO_IDE_PORT_IN:
	case XO_IDE_PORT_OUT:
		if (s->block_end < packet->state->part_length) {
			pio_begin_block(channel, port == XO_IDE_PORT_IN);
			break;
		}
		port_close(s);
		s->status = STATUS_BUSY;
		xo_packet_moved(packet);
		break;
	default:
		break;
	}
}

static uint8_t *port_memory(struct xo_ide_channel *channel)
{
	switch (channel->state->port) {
	case XO_IDE_PORT_PACKET:
		return channel->state->packet;
	case XO_IDE_PORT_IDENTIFY:
		return channel->state->identify;
	case XO_IDE_PORT_IN:
	case XO_IDE_PORT_OUT:
		return xo_packet_buffer(&channel->ide->packet);
	default:
		return NULL;
	}
}

static bool port_gives(const struct xo_ide_channel_state *s)
{
	return s->port == XO_IDE_PORT_IN || s->port == XO_IDE_PORT_IDENTIFY;
}

static bool port_takes(const struct xo_ide_channel_state *s)
{
	return s->port == XO_IDE_PORT_OUT || s->port == XO_IDE_PORT_PACKET;
}

/*
 * One access to the data port. A block of odd length is padded to its word:
 * what a read gets beyond the block is 0, what a write brings is dropped.
 */
static void data_read(struct xo_ide_channel *channel, uint8_t *bytes, uint32_t count)
{
	struct xo_ide_channel_state *s = channel->state;
	uint32_t n = 0;

	if (drive_selected(channel) && port_gives(s)) {
		n = XO_MIN(count, s->block_end - s->block_at);
		memcpy(bytes, port_memory(channel) + s->block_at, n);
		s->block_at += n;
	}
	memset(bytes + n, 0, count - n);
	if (n && s->block_at == s->block_end)
		block_done(channel);
}

static void data_write(struct xo_ide_channel *channel, const uint8_t *bytes, uint32_t count)
{
	struct xo_ide_channel_state *s = channel->state;
	uint32_t n;

	if (!drive_selected(channel) || !port_takes(s))
		return;
	n = XO_MIN(count, s->block_end - s->block_at);
	memcpy(port_memory(channel) + s->block_at, bytes, n);
	s->block_at += n;
	if (n && s->block_at == s->block_end)
		block_done(channel);
}

static void run_packet(struct xo_ide_channel *channel)
{
	struct xo_ide_channel_state *s = channel->state;

	if (s->feature & FEATURE_OVERLAP) {
		command_abort(channel);
		return;
	}
	s->dma = s->feature & FEATURE_DMA;
	s->byte_limit = (uint16_t)(s->lba_mid | s->lba_high << 8);
	s->count = XO_ATA_IR_COD;
	s->error = 0;
	port_open(s, XO_IDE_PORT_PACKET, 0, PACKET_BYTES);
}

static void run_identify_packet(struct xo_ide_channel *channel)
{
	struct xo_ide_channel_state *s = channel->state;

	xo_ata_identify(&channel->ide->state->ata, &channel->ide->identity, false, s->identify);
	port_open(s, XO_IDE_PORT_IDENTIFY, 0, IDENTIFY_BYTES);
	s->count = XO_ATA_IR_IO;
	s->error = 0;
	set_interrupt(channel, true);
}

static void run_device_reset(struct xo_ide_channel *channel)
{
	cancel_command(channel);
	set_signature(channel->state);
	channel->state->error = DIAGNOSTIC_PASSED;
	channel->state->status = 0;
	set_interrupt(channel, false);
}

static void run_diagnostic(struct xo_ide_channel *channel)
{
	set_signature(channel->state);
	channel->state->device = 0;
	channel->state->error = DIAGNOSTIC_PASSED;
	channel->state->status = 0;
	set_interrupt(channel, true);
}

static void run_signature_abort(struct xo_ide_channel *channel)
{
	command_abort(channel);
	set_signature(channel->state);
}

static void run_set_features(struct xo_ide_channel *channel)
{
	struct xo_ide_channel_state *s = channel->state;

	if (xo_ata_set_features(&channel->ide->state->ata, false, s->feature, s->count))
		command_done(channel);
	else
		command_abort(channel);
}

static void run_check_power(struct xo_ide_channel *channel)
{
	channel->state->count = 0xff; /* active */
	command_done(channel);
}

static const struct {
	uint8_t command;
	void (*run)(struct xo_ide_channel *channel);
} commands[] = {
	{ XO_ATA_CMD_DEVICE_RESET, run_device_reset },
	{ 0x20, run_signature_abort }, /* READ SECTORS */
	{ XO_ATA_CMD_DIAGNOSTIC, run_diagnostic },
	{ XO_ATA_CMD_PACKET, run_packet },
	{ XO_ATA_CMD_IDENTIFY_PACKET, run_identify_packet },
	{ XO_ATA_CMD_STANDBY_IMMEDIATE, command_done },
	{ XO_ATA_CMD_IDLE_IMMEDIATE, command_done },
	{ XO_ATA_CMD_CHECK_POWER, run_check_power },
	{ XO_ATA_CMD_SLEEP, command_done },
	{ XO_ATA_CMD_IDENTIFY, run_signature_abort },
	{ XO_ATA_CMD_SET_FEATURES, run_set_features },
};

static void command_write(struct xo_ide_channel *channel, uint8_t command)
{
	struct xo_ide_channel_state *s = channel->state;

	if (!drive_here(channel) || (!drive_selected(channel) && command != XO_ATA_CMD_DIAGNOSTIC))
		return;
	if ((s->status & (XO_ATA_ST_BSY | XO_ATA_ST_DRQ)) && command != XO_ATA_CMD_DEVICE_RESET)
		return;
	set_interrupt(channel, false);
	for (size_t i = 0; i < XO_ARRAY_SIZE(commands); i++) {
		if (commands[i].command == command) {
			commands[i].run(channel);
			return;
		}
	}
	command_abort(channel);
}

static void control_write(struct xo_ide_channel *channel, uint8_t control)
{
	struct xo_ide_channel_state *s = channel->state;
	uint8_t old = s->control;

	s->control = control;
	if (!(old & CONTROL_SRST) && (control & CONTROL_SRST)) {
		xo_ide_channel_reset(channel, false);
		s->status = drive_here(channel) ? XO_ATA_ST_BSY : 0;
	} else if ((old & CONTROL_SRST) && !(control & CONTROL_SRST)) {
		s->status = 0;
	}
	xo_ide_update_interrupt(channel->ide);
}

static uint8_t status_value(const struct xo_ide_channel *channel)
{
	if (!drive_here(channel))
		return BUS_FLOATING;
	/* Device 0 answers for a device 1 that is not there: 0. */
	return drive_selected(channel) ? channel->state->status : 0;
}

static uint8_t register_read(struct xo_ide_channel *channel, unsigned int reg)
{
	struct xo_ide_channel_state *s = channel->state;

	if (!drive_here(channel))
		return BUS_FLOATING;
	/*
	 * A packet device alone on its cable answers for device 1 with 0 in every
	 * register (ATA/ATAPI-6 9.16.1), else drivers took its signature for that
	 * of a second drive.
	 */
	if (!drive_selected(channel))
		return 0;
	switch (reg) {
	case REG_ERROR:
		return s->error;
	case REG_COUNT:
		return s->count;
	case REG_LBA_LOW:
		return s->lba_low;
	case REG_LBA_MID:
		return s->lba_mid;
	case REG_LBA_HIGH:
		return s->lba_high;
	case REG_DEVICE:
		return s->device | 0xa0;
	default:
		set_interrupt(channel, false);
		return status_value(channel);
	}
}

static void register_write(struct xo_ide_channel *channel, unsigned int reg, uint8_t value)
{
	struct xo_ide_channel_state *s = channel->state;

	if (reg == REG_STATUS) {
		command_write(channel, value);
		return;
	}
	/* Task file writes while the device is busy have no effect. */
	if (!drive_here(channel) || (s->status & (XO_ATA_ST_BSY | XO_ATA_ST_DRQ)))
		return;
	switch (reg) {
	case REG_ERROR:
		s->feature = value;
		break;
	case REG_COUNT:
		s->count = value;
		break;
	case REG_LBA_LOW:
		s->lba_low = value;
		break;
	case REG_LBA_MID:
		s->lba_mid = value;
		break;
	case REG_LBA_HIGH:
		s->lba_high = value;
		break;
	case REG_DEVICE:
		s->device = value;
		break;
	}
}

static uint64_t command_block_read(struct xo_region *region, uint64_t offset, unsigned int width)
{
	struct xo_ide_channel *channel = region->priv;
	uint8_t bytes[8];
	uint64_t value = 0;

	if (offset == REG_DATA)
		data_read(channel, bytes, width);
	else
		for (unsigned int i = 0; i < width; i++)
			bytes[i] = register_read(channel, (unsigned int)offset + i);
	for (unsigned int i = 0; i < width; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	return value;
}

static void command_block_write(struct xo_region *region, uint64_t offset, unsigned int width,
				uint64_t value)
{
	struct xo_ide_channel *channel = region->priv;
	uint8_t bytes[8];

	for (unsigned int i = 0; i < width; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	if (offset == REG_DATA) {
		data_write(channel, bytes, width);
		return;
	}
	for (unsigned int i = 0; i < width; i++)
		register_write(channel, (unsigned int)offset + i, bytes[i]);
}

/*
 * `rep insw`: whole blocks at once. A DRQ block may end within the string;
 * drivers read no more than a block, and who does gets zeros or the next block,
 * as with single accesses.
 */
static void command_block_read_string(struct xo_region *region, uint64_t offset, unsigned int width,
				      uint8_t *elements, uint32_t count)
{
	struct xo_ide_channel *channel = region->priv;
	struct xo_ide_channel_state *s = channel->state;
	uint64_t left = (uint64_t)width * count;

	while (left) {
		uint32_t n = width;

		if (offset == REG_DATA && port_gives(s) && s->block_end - s->block_at > width)
			n = (s->block_end - s->block_at) / width * width;
		n = (uint32_t)XO_MIN(left, n);
		if (offset == REG_DATA)
			data_read(channel, elements, n);
		else
			for (uint32_t i = 0; i < n; i++)
				elements[i] = register_read(channel, (unsigned int)offset + i);
		elements += n;
		left -= n;
	}
}

static void command_block_write_string(struct xo_region *region, uint64_t offset,
				       unsigned int width, const uint8_t *elements, uint32_t count)
{
	struct xo_ide_channel *channel = region->priv;
	struct xo_ide_channel_state *s = channel->state;
	uint64_t left = (uint64_t)width * count;

	while (left) {
		uint32_t n = width;

		if (offset == REG_DATA && port_takes(s) && s->block_end - s->block_at > width)
			n = (s->block_end - s->block_at) / width * width;
		n = (uint32_t)XO_MIN(left, n);
		if (offset == REG_DATA)
			data_write(channel, elements, n);
		else
			for (uint32_t i = 0; i < n; i++)
				register_write(channel, (unsigned int)offset + i, elements[i]);
		elements += n;
		left -= n;
	}
}

static uint64_t control_block_read(struct xo_region *region, uint64_t offset, unsigned int width)
{
	struct xo_ide_channel *channel = region->priv;
	uint64_t value = 0;

	for (unsigned int i = 0; i < width; i++)
		value |= (uint64_t)(offset + i == REG_ALTERNATE ? status_value(channel) : 0xff)
			 << 8 * i;
	return value;
}

static void control_block_write(struct xo_region *region, uint64_t offset, unsigned int width,
				uint64_t value)
{
	struct xo_ide_channel *channel = region->priv;

	for (unsigned int i = 0; i < width; i++)
		if (offset + i == REG_ALTERNATE)
			control_write(channel, (uint8_t)(value >> 8 * i));
}

const struct xo_region_ops xo_ide_command_ops = {
	.read = command_block_read,
	.write = command_block_write,
	.read_string = command_block_read_string,
	.write_string = command_block_write_string,
};

const struct xo_region_ops xo_ide_control_ops = {
	.read = control_block_read,
	.write = control_block_write,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AHCI's command list: fetching a command, moving data along the physical
 * region descriptor table, and the FISes that the device answers with
 * (AHCI 1.3.1 §4.2, §5; Serial ATA 3.x §10.5 for the FISes).
 */
#include <errno.h>
#include <string.h>

#include "ahci_private.h"
#include "base/bytes.h"

enum {
	HEADER_SIZE = 32,
	HEADER_CFL = 0x1f,
	HEADER_WRITE = 0x40,
	HEADER_PRDBC = 4,
	TABLE_FIS_SIZE = 64,
	TABLE_ACMD = 0x40,
	TABLE_ACMD_SIZE = 16,
	TABLE_PRDT = 0x80,
	PRD_SIZE = 16,
	PRD_AT_ONCE = 32,
	PRD_COUNT = 0x3fffff,

	FIS_H2D = 0x27,
	FIS_H2D_LENGTH = 5, /* dwords */
	FIS_COMMAND = 0x80, /* the C bit: a command, not device control */
	FIS_D2H = 0x34,
	FIS_PIO_SETUP = 0x5f,
	FIS_INTERRUPT = 0x40,
	FIS_TO_HOST = 0x20,
	FIS_SIZE = 20,
	RECEIVED_PIO_SETUP = 0x20,
	RECEIVED_D2H = 0x40,

	CONTROL_SRST = 0x04,
	FEATURE_DMA = 0x01,
	FEATURE_OVERLAP = 0x02,
	PACKET_BYTES = 12,
	IDENTIFY_BYTES = 512,
	STATUS_READY = XO_ATA_ST_DRDY | XO_ATA_ST_DSC,
	DIAGNOSTIC_PASSED = 0x01,
};

/* The task file as a Register - Device to Host FIS has it. */
struct task_file {
	uint8_t status;
	uint8_t error;
	uint8_t lba[3];
	uint8_t device;
	uint8_t count;
};

static const struct task_file signature = {
	.error = DIAGNOSTIC_PASSED,
	.lba = { 0x01, 0x14, 0xeb },
	.count = 0x01,
};

static int memory_read(struct xo_ahci *ahci, uint64_t address, void *to, size_t length)
{
	const struct xo_machine *machine = &ahci->pci.bus->machine;
	uint64_t end;

	if (!xo_pci_is_master(&ahci->pci) || xo_add_overflows(address, length, &end))
		return -EFAULT;
	return machine->ops->dma_read(machine->priv, address, to, length);
}

static int memory_write(struct xo_ahci *ahci, uint64_t address, const void *from, size_t length)
{
	const struct xo_machine *machine = &ahci->pci.bus->machine;
	uint64_t end;

	if (!xo_pci_is_master(&ahci->pci) || xo_add_overflows(address, length, &end))
		return -EFAULT;
	return machine->ops->dma_write(machine->priv, address, from, length);
}

static uint64_t address_at(const struct xo_ahci *ahci, uint32_t low)
{
	return xo_ahci_get(ahci, low) | (uint64_t)xo_ahci_get(ahci, low + 4) << 32;
}

int xo_ahci_receive(struct xo_ahci *ahci, uint32_t offset, const void *fis, uint32_t length)
{
	if (!(xo_ahci_get(ahci, PX_CMD) & CMD_FR))
		return 0;
	return memory_write(ahci, address_at(ahci, PX_FB) + offset, fis, length);
}

static void put_task_file(uint8_t fis[FIS_SIZE], const struct task_file *tf)
{
	fis[2] = tf->status;
	fis[3] = tf->error;
	fis[4] = tf->lba[0];
	fis[5] = tf->lba[1];
	fis[6] = tf->lba[2];
	fis[7] = tf->device;
	fis[12] = tf->count;
}

static void set_tfd(struct xo_ahci *ahci, uint8_t status, uint8_t error)
{
	xo_ahci_set(ahci, PX_TFD, status | (uint32_t)error << 8);
}

/* A host bus fatal error: the list stands still until software clears ST (§6.1.2). */
static void bus_error(struct xo_ahci *ahci)
{
	xo_ahci_stop(ahci);
	ahci->state->halted = true;
	xo_ahci_raise(ahci, IS_HBFS);
}

static int send_d2h(struct xo_ahci *ahci, const struct task_file *tf, bool interrupt)
{
	uint8_t fis[FIS_SIZE] = { FIS_D2H, interrupt ? FIS_INTERRUPT : 0 };

	put_task_file(fis, tf);
	set_tfd(ahci, tf->status, tf->error);
	return xo_ahci_receive(ahci, RECEIVED_D2H, fis, sizeof(fis));
}

void xo_ahci_signature(struct xo_ahci *ahci)
{
	xo_ahci_set(ahci, PX_SIG, PX_SIGNATURE_ATAPI);
	set_tfd(ahci, signature.status, signature.error);
	ahci->state->signature_due = true;
	if (xo_ahci_get(ahci, PX_CMD) & CMD_FR) {
		ahci->state->signature_due = false;
		send_d2h(ahci, &signature, false);
	}
}

void xo_ahci_stop(struct xo_ahci *ahci)
{
	xo_packet_cancel(&ahci->packet);
	ahci->state->command.slot = -1;
}

/* --- the physical region descriptor table --- */

/* What a walk over the table calls for each region until it returns non-zero. */
typedef int (*region_fn)(struct xo_ahci *ahci, void *arg, uint64_t address, uint32_t length);

static int prdt_walk(struct xo_ahci *ahci, region_fn visit, void *arg)
{
	const struct xo_ahci_command *command = &ahci->state->command;
	uint8_t entries[PRD_AT_ONCE * PRD_SIZE];

	for (uint32_t i = 0; i < command->prdt_length; i += PRD_AT_ONCE) {
		uint32_t n = XO_MIN((uint32_t)PRD_AT_ONCE, command->prdt_length - i);

		if (memory_read(ahci, command->table + TABLE_PRDT + (uint64_t)i * PRD_SIZE, entries,
				(size_t)n * PRD_SIZE))
			return -EFAULT;
		for (uint32_t k = 0; k < n; k++) {
			const uint8_t *entry = entries + k * PRD_SIZE;
			int r = visit(ahci, arg, xo_get_le64(entry) & ~1ull,
				      (xo_get_le32(entry + 12) & PRD_COUNT) + 1);

			if (r)
				return r < 0 ? r : 0;
		}
	}
	return 0;
}

static int add_region(struct xo_ahci *ahci, void *arg, uint64_t address, uint32_t length)
{
	uint32_t *total = arg;

	(void)ahci;
	(void)address;
	if (xo_add_overflows(*total, length, total)) {
		*total = UINT32_MAX;
		return 1;
	}
	return 0;
}

struct move {
	uint64_t skip; /* bytes of the table before the data */
	uint8_t *data;
	uint32_t left;
	bool to_guest;
};

static int move_region(struct xo_ahci *ahci, void *arg, uint64_t address, uint32_t length)
{
	struct move *move = arg;
	uint32_t n;
	int r;

	if (!move->left)
		return 1;
	if (move->skip >= length) {
		move->skip -= length;
		return 0;
	}
	n = XO_MIN(length - (uint32_t)move->skip, move->left);
	if (xo_add_overflows(address, move->skip, &address))
		return -EFAULT;
	r = move->to_guest ? memory_write(ahci, address, move->data, n)
			   : memory_read(ahci, address, move->data, n);
	move->skip = 0;
	move->data += n;
	move->left -= n;
	return r;
}

static int move_data(struct xo_ahci *ahci, uint32_t start, uint8_t *data, uint32_t length,
		     bool to_guest)
{
	struct move move = { .skip = start, .data = data, .left = length, .to_guest = to_guest };
	int r = prdt_walk(ahci, move_region, &move);

	if (r)
		return r;
	return move.left ? -EFAULT : 0;
}

/* --- the end of a command --- */

static int write_byte_count(struct xo_ahci *ahci)
{
	uint8_t count[4];

	xo_put_le32(count, ahci->state->command.moved);
	return memory_write(ahci, ahci->state->command.header + HEADER_PRDBC, count, sizeof(count));
}

/*
 * The end of the command: byte count, FIS, PxCI, interrupt, in this order.
 * The PRD interrupt (DPS) is opportunistic (§5.4.2) and not raised: the end
 * of the command has one of its own. `causes` are those of FISes with I set.
 */
static void end_command(struct xo_ahci *ahci, const struct task_file *tf, uint32_t causes)
{
	struct xo_ahci_state *s = ahci->state;
	uint32_t slot = (uint32_t)s->command.slot;

	if (write_byte_count(ahci) || send_d2h(ahci, tf, causes & IS_DHRS)) {
		bus_error(ahci);
		return;
	}
	s->command.slot = -1;
	if (tf->status & XO_ATA_ST_ERR) {
		s->halted = true;
		causes |= IS_TFES;
	} else {
		xo_ahci_set(ahci, PX_CI, xo_ahci_get(ahci, PX_CI) & ~(1u << slot));
	}
	xo_ahci_raise(ahci, causes);
}

static void finish(struct xo_ahci *ahci, const struct task_file *tf, uint32_t causes)
{
	end_command(ahci, tf, causes | IS_DHRS);
}

/* `flags`: the direction and I bits; `end_status`: the status after the block's `bytes`. */
static void send_pio_setup(struct xo_ahci *ahci, uint8_t flags, const struct task_file *tf,
			   uint8_t end_status, uint32_t bytes)
{
	uint8_t fis[FIS_SIZE] = { FIS_PIO_SETUP, flags };

	put_task_file(fis, tf);
	fis[15] = end_status;
	xo_put_le16(fis + 16, bytes & 0xffff);
	xo_ahci_receive(ahci, RECEIVED_PIO_SETUP, fis, sizeof(fis));
}

/* Bytes of the last block when `length` goes in blocks of the byte count limit (ATA8-ACS 7.18.4). */
static uint32_t last_block(const struct xo_ahci_command *command, uint32_t length)
{
	uint32_t limit = command->byte_limit & ~1u;
	uint32_t rest;

	if (!limit)
		limit = 0xfffe;
	rest = length % limit;
	return rest ? rest : XO_MIN(limit, length);
}

/* A packet's data went in blocks that each had a FIS like this; the last one stays to be seen. */
static void send_data_setup(struct xo_ahci *ahci, uint8_t end_status)
{
	const struct xo_ahci_command *command = &ahci->state->command;
	bool to_host = ahci->packet.state->direction == XO_DIR_IN;
	uint32_t bytes = last_block(command, command->moved);
	const struct task_file tf = {
		.status = STATUS_READY | XO_ATA_ST_DRQ,
		/* Byte count and interrupt reason, as in the registers (ATA8-ACS 7.18.4). */
		.lba = { 0, (uint8_t)bytes, (uint8_t)(bytes >> 8) },
		.count = to_host ? XO_ATA_IR_IO : 0,
	};

	send_pio_setup(ahci, FIS_INTERRUPT | (to_host ? FIS_TO_HOST : 0), &tf, end_status, bytes);
}

static void packet_done(struct xo_ahci *ahci)
{
	struct xo_ahci_command *command = &ahci->state->command;
	struct xo_packet_state *packet = ahci->packet.state;
	struct task_file tf = { .status = STATUS_READY, .count = XO_ATA_IR_COD | XO_ATA_IR_IO };
	bool pio_data = !command->dma && command->moved;

	if (packet->status) {
		tf.status |= XO_ATA_ST_ERR;
		tf.error = (uint8_t)(xo_packet_sense_key(&ahci->packet) << 4);
	}
	packet->phase = XO_PACKET_IDLE;
	if (pio_data)
		send_data_setup(ahci, tf.status);
	finish(ahci, &tf, pio_data ? IS_PSS : 0);
}

void xo_ahci_advance(void *priv)
{
	struct xo_ahci *ahci = priv;
	struct xo_ahci_command *command = &ahci->state->command;
	struct xo_packet_state *packet = ahci->packet.state;

	if (command->slot < 0)
		return;
	switch (packet->phase) {
	case XO_PACKET_DATA_IN:
	case XO_PACKET_DATA_OUT:
		if (move_data(ahci, command->moved, xo_packet_buffer(&ahci->packet),
			      packet->part_length, packet->phase == XO_PACKET_DATA_IN)) {
			bus_error(ahci);
			return;
		}
		command->moved += packet->part_length;
		xo_packet_moved(&ahci->packet);
		break;
	case XO_PACKET_DONE:
		packet_done(ahci);
		xo_ahci_run(ahci);
		break;
	}
}

/* --- ATA commands --- */

static void abort_command(struct xo_ahci *ahci, const struct task_file *base)
{
	struct task_file tf = *base;

	tf.status = STATUS_READY | XO_ATA_ST_ERR;
	tf.error = XO_ATA_ER_ABRT;
	finish(ahci, &tf, 0);
}

static void run_abort(struct xo_ahci *ahci, const uint8_t *fis)
{
	const struct task_file tf = { .count = fis[12] };

	abort_command(ahci, &tf);
}

static void run_signature_abort(struct xo_ahci *ahci, const uint8_t *fis)
{
	(void)fis;
	abort_command(ahci, &signature);
}

static void run_done(struct xo_ahci *ahci, const uint8_t *fis)
{
	const struct task_file tf = { .status = STATUS_READY, .count = fis[12] };

	finish(ahci, &tf, 0);
}

static void run_check_power(struct xo_ahci *ahci, const uint8_t *fis)
{
	const struct task_file tf = { .status = STATUS_READY, .count = 0xff };

	(void)fis;
	finish(ahci, &tf, 0);
}

static void run_diagnostic(struct xo_ahci *ahci, const uint8_t *fis)
{
	(void)fis;
	finish(ahci, &signature, 0);
}

/* As a reset's, its FIS has no I bit (Serial ATA 2.6 11.5; nor does the parallel device interrupt). */
static void run_device_reset(struct xo_ahci *ahci, const uint8_t *fis)
{
	(void)fis;
	end_command(ahci, &signature, 0);
}

static void run_set_features(struct xo_ahci *ahci, const uint8_t *fis)
{
	if (xo_ata_set_features(&ahci->state->ata, true, fis[3], fis[12]))
		run_done(ahci, fis);
	else
		run_abort(ahci, fis);
}

/*
 * IDENTIFY PACKET DEVICE: a PIO data-in command of one block. Drivers wait
 * for either interrupt, that of the PIO Setup FIS or that of the end.
 */
static void run_identify_packet(struct xo_ahci *ahci, const uint8_t *fis)
{
	const struct task_file setup = { .status = STATUS_READY | XO_ATA_ST_DRQ,
					 .count = XO_ATA_IR_IO };
	uint8_t data[IDENTIFY_BYTES];
	uint32_t total = 0;

	xo_ata_identify(&ahci->state->ata, &ahci->identity, true, data);
	if (prdt_walk(ahci, add_region, &total)) {
		bus_error(ahci);
		return;
	}
	total = XO_MIN(total, (uint32_t)IDENTIFY_BYTES);
	if (total && move_data(ahci, 0, data, total, true)) {
		bus_error(ahci);
		return;
	}
	ahci->state->command.moved = total;
	send_pio_setup(ahci, FIS_TO_HOST | FIS_INTERRUPT, &setup, STATUS_READY, IDENTIFY_BYTES);
	const struct task_file tf = { .status = STATUS_READY, .count = fis[12] };

	finish(ahci, &tf, IS_PSS);
}

static void run_packet(struct xo_ahci *ahci, const uint8_t *fis)
{
	const struct task_file setup = { .status = STATUS_READY | XO_ATA_ST_DRQ,
					 .count = XO_ATA_IR_COD };
	struct xo_ahci_command *command = &ahci->state->command;
	struct xo_guest_buffer buffer = { .dir = XO_DIR_IN };
	uint8_t acmd[TABLE_ACMD_SIZE];

	if (fis[3] & FEATURE_OVERLAP) {
		run_abort(ahci, fis);
		return;
	}
	/*
	 * A table shorter than what the CDB asks for ends the command GOOD with what the table holds, as a ring's
	 * buffer does; PRDBC tells. Hardware notes an overflow (PxIS.OFS, §3.3.5) when the device has sent the rest.
	 * Here nothing more is asked of the drive, so nothing overflows: a program whose buffer is shorter than its
	 * allocation length has the same answer by every way to the drive, and no list stops for it.
	 */
	if (memory_read(ahci, command->table + TABLE_ACMD, acmd, sizeof(acmd)) ||
	    prdt_walk(ahci, add_region, &buffer.length)) {
		bus_error(ahci);
		return;
	}
	if (command->write)
		buffer.dir = XO_DIR_OUT;
	command->dma = fis[3] & FEATURE_DMA;
	command->byte_limit = xo_get_le16(fis + 5);
	/* The packet itself goes by PIO. */
	send_pio_setup(ahci, 0, &setup, XO_ATA_ST_BSY, PACKET_BYTES);
	command->packet = true;
	xo_packet_start(&ahci->packet, acmd, &buffer);
}

static const struct {
	uint8_t command;
	void (*run)(struct xo_ahci *ahci, const uint8_t *fis);
} commands[] = {
	{ XO_ATA_CMD_DEVICE_RESET, run_device_reset },
	{ 0x20, run_signature_abort }, /* READ SECTORS */
	{ XO_ATA_CMD_DIAGNOSTIC, run_diagnostic },
	{ XO_ATA_CMD_PACKET, run_packet },
	{ XO_ATA_CMD_IDENTIFY_PACKET, run_identify_packet },
	{ XO_ATA_CMD_STANDBY_IMMEDIATE, run_done },
	{ XO_ATA_CMD_IDLE_IMMEDIATE, run_done },
	{ XO_ATA_CMD_CHECK_POWER, run_check_power },
	{ XO_ATA_CMD_SLEEP, run_done },
	{ XO_ATA_CMD_IDENTIFY, run_signature_abort },
	{ XO_ATA_CMD_SET_FEATURES, run_set_features },
};

/* A device control FIS: SRST set, then cleared (§10.4.1). Neither is answered with an interrupt. */
static void run_control(struct xo_ahci *ahci, const uint8_t *fis)
{
	struct xo_ahci_state *s = ahci->state;
	uint32_t slot = (uint32_t)s->command.slot;
	bool srst = fis[15] & CONTROL_SRST;

	s->command.slot = -1;
	xo_ahci_set(ahci, PX_CI, xo_ahci_get(ahci, PX_CI) & ~(1u << slot));
	if (s->soft_reset && !srst) {
		xo_ata_reset(&s->ata, false);
		xo_ahci_signature(ahci);
	} else if (srst) {
		set_tfd(ahci, 0, 0);
	}
	s->soft_reset = srst;
}

static void run_fis(struct xo_ahci *ahci, const uint8_t *fis, unsigned int dwords)
{
	if (dwords < FIS_H2D_LENGTH || fis[0] != FIS_H2D) {
		run_abort(ahci, fis);
		return;
	}
	if (!(fis[1] & FIS_COMMAND)) {
		run_control(ahci, fis);
		return;
	}
	set_tfd(ahci, XO_ATA_ST_BSY | XO_ATA_ST_DRDY, 0);
	for (size_t i = 0; i < XO_ARRAY_SIZE(commands); i++) {
		if (commands[i].command == fis[2]) {
			commands[i].run(ahci, fis);
			return;
		}
	}
	run_abort(ahci, fis);
}

static void run_slot(struct xo_ahci *ahci, unsigned int slot)
{
	struct xo_ahci_command *command = &ahci->state->command;
	uint32_t cmd = xo_ahci_get(ahci, PX_CMD) & ~(uint32_t)CMD_CCS;
	uint8_t header[HEADER_SIZE];
	uint8_t fis[TABLE_FIS_SIZE];

	xo_ahci_set(ahci, PX_CMD, cmd | slot << CMD_CCS_SHIFT);
	*command = (struct xo_ahci_command){
		.slot = (int32_t)slot,
		.header = address_at(ahci, PX_CLB) + (uint64_t)slot * HEADER_SIZE,
	};
	if (memory_read(ahci, command->header, header, sizeof(header))) {
		bus_error(ahci);
		return;
	}
	command->write = header[0] & HEADER_WRITE;
	command->prdt_length = xo_get_le16(header + 2);
	command->table = xo_get_le64(header + 8) & ~0x7full;
	if (memory_read(ahci, command->table, fis, sizeof(fis))) {
		bus_error(ahci);
		return;
	}
	run_fis(ahci, fis, header[0] & HEADER_CFL);
}

/* The next slot in turn after the last one (§5.3.2: round robin for commands without a queue). */
static unsigned int next_slot(const struct xo_ahci *ahci, uint32_t issued)
{
	unsigned int last = (xo_ahci_get(ahci, PX_CMD) & CMD_CCS) >> CMD_CCS_SHIFT;

	for (unsigned int i = 1; i <= XO_AHCI_SLOTS; i++) {
		unsigned int slot = (last + i) % XO_AHCI_SLOTS;

		if (issued & 1u << slot)
			return slot;
	}
	return 0;
}

void xo_ahci_run(struct xo_ahci *ahci)
{
	struct xo_ahci_state *s = ahci->state;

	/* Each turn ends one slot, so there are no more than there are slots. */
	for (unsigned int i = 0; i < XO_AHCI_SLOTS; i++) {
		uint32_t issued = xo_ahci_get(ahci, PX_CI);

		if (!issued || s->command.slot >= 0 || s->halted ||
		    !(xo_ahci_get(ahci, PX_CMD) & CMD_ST) || xo_ahci_get(ahci, PX_SSTS) != SSTS_UP)
			return;
		run_slot(ahci, next_slot(ahci, issued));
	}
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What holds for every command, judged once: is there such a command, is a
 * unit attention due, are reserved bits clear, is there a medium, is the drive
 * busy, may the disc be written. Then the handler; then its sense.
 */
#include "dispatch.h"

#include <string.h>

#include "mmc/cdb.h"
#include "virtual.h"

/* Byte 1 may carry a LUN (SCSI-2), the control byte vendor bits (Linux puts a TOC format there). */
#define LUN_BITS 0xe0
#define CONTROL_VENDOR_BITS 0xc0

static uint32_t check_usage(struct vb *vb, const struct vb_op *op)
{
	const uint8_t *cdb = vb->command->cdb;
	unsigned int length = xo_opcode_find(cdb, vb->command->cdb_length)->cdb_len;

	for (unsigned int i = 1; i < length && i < sizeof(op->usage); i++) {
		unsigned int allowed = op->usage[i];
		unsigned int wrong;

		if (i == 1)
			allowed |= LUN_BITS;
		if (i == length - 1)
			allowed |= CONTROL_VENDOR_BITS;
		wrong = cdb[i] & ~allowed;
		if (wrong)
			return vb_bad_cdb(vb, i, 31 - __builtin_clz(wrong));
	}
	return 0;
}

static bool medium_inside(const struct vb *vb)
{
	return vb->s->disc.media != XO_MEDIA_NONE && !vb->s->tray_open;
}

/* The next unit attention (SPC-4 5.14); one a command. */
static uint32_t take_attention(struct vb *vb, const struct vb_op *op)
{
	uint8_t *attention = &vb->s->attention;

	if (*attention & VB_UA_RESET) {
		*attention &= (uint8_t)~VB_UA_RESET;
		return XO_SENSE_POWER_ON_OR_RESET;
	}
	if (!medium_inside(vb))
		return 0;
	/*
	 * A disc exchanged by the host between two polls: Windows wants to see the empty
	 * drive before the new medium, so the drive seems empty until that was asked for.
	 */
	if (*attention & VB_UA_NO_MEDIUM) {
		if (!(op->flags & VB_NEEDS_MEDIUM))
			return 0;
		*attention &= (uint8_t)~VB_UA_NO_MEDIUM;
		return XO_SENSE_NO_MEDIUM_TRAY_OPEN;
	}
	if (*attention & VB_UA_MEDIUM) {
		*attention &= (uint8_t)~VB_UA_MEDIUM;
		return XO_SENSE_MEDIUM_CHANGED;
	}
	return 0;
}

static uint32_t no_medium(struct vb *vb)
{
	vb->s->attention &= (uint8_t)~VB_UA_NO_MEDIUM;
	return vb->s->tray_open ? XO_SENSE_NO_MEDIUM_TRAY_OPEN : XO_SENSE_NO_MEDIUM_TRAY_CLOSED;
}

static uint32_t check_ready(struct vb *vb, const struct vb_op *op)
{
	if (op->flags & VB_NEEDS_MEDIUM) {
		if (!medium_inside(vb))
			return no_medium(vb);
		if (vb->fd < 0)
			return XO_SENSE_NOT_READY;
	}
	if (!(op->flags & VB_WHILE_BUSY) && vb_busy(vb))
		return vb_busy_sense(vb);
	if (op->flags & VB_WRITES) {
		if (!vb_medium(vb)->writable)
			return XO_SENSE_CANNOT_WRITE_INCOMPATIBLE_FORMAT;
		if (vb->read_only)
			return XO_SENSE_WRITE_PROTECTED;
	}
	return 0;
}

static uint32_t run(struct vb *vb)
{
	const struct vb_op *op = &vb_ops[vb->command->cdb[0]];
	uint32_t kcq;

	if (!op->handler)
		return XO_SENSE_INVALID_OPCODE;
	if (xo_cdb_check(vb->command->cdb, vb->command->cdb_length))
		return XO_SENSE_INVALID_FIELD_IN_CDB;
	if (!xo_opcode_find(vb->command->cdb, vb->command->cdb_length)->quiet) {
		kcq = take_attention(vb, op);
		if (kcq)
			return kcq;
	}
	kcq = check_usage(vb, op);
	if (!kcq)
		kcq = check_ready(vb, op);
	return kcq ? kcq : op->handler(vb);
}

void vb_dispatch(struct vb *vb)
{
	struct vb_result *result = &vb->s->result;
	uint32_t kcq;

	vb->transferred = 0;
	vb->parameters_length = 0;
	vb->sense = (struct xo_sense){ .key = 0 };
	kcq = run(vb);
	*result = (struct vb_result){ .status = XO_STATUS_GOOD };
	result->residual = vb->command->length - vb->transferred;
	if (kcq) {
		vb->sense.key = (uint8_t)(kcq >> 16);
		vb->sense.asc = (uint8_t)(kcq >> 8);
		vb->sense.ascq = (uint8_t)kcq;
		result->status = XO_STATUS_CHECK_CONDITION;
		result->sense_length = (uint8_t)xo_sense_build(&vb->sense, false, result->sense,
							       sizeof(result->sense));
	}
}

/* clang-format off */
#define F4 0xff, 0xff, 0xff, 0xff
#define ALLOC16 0xff, 0xff
#define MEDIUM VB_NEEDS_MEDIUM

const struct vb_op vb_ops[256] = {
	[XO_OP_TEST_UNIT_READY] = { vb_test_unit_ready, MEDIUM, { 0 } },
	[XO_OP_REQUEST_SENSE] = { vb_request_sense, VB_WHILE_BUSY, { [4] = 0xff } },
	[XO_OP_FORMAT_UNIT] = { vb_format_unit, MEDIUM | VB_WRITES, { 0, 0x1f } },
	[XO_OP_INQUIRY] = { vb_inquiry, VB_WHILE_BUSY, { 0, 0x01, 0xff, ALLOC16 } },
	[XO_OP_MODE_SELECT_6] = { vb_mode_select, VB_WHILE_BUSY, { 0, 0x11, [4] = 0xff } },
	[XO_OP_MODE_SENSE_6] = { vb_mode_sense, VB_WHILE_BUSY, { 0, 0x08, 0xff, 0xff, 0xff } },
	[XO_OP_START_STOP_UNIT] = { vb_start_stop_unit, 0, { 0, 0x01, 0, 0x03, 0xf7 } },
	[XO_OP_PREVENT_ALLOW] = { vb_prevent_allow, VB_WHILE_BUSY, { [4] = 0x03 } },
	[XO_OP_READ_FORMAT_CAPACITIES] = { vb_read_format_capacities, VB_WHILE_BUSY, { [7] = ALLOC16 } },
	[XO_OP_READ_CAPACITY] = { vb_read_capacity, MEDIUM, { 0, 0x01, F4, [8] = 0x01 } },
	[XO_OP_READ_10] = { vb_read, MEDIUM, { 0, 0x1a, F4, 0, ALLOC16 } },
	[XO_OP_WRITE_10] = { vb_write, MEDIUM | VB_WRITES, { 0, 0x1a, F4, 0, ALLOC16 } },
	[XO_OP_SEEK_10] = { vb_seek, MEDIUM, { 0, 0, F4 } },
	[XO_OP_WRITE_AND_VERIFY_10] = { vb_write, MEDIUM | VB_WRITES, { 0, 0x10, F4, 0, ALLOC16 } },
	[XO_OP_VERIFY_10] = { vb_verify, MEDIUM, { 0, 0x10, F4, 0x80, ALLOC16 } },
	[XO_OP_SYNCHRONIZE_CACHE] = { vb_synchronize_cache, MEDIUM, { 0, 0x02, F4, 0, ALLOC16 } },
	[XO_OP_READ_BUFFER] = { vb_read_buffer, VB_WHILE_BUSY, { 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, ALLOC16 } },
	[XO_OP_READ_SUBCHANNEL] = { vb_read_subchannel, MEDIUM, { 0, 0x02, 0x40, 0xff, 0, 0, 0xff, ALLOC16 } },
	[XO_OP_READ_TOC_PMA_ATIP] = { vb_read_toc, MEDIUM, { 0, 0x02, 0x0f, 0, 0, 0, 0xff, ALLOC16 } },
	[XO_OP_GET_CONFIGURATION] = { vb_get_configuration, VB_WHILE_BUSY, { 0, 0x03, 0xff, 0xff, 0, 0, 0, ALLOC16 } },
	[XO_OP_GET_EVENT_STATUS] = { vb_get_event_status, VB_WHILE_BUSY, { 0, 0x01, 0, 0, 0xff, 0, 0, ALLOC16 } },
	[XO_OP_READ_DISC_INFORMATION] = { vb_read_disc_information, MEDIUM | VB_WHILE_BUSY, { 0, 0x07, [7] = ALLOC16 } },
	[XO_OP_READ_TRACK_INFORMATION] = { vb_read_track_information, MEDIUM | VB_WHILE_BUSY, { 0, 0x07, F4, 0, ALLOC16 } },
	[XO_OP_RESERVE_TRACK] = { vb_reserve_track, MEDIUM | VB_WRITES, { 0, 0x03, 0xff, F4, F4 } },
	[XO_OP_SEND_OPC_INFORMATION] = { vb_send_opc, MEDIUM | VB_WRITES, { 0, 0x01, [7] = ALLOC16 } },
	[XO_OP_MODE_SELECT_10] = { vb_mode_select, VB_WHILE_BUSY, { 0, 0x11, [7] = ALLOC16 } },
	[XO_OP_MODE_SENSE_10] = { vb_mode_sense, VB_WHILE_BUSY, { 0, 0x18, 0xff, 0xff, [7] = ALLOC16 } },
	[XO_OP_CLOSE_TRACK_SESSION] = { vb_close_track_session, MEDIUM | VB_WRITES, { 0, 0x01, 0x07, 0, ALLOC16 } },
	[XO_OP_READ_BUFFER_CAPACITY] = { vb_read_buffer_capacity, VB_WHILE_BUSY, { 0, 0x01, [7] = ALLOC16 } },
	[XO_OP_SEND_CUE_SHEET] = { vb_send_cue_sheet, MEDIUM | VB_WRITES, { [6] = 0xff, ALLOC16 } },
	[XO_OP_REPORT_LUNS] = { vb_report_luns, VB_WHILE_BUSY, { 0, 0, 0xff, [6] = F4 } },
	[XO_OP_BLANK] = { vb_blank, MEDIUM | VB_WRITES, { 0, 0x17, F4 } },
	[XO_OP_READ_12] = { vb_read, MEDIUM, { 0, 0x1a, F4, F4, 0x80 } },
	[XO_OP_WRITE_12] = { vb_write, MEDIUM | VB_WRITES, { 0, 0x1a, F4, F4, 0x80 } },
	[XO_OP_GET_PERFORMANCE] = { vb_get_performance, VB_WHILE_BUSY, { 0, 0x1f, F4, 0, 0, ALLOC16, 0xff } },
	[XO_OP_READ_DISC_STRUCTURE] = { vb_read_disc_structure, MEDIUM, { 0, 0x0f, F4, 0xff, 0xff, ALLOC16, 0xc0 } },
	[XO_OP_SET_STREAMING] = { vb_set_streaming, VB_WHILE_BUSY, { [8] = 0xff, ALLOC16 } },
	[XO_OP_READ_CD_MSF] = { vb_read_cd_msf, MEDIUM, { 0, 0x1e, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0x07 } },
	[XO_OP_SET_CD_SPEED] = { vb_set_cd_speed, VB_WHILE_BUSY, { 0, 0x03, ALLOC16, ALLOC16 } },
	[XO_OP_MECHANISM_STATUS] = { vb_mechanism_status, VB_WHILE_BUSY, { [8] = 0xff, 0xff } },
	[XO_OP_READ_CD] = { vb_read_cd, MEDIUM, { 0, 0x1e, F4, 0xff, 0xff, 0xff, 0xff, 0x07 } },
};

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an initiator asks of any unit: which logical units there are, and the
 * drive's buffer, by which programs measure the way to it.
 */
#include <string.h>

#include "virtual.h"

/* READ BUFFER's modes (SPC-4, READ BUFFER). */
enum { MODE_COMBINED = 0x00, MODE_DATA = 0x02, MODE_DESCRIPTOR = 0x03 };

/* SELECT REPORT: 00h those with an address, 01h the well known, 02h all (SPC-4, REPORT LUNS). */
uint32_t vb_report_luns(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	uint32_t allocation = xo_get_be32(cdb + 6);
	uint8_t data[16] = { 0 }; /* LUN 0 is eight zeros */
	size_t length = cdb[2] == 0x01 ? 8 : 16;

	if (cdb[2] > 0x02)
		return vb_bad_cdb(vb, 2, -1);
	if (allocation < 16)
		return vb_bad_cdb(vb, 6, -1);
	xo_put_be32(data, (uint32_t)(length - 8));
	vb_reply(vb, data, length, allocation);
	return 0;
}

/* The buffer as nobody has written to it: WRITE BUFFER is not there, and what is burned goes past it. */
static void reply_buffer(struct vb *vb, uint32_t head, uint32_t offset, uint32_t allocation)
{
	uint32_t length = XO_MIN(allocation, head + VB_BUFFER_BYTES - offset);
	uint8_t *to = vb_data_in(vb, &length);

	if (!to)
		return;
	memset(to, 0, length);
	for (uint32_t i = 1; i < XO_MIN(head, length); i++)
		to[i] = (uint8_t)(VB_BUFFER_BYTES >> 8 * (3 - i));
	vb->transferred = length;
}

uint32_t vb_read_buffer(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	uint32_t offset = xo_get_be24(cdb + 3);
	uint32_t allocation = xo_get_be24(cdb + 6);
	uint8_t descriptor[4] = { 0 }; /* offset boundary: a byte */

	if (cdb[2])
		return vb_bad_cdb(vb, 2, -1); /* there is but one buffer */
	switch (cdb[1] & 0x1f) {
	case MODE_COMBINED:
		if (offset)
			return vb_bad_cdb(vb, 3, -1);
		reply_buffer(vb, 4, 0, allocation);
		return 0;
	case MODE_DATA:
		if (offset > VB_BUFFER_BYTES)
			return vb_bad_cdb(vb, 3, -1);
		reply_buffer(vb, 0, offset, allocation);
		return 0;
	case MODE_DESCRIPTOR:
		xo_put_be24(descriptor + 1, VB_BUFFER_BYTES);
		vb_reply(vb, descriptor, sizeof(descriptor), allocation);
		return 0;
	default:
		return vb_bad_cdb(vb, 1, 4);
	}
}

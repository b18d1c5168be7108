// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Data between a handler and the client. The client's memory may change at any
 * time: answers are only ever written to it, parameter lists are copied out once.
 */
#include <string.h>

#include "virtual.h"

static bool client_reads(const struct vb *vb)
{
	return vb->command->direction == XO_DIR_IN && vb->command->data;
}

static bool client_writes(const struct vb *vb)
{
	return vb->command->direction == XO_DIR_OUT && vb->command->data;
}

void vb_reply(struct vb *vb, const void *data, size_t length, uint32_t allocation)
{
	uint32_t n = (uint32_t)XO_MIN(length, (size_t)allocation);

	n = XO_MIN(n, vb->command->length);
	if (!n || !client_reads(vb))
		return;
	memcpy(vb->command->data, data, n);
	vb->transferred = n;
}

void vb_reply_counted16(struct vb *vb, struct xo_writer *w, uint32_t allocation)
{
	size_t used = xo_writer_used(w);

	if (used >= 2)
		xo_put_be16(w->data, (unsigned int)(used - 2));
	vb_reply(vb, w->data, used, allocation);
}

void vb_reply_counted32(struct vb *vb, struct xo_writer *w, uint32_t allocation)
{
	size_t used = xo_writer_used(w);

	if (used >= 4)
		xo_put_be32(w->data, (uint32_t)(used - 4));
	vb_reply(vb, w->data, used, allocation);
}

uint8_t *vb_data_in(struct vb *vb, uint32_t *length)
{
	*length = client_reads(vb) ? XO_MIN(*length, vb->command->length) : 0;
	return *length ? vb->command->data : NULL;
}

const uint8_t *vb_data_out(struct vb *vb, uint32_t length)
{
	return client_writes(vb) && length <= vb->command->length ? vb->command->data : NULL;
}

uint32_t vb_fetch_parameters(struct vb *vb, uint32_t length)
{
	const uint8_t *from;

	vb->parameters_length = 0;
	if (!length)
		return 0;
	from = vb_data_out(vb, length);
	if (!from || length > sizeof(vb->parameters))
		return XO_SENSE_PARAMETER_LIST_LENGTH;
	memcpy(vb->parameters, from, length);
	vb->parameters_length = length;
	vb->transferred = length;
	return 0;
}

static void point_at(struct vb *vb, bool in_cdb, unsigned int byte, int bit)
{
	vb->sense.has_field = true;
	vb->sense.field_in_cdb = in_cdb;
	vb->sense.field = (uint16_t)byte;
	vb->sense.has_bit = bit >= 0;
	vb->sense.bit = (uint8_t)(bit >= 0 ? bit : 0);
}

uint32_t vb_bad_cdb(struct vb *vb, unsigned int byte, int bit)
{
	point_at(vb, true, byte, bit);
	return XO_SENSE_INVALID_FIELD_IN_CDB;
}

uint32_t vb_bad_parameter(struct vb *vb, unsigned int byte, int bit)
{
	point_at(vb, false, byte, bit);
	return XO_SENSE_INVALID_FIELD_IN_PARAMETERS;
}

uint32_t vb_fail_at(struct vb *vb, uint32_t kcq, int64_t lba)
{
	vb->sense.has_information = lba >= 0;
	vb->sense.information = lba >= 0 ? (uint64_t)lba : 0;
	return kcq;
}

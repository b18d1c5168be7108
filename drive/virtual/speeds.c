// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Speeds: what each medium can be read and written at, GET PERFORMANCE, SET
 * STREAMING, SET CD SPEED, and the buffer. Nothing here takes more or less
 * time: that is the delay filter's work.
 */
#include <string.h>

#include "virtual.h"

#define CD_1X 1764 /* kB/s times 10 */
#define CD(x) (CD_1X * (x) / 10)
#define DVD(x) (1385u * (x))
#define BD(x) (44955u * (x) / 10)

static const struct vb_speeds cd_speeds = { CD(48), 5, { CD(48), CD(40), CD(24), CD(16), CD(8) } };
static const struct vb_speeds dvd_speeds = { DVD(16), 4, { DVD(16), DVD(12), DVD(8), DVD(4) } };
static const struct vb_speeds bd_speeds = { BD(12), 4, { BD(12), BD(8), BD(4), BD(2) } };
static const struct vb_speeds rom_speeds = { CD(48), 0, { 0 } };

const struct vb_speeds *vb_speeds(const struct vb *vb)
{
	if (vb->s->disc.media != XO_MEDIA_NONE && !vb_medium(vb)->writable)
		return &rom_speeds;
	switch (vb_medium(vb)->family) {
	case XO_FAMILY_DVD:
		return &dvd_speeds;
	case XO_FAMILY_BD:
		return &bd_speeds;
	default:
		return &cd_speeds;
	}
}

/* The fastest that is not faster than asked for; the slowest if all are. */
static uint32_t nearest_write_speed(const struct vb *vb, uint32_t asked)
{
	const struct vb_speeds *speeds = vb_speeds(vb);

	if (!speeds->count)
		return 0;
	for (uint32_t i = 0; i < speeds->count; i++) {
		if (speeds->write[i] <= asked)
			return speeds->write[i];
	}
	return speeds->write[speeds->count - 1];
}

uint32_t vb_current_write_speed(const struct vb *vb)
{
	return nearest_write_speed(vb, vb->s->write_speed ? vb->s->write_speed : UINT32_MAX);
}

uint32_t vb_current_read_speed(const struct vb *vb)
{
	uint32_t fastest = vb_speeds(vb)->read;

	return vb->s->read_speed ? XO_MIN(vb->s->read_speed, fastest) : fastest;
}

static uint32_t last_block(const struct vb *vb)
{
	uint32_t end = vb_medium(vb)->writable ? vb->s->disc.capacity : vb_visible_end(vb);

	return end ? end - 1 : 0;
}

/* Type 00h, nominal performance: one descriptor over the whole disc (MMC-6 6.8.3.2). */
static uint32_t nominal_performance(struct vb *vb, struct xo_writer *w, unsigned int max)
{
	const uint8_t *cdb = vb->command->cdb;
	bool writing = cdb[1] & 0x04;
	uint32_t speed = writing ? vb_current_write_speed(vb) : vb_current_read_speed(vb);

	if ((cdb[1] & 0x03) == 3)
		return vb_bad_cdb(vb, 1, 1);
	xo_write_u8(w, (writing ? 2u : 0) | (cdb[1] & 0x03 ? 1u : 0));
	xo_write_zeros(w, 3);
	if (cdb[1] & 0x03 || !max || !speed) /* exceptions: there are none */
		return 0;
	xo_write_be32(w, 0);
	xo_write_be32(w, speed);
	xo_write_be32(w, last_block(vb));
	xo_write_be32(w, speed);
	return 0;
}

/* Type 03h, write speeds (MMC-6 6.8.3.5). */
static uint32_t write_speeds(struct vb *vb, struct xo_writer *w, unsigned int max)
{
	const struct vb_speeds *speeds = vb_speeds(vb);

	if (vb->command->cdb[1])
		return vb_bad_cdb(vb, 1, -1);
	xo_write_zeros(w, 4);
	for (uint32_t i = 0; i < speeds->count && i < max; i++) {
		xo_write_u8(w, 0);
		xo_write_zeros(w, 3);
		xo_write_be32(w, last_block(vb));
		xo_write_be32(w, speeds->read);
		xo_write_be32(w, speeds->write[i]);
	}
	return 0;
}

uint32_t vb_get_performance(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	unsigned int max = xo_get_be16(cdb + 8);
	unsigned int type = cdb[10];
	uint8_t data[8 + 16 * 8];
	struct xo_writer w = xo_writer(data, sizeof(data));
	uint32_t available;
	uint32_t kcq;

	xo_write_zeros(&w, 4);
	if (type == 0x00)
		kcq = nominal_performance(vb, &w, max);
	else if (type == 0x03)
		kcq = write_speeds(vb, &w, max);
	else
		kcq = vb_bad_cdb(vb, 10, -1);
	if (kcq)
		return kcq;
	/* The length says what there is, also where fewer descriptors were wanted. */
	available = (uint32_t)xo_writer_used(&w) - 4;
	if (type == 0x03)
		available = 4 + 16 * vb_speeds(vb)->count;
	xo_put_be32(data, available);
	vb_reply(vb, data, xo_writer_used(&w), UINT32_MAX);
	return 0;
}

/* The performance descriptor (MMC-6 6.43.3.1). Speeds are sizes (kB) over times (ms). */
uint32_t vb_set_streaming(struct vb *vb)
{
	uint32_t length = xo_get_be16(vb->command->cdb + 9);
	const uint8_t *d = vb->parameters;
	uint32_t kcq;

	if (vb->command->cdb[8] != 0) /* type: the DBI cache zone is not there */
		return vb_bad_cdb(vb, 8, -1);
	if (length != 28)
		return XO_SENSE_PARAMETER_LIST_LENGTH;
	kcq = vb_fetch_parameters(vb, length);
	if (kcq)
		return kcq;
	if (d[0] & 0x04) { /* RDD: back to the defaults */
		vb->s->read_speed = 0;
		vb->s->write_speed = 0;
		return 0;
	}
	if (!xo_get_be32(d + 16) || !xo_get_be32(d + 24))
		return vb_bad_parameter(vb, xo_get_be32(d + 16) ? 24 : 16, -1);
	vb->s->read_speed = (uint32_t)XO_MIN(
		(uint64_t)xo_get_be32(d + 12) * 1000 / xo_get_be32(d + 16), (uint64_t)UINT32_MAX);
	vb->s->write_speed = (uint32_t)XO_MIN(
		(uint64_t)xo_get_be32(d + 20) * 1000 / xo_get_be32(d + 24), (uint64_t)UINT32_MAX);
	return 0;
}

uint32_t vb_set_cd_speed(struct vb *vb)
{
	uint32_t read = xo_get_be16(vb->command->cdb + 2);
	uint32_t write = xo_get_be16(vb->command->cdb + 4);

	vb->s->read_speed = read == 0xffff ? 0 : read;
	vb->s->write_speed = write == 0xffff ? 0 : write;
	return 0;
}

/* While it records, the buffer seems as full as a steady stream of data keeps it. */
uint32_t vb_read_buffer_capacity(struct vb *vb)
{
	uint32_t blank = vb->s->unsynced ? VB_BUFFER_BYTES / 16 : VB_BUFFER_BYTES;
	uint8_t data[12] = { 0, 10 };

	if (vb->command->cdb[1] & 1) { /* in blocks */
		data[3] = 1;
		xo_put_be32(data + 8, blank / 2048);
	} else {
		xo_put_be32(data + 4, VB_BUFFER_BYTES);
		xo_put_be32(data + 8, blank);
	}
	vb_reply(vb, data, sizeof(data), xo_get_be16(vb->command->cdb + 7));
	return 0;
}

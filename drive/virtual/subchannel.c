// SPDX-License-Identifier: GPL-2.0-or-later
/* The Q subchannel: READ SUB-CHANNEL (MMC-6 6.29) and what READ CD gives of Q. */
#include <string.h>

#include "virtual.h"

#define AUDIO_STATUS_NONE 0x15

/* ECMA-130 22.3.4: x^16 + x^12 + x^5 + 1, inverted. */
static unsigned int q_crc(const uint8_t *data, size_t length)
{
	unsigned int crc = 0;

	for (size_t i = 0; i < length; i++) {
		crc ^= (unsigned int)data[i] << 8;
		for (unsigned int bit = 0; bit < 8; bit++)
			crc = (crc << 1 ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
	}
	return crc ^ 0xffff;
}

/* The track that an address belongs to, its pause included; the first one before the disc. */
static const struct xo_disc_track *owner(const struct vb *vb, int32_t lba)
{
	const struct xo_disc_track *track = vb_track_at(vb, lba);

	return track ? track : &vb->s->disc.track[0];
}

void vb_q_position(const struct vb *vb, int32_t lba, uint8_t *q)
{
	const struct xo_disc_track *track = owner(vb, lba);
	unsigned int number = (unsigned int)(track - vb->s->disc.track) + 1;
	bool pause = lba < (int64_t)track->start;
	int64_t relative = pause ? (int64_t)track->start - lba : (int64_t)lba - track->start;
	uint8_t msf[3];

	memset(q, 0, 12);
	q[0] = (uint8_t)(track->control << 4 | 1);
	q[1] = vb_bcd(number);
	q[2] = pause ? 0 : 1;
	vb_msf(msf, (int32_t)relative - 150);
	for (unsigned int i = 0; i < 3; i++)
		q[3 + i] = vb_bcd(msf[i]);
	vb_msf(msf, lba);
	for (unsigned int i = 0; i < 3; i++)
		q[7 + i] = vb_bcd(msf[i]);
	xo_put_be16(q + 10, q_crc(q, 10));
}

static void put_position(struct vb *vb, uint8_t *data)
{
	const struct xo_disc_track *track = &vb->s->disc.track[0];
	bool msf = vb->command->cdb[1] & 0x02;

	data[5] = (uint8_t)(0x10 | track->control);
	data[6] = 1;
	data[7] = 1;
	if (msf)
		vb_msf(data + 9, (int32_t)track->start);
	else
		xo_put_be32(data + 8, track->start);
}

static void put_mcn(struct vb *vb, uint8_t *data)
{
	const char *mcn = vb->s->disc.mcn;

	if (!mcn[0])
		return;
	data[8] = 0x80;
	memcpy(data + 9, mcn, 13);
}

static void put_isrc(const struct xo_disc_track *track, unsigned int number, uint8_t *data)
{
	data[5] = (uint8_t)(0x10 | track->control);
	data[6] = (uint8_t)number;
	if (!track->isrc[0])
		return;
	data[8] = 0x80;
	memcpy(data + 9, track->isrc, 12);
}

uint32_t vb_read_subchannel(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	uint32_t allocation = xo_get_be16(cdb + 7);
	uint8_t data[24] = { 0, AUDIO_STATUS_NONE };
	size_t length = 24;

	if (!vb_is_cd(vb))
		return XO_KCQ(XO_KEY_ILLEGAL_REQUEST, 0x30, 0x02);
	if (!(cdb[2] & 0x40)) { /* SUBQ: no data but the status */
		vb_reply(vb, data, 4, allocation);
		return 0;
	}
	if (!vb->s->disc.track_count)
		return vb_bad_cdb(vb, 3, -1);
	data[4] = cdb[3];
	switch (cdb[3]) {
	case 1:
		length = 16;
		put_position(vb, data);
		break;
	case 2:
		put_mcn(vb, data);
		break;
	case 3:
		if (!cdb[6] || cdb[6] > vb->s->disc.track_count)
			return vb_bad_cdb(vb, 6, -1);
		put_isrc(&vb->s->disc.track[cdb[6] - 1], cdb[6], data);
		break;
	default:
		return vb_bad_cdb(vb, 3, -1);
	}
	data[3] = (uint8_t)(length - 4);
	vb_reply(vb, data, length, allocation);
	return 0;
}

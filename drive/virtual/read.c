// SPDX-License-Identifier: GPL-2.0-or-later
/* READ(10/12), VERIFY(10), SEEK(10): user data of 2048 bytes a block. */
#include <string.h>

#include "virtual.h"

/* Why there is nothing to read at that address. */
static uint32_t unreadable(struct vb *vb, uint32_t lba)
{
	const struct xo_disc *disc = &vb->s->disc;
	const struct xo_disc_track *last = vb_last_track(vb);
	uint32_t end = last ? last->start + last->size : 0;

	if (vb_medium(vb)->overwritable)
		end = disc->capacity;
	/* Behind everything, or in the gap between two sessions. */
	return vb_fail_at(vb, lba >= end ? XO_SENSE_LBA_OUT_OF_RANGE : XO_SENSE_NO_SEEK_COMPLETE,
			  lba);
}

/*
 * DVD: what lies between two sessions (closure and intro, border zones) is recorded,
 * with zeros, and programs read over it. CD: lead-out and lead-in are no data.
 */
static uint32_t gap_run(struct vb *vb, uint32_t lba, uint32_t count)
{
	const struct xo_disc *disc = &vb->s->disc;

	if (vb_medium(vb)->family != XO_FAMILY_DVD)
		return 0;
	for (uint32_t i = 1; i < disc->track_count; i++) {
		const struct xo_disc_track *before = &disc->track[i - 1];
		uint32_t start = disc->track[i].start;

		if (before->session < disc->track[i].session &&
		    lba >= before->start + before->size && lba < start)
			return XO_MIN(count, start - lba);
	}
	return 0;
}

/*
 * How many blocks from lba on lie together, at most count. *track: theirs (NULL on
 * a medium that is one field of blocks, or between sessions). 0: none can be read.
 */
static uint32_t readable_run(struct vb *vb, uint32_t lba, uint32_t count,
			     const struct xo_disc_track **track)
{
	const struct xo_disc *disc = &vb->s->disc;
	int64_t end;

	*track = NULL;
	if (vb_medium(vb)->overwritable) {
		if (!disc->formatted || lba >= disc->capacity)
			return 0;
		return XO_MIN(count, disc->capacity - lba);
	}
	if (lba > INT32_MAX)
		return 0;
	*track = vb_track_at(vb, (int32_t)lba);
	if (!*track)
		return gap_run(vb, lba, count);
	end = (int64_t)(*track)->start + (*track)->written;
	if (lba < (*track)->start - (*track)->stored_pregap)
		end = (*track)->start - (*track)->stored_pregap; /* a pause without data */
	return lba < end ? (uint32_t)XO_MIN((int64_t)count, end - lba) : 0;
}

static uint32_t check_readable(struct vb *vb, uint32_t lba, uint32_t count)
{
	const struct xo_disc_track *track;

	while (count) {
		uint32_t n = readable_run(vb, lba, count, &track);

		if (!n)
			return unreadable(vb, lba);
		if (track && track->mode == XO_TRACK_AUDIO)
			return vb_fail_at(vb, XO_SENSE_ILLEGAL_MODE_FOR_TRACK, lba);
		lba += n;
		count -= n;
	}
	return 0;
}

/* Blocks stored as they are sent. */
static uint32_t read_plain(struct vb *vb, const struct xo_disc_track *track, uint32_t lba,
			   uint8_t *to, uint32_t bytes)
{
	uint64_t offset = (uint64_t)lba * 2048;

	if (track)
		offset = track->offset +
			 ((uint64_t)lba - (track->start - track->stored_pregap)) * 2048;
	if (vb_file_read(vb, to, bytes, offset))
		return vb_fail_at(vb, XO_SENSE_UNRECOVERED_READ, lba);
	return 0;
}

/* The user data of one block of a raw or mode 2 track. */
static uint32_t read_composed(struct vb *vb, const struct xo_disc_track *track, uint32_t lba,
			      uint8_t *to, uint32_t bytes)
{
	uint8_t sector[2352];
	uint8_t subchannel[96];
	uint32_t kcq = vb_sector_load(vb, track, (int32_t)lba, sector, subchannel);

	if (kcq)
		return kcq;
	if (track->mode == XO_TRACK_XA && sector[18] & 0x20) /* form 2: 2324 bytes */
		return vb_fail_at(vb, XO_SENSE_ILLEGAL_MODE_FOR_TRACK, lba);
	memcpy(to, sector + (track->mode == XO_TRACK_XA ? 24 : 16), bytes);
	return 0;
}

static bool is_plain(const struct xo_disc_track *track, uint32_t lba)
{
	if (!track)
		return true;
	return track->sector_size == 2048 && !track->subchannel &&
	       lba >= track->start - track->stored_pregap;
}

static uint32_t read_blocks(struct vb *vb, uint32_t lba, uint32_t count, uint8_t *to,
			    uint32_t bytes)
{
	const struct xo_disc_track *track;

	while (count && bytes) {
		uint32_t n = readable_run(vb, lba, count, &track);
		uint32_t part;
		uint32_t kcq;

		if (!is_plain(track, lba))
			n = XO_MIN(n, 1u);
		if (!n)
			return unreadable(vb, lba);
		part = (uint32_t)XO_MIN((uint64_t)n * 2048, (uint64_t)bytes);
		if (is_plain(track, lba))
			kcq = read_plain(vb, track, lba, to, part);
		else
			kcq = read_composed(vb, track, lba, to, part);
		if (kcq)
			return kcq;
		vb->transferred += part;
		to += part;
		bytes -= part;
		lba += n;
		count -= n;
	}
	return 0;
}

uint32_t vb_read(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	uint32_t lba = xo_get_be32(cdb + 2);
	uint32_t count = cdb[0] == XO_OP_READ_12 ? xo_get_be32(cdb + 6) : xo_get_be16(cdb + 7);
	uint64_t bytes = (uint64_t)count * 2048;
	uint32_t length;
	uint8_t *to;
	uint32_t kcq;

	kcq = check_readable(vb, lba, count);
	if (kcq)
		return kcq;
	length = (uint32_t)XO_MIN(bytes, (uint64_t)UINT32_MAX);
	to = vb_data_in(vb, &length);
	return to ? read_blocks(vb, lba, count, to, length) : 0;
}

uint32_t vb_verify(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;

	return check_readable(vb, xo_get_be32(cdb + 2), xo_get_be16(cdb + 7));
}

uint32_t vb_seek(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	uint32_t lba = xo_get_be32(cdb + 2);

	return lba < vb->s->disc.capacity ? 0 : vb_fail_at(vb, XO_SENSE_LBA_OUT_OF_RANGE, lba);
}

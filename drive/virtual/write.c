// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * WRITE(10/12) and SYNCHRONIZE CACHE. A block goes to the sector file at once;
 * the next writable address moves with the state, so a WRITE that is done
 * again after a restart writes the same bytes to the same place.
 */
#include <errno.h>
#include <string.h>

#include "mmc/cdb.h"
#include "store.h"
#include "virtual.h"

/* What the data block type of the write parameters page makes of a track. */
void vb_track_from_block_type(struct xo_disc_track *track, unsigned int block_type,
			      unsigned int control)
{
	static const struct {
		uint8_t mode;
		uint16_t sector_size;
	} types[16] = {
		[0] = { XO_TRACK_AUDIO, 2352 }, [8] = { XO_TRACK_MODE1, 2048 },
		[9] = { XO_TRACK_MODE2, 2336 }, [10] = { XO_TRACK_XA, 2048 },
		[11] = { XO_TRACK_XA, 2336 },	[12] = { XO_TRACK_XA, 2336 },
		[13] = { XO_TRACK_XA, 2336 },
	};

	track->control = control & 0x0f;
	track->mode = types[block_type & 15].mode;
	track->sector_size = types[block_type & 15].sector_size;
	if (block_type == 0 && control & 0x04) /* whole data sectors */
		track->mode = XO_TRACK_MODE1;
	if (!track->sector_size)
		track->sector_size = 2048;
}

static uint32_t write_failed(struct vb *vb, int r, int64_t lba)
{
	/* A host without room is a medium that cannot take more. */
	return vb_fail_at(vb,
			  r == -ENOSPC || r == -EDQUOT ? XO_SENSE_WRITE_ERROR_RECOVERY_NEEDED
						       : XO_SENSE_WRITE_ERROR,
			  lba);
}

/* Blocks that lack parts which the drive makes (types 11 to 13), as 2336 bytes. */
static int store_formed(struct vb *vb, const uint8_t *data, uint32_t block, unsigned int type,
			uint64_t offset)
{
	uint8_t sector[2352] = { 0 };

	if (type == 12) { /* form 2, the subheader from the page */
		memcpy(sector + 16, vb->s->page[VB_PAGE_05] + 48, 4);
		memcpy(sector + 20, vb->s->page[VB_PAGE_05] + 48, 4);
		sector[18] |= 0x20;
		sector[22] |= 0x20;
		memcpy(sector + 24, data, 2324);
	} else {
		memcpy(sector + 16, data, block);
	}
	if (sector[18] & 0x20)
		vb_sector_finish_form2(sector);
	else
		vb_sector_finish_form1(sector);
	return vb_file_write(vb, sector + 16, 2336, offset);
}

int vb_store(struct vb *vb, const struct xo_disc_track *track, uint32_t lba, uint32_t count,
	     const uint8_t *data, unsigned int block_type)
{
	uint32_t stride = xo_track_stride(track);
	uint64_t offset =
		track->offset + ((uint64_t)lba - (track->start - track->stored_pregap)) * stride;
	uint32_t block = xo_data_block_size(block_type);
	int r = 0;

	if (block_type < 11 || block_type > 13)
		return vb_file_write(vb, data, (size_t)count * stride, offset);
	for (uint32_t i = 0; !r && i < count; i++)
		r = store_formed(vb, data + (size_t)i * block, block, block_type,
				 offset + (uint64_t)i * stride);
	return r;
}

/* Any block of a formatted medium at any time. */
static uint32_t write_random(struct vb *vb, uint32_t lba, uint32_t count)
{
	const struct xo_disc *disc = &vb->s->disc;
	const uint8_t *data;
	int r;

	if (!disc->formatted)
		return XO_SENSE_MEDIUM_NOT_FORMATTED;
	if (!xo_range_within(lba, count, disc->capacity))
		return vb_fail_at(vb, XO_SENSE_LBA_OUT_OF_RANGE, lba);
	data = count > UINT32_MAX / 2048 ? NULL : vb_data_out(vb, count * 2048);
	if (!data)
		return vb_bad_cdb(vb, 7, -1);
	r = vb_file_write(vb, data, (size_t)count * 2048, (uint64_t)lba * 2048);
	if (r)
		return write_failed(vb, r, lba);
	vb->transferred = count * 2048;
	return 0;
}

/* The track that can be written at lba, or NULL; *invisible: it has to be begun first. */
static struct xo_disc_track *track_for(struct vb *vb, uint32_t lba, bool *invisible)
{
	struct xo_disc *disc = &vb->s->disc;
	uint32_t i = disc->track_count;

	*invisible = false;
	while (i-- > 0) {
		struct xo_disc_track *track = &disc->track[i];

		if (track->state == XO_TRACK_CLOSED)
			continue;
		if (lba == track->start + track->written &&
		    (track->state == XO_TRACK_OPEN || track->written < track->size))
			return track;
	}
	*invisible = !vb_open_track(vb) && lba == vb_next_start(vb);
	return NULL;
}

struct target {
	uint32_t lba;
	uint32_t count;
	uint32_t block; /* bytes sent for each */
	unsigned int block_type;
	const uint8_t *data;
};

static uint32_t check_room(struct vb *vb, const struct xo_disc_track *track,
			   const struct target *to)
{
	uint32_t end = vb->s->disc.capacity;

	if (track && track->state == XO_TRACK_RESERVED)
		end = track->start + track->size;
	if (to->lba > end || to->count > end - to->lba)
		return vb_fail_at(vb,
				  end == vb->s->disc.capacity ? XO_SENSE_LBA_OUT_OF_RANGE
							      : XO_SENSE_END_OF_USER_AREA,
				  to->lba);
	return 0;
}

/* A simulation: addresses are judged and move on, the disc does not change (MMC-6 7.5.4.6). */
static uint32_t write_test(struct vb *vb, const struct target *to)
{
	struct vb_state *s = vb->s;

	if (!s->test_active) {
		s->test_active = true;
		s->test_next = (int32_t)vb_next_start(vb);
	}
	if ((int32_t)to->lba != s->test_next)
		return vb_fail_at(vb, XO_SENSE_INVALID_WRITE_ADDRESS, to->lba);
	s->test_next += (int32_t)to->count;
	vb->transferred = to->count * to->block;
	return 0;
}

static struct xo_disc_track *begin_track(struct vb *vb, const struct target *to)
{
	struct xo_disc_track *track = vb_append_track(vb);

	if (!track)
		return NULL;
	if (vb_is_cd(vb))
		vb_track_from_block_type(track, to->block_type, vb->s->page[VB_PAGE_05][3]);
	vb_changed(vb);
	return track;
}

/* Whether the blocks that are sent are those that the track is made of. */
static bool fits_track(struct vb *vb, const struct xo_disc_track *track, const struct target *to)
{
	struct xo_disc_track as = *track;

	if (!vb_is_cd(vb))
		return true;
	vb_track_from_block_type(&as, to->block_type, track->control);
	return as.mode == track->mode && as.sector_size == track->sector_size;
}

/*
 * Pseudo-overwrite (MMC-6 4.4.5.5): blocks of a BD-R that were recorded may be written
 * again. The drive would put them elsewhere and remember; in a file they stay in place.
 */
static const struct xo_disc_track *overwritten_track(const struct vb *vb, const struct target *to)
{
	const struct xo_disc *disc = &vb->s->disc;

	for (uint32_t i = 0; vb_has_pow(vb) && i < disc->track_count; i++) {
		const struct xo_disc_track *track = &disc->track[i];

		if (to->lba >= track->start &&
		    xo_range_within(to->lba - track->start, to->count, track->written))
			return track;
	}
	return NULL;
}

static uint32_t overwrite(struct vb *vb, const struct xo_disc_track *track, const struct target *to)
{
	int r = vb_store(vb, track, to->lba, to->count, to->data, to->block_type);

	if (r)
		return write_failed(vb, r, to->lba);
	vb->transferred = to->count * to->block;
	return 0;
}

/* Track-at-once on CD, incremental on DVD and BD: always at a track's next writable address. */
static uint32_t write_sequential(struct vb *vb, const struct target *to)
{
	const struct xo_disc_track *recorded = overwritten_track(vb, to);
	bool invisible;
	struct xo_disc_track *track = track_for(vb, to->lba, &invisible);
	uint32_t kcq;
	int r;

	if (recorded)
		return overwrite(vb, recorded, to);
	if (!track && !invisible)
		return vb_fail_at(vb, XO_SENSE_INVALID_WRITE_ADDRESS, to->lba);
	kcq = check_room(vb, track, to);
	if (kcq)
		return kcq;
	if (!track)
		track = begin_track(vb, to);
	if (!track)
		return XO_SENSE_END_OF_USER_AREA;
	if (!fits_track(vb, track, to))
		return vb_fail_at(vb, XO_SENSE_ILLEGAL_MODE_FOR_TRACK, to->lba);
	r = vb_store(vb, track, to->lba, to->count, to->data, to->block_type);
	if (r)
		return write_failed(vb, r, to->lba);
	track->written += to->count;
	if (track->state == XO_TRACK_OPEN)
		track->size = track->written;
	vb->transferred = to->count * to->block;
	return 0;
}

uint32_t vb_write(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	bool cd = vb_is_cd(vb);
	struct target to = {
		.lba = xo_get_be32(cdb + 2),
		.count = cdb[0] == XO_OP_WRITE_12 ? xo_get_be32(cdb + 6) : xo_get_be16(cdb + 7),
		.block_type = cd ? vb->s->page[VB_PAGE_05][4] & 0x0fu : 8,
	};

	if (!to.count)
		return 0;
	if (vb_medium(vb)->overwritable)
		return write_random(vb, to.lba, to.count);
	if (!vb_appendable(vb))
		return vb_fail_at(vb, XO_SENSE_END_OF_USER_AREA, to.lba);
	if (cd && (vb->s->sao.begun || vb_write_type(vb) == XO_WRITE_SESSION_AT_ONCE))
		return vb_sao_write(vb, (int32_t)to.lba, to.count);
	to.block = xo_data_block_size(to.block_type);
	if (!to.block || to.count > vb->command->length / to.block)
		return vb_bad_cdb(vb, 7, -1);
	to.data = vb_data_out(vb, to.count * to.block);
	if (!to.data)
		return vb_bad_cdb(vb, 7, -1);
	if (cd && vb->s->page[VB_PAGE_05][2] & 0x10)
		return write_test(vb, &to);
	return write_sequential(vb, &to);
}

/* The ECC block that was begun is filled up with zeros. */
static void pad_tracks(struct vb *vb)
{
	struct xo_disc *disc = &vb->s->disc;

	for (uint32_t i = 0; i < disc->track_count; i++) {
		struct xo_disc_track *track = &disc->track[i];
		uint32_t end = vb_align(vb, track->start + track->written) - track->start;

		if (track->state == XO_TRACK_CLOSED)
			continue;
		if (track->state == XO_TRACK_OPEN)
			track->size = end;
		track->written = XO_MIN(end, track->size);
	}
}

/* What a flush ends: a CD track (TAO), a whole session (SAO), an ECC block on DVD and BD. */
static void end_recording(struct vb *vb)
{
	struct vb_sao *sao = &vb->s->sao;
	struct xo_disc_track *track = vb_open_track(vb);

	vb->s->test_active = false;
	if (sao->active && sao->next >= sao->end)
		vb_sao_finish(vb);
	if (!vb_is_cd(vb))
		pad_tracks(vb);
	else if (track)
		vb_close_track(vb, track);
}

uint32_t vb_synchronize_cache(struct vb *vb)
{
	bool unsynced = vb->s->unsynced;

	if (vb_medium(vb)->writable && !vb->read_only)
		end_recording(vb);
	if (!unsynced)
		return 0;
	if (vb_file_flush(vb))
		return XO_SENSE_WRITE_ERROR;
	if (!vb_medium(vb)->overwritable)
		vb_changed(vb);
	if (vb->command->cdb[1] & 0x02)
		vb_start(vb, VB_SYNC, vb->s->disc.timing.sync);
	return 0;
}

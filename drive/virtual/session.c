// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands that change the disc's structure: RESERVE TRACK, CLOSE TRACK
 * SESSION, BLANK, FORMAT UNIT; and SEND OPC INFORMATION, which has no use here.
 */
#include <string.h>

#include "store.h"
#include "virtual.h"

/* Close functions (MMC-6 6.3.2.2). */
enum { CLOSE_STOP_FORMAT, CLOSE_TRACK, CLOSE_SESSION, CLOSE_FINALIZE_MINIMAL = 5, CLOSE_FINALIZE };

static bool in_test(const struct vb *vb)
{
	return vb_is_cd(vb) && vb->s->page[VB_PAGE_05][2] & 0x10;
}

uint32_t vb_reserve_track(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	uint32_t size = xo_get_be32(cdb + 5);
	struct xo_disc *disc = &vb->s->disc;
	struct xo_disc_track *track;
	uint32_t start;

	if (cdb[1] & 0x03)
		return vb_bad_cdb(vb, 1, cdb[1] & 0x02 ? 1 : 0); /* RMZ, ARSV: no such zones */
	if (!vb_appendable(vb))
		return XO_SENSE_END_OF_USER_AREA;
	if (vb_open_track(vb) || vb->s->sao.begun)
		return XO_SENSE_COMMAND_SEQUENCE;
	start = vb_next_start(vb);
	if (!size || start >= disc->capacity || size > disc->capacity - start)
		return vb_bad_cdb(vb, 5, -1);
	if (in_test(vb))
		return 0;
	track = vb_append_track(vb);
	if (!track)
		return XO_SENSE_NO_MORE_TRACK_RESERVATIONS;
	if (vb_is_cd(vb))
		vb_track_from_block_type(track, vb->s->page[VB_PAGE_05][4] & 0x0f,
					 vb->s->page[VB_PAGE_05][3]);
	track->state = XO_TRACK_RESERVED;
	track->size = vb_align(vb, start + size) - start;
	vb_changed(vb);
	return 0;
}

static uint32_t close_track(struct vb *vb, uint32_t number)
{
	struct xo_disc *disc = &vb->s->disc;
	struct xo_disc_track *open = vb_open_track(vb);

	if (number == 0xff && vb_is_cd(vb))
		number = open ? disc->track_count : disc->track_count + 1;
	if (!number || number > disc->track_count + (open ? 0 : 1))
		return vb_bad_cdb(vb, 4, -1);
	if (number > disc->track_count) /* the invisible one: nothing to close */
		return 0;
	if (vb->s->sao.begun)
		return XO_SENSE_COMMAND_SEQUENCE;
	if (disc->track[number - 1].state != XO_TRACK_CLOSED)
		vb_close_track(vb, &disc->track[number - 1]);
	return 0;
}

/* All tracks of the open session complete; 0, or why not. */
static uint32_t close_tracks(struct vb *vb)
{
	struct xo_disc *disc = &vb->s->disc;

	for (uint32_t i = 0; i < disc->track_count; i++) {
		const struct xo_disc_track *track = &disc->track[i];

		if (track->state == XO_TRACK_RESERVED && track->written < track->size)
			return vb_fail_at(vb, XO_SENSE_EMPTY_OR_PARTIAL_RESERVED_TRACK,
					  track->start + track->written);
	}
	for (uint32_t i = 0; i < disc->track_count; i++) {
		if (disc->track[i].state != XO_TRACK_CLOSED)
			vb_close_track(vb, &disc->track[i]);
	}
	return 0;
}

static uint32_t close_session(struct vb *vb, bool finish)
{
	struct xo_disc *disc = &vb->s->disc;
	uint32_t kcq;

	if (vb->s->sao.begun) {
		vb_sao_finish(vb);
		return 0;
	}
	if (!disc->track_count)
		return finish ? XO_SENSE_CURRENT_PROGRAM_AREA_EMPTY : 0;
	kcq = close_tracks(vb);
	if (!kcq && (finish || vb_last_track(vb)->session > disc->sessions_closed))
		vb_close_session(vb, finish);
	return kcq;
}

/* What the close function means on this medium; false: nothing. */
static bool decode_close(const struct vb *vb, unsigned int function, bool *finish)
{
	bool plus_r = vb->s->disc.media == XO_MEDIA_DVD_PLUS_R;

	switch (function) {
	case CLOSE_SESSION:
		/* CD: whether another session may follow is in the write parameters. */
		*finish = vb_is_cd(vb) && vb->s->page[VB_PAGE_05][3] >> 6 != 3;
		return true;
	case CLOSE_FINALIZE_MINIMAL:
		*finish = true;
		return plus_r;
	case CLOSE_FINALIZE:
		*finish = true;
		return plus_r || vb->s->disc.media == XO_MEDIA_BD_R;
	default:
		return false;
	}
}

uint32_t vb_close_track_session(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	unsigned int function = cdb[2] & 7;
	bool finish = false;
	uint32_t kcq;

	if (function != CLOSE_TRACK && !decode_close(vb, function, &finish))
		return vb_bad_cdb(vb, 2, 2);
	vb->s->test_active = false;
	if (in_test(vb))
		return 0;
	if (!vb_appendable(vb)) /* complete: so it is closed already */
		return 0;
	if (vb->s->unsynced && vb_file_flush(vb))
		return XO_SENSE_WRITE_ERROR;
	if (function == CLOSE_TRACK)
		kcq = close_track(vb, xo_get_be16(cdb + 4));
	else
		kcq = close_session(vb, finish);
	if (!kcq && cdb[1] & 1)
		vb_start(vb, VB_CLOSE, vb->s->disc.timing.close);
	return kcq;
}

uint32_t vb_send_opc(struct vb *vb)
{
	return vb_fetch_parameters(vb, xo_get_be16(vb->command->cdb + 7));
}

uint32_t vb_blank(struct vb *vb)
{
	/* Only what can be written once is in this drive yet. */
	(void)vb;
	return XO_SENSE_CANNOT_WRITE_INCOMPATIBLE_FORMAT;
}

/* Format types of BD-R (MMC-6 6.4.2.3.9): sub-type 0 is SRM with pseudo-overwrite, 1 without. */
#define FORMAT_BD_FULL 0x00u
#define FORMAT_BD_R_SRM 0x32u

static uint32_t format_bd_r(struct vb *vb, uint32_t blocks, unsigned int type, unsigned int sub)
{
	struct xo_disc *disc = &vb->s->disc;

	if (disc->track_count || disc->formatted)
		return XO_SENSE_COMMAND_SEQUENCE;
	if (type != FORMAT_BD_FULL && type != FORMAT_BD_R_SRM)
		return vb_bad_parameter(vb, 8, 7);
	if (type == FORMAT_BD_R_SRM && sub > 1)
		return vb_bad_parameter(vb, 8, 1); /* RRM */
	blocks -= blocks % vb_medium(vb)->ecc_blocks;
	if (!blocks || blocks > disc->capacity)
		return vb_bad_parameter(vb, 4, -1);
	disc->capacity = blocks;
	disc->formatted = true;
	disc->format_type = (uint8_t)(type << 2 | sub);
	vb_changed(vb);
	return 0;
}

uint32_t vb_format_unit(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	const uint8_t *list = vb->parameters;
	uint32_t kcq;

	if (vb->s->disc.media != XO_MEDIA_BD_R)
		return XO_SENSE_CANNOT_FORMAT_INCOMPATIBLE_MEDIUM;
	if ((cdb[1] & 0x17) != 0x11) /* FMTDATA, format code 1 */
		return vb_bad_cdb(vb, 1, 4);
	kcq = vb_fetch_parameters(vb, 12);
	if (kcq)
		return kcq;
	if (xo_get_be16(list + 2) != 8)
		return vb_bad_parameter(vb, 2, -1);
	kcq = format_bd_r(vb, xo_get_be32(list + 4), list[8] >> 2, list[8] & 3);
	if (!kcq && list[1] & 0x02)
		vb_start(vb, VB_FORMAT, vb->s->disc.timing.format);
	return kcq;
}

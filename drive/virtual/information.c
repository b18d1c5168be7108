// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a client learns of the disc: READ DISC INFORMATION, READ TRACK
 * INFORMATION, READ CAPACITY, READ FORMAT CAPACITIES.
 */
#include <string.h>

#include "virtual.h"

#define LEAD_IN_BLOCKS 4500 /* CD, second session and later */

/* The track after the last one, not yet begun, that every appendable disc has (MMC-6 4.2.2). */
static bool has_invisible(struct vb *vb)
{
	return vb_appendable(vb) && !vb_open_track(vb) && !vb->s->sao.begun;
}

static uint32_t track_numbers(struct vb *vb)
{
	return vb->s->disc.track_count + has_invisible(vb);
}

static unsigned int disc_status(const struct xo_disc *disc)
{
	if (!disc->track_count)
		return 0;
	return disc->finished ? 2 : 1;
}

static unsigned int last_session_status(struct vb *vb)
{
	const struct xo_disc_track *last = vb_last_track(vb);

	if (last && vb->s->disc.finished)
		return 3;
	return last && last->session > vb->s->disc.sessions_closed ? 1 : 0;
}

static uint32_t first_track_of(const struct xo_disc *disc, uint32_t session)
{
	uint32_t i = 0;

	while (i < disc->track_count && disc->track[i].session < session)
		i++;
	return i + 1;
}

/* As minutes, seconds and frames; FFs where there is none. */
static void put_lead(uint8_t *at, bool valid, int32_t lba)
{
	at[0] = 0xff;
	memset(at + 1, 0xff, 3);
	if (!valid)
		return;
	at[0] = 0;
	vb_msf(at + 1, lba);
}

static void put_cd_limits(struct vb *vb, uint8_t *data)
{
	bool open = vb_appendable(vb);
	int32_t lead_in = (int32_t)vb_next_start(vb) - 150 - LEAD_IN_BLOCKS;

	if (!vb->s->disc.sessions_closed) { /* where the ATIP has it */
		put_lead(data + 16, open, 0);
		if (open)
			memcpy(data + 17, (const uint8_t[]){ 97, 34, 23 }, 3);
	} else {
		put_lead(data + 16, open, lead_in);
	}
	put_lead(data + 20, open, (int32_t)vb->s->disc.capacity);
}

/* How often pseudo-overwrite can still be used (table 386): as often as one likes. */
static void pow_resources(struct vb *vb)
{
	uint8_t data[16] = { 0, 14, 0x40 };

	xo_put_be32(data + 4, 65536);
	xo_put_be32(data + 8, 65536);
	xo_put_be32(data + 12, 65536);
	vb_reply(vb, data, sizeof(data), xo_get_be16(vb->command->cdb + 7));
}

uint32_t vb_read_disc_information(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	const struct xo_disc *disc = &vb->s->disc;
	uint32_t sessions = vb_sessions(vb);
	uint32_t first = first_track_of(disc, sessions);
	uint32_t last = XO_MAX(track_numbers(vb), first);
	uint8_t data[34] = { 0, 32 };

	if ((cdb[1] & 7) == 2 && vb_has_pow(vb)) {
		pow_resources(vb);
		return 0;
	}
	if (cdb[1] & 7) /* track resources: not in this drive */
		return vb_bad_cdb(vb, 1, 2);
	data[2] = (uint8_t)((vb_medium(vb)->erasable ? 0x10 : 0) | last_session_status(vb) << 2 |
			    disc_status(disc));
	data[3] = 1;
	data[4] = (uint8_t)sessions;
	data[5] = (uint8_t)first;
	data[6] = (uint8_t)last;
	data[7] = 0x20; /* URU: unrestricted use */
	if (disc->media == XO_MEDIA_DVD_PLUS_RW && disc->formatted)
		data[7] |= 3; /* background format complete */
	data[8] = disc->track_count ? 0x00 : 0xff;
	if (disc->track_count && disc->track[0].mode == XO_TRACK_XA)
		data[8] = 0x20;
	data[9] = (uint8_t)(sessions >> 8);
	data[10] = (uint8_t)(first >> 8);
	data[11] = (uint8_t)(last >> 8);
	if (vb_is_cd(vb) && disc->serial) {
		data[7] |= 0x80; /* DID_V */
		xo_put_be32(data + 12, disc->serial);
	}
	if (vb_is_cd(vb))
		put_cd_limits(vb, data);
	vb_reply(vb, data, sizeof(data), xo_get_be16(cdb + 7));
	return 0;
}

/* Where the invisible track can be written: what is to be sent first, pause or block. */
static int32_t invisible_nwa(const struct vb *vb)
{
	int32_t start = (int32_t)vb_next_start(vb);

	if (vb->s->test_active)
		return vb->s->test_next;
	if (vb_is_cd(vb) && vb_write_type(vb) == XO_WRITE_SESSION_AT_ONCE)
		return start - 150;
	return start;
}

/*
 * RT, Blank and Packet/Inc (MMC-6 6.27.3.8 to .10) mean something else on each medium: a
 * DVD+R fragment has RT once it is in the table of contents zones, BD-R is always incremental.
 */
static unsigned int track_status(const struct vb *vb, unsigned int state, bool blank)
{
	unsigned int bits = blank ? 0x40 : 0;

	if (state == XO_TRACK_RESERVED)
		bits |= 0x80;
	if (vb->s->disc.media == XO_MEDIA_DVD_PLUS_R && state == XO_TRACK_CLOSED)
		bits |= 0x80;
	if (vb->s->disc.media == XO_MEDIA_BD_R)
		bits |= 0x20;
	return bits;
}

static void put_invisible(struct vb *vb, uint8_t *data)
{
	const struct xo_disc *disc = &vb->s->disc;
	uint32_t start = vb_next_start(vb);
	uint32_t room = start < disc->capacity ? disc->capacity - start : 0;

	data[5] = vb_is_cd(vb) ? vb->s->page[VB_PAGE_05][3] & 0x0f : 7;
	data[6] = (uint8_t)(track_status(vb, XO_TRACK_OPEN, true) | 1);
	data[7] = room ? 1 : 0; /* NWA_V */
	xo_put_be32(data + 8, start);
	xo_put_be32(data + 12, (uint32_t)invisible_nwa(vb));
	xo_put_be32(data + 16, room);
	xo_put_be32(data + 24, room);
}

static unsigned int data_mode(const struct xo_disc_track *track)
{
	switch (track->mode) {
	case XO_TRACK_AUDIO:
		return 0xf;
	case XO_TRACK_MODE1:
		return 1;
	default:
		return 2;
	}
}

static void put_track(struct vb *vb, const struct xo_disc_track *track, uint8_t *data)
{
	const struct xo_disc *disc = &vb->s->disc;
	bool open = track->state == XO_TRACK_OPEN;
	uint32_t size = open ? disc->capacity - track->start : track->size;

	data[5] = track->control;
	if (!vb_is_cd(vb))
		data[5] = 7; /* DVD and BD: as MMC-6 6.27.3.6 wants it */
	data[6] = (uint8_t)(track_status(vb, track->state, !track->written) | data_mode(track));
	xo_put_be32(data + 8, track->start);
	if (track->state != XO_TRACK_CLOSED && track->written < size) {
		data[7] |= 1; /* NWA_V */
		xo_put_be32(data + 12, track->start + track->written);
		xo_put_be32(data + 16, size - track->written);
	}
	xo_put_be32(data + 24, size);
	if (track->written && !vb_is_cd(vb)) {
		data[7] |= 2; /* LRA_V */
		xo_put_be32(data + 28, track->start + track->written - 1);
	}
	xo_put_be32(data + 36, track->start);
}

/* The number of the track meant by an address, or 0. */
static uint32_t find_by_lba(struct vb *vb, uint32_t lba)
{
	const struct xo_disc_track *track = NULL;

	if (lba <= INT32_MAX)
		track = vb_track_at(vb, (int32_t)lba);
	if (track)
		return (uint32_t)(track - vb->s->disc.track) + 1;
	track = vb_open_track(vb);
	if (track && lba >= track->start && lba < vb->s->disc.capacity)
		return vb->s->disc.track_count;
	if (has_invisible(vb) && lba >= vb_next_start(vb) && lba < vb->s->disc.capacity)
		return track_numbers(vb);
	return 0;
}

static uint32_t find_track(struct vb *vb, unsigned int type, uint32_t number)
{
	switch (type) {
	case 0:
		return find_by_lba(vb, number);
	case 1:
		if (number == 0xff && vb_appendable(vb)) /* the invisible or incomplete one */
			return track_numbers(vb);
		return number <= track_numbers(vb) ? number : 0;
	case 2:
		if (!number || number > vb_sessions(vb))
			return 0;
		number = first_track_of(&vb->s->disc, number);
		return number <= track_numbers(vb) ? number : 0;
	default:
		return 0;
	}
}

uint32_t vb_read_track_information(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	const struct xo_disc *disc = &vb->s->disc;
	uint32_t number = find_track(vb, cdb[1] & 3, xo_get_be32(cdb + 2));
	uint8_t data[48] = { 0, 46 };
	uint32_t session = disc->sessions_closed + 1;

	if ((cdb[1] & 3) == 3)
		return vb_bad_cdb(vb, 1, 1);
	if (!number)
		return (cdb[1] & 3) == 0
			       ? vb_fail_at(vb, XO_SENSE_LBA_OUT_OF_RANGE, xo_get_be32(cdb + 2))
			       : vb_bad_cdb(vb, 2, -1);
	if (number <= disc->track_count) {
		session = disc->track[number - 1].session;
		put_track(vb, &disc->track[number - 1], data);
	} else {
		put_invisible(vb, data);
	}
	data[2] = (uint8_t)number;
	data[3] = (uint8_t)session;
	data[32] = (uint8_t)(number >> 8);
	data[33] = (uint8_t)(session >> 8);
	vb_reply(vb, data, sizeof(data), xo_get_be16(cdb + 7));
	return 0;
}

uint32_t vb_read_capacity(struct vb *vb)
{
	uint8_t data[8] = { 0 };
	uint32_t end = vb_visible_end(vb);

	xo_put_be32(data, end ? end - 1 : 0);
	xo_put_be32(data + 4, 2048);
	vb_reply(vb, data, sizeof(data), sizeof(data));
	return 0;
}

/* Formats of a blank BD-R (MMC-6 6.24.3.3), with the usual spare areas. */
#define BD_SPARE 393216u /* blocks: 768 MiB, as drives choose by default */

static void format_descriptor(struct xo_writer *w, uint32_t blocks, unsigned int type,
			      unsigned int parameter)
{
	xo_write_be32(w, blocks);
	xo_write_u8(w, type);
	xo_write_be24(w, parameter);
}

static void formattable(struct vb *vb, struct xo_writer *w)
{
	const struct xo_disc *disc = &vb->s->disc;

	if (disc->media != XO_MEDIA_BD_R || disc->track_count || disc->formatted ||
	    disc->capacity <= BD_SPARE)
		return;
	format_descriptor(w, disc->capacity - BD_SPARE, 0x00 << 2, BD_SPARE / 32);
	format_descriptor(w, disc->capacity - BD_SPARE, 0x32 << 2, 0); /* SRM + POW */
}

uint32_t vb_read_format_capacities(struct vb *vb)
{
	const struct xo_disc *disc = &vb->s->disc;
	uint8_t data[4 + 8 * 8];
	struct xo_writer w = xo_writer(data, sizeof(data));
	bool medium = disc->media != XO_MEDIA_NONE && !vb->s->tray_open;
	bool formatted = disc->track_count || disc->formatted;

	xo_write_zeros(&w, 4);
	if (!medium)
		format_descriptor(&w, xo_medium(XO_MEDIA_BD_R)->capacity, 3, 2048);
	else
		format_descriptor(&w, formatted ? vb_visible_end(vb) : disc->capacity,
				  formatted ? 2 : 1, 2048);
	if (medium && disc->formatted && !disc->track_count)
		xo_put_be32(data + 4, disc->capacity);
	if (medium)
		formattable(vb, &w);
	data[3] = (uint8_t)(xo_writer_used(&w) - 4);
	vb_reply(vb, data, xo_writer_used(&w), xo_get_be16(vb->command->cdb + 7));
	return 0;
}

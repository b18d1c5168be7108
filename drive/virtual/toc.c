// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * READ TOC/PMA/ATIP (MMC-6 6.26). DVD and BD have no TOC: one is made up of
 * their tracks, as the standard wants it.
 */
#include <string.h>

#include "mmc/cdb.h"
#include "virtual.h"

#define RESPONSE_MAX 65536u

static uint32_t toc_tracks(const struct vb *vb)
{
	return XO_MIN(vb_visible_tracks(vb), (uint32_t)XO_DISC_CD_TRACKS_MAX);
}

/* ADR 1 and the control bits. */
static unsigned int adr_control(unsigned int control)
{
	return 0x10 | control;
}

static void put_address(struct vb *vb, struct xo_writer *w, uint32_t lba)
{
	uint8_t msf[4] = { 0 };

	if (vb->command->cdb[1] & 0x02) {
		vb_msf(msf + 1, (int32_t)lba);
		xo_write_bytes(w, msf, sizeof(msf));
	} else {
		xo_write_be32(w, lba);
	}
}

static void toc_entry(struct vb *vb, struct xo_writer *w, unsigned int number, unsigned int control,
		      uint32_t lba)
{
	xo_write_u8(w, 0);
	xo_write_u8(w, adr_control(control));
	xo_write_u8(w, number);
	xo_write_u8(w, 0);
	put_address(vb, w, lba);
}

/* Format 0: tracks from the given one on, and the lead-out. */
static uint32_t formatted_toc(struct vb *vb, struct xo_writer *w)
{
	const struct xo_disc *disc = &vb->s->disc;
	uint32_t n = toc_tracks(vb);
	unsigned int from = vb->command->cdb[6];

	if (!n || (from > n && from != 0xaa))
		return vb_bad_cdb(vb, n ? 6 : 2, -1);
	xo_write_be16(w, 0);
	xo_write_u8(w, 1);
	xo_write_u8(w, n);
	for (uint32_t i = from ? from - 1 : 0; i < n; i++)
		toc_entry(vb, w, i + 1, disc->track[i].control, disc->track[i].start);
	toc_entry(vb, w, 0xaa, disc->track[n - 1].control,
		  disc->track[n - 1].start + disc->track[n - 1].size);
	return 0;
}

/* Format 1: the first track of the last complete session. */
static uint32_t session_information(struct vb *vb, struct xo_writer *w)
{
	const struct xo_disc *disc = &vb->s->disc;
	uint32_t n = toc_tracks(vb);
	uint32_t i = 0;
	uint32_t last;

	if (!n)
		return vb_bad_cdb(vb, 2, -1);
	last = disc->track[n - 1].session;
	while (i + 1 < n && disc->track[i].session < last)
		i++;
	xo_write_be16(w, 0);
	xo_write_u8(w, 1);
	xo_write_u8(w, last);
	toc_entry(vb, w, i + 1, disc->track[i].control, disc->track[i].start);
	return 0;
}

/* An entry of the lead-in as the Q subchannel has it. */
static void raw_entry(struct xo_writer *w, unsigned int session, unsigned int adr_ctl,
		      unsigned int point, const uint8_t running[4], const uint8_t msf[3])
{
	xo_write_u8(w, session);
	xo_write_u8(w, adr_ctl);
	xo_write_u8(w, 0);
	xo_write_u8(w, point);
	xo_write_bytes(w, running, 4);
	xo_write_bytes(w, msf, 3);
}

static uint8_t session_format(const struct xo_disc_track *track)
{
	return track->mode == XO_TRACK_XA ? 0x20 : 0x00;
}

/* Where the next session may be written, and in the first one where the lead-in begins. */
static void raw_pointers(struct vb *vb, struct xo_writer *w, uint32_t session)
{
	uint8_t next[4] = { 0 };
	uint8_t limit[3];
	uint8_t lead_in[3] = { 97, 34, 23 };

	if (!vb_is_cd(vb) || vb->s->disc.media == XO_MEDIA_CD_ROM || !vb_appendable(vb) ||
	    session != vb->s->disc.sessions_closed)
		return;
	vb_msf(next, (int32_t)vb_next_start(vb));
	next[3] = session == 1 ? 2 : 1; /* mode 5 pointers that there are */
	vb_msf(limit, (int32_t)vb->s->disc.capacity);
	raw_entry(w, session, 0x54, 0xb0, next, limit);
	if (session == 1)
		raw_entry(w, session, 0x54, 0xc0, (const uint8_t[4]){ 0 }, lead_in);
}

static void raw_session(struct vb *vb, struct xo_writer *w, uint32_t session, uint32_t first,
			uint32_t end)
{
	static const uint8_t zeros[4];
	const struct xo_disc_track *track = vb->s->disc.track;
	unsigned int control = adr_control(track[first].control);
	unsigned int last_control = adr_control(track[end - 1].control);
	uint8_t msf[3] = { (uint8_t)(first + 1), session_format(&track[first]), 0 };

	raw_entry(w, session, control, 0xa0, zeros, msf);
	msf[0] = (uint8_t)end;
	msf[1] = 0;
	raw_entry(w, session, last_control, 0xa1, zeros, msf);
	vb_msf(msf, (int32_t)(track[end - 1].start + track[end - 1].size));
	raw_entry(w, session, last_control, 0xa2, zeros, msf);
	for (uint32_t i = first; i < end; i++) {
		vb_msf(msf, (int32_t)track[i].start);
		raw_entry(w, session, adr_control(track[i].control), i + 1, zeros, msf);
	}
	raw_pointers(vb, w, session);
}

/* Format 2: all sessions' lead-ins, from the given session on. */
static uint32_t raw_toc(struct vb *vb, struct xo_writer *w)
{
	const struct xo_disc_track *track = vb->s->disc.track;
	uint32_t n = toc_tracks(vb);
	uint32_t from = XO_MAX(vb->command->cdb[6], (uint8_t)1);
	uint32_t first = 0;

	if (!n || from > track[n - 1].session)
		return vb_bad_cdb(vb, n ? 6 : 2, -1);
	xo_write_be16(w, 0);
	xo_write_u8(w, track[0].session);
	xo_write_u8(w, track[n - 1].session);
	while (first < n) {
		uint32_t end = first + 1;

		while (end < n && track[end].session == track[first].session)
			end++;
		if (track[first].session >= from)
			raw_session(vb, w, track[first].session, first, end);
		first = end;
	}
	return 0;
}

/* Format 3: the program memory area: the tracks recorded so far. */
static uint32_t pma(struct vb *vb, struct xo_writer *w)
{
	const struct xo_disc *disc = &vb->s->disc;

	if (!vb_is_cd(vb) || disc->media == XO_MEDIA_CD_ROM)
		return vb_bad_cdb(vb, 2, -1);
	xo_write_be32(w, 0);
	for (uint32_t i = 0; i < disc->track_count && i < XO_DISC_CD_TRACKS_MAX; i++) {
		const struct xo_disc_track *track = &disc->track[i];
		uint8_t end[4] = { 0 };
		uint8_t start[3];

		vb_msf(end, (int32_t)(track->start + track->size));
		vb_msf(start, (int32_t)track->start);
		raw_entry(w, 0, adr_control(track->control), i + 1, end, start);
	}
	return 0;
}

/* Format 4: what is pressed into the groove of a blank: power, speeds, the limits (6.26.3.6). */
static uint32_t atip(struct vb *vb, struct xo_writer *w)
{
	const struct xo_disc *disc = &vb->s->disc;
	uint8_t lead_out[3];

	if (disc->media != XO_MEDIA_CD_R && disc->media != XO_MEDIA_CD_RW)
		return vb_bad_cdb(vb, 2, -1);
	vb_msf(lead_out, (int32_t)disc->capacity);
	xo_write_be32(w, 0);
	xo_write_u8(w, 0xd0); /* target writing power 5 */
	xo_write_u8(w, 0x40); /* URU */
	xo_write_u8(w, 0x80 | (disc->media == XO_MEDIA_CD_RW ? 0x40u : 0)); /* disc type */
	xo_write_u8(w, 0);
	xo_write_bytes(w, (const uint8_t[]){ 97, 34, 23, 0 }, 4);
	xo_write_bytes(w, lead_out, 3);
	xo_write_zeros(w, 13);
	return 0;
}

static uint32_t cd_text(struct vb *vb, struct xo_writer *w)
{
	if (!vb_is_cd(vb) || !toc_tracks(vb))
		return vb_bad_cdb(vb, 2, -1);
	xo_write_be32(w, 0);
	xo_write_bytes(w, vb->s->disc.cd_text, vb->s->disc.cd_text_length);
	return 0;
}

uint32_t vb_read_toc(struct vb *vb)
{
	static uint32_t (*const formats[])(struct vb *, struct xo_writer *) = {
		formatted_toc, session_information, raw_toc, pma, atip, cd_text,
	};
	const uint8_t *cdb = vb->command->cdb;
	unsigned int format = xo_read_toc_format(cdb);
	/* The parameter list buffer is free during this command. */
	struct xo_writer w = xo_writer(vb->parameters, sizeof(vb->parameters));
	uint32_t kcq;

	if (format >= XO_ARRAY_SIZE(formats))
		return vb_bad_cdb(vb, 2, 3);
	kcq = formats[format](vb, &w);
	if (kcq)
		return kcq;
	vb_reply_counted16(vb, &w, xo_get_be16(cdb + 7));
	return 0;
}

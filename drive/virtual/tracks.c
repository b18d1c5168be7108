// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The disc's sessions and tracks: where the next one starts, what can be read,
 * and how tracks and sessions are opened and closed on each kind of medium.
 */
#include <string.h>

#include "virtual.h"

/* CD: pause before a track, and lead-out, lead-in and pause between sessions (Orange Book). */
#define CD_PREGAP 150u
#define CD_FIRST_GAP 11400u
#define CD_LATER_GAP 6900u

bool vb_is_cd(const struct vb *vb)
{
	return vb_medium(vb)->family == XO_FAMILY_CD;
}

unsigned int vb_profile(const struct vb *vb)
{
	return vb->s->tray_open ? XO_PROFILE_NONE : vb_medium(vb)->profile;
}

bool vb_has_pow(const struct vb *vb)
{
	const struct xo_disc *disc = &vb->s->disc;

	return disc->media == XO_MEDIA_BD_R && disc->formatted && !(disc->format_type & 3) &&
	       !disc->finished;
}

uint32_t vb_align(const struct vb *vb, uint32_t lba)
{
	uint32_t ecc = vb_medium(vb)->ecc_blocks;

	return lba > UINT32_MAX - ecc ? lba : (lba + ecc - 1) / ecc * ecc;
}

struct xo_disc_track *vb_last_track(struct vb *vb)
{
	struct xo_disc *disc = &vb->s->disc;

	return disc->track_count ? &disc->track[disc->track_count - 1] : NULL;
}

struct xo_disc_track *vb_open_track(struct vb *vb)
{
	struct xo_disc_track *last = vb_last_track(vb);

	return last && last->state == XO_TRACK_OPEN ? last : NULL;
}

bool vb_appendable(const struct vb *vb)
{
	const struct xo_medium *medium = vb_medium(vb);

	return medium->writable && !medium->overwritable && !vb->s->disc.finished;
}

uint32_t vb_next_start(const struct vb *vb)
{
	const struct xo_disc *disc = &vb->s->disc;
	const struct xo_disc_track *last;
	uint32_t end;

	if (!disc->track_count)
		return 0;
	last = &disc->track[disc->track_count - 1];
	end = vb_align(vb, last->start + last->size);
	if (last->session > disc->sessions_closed) /* one more of the same session */
		return vb_is_cd(vb) ? end + CD_PREGAP : end;
	if (!vb_is_cd(vb))
		return end + vb_medium(vb)->closed_gap;
	return end + (disc->sessions_closed == 1 ? CD_FIRST_GAP : CD_LATER_GAP);
}

uint32_t vb_sessions(const struct vb *vb)
{
	const struct xo_disc *disc = &vb->s->disc;

	return disc->finished || vb_medium(vb)->overwritable ? XO_MAX(disc->sessions_closed, 1u)
							     : disc->sessions_closed + 1;
}

uint32_t vb_visible_tracks(const struct vb *vb)
{
	const struct xo_disc *disc = &vb->s->disc;
	uint32_t n = 0;

	/* BD-R: what is recorded is readable, its session closed or not (MMC-6 6.26, 6.24). */
	for (uint32_t i = 0; i < disc->track_count; i++) {
		const struct xo_disc_track *track = &disc->track[i];
		bool bd = disc->media == XO_MEDIA_BD_R && track->written;

		if (track->session <= disc->sessions_closed || bd)
			n = i + 1;
	}
	return n;
}

uint32_t vb_visible_end(const struct vb *vb)
{
	const struct xo_disc *disc = &vb->s->disc;
	uint32_t n = vb_visible_tracks(vb);

	if (vb_medium(vb)->overwritable)
		return disc->formatted ? disc->capacity : 0;
	return n ? disc->track[n - 1].start + disc->track[n - 1].size : 0;
}

uint32_t vb_session_end(const struct vb *vb, uint32_t session)
{
	const struct xo_disc *disc = &vb->s->disc;
	uint32_t end = 0;

	for (uint32_t i = 0; i < disc->track_count; i++) {
		if (disc->track[i].session == session)
			end = disc->track[i].start + disc->track[i].size;
	}
	return end;
}

const struct xo_disc_track *vb_track_at(const struct vb *vb, int32_t lba)
{
	const struct xo_disc *disc = &vb->s->disc;

	for (uint32_t i = 0; i < disc->track_count; i++) {
		const struct xo_disc_track *track = &disc->track[i];
		int64_t first = (int64_t)track->start - track->pregap;
		int64_t end = (int64_t)track->start + track->size;

		if (lba >= first && lba < end)
			return track;
	}
	return NULL;
}

/* A new last track, open and empty, at the next start; NULL when there are too many. */
struct xo_disc_track *vb_append_track(struct vb *vb)
{
	struct xo_disc *disc = &vb->s->disc;
	uint32_t max = vb_is_cd(vb) ? XO_DISC_CD_TRACKS_MAX : XO_DISC_TRACKS_MAX;
	uint32_t start = vb_next_start(vb);
	struct xo_disc_track *track;

	if (disc->track_count >= max || start >= disc->capacity)
		return NULL;
	track = &disc->track[disc->track_count];
	*track = (struct xo_disc_track){
		.start = start,
		.session = (uint16_t)(disc->sessions_closed + 1),
		.offset = xo_disc_place(disc, start),
		.pregap = vb_is_cd(vb) ? CD_PREGAP : 0,
		.sector_size = 2048,
		.mode = XO_TRACK_MODE1,
		.control = 4,
		.state = XO_TRACK_OPEN,
	};
	disc->track_count++;
	return track;
}

void vb_close_track(struct vb *vb, struct xo_disc_track *track)
{
	if (track->state == XO_TRACK_OPEN)
		track->size = vb_align(vb, track->start + track->written) - track->start;
	track->written = track->size; /* the rest is padded with zeros: a hole in the file */
	track->state = XO_TRACK_CLOSED;
	vb_changed(vb);
}

void vb_close_session(struct vb *vb, bool finish)
{
	struct xo_disc *disc = &vb->s->disc;
	struct xo_disc_track *last = vb_last_track(vb);

	if (last && last->session > disc->sessions_closed)
		disc->sessions_closed = last->session;
	if (finish && disc->sessions_closed)
		disc->finished = true;
	vb_changed(vb);
}

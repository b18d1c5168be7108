// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Discs: the types of media, blank and finished discs, and the rules that the
 * tracks of every disc obey (they hold for the burner's whole life).
 */
#include "drive/disc.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "mmc/profile.h"

#define CD_CAPACITY 359849u /* 79:59:74 */
#define CD_CAPACITY_MAX 449849u /* 99:59:74 */
#define DVD_GAP 2048u /* DVD+R: closure and intro of 1024 blocks each (ECMA-349) */

static const struct xo_medium media_types[XO_MEDIA_COUNT] = {
	[XO_MEDIA_NONE] = { .media = XO_MEDIA_NONE, .name = "none", .ecc_blocks = 1 },
	[XO_MEDIA_CD_ROM] = { .media = XO_MEDIA_CD_ROM,
			      .name = "cd-rom",
			      .profile = XO_PROFILE_CD_ROM,
			      .family = XO_FAMILY_CD,
			      .ecc_blocks = 1,
			      .capacity = CD_CAPACITY,
			      .capacity_max = CD_CAPACITY_MAX },
	[XO_MEDIA_CD_R] = { .media = XO_MEDIA_CD_R,
			    .name = "cd-r",
			    .profile = XO_PROFILE_CD_R,
			    .family = XO_FAMILY_CD,
			    .ecc_blocks = 1,
			    .writable = true,
			    .burned = true,
			    .capacity = CD_CAPACITY,
			    .capacity_max = CD_CAPACITY_MAX },
	[XO_MEDIA_CD_RW] = { .media = XO_MEDIA_CD_RW,
			     .name = "cd-rw",
			     .profile = XO_PROFILE_CD_RW,
			     .family = XO_FAMILY_CD,
			     .ecc_blocks = 1,
			     .writable = true,
			     .erasable = true,
			     .capacity = CD_CAPACITY,
			     .capacity_max = CD_CAPACITY_MAX },
	[XO_MEDIA_DVD_ROM] = { .media = XO_MEDIA_DVD_ROM,
			       .name = "dvd-rom",
			       .profile = XO_PROFILE_DVD_ROM,
			       .family = XO_FAMILY_DVD,
			       .ecc_blocks = 16,
			       .capacity = 4173824,
			       .capacity_max = 4173824 },
	[XO_MEDIA_DVD_R] = { .media = XO_MEDIA_DVD_R,
			     .name = "dvd-r",
			     .profile = XO_PROFILE_DVD_R,
			     .family = XO_FAMILY_DVD,
			     .ecc_blocks = 16,
			     .writable = true,
			     .capacity = 2298496,
			     .capacity_max = 2298496,
			     .closed_gap = 12288 },
	[XO_MEDIA_DVD_RW] = { .media = XO_MEDIA_DVD_RW,
			      .name = "dvd-rw",
			      .profile = XO_PROFILE_DVD_RW_SEQUENTIAL,
			      .family = XO_FAMILY_DVD,
			      .ecc_blocks = 16,
			      .writable = true,
			      .erasable = true,
			      .capacity = 2298496,
			      .capacity_max = 2298496,
			      .closed_gap = 12288 },
	[XO_MEDIA_DVD_PLUS_R] = { .media = XO_MEDIA_DVD_PLUS_R,
				  .name = "dvd+r",
				  .profile = XO_PROFILE_DVD_PLUS_R,
				  .family = XO_FAMILY_DVD,
				  .ecc_blocks = 16,
				  .writable = true,
				  .burned = true,
				  .capacity = 2295104,
				  .capacity_max = 2295104,
				  .closed_gap = DVD_GAP },
	[XO_MEDIA_DVD_PLUS_RW] = { .media = XO_MEDIA_DVD_PLUS_RW,
				   .name = "dvd+rw",
				   .profile = XO_PROFILE_DVD_PLUS_RW,
				   .family = XO_FAMILY_DVD,
				   .ecc_blocks = 16,
				   .writable = true,
				   .erasable = true,
				   .overwritable = true,
				   .capacity = 2295104,
				   .capacity_max = 2295104 },
	[XO_MEDIA_DVD_RAM] = { .media = XO_MEDIA_DVD_RAM,
			       .name = "dvd-ram",
			       .profile = XO_PROFILE_DVD_RAM,
			       .family = XO_FAMILY_DVD,
			       .ecc_blocks = 16,
			       .writable = true,
			       .erasable = true,
			       .overwritable = true,
			       .capacity = 2236704,
			       .capacity_max = 2236704 },
	[XO_MEDIA_BD_ROM] = { .media = XO_MEDIA_BD_ROM,
			      .name = "bd-rom",
			      .profile = XO_PROFILE_BD_ROM,
			      .family = XO_FAMILY_BD,
			      .ecc_blocks = 32,
			      .capacity = 62500864,
			      .capacity_max = 62500864 },
	[XO_MEDIA_BD_R] = { .media = XO_MEDIA_BD_R,
			    .name = "bd-r",
			    .profile = XO_PROFILE_BD_R_SRM,
			    .family = XO_FAMILY_BD,
			    .ecc_blocks = 32,
			    .writable = true,
			    .burned = true,
			    .capacity = 12219392,
			    .capacity_max = 62500864 },
	[XO_MEDIA_BD_RE] = { .media = XO_MEDIA_BD_RE,
			     .name = "bd-re",
			     .profile = XO_PROFILE_BD_RE,
			     .family = XO_FAMILY_BD,
			     .ecc_blocks = 32,
			     .writable = true,
			     .erasable = true,
			     .overwritable = true,
			     .capacity = 12219392,
			     .capacity_max = 48878592 },
};

const struct xo_medium *xo_medium(unsigned int media)
{
	return &media_types[media < XO_MEDIA_COUNT ? media : XO_MEDIA_NONE];
}

/* Equal but for hyphens: "cdr" and "cd-r". */
static bool same_name(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a == '-')
			a++;
		while (*b == '-')
			b++;
		if (*a != *b)
			return false;
		if (!*a)
			return true;
	}
}

const struct xo_medium *xo_medium_by_name(const char *name)
{
	for (unsigned int i = XO_MEDIA_NONE + 1; i < XO_MEDIA_COUNT; i++) {
		if (same_name(media_types[i].name, name))
			return &media_types[i];
	}
	return NULL;
}

void xo_disc_copy(struct xo_disc *to, const struct xo_disc *from)
{
	size_t tracks = XO_MIN(from->track_count, (uint32_t)XO_DISC_TRACKS_MAX);
	size_t text = XO_MIN(from->cd_text_length, (uint32_t)XO_DISC_CD_TEXT_MAX);

	memcpy(to, from, offsetof(struct xo_disc, track));
	memcpy(to->track, from->track, tracks * sizeof(to->track[0]));
	memcpy(to->cd_text, from->cd_text, text);
}

static void set_default_timing(struct xo_disc_timing *timing)
{
	*timing = (struct xo_disc_timing){
		.sync = 50, .close = 200, .format = 300, .blank = 500, .load = 0
	};
}

int xo_disc_make(struct xo_disc *disc, unsigned int media, uint32_t capacity)
{
	const struct xo_medium *medium = xo_medium(media);

	memset(disc, 0, sizeof(*disc));
	if (!medium->family)
		return -EINVAL;
	if (!capacity)
		capacity = medium->capacity;
	capacity -= capacity % medium->ecc_blocks;
	if (!capacity || capacity > medium->capacity_max)
		return -EINVAL;
	disc->media = media;
	disc->capacity = capacity;
	set_default_timing(&disc->timing);
	return 0;
}

/* The ROM medium that a disc of that many sectors would be. */
static unsigned int rom_for(uint64_t sectors)
{
	if (sectors <= CD_CAPACITY_MAX)
		return XO_MEDIA_CD_ROM;
	if (sectors <= media_types[XO_MEDIA_DVD_ROM].capacity_max)
		return XO_MEDIA_DVD_ROM;
	return XO_MEDIA_BD_ROM;
}

int xo_disc_make_image(struct xo_disc *disc, unsigned int media, uint64_t bytes)
{
	uint64_t sectors = bytes / 2048 + (bytes % 2048 != 0);
	struct xo_disc_track *track = &disc->track[0];
	int r;

	r = xo_disc_make(disc, media ? media : rom_for(sectors), 0);
	if (r)
		return r;
	if (!sectors || sectors > xo_medium(disc->media)->capacity_max)
		return -EINVAL;
	disc->capacity = XO_MAX(disc->capacity, (uint32_t)sectors);
	disc->finished = true;
	disc->sessions_closed = 1;
	disc->track_count = 1;
	track->session = 1;
	track->sector_size = 2048;
	track->mode = XO_TRACK_MODE1;
	track->control = 4;
	track->size = (uint32_t)sectors;
	track->written = track->size;
	if (xo_medium(disc->media)->family == XO_FAMILY_CD)
		track->pregap = 150;
	return 0;
}

uint64_t xo_disc_place(const struct xo_disc *disc, uint32_t lba)
{
	uint64_t at = (uint64_t)lba * 2048;

	for (uint32_t i = 0; i < disc->track_count; i++)
		at = XO_MAX(at, xo_track_end_offset(&disc->track[i]));
	return at;
}

static bool sector_size_fits(const struct xo_disc_track *track, const struct xo_medium *medium)
{
	if (medium->family != XO_FAMILY_CD)
		return track->mode == XO_TRACK_MODE1 && track->sector_size == 2048 &&
		       !track->subchannel;
	if (track->subchannel && track->subchannel != 96)
		return false;
	switch (track->mode) {
	case XO_TRACK_AUDIO:
		return track->sector_size == 2352;
	case XO_TRACK_MODE1:
		return track->sector_size == 2048 || track->sector_size == 2352;
	case XO_TRACK_MODE2:
		return track->sector_size == 2336 || track->sector_size == 2352;
	case XO_TRACK_XA:
		return track->sector_size == 2048 || track->sector_size == 2336 ||
		       track->sector_size == 2352;
	default:
		return false;
	}
}

static bool text_is(const char *text, size_t length, bool digits)
{
	if (!text[0])
		return true;
	for (size_t i = 0; i < length; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';
		bool upper = text[i] >= 'A' && text[i] <= 'Z';

		if (!digit && (digits || !upper))
			return false;
	}
	return text[length] == '\0';
}

static const char *track_fault(const struct xo_disc *disc, const struct xo_disc_track *track)
{
	const struct xo_medium *medium = xo_medium(disc->media);

	if (track->mode >= XO_TRACK_MODES || track->state >= XO_TRACK_STATES || track->control > 15)
		return "track mode, state or control out of range";
	if (!sector_size_fits(track, medium))
		return "track sector size does not fit its mode";
	if (!xo_range_within(track->start, track->size, disc->capacity))
		return "track lies outside the disc";
	if (track->written > track->size ||
	    (track->state == XO_TRACK_OPEN && track->written != track->size))
		return "track is written beyond its size";
	if (track->stored_pregap > track->pregap || track->stored_pregap > track->start ||
	    track->pregap > track->start + 150u)
		return "track has an impossible pregap";
	if (!text_is(track->isrc, sizeof(track->isrc) - 1, false))
		return "ISRC is not twelve letters and digits";
	return NULL;
}

/* What holds between a track and the one before it (NULL for the first). */
static const char *order_fault(const struct xo_disc *disc, const struct xo_disc_track *track,
			       const struct xo_disc_track *before)
{
	uint32_t session = before ? before->session : 0;

	if (track->session != session + 1u && (!before || track->session != session))
		return "sessions do not follow each other";
	if (track->session > disc->sessions_closed + 1u)
		return "track belongs to a session that cannot exist yet";
	if (track->session <= disc->sessions_closed && track->state != XO_TRACK_CLOSED)
		return "closed session has a track that is not closed";
	if (!before)
		return NULL;
	if (before->state == XO_TRACK_OPEN)
		return "an open track is not the last one";
	if (track->start - track->stored_pregap < (uint64_t)before->start + before->size)
		return "tracks overlap";
	if (track->offset < xo_track_end_offset(before))
		return "tracks overlap in the sector file";
	return NULL;
}

static const char *disc_fault(const struct xo_disc *disc)
{
	const struct xo_medium *medium = xo_medium(disc->media);
	uint32_t tracks_max =
		medium->family == XO_FAMILY_CD ? XO_DISC_CD_TRACKS_MAX : XO_DISC_TRACKS_MAX;
	const struct xo_disc_track *last =
		disc->track_count ? &disc->track[disc->track_count - 1] : NULL;

	if (!medium->family)
		return "no such medium";
	if (!disc->capacity || disc->capacity > medium->capacity_max)
		return "capacity does not fit the medium";
	if (medium->writable && disc->capacity % medium->ecc_blocks)
		return "capacity is not made of whole ECC blocks";
	if (disc->track_count > tracks_max || disc->sessions_closed > disc->track_count)
		return "too many tracks or sessions";
	if (last && last->session < disc->sessions_closed)
		return "closed session has no track";
	if (disc->finished && last && last->session > disc->sessions_closed)
		return "finished disc has an open session";
	if ((disc->finished || !medium->writable) && !last)
		return "finished disc has no track";
	if (!medium->writable && !disc->finished)
		return "pressed disc is not finished";
	if (medium->overwritable && disc->track_count > 1)
		return "overwritable disc has several tracks";
	if (disc->cd_text_length > XO_DISC_CD_TEXT_MAX || disc->cd_text_length % 18)
		return "CD-TEXT is not made of packs";
	if (!text_is(disc->mcn, sizeof(disc->mcn) - 1, true))
		return "MCN is not thirteen digits";
	return NULL;
}

int xo_disc_check(const struct xo_disc *disc, const char **why)
{
	const char *fault = disc_fault(disc);

	for (uint32_t i = 0; !fault && i < disc->track_count; i++) {
		const struct xo_disc_track *track = &disc->track[i];

		fault = track_fault(disc, track);
		if (!fault)
			fault = order_fault(disc, track, i ? track - 1 : NULL);
	}
	*why = fault;
	return fault ? -EINVAL : 0;
}

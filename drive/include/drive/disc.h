/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disc of the virtual burner: medium, sessions and tracks, as one flat
 * struct without pointers, and its description as JSON text.
 *
 * A disc is two files: the sector file and, beside it, the description (the
 * sector file's name with ".json" added). Where a sector lies in the file:
 *  - a track knows the offset of its first stored sector and the bytes of one
 *    sector; its sectors follow each other without gaps;
 *  - that offset is LBA * 2048 unless an earlier track reaches beyond it, which
 *    only happens on a CD with audio or raw tracks; then it is that track's end.
 * So all discs with nothing but 2048-byte sectors, whatever the number of
 * sessions, hold every block at LBA * 2048, and a finished single-session data
 * disc is the ISO. What was never written is a hole or beyond the end, and zeros.
 */
#ifndef XO_DRIVE_DISC_H
#define XO_DRIVE_DISC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define XO_DISC_VERSION 1
#define XO_DISC_TRACKS_MAX 256
#define XO_DISC_CD_TRACKS_MAX 99
#define XO_DISC_CD_TEXT_MAX 36864 /* 2048 packs of 18 bytes: 8 blocks of 256 */
#define XO_DISC_JSON_MAX 262144 /* a description is shorter than this */

enum xo_media {
	XO_MEDIA_NONE = 0,
	XO_MEDIA_CD_ROM,
	XO_MEDIA_CD_R,
	XO_MEDIA_CD_RW,
	XO_MEDIA_DVD_ROM,
	XO_MEDIA_DVD_R,
	XO_MEDIA_DVD_RW,
	XO_MEDIA_DVD_PLUS_R,
	XO_MEDIA_DVD_PLUS_RW,
	XO_MEDIA_DVD_RAM,
	XO_MEDIA_BD_ROM,
	XO_MEDIA_BD_R,
	XO_MEDIA_BD_RE,
	XO_MEDIA_COUNT
};

enum xo_medium_family { XO_FAMILY_CD = 1, XO_FAMILY_DVD, XO_FAMILY_BD };

/* What all media of one type have in common. */
struct xo_medium {
	const char *name; /* in the description and on command lines: "cd-r", "dvd+r" … */
	uint8_t media; /* enum xo_media */
	uint16_t profile; /* MMC-6 5.3.1 */
	uint8_t family; /* enum xo_medium_family */
	uint8_t ecc_blocks; /* sectors of the smallest unit that can be written: 1, 16, 32 */
	bool writable;
	bool burned; /* the virtual burner writes it */
	bool erasable;
	bool overwritable; /* any block at any time, once formatted */
	uint32_t capacity; /* sectors of the usual blank */
	uint32_t capacity_max;
	uint32_t closed_gap; /* sectors between a closed session and the next one's first track */
};

/* Never NULL for a valid media type. */
const struct xo_medium *xo_medium(unsigned int media);
/* NULL: no such medium. Knows the names with and without the hyphen. */
const struct xo_medium *xo_medium_by_name(const char *name);

/* How a track's sectors are made up. */
enum xo_track_mode {
	XO_TRACK_AUDIO = 0, /* CD-DA: 2352 */
	XO_TRACK_MODE1, /* 2048, or 2352 with sync, header, EDC and ECC; also every DVD and BD track */
	XO_TRACK_MODE2, /* formless: 2336 or 2352 */
	XO_TRACK_XA, /* mode 2, form 1 as 2048; mixed forms with subheader as 2336; or 2352 */
	XO_TRACK_MODES
};

enum xo_track_state {
	XO_TRACK_CLOSED = 0, /* complete */
	XO_TRACK_OPEN, /* incomplete: the last one, growing as it is written */
	XO_TRACK_RESERVED, /* of a fixed size, written from its start on */
	XO_TRACK_STATES
};

struct xo_disc_track {
	uint64_t offset; /* in the sector file, of the first stored sector, in bytes */
	uint32_t start; /* LBA of INDEX 01 */
	uint32_t pregap; /* sectors before it that belong to the track (INDEX 00) */
	uint32_t stored_pregap; /* the last of those that are in the sector file */
	uint32_t size; /* sectors from start on; of an open track: those written */
	uint32_t written; /* sectors from start on that were written; <= size */
	uint16_t sector_size; /* 2048, 2336 or 2352 */
	uint16_t session; /* from 1 */
	uint8_t subchannel; /* bytes of R-W subchannel stored behind each sector: 0 or 96 */
	uint8_t state; /* enum xo_track_state */
	uint8_t mode; /* enum xo_track_mode */
	uint8_t control; /* of the Q subchannel: 4 data, 1 pre-emphasis, 2 copy permitted */
	char isrc[13]; /* 12 characters, or empty */
};

/* How long operations take that are done in the background (IMMED), in ms. */
struct xo_disc_timing {
	uint32_t sync;
	uint32_t close;
	uint32_t format;
	uint32_t blank;
	uint32_t load;
};
#define XO_DISC_TIMING_MAX 3600000u

struct xo_disc {
	uint32_t media; /* enum xo_media; XO_MEDIA_NONE: no disc */
	uint32_t capacity; /* sectors for user data */
	uint32_t serial; /* tells discs apart: disc id of CD-R, media serial */
	uint32_t sessions_closed;
	uint32_t track_count;
	bool finished; /* nothing can be appended */
	bool formatted; /* overwritable media, BD-R with spare areas */
	uint8_t format_type; /* BD-R, BD-RE: the format type last used */
	char mcn[14]; /* 13 digits, or empty */
	struct xo_disc_timing timing;
	uint32_t cd_text_length;
	struct xo_disc_track track[XO_DISC_TRACKS_MAX];
	uint8_t cd_text[XO_DISC_CD_TEXT_MAX];
};

/* Copies what is in use of it: a disc of few tracks costs little. */
void xo_disc_copy(struct xo_disc *to, const struct xo_disc *from);

/* A blank disc; capacity 0: the usual one. -EINVAL: no such medium, or not of that capacity. */
int xo_disc_make(struct xo_disc *disc, unsigned int media, uint32_t capacity);

/*
 * A finished data disc with one session of one track, as a sector file of that
 * many bytes holds it. media: XO_MEDIA_NONE chooses a ROM medium by the size.
 */
int xo_disc_make_image(struct xo_disc *disc, unsigned int media, uint64_t bytes);

/* Whether the disc could exist. 0, or -EINVAL and what is wrong in *why (a constant). */
int xo_disc_check(const struct xo_disc *disc, const char **why);

/*
 * From a description, which is not trusted. 0 or -EINVAL, with the reason in
 * *error, which the caller frees (NULL when memory is short).
 */
int xo_disc_parse(struct xo_disc *disc, const char *json, size_t length, char **error);

/* The description; allocates nothing. Returns its length without the final NUL, or -ENOSPC. */
ssize_t xo_disc_print(const struct xo_disc *disc, char *text, size_t size);

/* Bytes of one sector in the file. */
static inline uint32_t xo_track_stride(const struct xo_disc_track *track)
{
	return (uint32_t)track->sector_size + track->subchannel;
}

/* The first byte in the sector file behind the track's sectors. */
static inline uint64_t xo_track_end_offset(const struct xo_disc_track *track)
{
	return track->offset +
	       (uint64_t)xo_track_stride(track) * (track->stored_pregap + (uint64_t)track->size);
}

/* Where a track with its first stored sector at `lba` goes in the file, after all those there are. */
uint64_t xo_disc_place(const struct xo_disc *disc, uint32_t lba);

#endif

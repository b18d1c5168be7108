// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * READ CD and READ CD MSF (MMC-6 6.15, 6.16): any part of a sector, made up
 * where it is not stored.
 */
#include <string.h>

#include "mmc/cdb.h"
#include "virtual.h"

/* Byte 9. */
#define MAIN_SYNC 0x80
#define MAIN_SUBHEADER 0x40
#define MAIN_HEADER 0x20
#define MAIN_USER 0x10
#define MAIN_EDC_ECC 0x08
#define MAIN_ALL 0xf8

/* Expected sector types, and what a sector is. */
enum kind { KIND_ANY, KIND_AUDIO, KIND_MODE1, KIND_MODE2, KIND_FORM1, KIND_FORM2 };

static enum kind sector_kind(const struct xo_disc_track *track, const uint8_t *sector)
{
	switch (track->mode) {
	case XO_TRACK_AUDIO:
		return KIND_AUDIO;
	case XO_TRACK_MODE1:
		return KIND_MODE1;
	case XO_TRACK_MODE2:
		return KIND_MODE2;
	default:
		return sector[18] & 0x20 ? KIND_FORM2 : KIND_FORM1;
	}
}

static void put_main(struct xo_writer *w, enum kind kind, unsigned int select,
		     const uint8_t *sector)
{
	bool formed = kind == KIND_FORM1 || kind == KIND_FORM2;
	unsigned int user = formed ? 24 : 16;
	unsigned int user_length = 2048;

	if (kind == KIND_MODE2)
		user_length = 2336;
	if (kind == KIND_FORM2)
		user_length = 2328;
	if (!(select & MAIN_ALL))
		return;
	if (kind == KIND_AUDIO || (select & MAIN_ALL) == MAIN_ALL) {
		xo_write_bytes(w, sector, 2352);
		return;
	}
	if (select & MAIN_SYNC)
		xo_write_bytes(w, sector, 12);
	if (select & MAIN_HEADER)
		xo_write_bytes(w, sector + 12, 4);
	if (select & MAIN_SUBHEADER && formed)
		xo_write_bytes(w, sector + 16, 8);
	if (select & MAIN_USER)
		xo_write_bytes(w, sector + user, user_length);
	if (select & MAIN_EDC_ECC)
		xo_write_bytes(w, sector + user + user_length, 2352 - user - user_length);
}

/* C2 error bits (294), or with the block error byte and a pad (296): there are no errors. */
static void put_c2(struct xo_writer *w, unsigned int select)
{
	static const uint16_t length[] = { 0, 294, 296, 0 };

	xo_write_zeros(w, length[select >> 1 & 3]);
}

/* P-W, one bit of each in a byte; what is stored of R-W is in the low bits. */
static void put_raw_subchannel(const uint8_t q[12], const uint8_t rw[96], struct xo_writer *w)
{
	for (unsigned int i = 0; i < 96; i++) {
		unsigned int bit = q[i / 8] >> (7 - i % 8) & 1;

		xo_write_u8(w, bit << 6 | (rw[i] & 0x3f));
	}
}

static void put_subchannel(struct vb *vb, struct xo_writer *w, unsigned int select, int32_t lba,
			   const uint8_t rw[96])
{
	uint8_t q[12];

	if (!select)
		return;
	vb_q_position(vb, lba, q);
	switch (select) {
	case 1:
		put_raw_subchannel(q, rw, w);
		break;
	case 2:
		xo_write_bytes(w, q, sizeof(q));
		xo_write_zeros(w, 4);
		break;
	default: /* 4: R-W alone */
		for (unsigned int i = 0; i < 96; i++)
			xo_write_u8(w, rw[i] & 0x3f);
	}
}

static const struct xo_disc_track *find_track(struct vb *vb, int64_t lba, uint32_t *kcq)
{
	const struct xo_disc_track *last = vb_last_track(vb);
	const struct xo_disc_track *track = NULL;

	if (lba >= -150 && lba <= INT32_MAX)
		track = vb_track_at(vb, (int32_t)lba);
	if (track &&
	    (track->state == XO_TRACK_CLOSED || lba < (int64_t)track->start + track->written))
		return track;
	*kcq = XO_SENSE_NO_SEEK_COMPLETE;
	if (!last || lba < -150 || lba >= (int64_t)last->start + last->written)
		*kcq = XO_SENSE_LBA_OUT_OF_RANGE;
	vb_fail_at(vb, *kcq, lba);
	return NULL;
}

/* One sector's selected parts into w. */
static uint32_t compose(struct vb *vb, int64_t lba, struct xo_writer *w)
{
	const uint8_t *cdb = vb->command->cdb;
	enum kind expected = (enum kind)(cdb[1] >> 2 & 7);
	const struct xo_disc_track *track;
	uint8_t sector[2352];
	uint8_t rw[96];
	uint32_t kcq = 0;
	enum kind kind;

	track = find_track(vb, lba, &kcq);
	if (!track)
		return kcq;
	kcq = vb_sector_load(vb, track, (int32_t)lba, sector, rw);
	if (kcq)
		return kcq;
	kind = sector_kind(track, sector);
	if (expected != KIND_ANY && expected != kind)
		return vb_fail_at(vb, XO_SENSE_ILLEGAL_MODE_FOR_TRACK, lba);
	put_main(w, kind, cdb[9], sector);
	put_c2(w, cdb[9]);
	put_subchannel(vb, w, cdb[10] & 7, (int32_t)lba, rw);
	return 0;
}

static uint32_t check_selection(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	unsigned int subchannel = cdb[10] & 7;

	if ((cdb[1] >> 2 & 7) > KIND_FORM2)
		return vb_bad_cdb(vb, 1, 4);
	if ((cdb[9] & 0x06) == 0x06)
		return vb_bad_cdb(vb, 9, 2);
	if (subchannel > 4 || subchannel == 3)
		return vb_bad_cdb(vb, 10, 2);
	return 0;
}

static uint32_t read_sectors(struct vb *vb, int64_t lba, int64_t end)
{
	uint32_t room = UINT32_MAX;
	uint8_t *to = vb_data_in(vb, &room);
	uint32_t kcq = check_selection(vb);

	if (!vb_is_cd(vb))
		return XO_KCQ(XO_KEY_ILLEGAL_REQUEST, 0x30, 0x02);
	/* Without room for data the first and last sector are still looked for. */
	for (; !kcq && lba < end && (room || vb->transferred == 0); lba++) {
		uint8_t parts[VB_SECTOR_MAX];
		struct xo_writer w = xo_writer(parts, sizeof(parts));
		uint32_t n;

		kcq = compose(vb, lba, &w);
		if (kcq)
			break;
		n = XO_MIN((uint32_t)xo_writer_used(&w), room);
		if (n)
			memcpy(to + vb->transferred, parts, n);
		else if (!room || !xo_writer_used(&w))
			break; /* nothing is wanted, or nothing can be taken */
		vb->transferred += n;
		room -= n;
	}
	return kcq;
}

uint32_t vb_read_cd(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	int64_t lba = (int32_t)xo_get_be32(cdb + 2);
	uint32_t count = xo_get_be24(cdb + 6);

	return count ? read_sectors(vb, lba, lba + count) : 0;
}

uint32_t vb_read_cd_msf(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	int32_t start;
	int32_t end;

	if (!xo_msf_to_lba(cdb[3], cdb[4], cdb[5], &start))
		return vb_bad_cdb(vb, 3, -1);
	if (!xo_msf_to_lba(cdb[6], cdb[7], cdb[8], &end) || end < start)
		return vb_bad_cdb(vb, 6, -1);
	return end > start ? read_sectors(vb, start, end) : 0;
}

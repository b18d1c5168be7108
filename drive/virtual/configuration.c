// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GET CONFIGURATION (MMC-6 6.5): the profiles that the drive has and its
 * features, each current or not with the medium that is loaded.
 */
#include <string.h>

#include "virtual.h"

#define FEATURE_DATA_MAX 64

/* Media as a set. */
#define CD_ROM (1u << XO_MEDIA_CD_ROM)
#define CD_R (1u << XO_MEDIA_CD_R)
#define CD_RW (1u << XO_MEDIA_CD_RW)
#define DVD_ROM (1u << XO_MEDIA_DVD_ROM)
#define DVD_PLUS_R (1u << XO_MEDIA_DVD_PLUS_R)
#define BD_ROM (1u << XO_MEDIA_BD_ROM)
#define BD_R (1u << XO_MEDIA_BD_R)
#define CDS (CD_ROM | CD_R | CD_RW)
#define DVDS (DVD_ROM | DVD_PLUS_R)
#define BDS (BD_ROM | BD_R)
#define ALWAYS UINT32_MAX

/* Of what the burner writes and of what comes finished, in descending order (MMC-6 5.3.1). */
static void profile_list(struct vb *vb, struct xo_writer *w)
{
	for (unsigned int media = XO_MEDIA_COUNT - 1; media > XO_MEDIA_NONE; media--) {
		const struct xo_medium *medium = xo_medium(media);

		if (medium->writable && !medium->burned)
			continue;
		xo_write_be16(w, medium->profile);
		xo_write_u8(w, medium->profile == vb_profile(vb));
		xo_write_u8(w, 0);
	}
}

static void random_readable(struct vb *vb, struct xo_writer *w)
{
	xo_write_be32(w, 2048);
	xo_write_be16(w, vb->s->disc.media ? vb_medium(vb)->ecc_blocks : 1);
	xo_write_be16(w, 1); /* PP: an error recovery page is there */
}

static void incremental_writable(struct vb *vb, struct xo_writer *w)
{
	bool cd = vb_is_cd(vb);

	xo_write_be16(w, cd ? 0x3f01 : 0x0100); /* data block types 0, 8-13 on CD, else 8 */
	xo_write_u8(w, 0);
	xo_write_u8(w, 0);
}

static void serial_number(struct vb *vb, struct xo_writer *w)
{
	(void)vb;
	xo_write_bytes(w, "XOVB00000001", 12);
}

struct feature {
	uint16_t code;
	uint8_t version;
	bool persistent;
	uint32_t current; /* with these media */
	uint8_t length;
	uint8_t data[16];
	void (*fill)(struct vb *vb, struct xo_writer *w); /* instead of data */
};

/* clang-format off */
static const struct feature features[] = {
	{ XO_FEATURE_PROFILE_LIST, 0, true, ALWAYS, .fill = profile_list },
	/* Physical interface: SCSI; INQ2, DBE */
	{ XO_FEATURE_CORE, 2, true, ALWAYS, .length = 8, .data = { 0, 0, 0, 1, 3 } },
	{ XO_FEATURE_MORPHING, 1, true, ALWAYS, .length = 4, .data = { 2 } }, /* OCEvent */
	{ XO_FEATURE_REMOVABLE_MEDIUM, 2, true, ALWAYS, .length = 4, .data = { 0x39 } }, /* tray, load, eject, lock */
	{ XO_FEATURE_RANDOM_READABLE, 0, false, CDS | DVDS | BDS, .fill = random_readable },
	{ XO_FEATURE_MULTI_READ, 0, false, CDS, .length = 0 },
	{ XO_FEATURE_CD_READ, 2, false, CDS, .length = 4, .data = { 1 } }, /* CD-Text */
	{ XO_FEATURE_DVD_READ, 1, false, DVDS, .length = 4, .data = { 1, 0, 0, 0 } },
	{ XO_FEATURE_INCREMENTAL_STREAMING_WRITABLE, 1, false, CD_R | BD_R, .fill = incremental_writable },
	{ XO_FEATURE_DVD_PLUS_R, 0, false, DVD_PLUS_R, .length = 4, .data = { 1 } },
	/* BUF, test write; data block types 0, 8-13 */
	{ XO_FEATURE_CD_TRACK_AT_ONCE, 2, false, CD_R, .length = 4, .data = { 0x44, 0, 0x3f, 0x01 } },
	/* BUF, SAO, test write, R-W; the longest cue sheet */
	{ XO_FEATURE_CD_MASTERING, 0, false, CD_R, .length = 4, .data = { 0x65, 0, 0x10, 0 } },
	{ XO_FEATURE_BD_R_POW, 0, false, BD_R, .length = 4, .data = { 0 } },
	{ XO_FEATURE_BD_READ, 0, false, BDS, .length = 28, .data = { 0, 0, 0, 0, 0, 0, 0, 0x1e, 0, 0, 0, 0x1e } },
	{ XO_FEATURE_BD_WRITE, 0, false, BD_R, .length = 20, .data = { 0, 0, 0, 0, 0, 0, 0, 0x1e } },
	{ XO_FEATURE_POWER_MANAGEMENT, 0, true, ALWAYS, .length = 0 },
	{ XO_FEATURE_TIMEOUT, 1, true, ALWAYS, .length = 4, .data = { 0 } },
	/* RBCB, SCS, MP2A, WSPD, SW */
	{ XO_FEATURE_REAL_TIME_STREAMING, 4, false, CD_R | DVD_PLUS_R | BD_R, .length = 4, .data = { 0x1f } },
	{ XO_FEATURE_DRIVE_SERIAL_NUMBER, 0, true, ALWAYS, .fill = serial_number },
};
/* clang-format on */

static bool is_current(const struct vb *vb, const struct feature *feature)
{
	if (feature->current == ALWAYS)
		return true;
	if (feature->code == XO_FEATURE_BD_R_POW && !vb_has_pow(vb))
		return false;
	return !vb->s->tray_open && feature->current >> vb->s->disc.media & 1 &&
	       vb->s->disc.media != XO_MEDIA_NONE;
}

static void write_feature(struct vb *vb, struct xo_writer *w, const struct feature *feature)
{
	uint8_t data[FEATURE_DATA_MAX];
	struct xo_writer body = xo_writer(data, sizeof(data));

	if (feature->fill)
		feature->fill(vb, &body);
	else
		xo_write_bytes(&body, feature->data, feature->length);
	xo_write_be16(w, feature->code);
	xo_write_u8(w, (unsigned int)feature->version << 2 | (feature->persistent ? 2u : 0) |
			       is_current(vb, feature));
	xo_write_u8(w, (unsigned int)xo_writer_used(&body));
	xo_write_bytes(w, data, xo_writer_used(&body));
}

uint32_t vb_get_configuration(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	unsigned int rt = cdb[1] & 3;
	unsigned int start = xo_get_be16(cdb + 2);
	uint8_t data[512];
	struct xo_writer w = xo_writer(data, sizeof(data));

	if (rt == 3)
		return vb_bad_cdb(vb, 1, 1);
	xo_write_zeros(&w, 6);
	xo_write_be16(&w, vb_profile(vb));
	for (size_t i = 0; i < XO_ARRAY_SIZE(features); i++) {
		const struct feature *feature = &features[i];

		if (feature->code < start || (rt == 2 && feature->code != start) ||
		    (rt == 1 && !is_current(vb, feature)))
			continue;
		write_feature(vb, &w, feature);
	}
	vb_reply_counted32(vb, &w, xo_get_be16(cdb + 7));
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * READ DISC STRUCTURE (MMC-6 6.22): the lead-in information of DVD and BD
 * media, as a medium made by ourselves has it.
 */
#include <string.h>

#include "virtual.h"

#define MANUFACTURER "XENOPTIC"
#define DVD_FIRST_SECTOR 0x30000u /* physical sector number of LBA 0 */
#define BD_FIRST_SECTOR 0x100000u

/* Physical format information (MMC-6 table 410; DVD+R: ECMA-349 14.4). */
static void physical_format(struct vb *vb, struct xo_writer *w)
{
	static const uint8_t book[XO_MEDIA_COUNT] = {
		[XO_MEDIA_DVD_ROM] = 0x01,     [XO_MEDIA_DVD_R] = 0x25,
		[XO_MEDIA_DVD_RW] = 0x32,      [XO_MEDIA_DVD_PLUS_R] = 0xa1,
		[XO_MEDIA_DVD_PLUS_RW] = 0x92, [XO_MEDIA_DVD_RAM] = 0x16,
	};
	const struct xo_disc *disc = &vb->s->disc;
	uint32_t end = vb_medium(vb)->writable ? disc->capacity : vb_visible_end(vb);
	uint8_t data[2048] = { 0 };

	data[0] = book[disc->media];
	data[1] = 0x0f; /* 120 mm; maximum rate not specified */
	data[2] = vb_medium(vb)->erasable ? 0x04 : vb_medium(vb)->writable ? 0x02 : 0x01;
	xo_put_be24(data + 5, DVD_FIRST_SECTOR);
	xo_put_be24(data + 9, DVD_FIRST_SECTOR + (end ? end - 1 : 0));
	if (vb_medium(vb)->writable) {
		memcpy(data + 19, MANUFACTURER, 8);
		memcpy(data + 27, "V01", 3); /* media type */
		data[30] = 1; /* revision */
	}
	xo_write_bytes(w, data, sizeof(data));
}

/* Address in pre-groove: the first 256 bytes of the physical format information. */
static void adip(struct vb *vb, struct xo_writer *w)
{
	size_t at = xo_writer_used(w);

	physical_format(vb, w);
	w->needed = at + 256;
}

static void dvd_copyright(struct vb *vb, struct xo_writer *w)
{
	(void)vb;
	xo_write_zeros(w, 4); /* none; every region */
}

static void dvd_manufacturer(struct vb *vb, struct xo_writer *w)
{
	(void)vb;
	xo_write_zeros(w, 2048);
}

/* Write protection status (MMC-6 table 435). */
static void write_protection(struct vb *vb, struct xo_writer *w)
{
	xo_write_u8(w, vb->read_only ? 0x04 : 0); /* MSWI */
	xo_write_zeros(w, 3);
}

/* One disc information unit of the BD pre-groove or embossed area. */
static void bd_disc_information(struct vb *vb, struct xo_writer *w)
{
	static const char *const types[XO_MEDIA_COUNT] = {
		[XO_MEDIA_BD_ROM] = "BDO", [XO_MEDIA_BD_R] = "BDR", [XO_MEDIA_BD_RE] = "BDW"
	};
	const struct xo_disc *disc = &vb->s->disc;
	uint32_t end = vb_medium(vb)->writable ? disc->capacity : vb_visible_end(vb);
	uint8_t data[4096] = { 'D', 'I', 1, 0x10, 0x20, 0, 64 };

	memcpy(data + 8, types[disc->media], 3);
	data[11] = 0x01; /* class, version */
	data[12] = 0x10; /* 120 mm, version 1; one layer */
	data[13] = 0x11;
	data[14] = 0x00;
	data[16] = 0x01; /* BCA */
	data[17] = 0x02;
	xo_put_be32(data + 24, BD_FIRST_SECTOR);
	xo_put_be32(data + 28, BD_FIRST_SECTOR + (end ? end - 1 : 0));
	memcpy(data + 100, MANUFACTURER, 6);
	memcpy(data + 106, "V01", 3);
	data[111] = 1; /* product revision */
	xo_write_bytes(w, data, sizeof(data));
}

static void bd_cartridge(struct vb *vb, struct xo_writer *w)
{
	(void)vb;
	xo_write_zeros(w, 4); /* without */
}

struct structure {
	uint8_t media_type; /* CDB byte 1 */
	uint8_t format;
	uint32_t media; /* of which there is one */
	uint16_t length;
	void (*fill)(struct vb *vb, struct xo_writer *w);
};

#define DVDS                                                                     \
	(1u << XO_MEDIA_DVD_ROM | 1u << XO_MEDIA_DVD_R | 1u << XO_MEDIA_DVD_RW | \
	 1u << XO_MEDIA_DVD_PLUS_R | 1u << XO_MEDIA_DVD_PLUS_RW | 1u << XO_MEDIA_DVD_RAM)
#define DVD_PLUS (1u << XO_MEDIA_DVD_PLUS_R | 1u << XO_MEDIA_DVD_PLUS_RW)
#define BDS (1u << XO_MEDIA_BD_ROM | 1u << XO_MEDIA_BD_R | 1u << XO_MEDIA_BD_RE)
#define BD_WRITABLE (1u << XO_MEDIA_BD_R | 1u << XO_MEDIA_BD_RE)

static const struct structure structures[] = {
	{ 0, 0x00, DVDS, 2048, physical_format },  { 0, 0x01, DVDS, 4, dvd_copyright },
	{ 0, 0x04, DVDS, 2048, dvd_manufacturer }, { 0, 0x11, DVD_PLUS, 256, adip },
	{ 0, 0xc0, DVDS, 4, write_protection },	   { 1, 0x00, BDS, 4096, bd_disc_information },
	{ 1, 0x09, BD_WRITABLE, 4, bd_cartridge }, { 1, 0xc0, BD_WRITABLE, 4, write_protection },
};

/* Format FFh: all that could be asked for with this medium (MMC-6 6.22.3.3). */
static void structure_list(struct vb *vb, struct xo_writer *w, unsigned int media_type)
{
	for (size_t i = 0; i < XO_ARRAY_SIZE(structures); i++) {
		const struct structure *s = &structures[i];

		if (s->media_type != media_type || !(s->media >> vb->s->disc.media & 1))
			continue;
		xo_write_u8(w, s->format);
		xo_write_u8(w, 0x40); /* RDS: readable, not to be sent */
		xo_write_be16(w, s->length + 4u);
	}
}

uint32_t vb_read_disc_structure(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	unsigned int media_type = cdb[1] & 0x0f;
	struct xo_writer w = xo_writer(vb->parameters, sizeof(vb->parameters));
	size_t i;

	if (vb_is_cd(vb))
		return XO_KCQ(XO_KEY_ILLEGAL_REQUEST, 0x30, 0x02);
	xo_write_be32(&w, 0);
	if (cdb[7] == 0xff) {
		structure_list(vb, &w, media_type);
		vb_reply_counted16(vb, &w, xo_get_be16(cdb + 8));
		return 0;
	}
	for (i = 0; i < XO_ARRAY_SIZE(structures); i++) {
		const struct structure *s = &structures[i];

		if (s->media_type == media_type && s->format == cdb[7] &&
		    s->media >> vb->s->disc.media & 1)
			break;
	}
	if (i == XO_ARRAY_SIZE(structures))
		return vb_bad_cdb(vb, 7, -1);
	if (cdb[6])
		return vb_bad_cdb(vb, 6, -1); /* there is one layer */
	structures[i].fill(vb, &w);
	vb_reply_counted16(vb, &w, xo_get_be16(cdb + 8));
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mode pages (MMC-6 7): their defaults, the bits that MODE SELECT may change,
 * and what it may change them to.
 */
#include <string.h>

#include "mmc/cdb.h"
#include "virtual.h"

/* Page control (SPC-4 6.11). */
enum { PC_CURRENT, PC_CHANGEABLE, PC_DEFAULT, PC_SAVED };

struct page {
	uint8_t length; /* with the two bytes of its head */
	uint8_t initial[VB_PAGE_MAX];
	uint8_t changeable[VB_PAGE_MAX];
};

/* clang-format off */
static const struct page pages[VB_PAGES] = {
	/* Read/write error recovery: AWRE, ARRE are not; retry counts may be set. */
	[VB_PAGE_01] = { 12, { 0x01, 10, 0, 1, [8] = 1 }, { 0, 0, 0xff, 0xff, [8] = 0xff } },
	/* Write parameters (7.5.4): TAO with buffer underrun protection, mode 1. */
	[VB_PAGE_05] = { 52,
		{ 0x05, 50, 0x41, 0x04, 0x08, [14] = 0, 150 },
		{ 0, 0, 0x7f, 0xff, 0x0f, 0xff, 0, 0x3f, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  [16] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
	/* Caching: WCE may be switched off, which nothing depends on. */
	[VB_PAGE_08] = { 12, { 0x08, 10, 0x04 }, { 0, 0, 0x05 } },
	/* CD device parameters: 60 seconds a minute, 75 frames a second. */
	[VB_PAGE_0D] = { 8, { 0x0d, 6, 0, 0, 0, 60, 0, 75 }, { 0, 0, 0, 0x0f } },
	/* CD audio control: both ports at full volume, IMMED. */
	[VB_PAGE_0E] = { 16, { 0x0e, 14, 0x04, [8] = 1, 0xff, 2, 0xff },
			 { 0, 0, 0x02, [8] = 0x0f, 0xff, 0x0f, 0xff } },
	/* Power condition: timers may be set; nothing slows down. */
	[VB_PAGE_1A] = { 12, { 0x1a, 10 }, { 0, 0, 0, 0x03, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
	/* Time-out and protect: TMOE, group time-outs. */
	[VB_PAGE_1D] = { 12, { 0x1d, 10 }, { 0, 0, 0, 0, 0x04, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
};
/* clang-format on */

void vb_mode_reset(struct vb_state *s)
{
	for (unsigned int i = 0; i < VB_PAGES; i++)
		memcpy(s->page[i], pages[i].initial, sizeof(s->page[i]));
}

unsigned int vb_write_type(const struct vb *vb)
{
	return vb->s->page[VB_PAGE_05][2] & 0x0f;
}

/* Write speed descriptors (MMC-6 7.11, table 684) of the medium that is loaded. */
static void write_capabilities(struct vb *vb, struct xo_writer *w)
{
	const struct vb_speeds *speeds = vb_speeds(vb);

	xo_write_u8(w, XO_PAGE_CAPABILITIES);
	xo_write_u8(w, 30 + 4 * speeds->count);
	xo_write_u8(w, 0x0f); /* reads CD-R, CD-RW, fixed packets, DVD-ROM; DVD-R: not yet */
	xo_write_u8(w, 0x05); /* writes CD-R, also as a test */
	xo_write_u8(w, 0xf0); /* mode 2 forms 1 and 2, multi-session, BUF */
	xo_write_u8(w, 0x63); /* CD-DA, accurate; ISRC, UPC */
	xo_write_u8(w, 0x29 | (vb->s->prevented ? 2u : 0)); /* tray; eject; lock */
	xo_write_u8(w, 0x20); /* P-W in the lead-in */
	xo_write_be16(w, speeds->read);
	xo_write_be16(w, 0);
	xo_write_be16(w, VB_BUFFER_KIB);
	xo_write_be16(w, vb_current_read_speed(vb));
	xo_write_be16(w, 0);
	xo_write_be16(w, speeds->write[0]);
	xo_write_be16(w, vb_current_write_speed(vb));
	xo_write_be16(w, 1); /* copy management revision */
	xo_write_zeros(w, 4);
	xo_write_be16(w, vb_current_write_speed(vb));
	xo_write_be16(w, speeds->count);
	for (uint32_t i = 0; i < speeds->count; i++) {
		xo_write_be16(w, 0); /* CLV */
		xo_write_be16(w, speeds->write[i]);
	}
}

/* The capabilities page has nothing to change: its changeable bits are all zero. */
static void write_capabilities_mask(struct vb *vb, struct xo_writer *w)
{
	uint32_t count = vb_speeds(vb)->count;

	xo_write_u8(w, XO_PAGE_CAPABILITIES);
	xo_write_u8(w, 30 + 4 * count);
	xo_write_zeros(w, 30 + 4 * count);
}

static void write_page(struct vb *vb, struct xo_writer *w, unsigned int i, unsigned int control)
{
	const struct page *page = &pages[i];

	if (control == PC_CHANGEABLE) {
		xo_write_bytes(w, page->initial, 2);
		xo_write_bytes(w, page->changeable + 2, page->length - 2u);
	} else {
		xo_write_bytes(w, control == PC_DEFAULT ? page->initial : vb->s->page[i],
			       page->length);
	}
}

/* The pages asked for; false: there is none of that code. */
static bool write_pages(struct vb *vb, struct xo_writer *w, unsigned int code, unsigned int control)
{
	bool found = false;

	for (unsigned int i = 0; i < VB_PAGES; i++) {
		if (code != XO_PAGE_ALL && code != pages[i].initial[0])
			continue;
		write_page(vb, w, i, control);
		found = true;
	}
	if (code == XO_PAGE_ALL || code == XO_PAGE_CAPABILITIES) {
		if (control == PC_CHANGEABLE)
			write_capabilities_mask(vb, w);
		else
			write_capabilities(vb, w);
		found = true;
	}
	return found;
}

uint32_t vb_mode_sense(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	bool ten = cdb[0] == XO_OP_MODE_SENSE_10;
	unsigned int control = cdb[2] >> 6;
	uint8_t data[512];
	struct xo_writer w = xo_writer(data, sizeof(data));

	if (control == PC_SAVED)
		return XO_SENSE_SAVING_NOT_SUPPORTED;
	if (cdb[3] && !(cdb[3] == 0xff && (cdb[2] & 0x3f) == XO_PAGE_ALL))
		return vb_bad_cdb(vb, 3, -1); /* subpages */
	xo_write_zeros(&w, ten ? 8 : 4); /* no block descriptors (MMC-6 7.2.2) */
	if (!write_pages(vb, &w, cdb[2] & 0x3f, control))
		return vb_bad_cdb(vb, 2, 5);
	if (ten) {
		vb_reply_counted16(vb, &w, xo_get_be16(cdb + 7));
		return 0;
	}
	data[0] = (uint8_t)(XO_MIN(xo_writer_used(&w), (size_t)256) - 1);
	vb_reply(vb, data, XO_MIN(xo_writer_used(&w), (size_t)256), cdb[4]);
	return 0;
}

/* Whether the drive can write that way on the medium that is loaded (MMC-6 7.5.4.9). */
static bool write_type_fits(const struct vb *vb, const uint8_t *page)
{
	unsigned int block_type = page[4] & 0x0f;
	const struct xo_medium *medium = vb_medium(vb);

	if (medium->family != XO_FAMILY_CD && medium->family != 0) /* page not in use there */
		return (page[2] & 0x0f) <= XO_WRITE_LAYER_JUMP && block_type == 8;
	switch (page[2] & 0x0f) {
	case XO_WRITE_TRACK_AT_ONCE:
		return block_type == 0 || (block_type >= 8 && block_type <= 13);
	case XO_WRITE_SESSION_AT_ONCE: /* the cue sheet says what blocks there are */
		return block_type == 0 || block_type == 3 || (block_type >= 8 && block_type <= 13);
	default: /* packets, raw: not in this drive */
		return false;
	}
}

/* Bytes of the write parameters page that are judged, with what they may be. `at`: in the list. */
static uint32_t check_write_parameters(struct vb *vb, const uint8_t *page, unsigned int at)
{
	unsigned int control = page[3] & 0x0f;

	if (!write_type_fits(vb, page))
		return vb_bad_parameter(vb, at + 2, 3);
	if (page[2] & 0x10 && !vb_is_cd(vb) && vb_medium(vb)->family)
		return vb_bad_parameter(vb, at + 2, 4); /* a test would burn there */
	if ((page[3] >> 6) != 0 && (page[3] >> 6) != 3)
		return vb_bad_parameter(vb, at + 3, 7);
	if (vb_is_cd(vb) && page[3] & 0x20)
		return vb_bad_parameter(vb, at + 3, 5); /* FP: fixed packets */
	if (vb_is_cd(vb) && (page[2] & 0x0f) == XO_WRITE_TRACK_AT_ONCE && (page[4] & 0x0f) >= 8 &&
	    !(control & 0x04))
		return vb_bad_parameter(vb, at + 3, 3); /* data blocks in an audio track */
	if (page[8] != 0x00 && page[8] != 0x10 && page[8] != 0x20)
		return vb_bad_parameter(vb, at + 8, -1); /* session format */
	return 0;
}

/* One page of a MODE SELECT list, at `at`. */
static uint32_t select_page(struct vb *vb, unsigned int at, unsigned int i)
{
	const uint8_t *page = vb->parameters + at;
	const struct page *known = &pages[i];
	uint32_t kcq;

	if (page[1] + 2u != known->length)
		return vb_bad_parameter(vb, at + 1, -1);
	for (unsigned int b = 2; b < known->length; b++) {
		unsigned int wrong = (page[b] ^ vb->s->page[i][b]) & ~known->changeable[b];

		if (wrong)
			return vb_bad_parameter(vb, at + b, 31 - __builtin_clz(wrong));
	}
	if (i == VB_PAGE_05) {
		kcq = check_write_parameters(vb, page, at);
		if (kcq)
			return kcq;
		if (!vb->s->sao.begun)
			vb_sao_drop(vb);
	}
	memcpy(vb->s->page[i] + 2, page + 2, known->length - 2u);
	return 0;
}

static uint32_t select_one(struct vb *vb, unsigned int at)
{
	for (unsigned int i = 0; i < VB_PAGES; i++) {
		if ((vb->parameters[at] & 0x7f) == pages[i].initial[0])
			return select_page(vb, at, i);
	}
	if ((vb->parameters[at] & 0x3f) == XO_PAGE_CAPABILITIES)
		return 0; /* read only; programs send back what they were given */
	return vb_bad_parameter(vb, at, 5);
}

/* All pages are judged before the first is taken. */
static uint32_t select_pages(struct vb *vb, unsigned int at)
{
	uint8_t before[VB_PAGES][VB_PAGE_MAX];
	uint32_t kcq = 0;

	memcpy(before, vb->s->page, sizeof(before));
	while (!kcq && at < vb->parameters_length) {
		if (vb->parameters_length - at < 2 ||
		    vb->parameters[at + 1] + 2u > vb->parameters_length - at)
			kcq = XO_SENSE_PARAMETER_LIST_LENGTH;
		else
			kcq = select_one(vb, at);
		if (!kcq)
			at += vb->parameters[at + 1] + 2u;
	}
	if (kcq)
		memcpy(vb->s->page, before, sizeof(before));
	return kcq;
}

uint32_t vb_mode_select(struct vb *vb)
{
	const uint8_t *cdb = vb->command->cdb;
	bool ten = cdb[0] == XO_OP_MODE_SELECT_10;
	uint32_t length = ten ? xo_get_be16(cdb + 7) : cdb[4];
	unsigned int head = ten ? 8 : 4;
	unsigned int descriptors;
	uint32_t kcq;

	if (cdb[1] & 0x01)
		return vb_bad_cdb(vb, 1, 0); /* SP: nothing is saved */
	if (!(cdb[1] & 0x10) && length)
		return vb_bad_cdb(vb, 1, 4); /* PF: pages as SPC has them */
	kcq = vb_fetch_parameters(vb, length);
	if (kcq || !length)
		return kcq;
	if (length < head)
		return XO_SENSE_PARAMETER_LIST_LENGTH;
	descriptors = ten ? xo_get_be16(vb->parameters + 6) : vb->parameters[3];
	if (descriptors > length - head)
		return XO_SENSE_PARAMETER_LIST_LENGTH;
	if (descriptors && (descriptors != 8 || xo_get_be24(vb->parameters + head + 5) != 2048))
		return vb_bad_parameter(vb, head,
					-1); /* other block lengths are READ CD's matter */
	return select_pages(vb, head + descriptors);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Session at once: SEND CUE SHEET (MMC-6 6.33) lays out a session, WRITE then
 * has to bring its blocks from the first pause to the lead-out in one go.
 */
#include <string.h>

#include "mmc/cdb.h"
#include "store.h"
#include "virtual.h"

#define CUE_LENGTH 8
#define TRACK_LEAD_OUT 0xaa
#define PACK_LENGTH 18
#define PACKS_PER_BLOCK 4 /* 96 bytes of R-W: four packs of 24 symbols of 6 bits */

/* Reading a cue sheet. */
struct cue {
	struct vb *vb;
	uint32_t at; /* offset of the entry */
	const uint8_t *entry;
	uint32_t tracks;
	bool lead_out;
	bool index1; /* of the last track */
	int32_t index0; /* of the last track, if it has one */
	bool has_index0;
	unsigned int isrc_of; /* track that the ISRC entries belong to */
	unsigned int isrc_at;
	unsigned int mcn_at;
	char isrc[13];
	char mcn[14];
};

static struct xo_disc_track *staged(struct vb *vb, uint32_t i)
{
	return &vb->s->disc.track[vb->s->disc.track_count + i];
}

static bool known_form(uint8_t form)
{
	switch (form & 0x3f) {
	case 0x00:
	case 0x01:
	case 0x14:
	case 0x24:
	case 0x34:
		return true;
	default:
		return xo_cue_block_size(form & 0x3f) != 0;
	}
}

/* Mode and sector size of a track recorded with that data form. */
static void track_from_form(struct xo_disc_track *track, uint8_t form, unsigned int control)
{
	uint16_t size = xo_cue_block_size(form & 0x3f);

	track->control = control & 0x0f;
	switch (form >> 4 & 3) {
	case 0:
		track->mode = XO_TRACK_AUDIO;
		track->sector_size = 2352;
		break;
	case 1:
		track->mode = XO_TRACK_MODE1;
		track->sector_size = size ? size : 2048;
		break;
	case 2:
		track->mode = XO_TRACK_XA;
		track->sector_size = size ? size : 2336;
		break;
	default:
		track->mode = XO_TRACK_MODE2;
		track->sector_size = size ? size : 2336;
	}
	track->subchannel = form & 0x40 ? 96 : 0;
}

static uint32_t add_segment(struct cue *cue, int32_t lba, uint8_t index)
{
	struct vb_sao *sao = &cue->vb->s->sao;
	const struct vb_segment *before = sao->segments ? &sao->segment[sao->segments - 1] : NULL;

	if (sao->segments == VB_SEGMENTS_MAX || (before && lba < before->lba))
		return vb_bad_parameter(cue->vb, cue->at + 5, -1);
	sao->segment[sao->segments++] = (struct vb_segment){
		.lba = lba,
		.track = (uint16_t)(cue->tracks ? cue->tracks - 1 : 0),
		.form = cue->entry[3],
		.index = index,
	};
	return 0;
}

/* The end of the last track is known. */
static uint32_t end_track(struct cue *cue, int32_t end)
{
	struct xo_disc_track *track;

	if (!cue->tracks)
		return 0;
	track = staged(cue->vb, cue->tracks - 1);
	if (!cue->index1 || end <= (int32_t)track->start)
		return vb_bad_parameter(cue->vb, cue->at, -1);
	track->size = (uint32_t)end - track->start;
	return 0;
}

static uint32_t begin_track(struct cue *cue)
{
	struct vb *vb = cue->vb;
	uint32_t count = vb->s->disc.track_count;

	if (count + cue->tracks >= XO_DISC_CD_TRACKS_MAX)
		return vb_bad_parameter(vb, cue->at + 1, -1);
	*staged(vb, cue->tracks) = (struct xo_disc_track){
		.session = (uint16_t)(vb->s->disc.sessions_closed + 1),
		.state = XO_TRACK_RESERVED,
	};
	cue->tracks++;
	cue->index1 = false;
	cue->has_index0 = false;
	return 0;
}

/* Whether the entry's track number means the n-th: binary, or BCD as some programs have it. */
static bool is_track(const struct cue *cue, uint32_t n)
{
	return n && (cue->entry[1] == n || cue->entry[1] == vb_bcd(n));
}

/* INDEX 01: where the track starts, what it is made of, and what of its pause is stored. */
static void start_track(struct cue *cue, int32_t lba)
{
	struct vb *vb = cue->vb;
	struct xo_disc_track *track = staged(vb, cue->tracks - 1);
	const struct vb_sao *sao = &vb->s->sao;
	const struct vb_segment *pause = sao->segments ? &sao->segment[sao->segments - 1] : NULL;

	track_from_form(track, cue->entry[3], cue->entry[0] >> 4);
	track->start = (uint32_t)lba;
	cue->index1 = true;
	if (!cue->has_index0) {
		track->pregap = cue->tracks == 1 ? 150 : 0;
		return;
	}
	track->pregap = (uint32_t)(lba - cue->index0);
	if (pause && pause->index == 0 && pause->form == cue->entry[3])
		track->stored_pregap = XO_MIN(track->pregap, track->start);
}

static uint32_t position_entry(struct cue *cue)
{
	struct vb *vb = cue->vb;
	const uint8_t *entry = cue->entry;
	uint32_t number = vb->s->disc.track_count + cue->tracks;
	uint32_t kcq = 0;
	int32_t lba;

	if (!known_form(entry[3]))
		return vb_bad_parameter(vb, cue->at + 3, -1);
	if (entry[1] == 0) { /* lead-in */
		vb->s->sao.lead_in = entry[3] & 0x40;
		return cue->tracks ? vb_bad_parameter(vb, cue->at + 1, -1) : 0;
	}
	if (!xo_msf_to_lba(entry[5], entry[6], entry[7], &lba))
		return vb_bad_parameter(vb, cue->at + 5, -1);
	if (entry[1] == TRACK_LEAD_OUT) {
		cue->lead_out = true;
		vb->s->sao.end = lba;
		return end_track(cue, lba);
	}
	if (!cue->tracks || (cue->index1 && is_track(cue, number + 1) && entry[2] <= 1)) {
		kcq = end_track(cue, lba);
		if (!kcq)
			kcq = begin_track(cue);
		number++;
	}
	if (kcq)
		return kcq;
	if (!is_track(cue, number) || (entry[2] > 1 && !cue->index1) ||
	    (entry[2] <= 1 && cue->index1))
		return vb_bad_parameter(vb, cue->at + 1, -1);
	if (entry[2] == 0) {
		cue->has_index0 = true;
		cue->index0 = lba;
	} else if (entry[2] == 1) {
		if (lba < 0)
			return vb_bad_parameter(vb, cue->at + 5, -1);
		start_track(cue, lba);
	}
	return add_segment(cue, lba, entry[2]);
}

/* Two entries: seven digits, then six. */
static void mcn_entry(struct cue *cue)
{
	for (unsigned int i = 1; i < CUE_LENGTH && cue->mcn_at < 13; i++)
		cue->mcn[cue->mcn_at++] = (char)cue->entry[i];
}

/* Two entries of six characters each, before those of the track's address. */
static void isrc_entry(struct cue *cue)
{
	if (cue->isrc_of != cue->entry[1])
		cue->isrc_at = 0;
	cue->isrc_of = cue->entry[1];
	for (unsigned int i = 2; i < CUE_LENGTH && cue->isrc_at < 12; i++)
		cue->isrc[cue->isrc_at++] = (char)cue->entry[i];
}

static bool all_in(const char *text, unsigned int length, bool digits)
{
	for (unsigned int i = 0; i < length; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';

		if (!digit && (digits || text[i] < 'A' || text[i] > 'Z'))
			return false;
	}
	return true;
}

/* An ISRC read before goes to the track that has begun meanwhile. */
static void give_isrc(struct cue *cue)
{
	if (cue->isrc_at == 12 && cue->tracks && cue->index1 && all_in(cue->isrc, 12, false) &&
	    (is_track(cue, cue->isrc_of) || cue->isrc_of == cue->entry[1])) {
		memcpy(staged(cue->vb, cue->tracks - 1)->isrc, cue->isrc, 12);
		cue->isrc_at = 0;
	}
}

static uint32_t read_entry(struct cue *cue)
{
	uint32_t kcq;

	if (cue->lead_out) /* it is the last */
		return vb_bad_parameter(cue->vb, cue->at, -1);
	switch (cue->entry[0] & 0x0f) {
	case 1:
		kcq = position_entry(cue);
		if (!kcq)
			give_isrc(cue);
		return kcq;
	case 2:
		mcn_entry(cue);
		return 0;
	case 3:
		isrc_entry(cue);
		return 0;
	default:
		return vb_bad_parameter(cue->vb, cue->at, 3);
	}
}

/* Blocks that the drive makes itself need no WRITE. */
static void skip_generated(struct vb_sao *sao)
{
	for (uint32_t i = 0; i < sao->segments; i++) {
		int32_t end = i + 1 < sao->segments ? sao->segment[i + 1].lba : sao->end;

		if (sao->next >= sao->segment[i].lba && sao->next < end &&
		    !xo_cue_block_size(sao->segment[i].form))
			sao->next = end;
	}
}

static void place_tracks(struct vb *vb, uint32_t tracks)
{
	struct xo_disc *disc = &vb->s->disc;

	for (uint32_t i = 0; i < tracks; i++) {
		struct xo_disc_track *track = staged(vb, i);
		uint32_t first = disc->track_count + i;
		uint64_t at = (uint64_t)(track->start - track->stored_pregap) * 2048;

		if (first)
			at = XO_MAX(at, xo_track_end_offset(&disc->track[first - 1]));
		track->offset = at;
	}
}

static uint32_t accept(struct cue *cue)
{
	struct vb *vb = cue->vb;
	struct vb_sao *sao = &vb->s->sao;
	int32_t start = (int32_t)vb_next_start(vb) - 150;

	if (!cue->lead_out || !cue->tracks || !sao->segments)
		return vb_bad_parameter(vb, cue->at, -1);
	/* From the pause before the first track, or from that track on. */
	if (sao->segment[0].lba != start && sao->segment[0].lba != start + 150)
		return vb_bad_parameter(vb, CUE_LENGTH + 5, -1);
	if (sao->end > (int32_t)vb->s->disc.capacity)
		return vb_bad_parameter(vb, cue->at - CUE_LENGTH + 5, -1);
	place_tracks(vb, cue->tracks);
	sao->active = true;
	sao->tracks = cue->tracks;
	sao->next = sao->segment[0].lba;
	sao->multisession = vb->s->page[VB_PAGE_05][3] >> 6 == 3;
	sao->test = vb->s->page[VB_PAGE_05][2] & 0x10;
	skip_generated(sao);
	if (cue->mcn_at == 13 && all_in(cue->mcn, 13, true))
		memcpy(vb->s->disc.mcn, cue->mcn, sizeof(vb->s->disc.mcn));
	return 0;
}

uint32_t vb_send_cue_sheet(struct vb *vb)
{
	uint32_t length = xo_get_be24(vb->command->cdb + 6);
	struct cue cue = { .vb = vb };
	uint32_t kcq;

	if (!vb_is_cd(vb))
		return XO_SENSE_CANNOT_WRITE_INCOMPATIBLE_MEDIUM;
	if (vb_write_type(vb) != XO_WRITE_SESSION_AT_ONCE || vb->s->sao.begun)
		return XO_SENSE_COMMAND_SEQUENCE;
	if (!vb_appendable(vb))
		return XO_SENSE_END_OF_USER_AREA;
	if (!length || length % CUE_LENGTH)
		return XO_SENSE_PARAMETER_LIST_LENGTH;
	kcq = vb_fetch_parameters(vb, length);
	if (kcq)
		return kcq;
	vb_sao_drop(vb);
	for (; !kcq && cue.at < length; cue.at += CUE_LENGTH) {
		cue.entry = vb->parameters + cue.at;
		kcq = read_entry(&cue);
	}
	if (!kcq)
		kcq = accept(&cue);
	if (kcq)
		vb_sao_drop(vb);
	return kcq;
}

void vb_sao_drop(struct vb *vb)
{
	struct vb_sao *sao = &vb->s->sao;

	sao->active = false;
	sao->begun = false;
	sao->lead_in = false;
	sao->text_complete = false;
	sao->tracks = 0;
	sao->segments = 0;
}

/* The staged tracks become the disc's, as reserved ones that fill up. */
static void begin_session(struct vb *vb)
{
	struct vb_sao *sao = &vb->s->sao;

	sao->begun = true;
	vb->s->disc.track_count += sao->tracks;
	sao->tracks = 0;
	vb_changed(vb);
}

void vb_sao_finish(struct vb *vb)
{
	struct vb_sao *sao = &vb->s->sao;
	struct xo_disc *disc = &vb->s->disc;

	if (sao->begun) {
		for (uint32_t i = 0; i < disc->track_count; i++) {
			if (disc->track[i].state == XO_TRACK_RESERVED &&
			    disc->track[i].session > disc->sessions_closed)
				vb_close_track(vb, &disc->track[i]);
		}
		vb_close_session(vb, !sao->multisession);
	}
	vb_sao_drop(vb);
}

/* Four packs of 18 bytes from 96 symbols. */
static void unpack(const uint8_t *symbols, uint8_t *pack)
{
	for (unsigned int i = 0; i < PACK_LENGTH / 3; i++) {
		const uint8_t *s = symbols + 4 * (size_t)i;
		uint32_t v = (uint32_t)(s[0] & 0x3f) << 18 | (uint32_t)(s[1] & 0x3f) << 12 |
			     (uint32_t)(s[2] & 0x3f) << 6 | (s[3] & 0x3f);

		xo_put_be24(pack + 3 * (size_t)i, v);
	}
}

/* The packs come over and over until the lead-in is full: once is enough. */
static void take_pack(struct vb *vb, const uint8_t *pack)
{
	struct xo_disc *disc = &vb->s->disc;

	if (pack[0] < 0x80 || pack[0] > 0x8f || vb->s->sao.text_complete)
		return;
	if (disc->cd_text_length && !memcmp(disc->cd_text, pack, PACK_LENGTH))
		vb->s->sao.text_complete = true;
	else if (disc->cd_text_length + PACK_LENGTH <= XO_DISC_CD_TEXT_MAX) {
		memcpy(disc->cd_text + disc->cd_text_length, pack, PACK_LENGTH);
		disc->cd_text_length += PACK_LENGTH;
	}
}

static uint32_t write_lead_in(struct vb *vb, uint32_t count)
{
	const uint8_t *data;

	if (count > vb->command->length / 96)
		return vb_bad_cdb(vb, 7, -1);
	data = vb_data_out(vb, count * 96);
	if (!data)
		return vb_bad_cdb(vb, 7, -1);
	for (uint32_t i = 0; !vb->s->sao.test && i < count * PACKS_PER_BLOCK; i++) {
		uint8_t pack[PACK_LENGTH];

		unpack(data + (size_t)i * 24, pack);
		take_pack(vb, pack);
	}
	vb->transferred = count * 96;
	return 0;
}

static uint32_t segment_at(const struct vb_sao *sao, int32_t lba)
{
	uint32_t i = 0;

	while (i + 1 < sao->segments && sao->segment[i + 1].lba <= lba)
		i++;
	return i;
}

static int32_t segment_end(const struct vb_sao *sao, uint32_t i)
{
	return i + 1 < sao->segments ? sao->segment[i + 1].lba : sao->end;
}

/* Bytes that count blocks from lba on take; all of them before the end. */
static uint64_t bytes_of(const struct vb_sao *sao, int32_t lba, uint32_t count)
{
	int32_t end = lba + (int32_t)count;
	uint64_t bytes = 0;

	for (uint32_t i = segment_at(sao, lba); i < sao->segments && lba < end; i++) {
		int32_t stop = XO_MIN(segment_end(sao, i), end);

		bytes += (uint64_t)(stop - lba) * xo_cue_block_size(sao->segment[i].form);
		lba = stop;
	}
	return bytes;
}

/* Blocks of one segment. What lies before the disc's first block is not kept. */
static int store_segment(struct vb *vb, const struct vb_segment *segment, uint32_t first,
			 int32_t lba, uint32_t count, const uint8_t *data)
{
	struct xo_disc_track *track = &vb->s->disc.track[first + segment->track];
	uint32_t block = xo_cue_block_size(segment->form);
	int64_t stored_from = (int64_t)track->start - track->stored_pregap;
	uint32_t skip = 0;
	int r;

	if (lba < stored_from)
		skip = (uint32_t)XO_MIN(stored_from - lba, (int64_t)count);
	if (skip == count || block != xo_track_stride(track))
		return 0;
	r = vb_store(vb, track, (uint32_t)lba + skip, count - skip, data + (size_t)skip * block, 0);
	if (!r && lba + (int64_t)count > track->start)
		track->written = (uint32_t)(lba + (int64_t)count - track->start);
	return r;
}

static int store_blocks(struct vb *vb, int32_t lba, uint32_t count, const uint8_t *data)
{
	const struct vb_sao *sao = &vb->s->sao;
	int32_t end = lba + (int32_t)count;
	uint32_t first = 0;
	int r = 0;

	while (first < vb->s->disc.track_count &&
	       vb->s->disc.track[first].session <= vb->s->disc.sessions_closed)
		first++;
	for (uint32_t i = segment_at(sao, lba); !r && i < sao->segments && lba < end; i++) {
		int32_t stop = XO_MIN(segment_end(sao, i), end);
		uint32_t n = (uint32_t)(stop - lba);

		r = store_segment(vb, &sao->segment[i], first, lba, n, data);
		data += (size_t)n * xo_cue_block_size(sao->segment[i].form);
		lba = stop;
	}
	return r;
}

uint32_t vb_sao_write(struct vb *vb, int32_t lba, uint32_t count)
{
	struct vb_sao *sao = &vb->s->sao;
	const uint8_t *data;
	uint64_t bytes;

	if (!sao->active)
		return XO_SENSE_COMMAND_SEQUENCE;
	if (sao->lead_in && !sao->begun && lba < sao->segment[0].lba &&
	    count <= (uint32_t)(sao->segment[0].lba - lba))
		return write_lead_in(vb, count);
	if (lba != sao->next)
		return vb_fail_at(vb, XO_SENSE_INVALID_WRITE_ADDRESS, lba);
	if (lba >= sao->end || count > (uint32_t)(sao->end - lba))
		return vb_fail_at(vb, XO_SENSE_LBA_OUT_OF_RANGE, lba);
	bytes = bytes_of(sao, lba, count);
	data = bytes <= vb->command->length ? vb_data_out(vb, (uint32_t)bytes) : NULL;
	if (!data)
		return vb_bad_cdb(vb, 7, -1);
	if (!sao->test) {
		if (!sao->begun)
			begin_session(vb);
		if (store_blocks(vb, lba, count, data))
			return vb_fail_at(vb, XO_SENSE_WRITE_ERROR, lba);
	}
	sao->next = lba + (int32_t)count;
	skip_generated(sao);
	vb->transferred = (uint32_t)bytes;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet command between an emulated ATAPI device and the drive; see model/packet.h. */
#include "model/packet.h"

#include <string.h>

#include "base/bytes.h"
#include "mmc/sense.h"

#define PACKET_BYTES 12
/* The longest parameter list that tells of block sizes: a cue sheet of 99 tracks with indices. */
#define NOTE_BYTES_MAX 4096

void xo_packet_init(struct xo_packet *packet, struct xo_packet_state *state,
		    const struct xo_packet_drive *drive, void (*advance)(void *priv), void *priv,
		    bool again)
{
	*packet = (struct xo_packet){
		.state = state,
		.drive = *drive,
		.advance = advance,
		.priv = priv,
	};
	if (again)
		return;
	memset(state, 0, sizeof(*state));
	state->handle = -1;
	xo_blocks_init(&state->blocks);
}

uint8_t *xo_packet_buffer(struct xo_packet *packet)
{
	return packet->drive.ops->buffer(packet->drive.priv, packet->state->handle);
}

static void release_handle(struct xo_packet *packet)
{
	if (packet->state->handle >= 0)
		packet->drive.ops->end(packet->drive.priv, packet->state->handle);
	packet->state->handle = -1;
}

/* The end of the command: status and sense are set. */
static void finish(struct xo_packet *packet)
{
	struct xo_packet_state *s = packet->state;

	release_handle(packet);
	s->kept_sense_length = 0;
	if (s->status == XO_STATUS_CHECK_CONDITION) {
		s->kept_sense_length = s->sense_length;
		memcpy(s->kept_sense, s->sense, s->sense_length);
	}
	s->part_length = 0;
	s->phase = XO_PACKET_DONE;
	packet->advance(packet->priv);
}

static void set_check(struct xo_packet_state *s, uint32_t kcq)
{
	struct xo_sense sense = xo_sense_make(kcq);

	s->status = XO_STATUS_CHECK_CONDITION;
	s->sense_length = (uint8_t)xo_sense_build(&sense, false, s->sense, sizeof(s->sense));
}

static void finish_sense(struct xo_packet *packet, uint32_t kcq)
{
	set_check(packet->state, kcq);
	finish(packet);
}

uint8_t xo_packet_sense_key(const struct xo_packet *packet)
{
	const struct xo_packet_state *s = packet->state;
	struct xo_sense sense;

	if (s->status == XO_STATUS_GOOD)
		return XO_KEY_NO_SENSE;
	if (xo_sense_parse(s->sense, s->sense_length, &sense) < 0)
		return XO_KEY_ABORTED_COMMAND;
	return sense.key;
}

/* The drive did what it was asked, maybe with trouble that it tells of (RECOVERED ERROR). */
static bool went_well(const struct xo_packet *packet)
{
	return packet->state->status == XO_STATUS_GOOD ||
	       xo_packet_sense_key(packet) == XO_KEY_RECOVERED_ERROR;
}

static const struct xo_guest_buffer *guest_buffer(const struct xo_packet_state *s)
{
	return s->guest_named ? &s->guest : NULL;
}

static int transfer_of(const struct xo_packet_state *s, struct xo_transfer *transfer)
{
	struct xo_cdb_context context = { .blocks = &s->blocks, .buffer = guest_buffer(s) };

	return xo_cdb_transfer(s->cdb, PACKET_BYTES, &context, transfer);
}

/* The part that starts `part_start` bytes into the command. False: there is none. */
static bool part_find(const struct xo_packet *packet, struct xo_part *part)
{
	const struct xo_packet_state *s = packet->state;
	struct xo_transfer transfer;
	struct xo_split split;

	if (transfer_of(s, &transfer))
		return false;
	if (xo_cdb_split(&split, s->cdb, PACKET_BYTES, &transfer, packet->drive.buffer_size) < 0)
		return false;
	if (!split.whole && split.block_size)
		split.next = s->part_start / split.block_size;
	return xo_cdb_split_next(&split, part);
}

static void submit(struct xo_packet *packet, const struct xo_part *part)
{
	struct xo_packet_state *s = packet->state;

	s->phase = XO_PACKET_DRIVE;
	packet->drive.ops->submit(packet->drive.priv, s->handle, part->cdb, PACKET_BYTES,
				  s->direction, part->length);
}

static void part_begin(struct xo_packet *packet)
{
	struct xo_packet_state *s = packet->state;
	struct xo_part part;

	if (!part_find(packet, &part)) {
		finish_sense(packet, XO_SENSE_INVALID_FIELD_IN_CDB);
		return;
	}
	s->last = part.last;
	s->part_length = part.length;
	if (s->direction == XO_DIR_OUT) {
		s->phase = XO_PACKET_DATA_OUT;
		packet->advance(packet->priv);
		return;
	}
	submit(packet, &part);
}

/* REQUEST SENSE after a CHECK CONDITION whose sense came with the answer (SPC-4 6.39). */
static bool answer_request_sense(struct xo_packet *packet)
{
	struct xo_packet_state *s = packet->state;
	uint32_t length;

	if (xo_opcode_find(s->cdb, PACKET_BYTES)->own != XO_OWN_SENSE || !s->kept_sense_length)
		return false;
	length = XO_MIN(s->cdb[4], s->kept_sense_length);
	memcpy(xo_packet_buffer(packet), s->kept_sense, s->kept_sense_length);
	if (s->guest_named)
		length = XO_MIN(length, s->guest.length);
	s->kept_sense_length = 0;
	s->local = true;
	s->last = true;
	s->direction = XO_DIR_IN;
	s->length = length;
	s->part_length = length;
	s->status = XO_STATUS_GOOD;
	if (!length) {
		finish(packet);
		return true;
	}
	s->phase = XO_PACKET_DATA_IN;
	packet->advance(packet->priv);
	return true;
}

void xo_packet_start(struct xo_packet *packet, const uint8_t cdb[12],
		     const struct xo_guest_buffer *guest)
{
	struct xo_packet_state *s = packet->state;
	struct xo_transfer transfer;

	xo_packet_cancel(packet);
	memset(s->cdb, 0, sizeof(s->cdb));
	memcpy(s->cdb, cdb, PACKET_BYTES);
	s->guest_named = guest != NULL;
	s->guest = guest ? *guest : (struct xo_guest_buffer){ 0 };
	s->status = XO_STATUS_GOOD;
	s->sense_length = 0;
	s->part_start = 0;
	s->local = false;
	s->handle = packet->drive.ops->begin(packet->drive.priv);
	if (s->handle < 0) {
		/* Commands that were reset are still with the drive: a guest tries this again. */
		s->handle = -1;
		finish_sense(packet, XO_SENSE_BECOMING_READY);
		return;
	}
	if (answer_request_sense(packet))
		return;
	if (s->attention && !xo_opcode_find(s->cdb, PACKET_BYTES)->quiet) {
		s->attention = false;
		finish_sense(packet, XO_KCQ(XO_KEY_UNIT_ATTENTION, 0x28, 0x00));
		return;
	}
	if (transfer_of(s, &transfer)) {
		finish_sense(packet, XO_SENSE_INVALID_OPCODE);
		return;
	}
	if (transfer.mismatch) {
		finish_sense(packet, XO_SENSE_INVALID_FIELD_IN_CDB);
		return;
	}
	s->direction = (uint8_t)transfer.dir;
	s->length = transfer.length;
	part_begin(packet);
}

void xo_packet_moved(struct xo_packet *packet)
{
	struct xo_packet_state *s = packet->state;
	struct xo_part part;

	if (s->phase == XO_PACKET_DATA_OUT) {
		if (part_find(packet, &part))
			submit(packet, &part);
		else
			finish_sense(packet, XO_SENSE_INVALID_FIELD_IN_CDB);
		return;
	}
	if (s->phase != XO_PACKET_DATA_IN)
		return;
	s->part_start += s->part_length;
	if (s->last || !went_well(packet))
		finish(packet);
	else
		part_begin(packet);
}

void xo_packet_fail(struct xo_packet *packet)
{
	finish_sense(packet, XO_SENSE_DATA_PHASE_ERROR);
}

/* What the guest is told when there is no SCSI status. */
static uint32_t transport_sense(uint8_t transport)
{
	switch (transport) {
	case XO_TRANSPORT_NO_CONNECT:
		return XO_SENSE_NO_MEDIUM;
	case XO_TRANSPORT_BUSY:
		return XO_SENSE_BECOMING_READY;
	case XO_TRANSPORT_TIMEOUT:
		return XO_SENSE_CU_TIMEOUT;
	case XO_TRANSPORT_ABORTED:
	case XO_TRANSPORT_RESET:
		return XO_KCQ(XO_KEY_UNIT_ATTENTION, 0x29, 0x00);
	default:
		return XO_SENSE_INTERNAL_FAILURE;
	}
}

static void note_blocks(struct xo_packet *packet)
{
	struct xo_packet_state *s = packet->state;
	uint8_t params[NOTE_BYTES_MAX];

	if (s->direction != XO_DIR_OUT || s->length > sizeof(params))
		return;
	memcpy(params, xo_packet_buffer(packet), s->length);
	xo_blocks_note(&s->blocks, s->cdb, PACKET_BYTES, params, s->length);
}

static void take_status(struct xo_packet_state *s, const struct xo_packet_result *result)
{
	/* What an earlier part was recovered from stays to be told. */
	if (result->transport == XO_TRANSPORT_OK && result->status == XO_STATUS_GOOD)
		return;
	s->status = result->status;
	s->sense_length = 0;
	if (result->transport != XO_TRANSPORT_OK) {
		set_check(s, transport_sense(result->transport));
	} else if (s->status == XO_STATUS_CHECK_CONDITION) {
		s->sense_length = XO_MIN(result->sense_length, (uint8_t)sizeof(s->sense));
		memcpy(s->sense, result->sense, s->sense_length);
	} else if (s->status != XO_STATUS_GOOD) {
		/* ATAPI has no BUSY and no RESERVATION CONFLICT. */
		set_check(s, XO_SENSE_BECOMING_READY);
	}
}

/*
 * A drive that says GOOD and takes less than a part of a WRITE that was cut here: a further part would be written in the
 * wrong place, so none is sent, and what is left is an error that the drive did not see. Of a WRITE that it had whole,
 * GOOD is the drive's own word, as it would be without us: bridges give residuals that mean nothing.
 */
static bool blocks_left(const struct xo_packet_state *s, uint32_t got)
{
	return s->direction == XO_DIR_OUT && !s->last && got < s->part_length;
}

void xo_packet_complete(struct xo_packet *packet, int handle, const struct xo_packet_result *result)
{
	struct xo_packet_state *s = packet->state;
	uint32_t got;

	if (s->phase != XO_PACKET_DRIVE || handle != s->handle)
		return;
	take_status(s, result);
	got = s->part_length - XO_MIN(result->residual, s->part_length);
	if (result->transport != XO_TRANSPORT_OK)
		got = 0;
	if (went_well(packet) && blocks_left(s, got))
		set_check(s, XO_SENSE_DATA_PHASE_ERROR);
	if (s->status == XO_STATUS_GOOD)
		note_blocks(packet);
	if (s->direction == XO_DIR_IN && got) {
		s->last |= got < s->part_length;
		s->part_length = got;
		s->phase = XO_PACKET_DATA_IN;
		packet->advance(packet->priv);
		return;
	}
	s->part_start += got;
	if (s->last || !went_well(packet) || !got)
		finish(packet);
	else
		part_begin(packet);
}

void xo_packet_resume(struct xo_packet *packet)
{
	struct xo_packet_state *s = packet->state;
	struct xo_part part;

	if (s->phase != XO_PACKET_DRIVE)
		return;
	if (part_find(packet, &part))
		submit(packet, &part);
	else
		finish_sense(packet, XO_SENSE_INTERNAL_FAILURE);
}

static void give_up(struct xo_packet *packet, uint32_t kcq)
{
	uint8_t phase = packet->state->phase;

	if (phase == XO_PACKET_DATA_OUT || phase == XO_PACKET_DRIVE || phase == XO_PACKET_DATA_IN)
		finish_sense(packet, kcq);
}

void xo_packet_abort(struct xo_packet *packet)
{
	give_up(packet, XO_SENSE_BECOMING_READY);
}

void xo_packet_lose(struct xo_packet *packet)
{
	give_up(packet, XO_SENSE_NO_MEDIUM);
}

void xo_packet_attend(struct xo_packet *packet)
{
	packet->state->attention = true;
	xo_blocks_init(&packet->state->blocks);
}

bool xo_packet_state_valid(const struct xo_packet_state *state)
{
	return state->phase == XO_PACKET_IDLE && state->handle == -1 &&
	       state->sense_length <= sizeof(state->sense) &&
	       state->kept_sense_length <= sizeof(state->kept_sense) &&
	       state->blocks.runs <= XO_CUE_RUNS_MAX;
}

void xo_packet_cancel(struct xo_packet *packet)
{
	release_handle(packet);
	packet->state->phase = XO_PACKET_IDLE;
	packet->state->part_length = 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest leaves in the drive and the next must not find: a locked door,
 * authentication grants, speeds, mode pages, a write session. It is noted as
 * the commands pass, in the ledger, and undone when the guest lets go.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/point.h"
#include "stack.h"

#define NS_PER_S 1000000000ull
#define PAUSE_MIN_NS (50 * 1000000ull)
#define PAUSE_MAX_NS (2 * NS_PER_S)

struct handover {
	struct xo_unit unit;
	struct xo_drive_record *record;
	bool patient; /* the guest has gone: what it left running is waited for */
	bool failed; /* a command of the present step has, and may not another time */
};

static void set_flag(struct handover *handover, uint32_t flag)
{
	__atomic_or_fetch(&handover->record->undo.flags, flag, __ATOMIC_RELEASE);
}

static void clear_flag(struct handover *handover, uint32_t flag)
{
	__atomic_and_fetch(&handover->record->undo.flags, ~flag, __ATOMIC_RELEASE);
}

static bool has_flag(const struct handover *handover, uint32_t flag)
{
	return handover->record->undo.flags & flag;
}

bool xo_handover_writing(const struct xo_drive_record *record)
{
	return __atomic_load_n(&record->undo.flags, __ATOMIC_ACQUIRE) & XO_UNDO_WRITE;
}

static void note_prevent(struct handover *handover, const struct xo_command *command)
{
	if (command->cdb[4] & 1)
		set_flag(handover, XO_UNDO_LOCK);
	else
		clear_flag(handover, XO_UNDO_LOCK);
}

/* Ejecting the medium ends its session. */
static void note_start_stop(struct handover *handover, const struct xo_command *command)
{
	if ((command->cdb[4] & 3) == 2)
		clear_flag(handover, XO_UNDO_WRITE);
}

static void note_report_key(struct handover *handover, const struct xo_command *command)
{
	uint8_t format = command->cdb[10] & 0x3f;

	if (command->cdb[7] == 0 && (format == 0 || format == 0x11))
		set_flag(handover, XO_UNDO_AGID);
}

static void note_speed(struct handover *handover, const struct xo_command *command)
{
	(void)command;
	set_flag(handover, XO_UNDO_SPEED);
}

static void note_streaming(struct handover *handover, const struct xo_command *command)
{
	(void)command;
	set_flag(handover, XO_UNDO_STREAMING);
}

static void note_cue_sheet(struct handover *handover, const struct xo_command *command)
{
	(void)command;
	set_flag(handover, XO_UNDO_WRITE);
}

/* Parameter list of MODE SELECT (SPC-4 7.5): header, block descriptors, pages. */
static void note_mode_select(struct handover *handover, const struct xo_command *command)
{
	bool ten = xo_opcode_find(command->cdb, command->cdb_length)->cdb_len == 10;
	struct xo_reader reader = xo_reader(command->data, command->length);
	const uint8_t *header = xo_read_bytes(&reader, ten ? 8 : 4);
	uint64_t pages = 0;

	if (!header)
		return;
	xo_read_bytes(&reader, ten ? xo_get_be16(header + 6) : header[3]);
	while (!reader.failed && xo_reader_left(&reader) >= 2) {
		uint8_t code = xo_read_u8(&reader);
		uint16_t length;

		if (code & 0x40) /* SPF: a subpage */
			xo_read_u8(&reader);
		length = code & 0x40 ? xo_read_be16(&reader) : xo_read_u8(&reader);
		pages |= 1ull << (code & 0x3f);
		xo_read_bytes(&reader, length);
	}
	__atomic_or_fetch(&handover->record->undo.pages, pages, __ATOMIC_RELEASE);
	set_flag(handover, XO_UNDO_PAGES);
}

static const struct {
	uint8_t opcode;
	void (*note)(struct handover *handover, const struct xo_command *command);
} notes[] = {
	{ XO_OP_PREVENT_ALLOW, note_prevent },	    { XO_OP_START_STOP_UNIT, note_start_stop },
	{ XO_OP_REPORT_KEY, note_report_key },	    { XO_OP_SET_CD_SPEED, note_speed },
	{ XO_OP_SET_STREAMING, note_streaming },    { XO_OP_MODE_SELECT_6, note_mode_select },
	{ XO_OP_MODE_SELECT_10, note_mode_select }, { XO_OP_SEND_CUE_SHEET, note_cue_sheet },
};

static void handover_execute(struct xo_unit *unit, struct xo_command *command)
{
	struct handover *handover = (struct handover *)unit;
	const struct xo_opcode *op = xo_opcode_find(command->cdb, command->cdb_length);

	/* Before it runs: a process that is killed in it must know as well. */
	if (op->class == XO_CLASS_WRITE && !has_flag(handover, XO_UNDO_WRITE))
		set_flag(handover, XO_UNDO_WRITE);
	xo_unit_execute(unit->next, command);
	if (!xo_command_is_good(command))
		return;
	if (op->closes)
		clear_flag(handover, XO_UNDO_WRITE);
	for (size_t i = 0; i < XO_ARRAY_SIZE(notes); i++)
		if (notes[i].opcode == command->cdb[0])
			notes[i].note(handover, command);
}

/* How long a drive may say that it is busy with what a guest began by IMMED and left, in seconds. */
static uint64_t busy_limit(int kcq)
{
	switch (kcq) {
	case XO_SENSE_BECOMING_READY:
		return 120;
	case XO_SENSE_FORMAT_IN_PROGRESS:
	case XO_SENSE_OPERATION_IN_PROGRESS:
	case XO_SENSE_LONG_WRITE_IN_PROGRESS:
		return 18000; /* as the longest command (mmc/opcodes.def) */
	default:
		return 0;
	}
}

/* Of a drive that is busy nothing tells when it has ended: it is asked again. */
static void pause_for(uint64_t *pause)
{
	struct timespec time = { .tv_sec = (time_t)(*pause / NS_PER_S),
				 .tv_nsec = (long)(*pause % NS_PER_S) };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
	*pause = XO_MIN(2 * *pause, PAUSE_MAX_NS);
}

/* Whether nothing is left to be done: also what the drive does not know, it cannot have kept. */
static bool settled(int r)
{
	return !r || r >> 16 == XO_KEY_ILLEGAL_REQUEST;
}

/*
 * Unit attentions are for the guest that goes, and the next begins anew: they keep nothing from being undone. Nor
 * does a command that goes on in the drive by itself, once the guest is gone.
 */
static int inner(struct handover *handover, const uint8_t *cdb, uint8_t length,
		 enum xo_direction direction, void *data, uint32_t size)
{
	const uint64_t begun = xo_now_ns();
	uint64_t pause = PAUSE_MIN_NS;
	unsigned int attentions = 0;
	char text[160];
	int r;

	for (;;) {
		r = xo_inner_command(&handover->unit, xo_inner_id(handover->record), cdb, length,
				     direction, data, size, NULL);
		if (r >> 16 == XO_KEY_UNIT_ATTENTION && attentions++ < XO_UNIT_ATTENTIONS_MAX)
			continue;
		if (!handover->patient || xo_now_ns() - begun >= busy_limit(r) * NS_PER_S)
			break;
		pause_for(&pause);
	}
	if (!settled(r))
		handover->failed = true;
	if (r) {
		xo_cdb_format(text, sizeof(text), cdb, length);
		xo_log_limited(settled(r) || r == (int)XO_SENSE_NO_MEDIUM ? XO_LOG_DEBUG
									  : XO_LOG_NOTICE,
			       "handing over: %s failed: %06x", text, (unsigned int)r);
	}
	return r;
}

static void close_track_session(struct handover *handover, uint8_t function, uint8_t track)
{
	const uint8_t cdb[10] = { XO_OP_CLOSE_TRACK_SESSION, 0, function, 0, 0, track };

	inner(handover, cdb, sizeof(cdb), XO_DIR_NONE, NULL, 0);
}

/* Whether the track has been begun: not blank, and not reserved only (MMC-6 6.27.3). */
static bool track_begun(struct handover *handover, uint8_t track)
{
	const uint8_t cdb[10] = { XO_OP_READ_TRACK_INFORMATION, 1, 0, 0, 0, track, 0, 0, 36 };
	uint8_t info[36] = { 0 };

	return inner(handover, cdb, sizeof(cdb), XO_DIR_IN, info, sizeof(info)) == 0 &&
	       !(info[6] & 0x40);
}

/*
 * A guest that vanished in mid-burn: what the drive has in its buffer goes to
 * the medium, and a sequential medium gets its open track and session closed,
 * so that what was burned can be read. Rewritable media need no more than the
 * first, and a drive that cannot close says so and is left alone.
 */
static void undo_write(struct handover *handover)
{
	static const uint8_t sync[10] = { XO_OP_SYNCHRONIZE_CACHE };
	static const uint8_t disc[10] = { XO_OP_READ_DISC_INFORMATION, 0, 0, 0, 0, 0, 0, 0, 34 };
	uint8_t info[34] = { 0 };
	uint8_t session;

	xo_notice("the guest let go in the middle of a burn: closing it");
	inner(handover, sync, sizeof(sync), XO_DIR_NONE, NULL, 0);
	if (inner(handover, disc, sizeof(disc), XO_DIR_IN, info, sizeof(info)))
		return;
	/* Disc status (MMC-6 6.22.3.1.4): 1 appendable; state of the last session: 1 incomplete, 2 damaged. */
	session = info[2] >> 2 & 3;
	if ((info[2] & 3) > 1 || (session != 1 && session != 2))
		return;
	if (track_begun(handover, info[6]))
		close_track_session(handover, 1, info[6]);
	close_track_session(handover, 2, 0);
}

static void undo_lock(struct handover *handover)
{
	static const uint8_t allow[6] = { XO_OP_PREVENT_ALLOW };

	inner(handover, allow, sizeof(allow), XO_DIR_NONE, NULL, 0);
}

static void undo_agids(struct handover *handover)
{
	for (unsigned int agid = 0; agid < 4; agid++) {
		/* Key format 3Fh: invalidate (MMC-6 6.29.3.1.11). */
		const uint8_t cdb[12] = {
			[0] = XO_OP_REPORT_KEY, [10] = (uint8_t)(agid << 6 | 0x3f)
		};

		inner(handover, cdb, sizeof(cdb), XO_DIR_NONE, NULL, 0);
	}
}

static void undo_speed(struct handover *handover)
{
	static const uint8_t best[12] = { XO_OP_SET_CD_SPEED, 0, 0xff, 0xff, 0xff, 0xff };

	inner(handover, best, sizeof(best), XO_DIR_NONE, NULL, 0);
}

static void undo_streaming(struct handover *handover)
{
	static const uint8_t cdb[12] = { [0] = XO_OP_SET_STREAMING, [10] = 28 };
	uint8_t descriptor[28] = { 0x04 }; /* RDD: restore drive defaults (MMC-6 6.36.3) */

	inner(handover, cdb, sizeof(cdb), XO_DIR_OUT, descriptor, sizeof(descriptor));
}

/* The page's default values (PC = 2) become the current ones. */
static void undo_page(struct handover *handover, unsigned int page)
{
	uint8_t list[264] = { 0 };
	uint8_t sense[10] = {
		XO_OP_MODE_SENSE_10, 8 /* DBD */, (uint8_t)(0x80 | page), 0, 0, 0, 0
	};
	uint8_t select[10] = { XO_OP_MODE_SELECT_10, 0x10 /* PF */ };
	unsigned int length;

	xo_put_be16(sense + 7, sizeof(list));
	if (inner(handover, sense, sizeof(sense), XO_DIR_IN, list, sizeof(list)))
		return;
	length = xo_get_be16(list) + 2u;
	if (length < 10 || length > sizeof(list) || xo_get_be16(list + 6) ||
	    (list[8] & 0x3f) != page)
		return;
	/* Reserved in MODE SELECT: mode data length, medium type, PS. */
	memset(list, 0, 8);
	list[8] &= 0x3f;
	xo_put_be16(select + 7, length);
	inner(handover, select, sizeof(select), XO_DIR_OUT, list, length);
}

static void undo_pages(struct handover *handover)
{
	for (unsigned int page = 0; page < 0x3f; page++)
		if (handover->record->undo.pages >> page & 1)
			undo_page(handover, page);
	handover->record->undo.pages = 0;
}

static const struct {
	uint32_t flag;
	bool by_reset; /* undone by a reset as well */
	void (*undo)(struct handover *handover);
} steps[] = {
	{ XO_UNDO_WRITE, false, undo_write },	      { XO_UNDO_LOCK, true, undo_lock },
	{ XO_UNDO_AGID, true, undo_agids },	      { XO_UNDO_SPEED, false, undo_speed },
	{ XO_UNDO_STREAMING, false, undo_streaming }, { XO_UNDO_PAGES, false, undo_pages },
};

/* Doing one of these twice does no harm, so a successor may begin again. */
static void handover_release(struct xo_unit *unit)
{
	struct handover *handover = (struct handover *)unit;

	handover->patient = true;
	for (size_t i = 0; i < XO_ARRAY_SIZE(steps); i++) {
		if (!has_flag(handover, steps[i].flag))
			continue;
		steps[i].undo(handover);
		clear_flag(handover, steps[i].flag);
	}
	handover->patient = false;
	xo_unit_release_next(unit);
}

/* What fails stays noted for the hand-over: a reset is not kept waiting. */
void xo_handover_reset(struct xo_unit *unit)
{
	struct handover *handover = (struct handover *)unit;

	for (size_t i = 0; i < XO_ARRAY_SIZE(steps); i++) {
		if (!steps[i].by_reset || !has_flag(handover, steps[i].flag))
			continue;
		handover->failed = false;
		steps[i].undo(handover);
		if (!handover->failed)
			clear_flag(handover, steps[i].flag);
	}
}

void xo_handover_forget(struct xo_drive_record *record)
{
	record->undo.pages = 0;
	__atomic_store_n(&record->undo.flags, 0, __ATOMIC_RELEASE);
}

static void handover_free(struct xo_unit *unit)
{
	free(unit);
}

static const struct xo_unit_ops handover_ops = {
	.name = "handover",
	.execute = handover_execute,
	.release = handover_release,
	.free = handover_free,
};

int xo_handover_new(struct xo_unit **unit, struct xo_unit *next, struct xo_drive_record *record)
{
	struct handover *handover = calloc(1, sizeof(*handover));

	if (!handover)
		return -ENOMEM;
	handover->unit = (struct xo_unit){ .ops = &handover_ops, .next = next };
	handover->record = record;
	*unit = &handover->unit;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one poller. GET EVENT STATUS NOTIFICATION gives each event once, to
 * whoever asks first. With the drive held the kernel does not ask; we do when
 * the client does not, and keep what came as the client's next answer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/point.h"
#include "mmc/profile.h"
#include "stack.h"

#define EVENT_SIZE 8 /* header and one media event (MMC-6 6.6.2) */
#define CLASS_MASK_MEDIA (1u << XO_EVENT_MEDIA)
#define NO_EVENT_AVAILABLE 0x80 /* NEA */

struct events {
	struct xo_unit unit;
	struct xo_drive_record *record;
	bool unsupported; /* the drive does not know the command or the class */
};

/* Whether the client asks for media events by polling; the only thing that we can answer. */
static bool asks_for_media(const struct xo_command *command)
{
	return xo_opcode_find(command->cdb, command->cdb_length)->own == XO_OWN_EVENTS &&
	       command->cdb_length >= 10 && command->cdb[1] & 1 &&
	       command->cdb[4] & CLASS_MASK_MEDIA && command->direction != XO_DIR_OUT;
}

/*
 * The kept event belongs to the first command that asks for it, also when that
 * command is carried out again by a successor.
 */
static bool give_kept(struct events *events, struct xo_command *command)
{
	struct xo_events_record *record = &events->record->events;
	uint32_t length = xo_get_be16(command->cdb + 7);

	if (!record->kept)
		return false;
	if (record->given && record->given != command->id) {
		xo_ledger_commit(&record->kept, 0);
		return false;
	}
	xo_ledger_commit64(&record->given, command->id);
	length = XO_MIN(XO_MIN(length, command->length), EVENT_SIZE);
	if (length)
		memcpy(command->data, record->event, length);
	xo_command_good(command, length);
	return true;
}

static void events_execute(struct xo_unit *unit, struct xo_command *command)
{
	struct events *events = (struct events *)unit;

	if (asks_for_media(command) && give_kept(events, command))
		return;
	xo_unit_execute(unit->next, command);
}

static void keep(struct xo_events_record *record)
{
	xo_ledger_commit(&record->kept, 0);
	memcpy(record->event, record->data, EVENT_SIZE);
	record->given = 0;
	xo_ledger_commit(&record->kept, 1);
	xo_point(XO_POINT_KEPT);
}

static void prepare(struct xo_drive_record *drive)
{
	struct xo_events_record *record = &drive->events;

	if (record->polling)
		return; /* a successor goes on with it */
	record->id = xo_inner_id(drive);
	memset(record->data, 0, sizeof(record->data));
	xo_journal_reset(&record->journal);
	xo_ledger_commit(&record->polling, 1);
}

int xo_events_poll(struct xo_unit *unit, bool *present)
{
	static const uint8_t cdb[10] = {
		XO_OP_GET_EVENT_STATUS, 1, 0, 0, CLASS_MASK_MEDIA, 0, 0, 0, EVENT_SIZE
	};
	struct events *events = (struct events *)unit;
	struct xo_events_record *record = &events->record->events;
	int code;
	int r;

	if (events->unsupported)
		return -EAGAIN;
	prepare(events->record);
	r = xo_inner_command(unit, record->id, cdb, sizeof(cdb), XO_DIR_IN, record->data,
			     EVENT_SIZE, &record->journal);
	xo_point(XO_POINT_POLLED);
	code = record->data[4] & 0xf;
	*present = record->data[5] & 2;
	events->unsupported = r >> 16 == XO_KEY_ILLEGAL_REQUEST;
	if (r || record->data[2] & NO_EVENT_AVAILABLE || (record->data[2] & 7) != XO_EVENT_MEDIA)
		code = -EAGAIN;
	else if (code)
		keep(record);
	xo_ledger_commit(&record->polling, 0);
	return code;
}

bool xo_events_polling(const struct xo_drive_record *record)
{
	return record->events.polling;
}

void xo_events_forget(struct xo_drive_record *record)
{
	xo_ledger_commit(&record->events.kept, 0);
}

/* What was polled for the guest that goes is no news of the next one's, which asks how things are. */
static void events_release(struct xo_unit *unit)
{
	xo_events_forget(((struct events *)unit)->record);
	xo_unit_release_next(unit);
}

static void events_free(struct xo_unit *unit)
{
	free(unit);
}

static const struct xo_unit_ops events_ops = {
	.name = "events",
	.execute = events_execute,
	.release = events_release,
	.free = events_free,
};

int xo_events_new(struct xo_unit **unit, struct xo_unit *next, struct xo_drive_record *record)
{
	struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return -ENOMEM;
	events->unit = (struct xo_unit){ .ops = &events_ops, .next = next };
	events->record = record;
	*unit = &events->unit;
	return 0;
}

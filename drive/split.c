/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The split filter: refuses commands whose buffer contradicts the CDB, and cuts
 * those that are larger than the host adapter takes. Every way in advertises
 * that limit, so this is the exception.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/loop.h"
#include "base/point.h"
#include "stack.h"

/*
 * A drive whose buffer is full says 02/04/08 for some milliseconds. On a later
 * part the guest could not repeat the command, of which half is done.
 */
#define RETRY_NS 20000000
#define RETRY_LIMIT_NS 60000000000ull

struct split {
	struct xo_unit unit;
	uint32_t max_transfer;
	struct xo_blocks *blocks;
	uint64_t splits;
};

/* Notes that the bottom is done with this step of the command. */
static void step_over(struct xo_command *command, uint32_t parts)
{
	if (!command->journal)
		return;
	xo_journal_next(command->journal, parts);
	xo_point(XO_POINT_PART);
}

static uint64_t step_id(const struct xo_command *command)
{
	return command->id + (command->journal ? xo_journal_step(command->journal) : 0);
}

static bool not_ready_yet(const struct xo_command *command)
{
	return xo_command_kcq(command) >> 8 == XO_SENSE_NOT_READY >> 8;
}

static bool went_well(const struct xo_command *command)
{
	return xo_command_is_good(command) ||
	       xo_command_kcq(command) >> 16 == XO_KEY_RECOVERED_ERROR;
}

static void take_result(struct xo_command *command, const struct xo_command *part)
{
	command->status = part->status;
	command->transport = part->transport;
	command->sense_length = part->sense_length;
	memcpy(command->sense, part->sense, part->sense_length);
}

/* One part; a later one is retried while the drive says that it is not ready yet. */
static void run_part(struct xo_unit *unit, struct xo_command *command, struct xo_command *sub,
		     uint32_t parts)
{
	static const struct timespec pause = { .tv_nsec = RETRY_NS };
	uint64_t start = xo_now_ns();

	for (;;) {
		sub->id = step_id(command);
		xo_unit_execute(unit->next, sub);
		if (!parts || !not_ready_yet(sub) || xo_now_ns() - start > RETRY_LIMIT_NS ||
		    sub->id - command->id > XO_JOURNAL_STEPS / 2)
			return;
		step_over(command, parts);
		nanosleep(&pause, NULL);
	}
}

static void run_parts(struct xo_unit *unit, struct xo_command *command, struct xo_split *cut,
		      uint32_t total)
{
	uint32_t done = command->journal ? xo_journal_parts(command->journal) : 0;
	uint32_t moved = 0;
	struct xo_part part;

	xo_command_good(command, command->length);
	for (uint32_t n = 0; xo_cdb_split_next(cut, &part); n++) {
		struct xo_command sub = *command;

		if (n >= done) {
			memcpy(sub.cdb, part.cdb, sizeof(sub.cdb));
			sub.data = command->data + part.offset;
			sub.length = part.length;
			run_part(unit, command, &sub, n);
			if (!xo_command_is_good(&sub))
				take_result(command, &sub);
			moved += part.length - XO_MIN(sub.residual, part.length);
			if (!went_well(&sub))
				break;
			if (sub.residual) {
				/* The drive has done what it was asked for; that more was to come, only we know. */
				if (command->direction == XO_DIR_OUT && !part.last)
					xo_command_check(command, XO_SENSE_DATA_PHASE_ERROR);
				break;
			}
			if (!part.last)
				step_over(command, n + 1);
		} else {
			moved += part.length;
		}
	}
	command->residual = command->length - XO_MIN(moved, total);
}

/* The CDB asks for less than the buffer holds: only the buffer is too large for the host. */
static void run_shortened(struct xo_unit *unit, struct xo_command *command, uint32_t length)
{
	uint32_t offered = command->length;

	command->length = length;
	if (!length)
		command->direction = XO_DIR_NONE;
	xo_unit_execute(unit->next, command);
	command->residual = offered - (length - XO_MIN(command->residual, length));
	command->length = offered;
}

static void split_execute(struct xo_unit *unit, struct xo_command *command)
{
	struct split *split = (struct split *)unit;
	struct xo_guest_buffer buffer = { .dir = (enum xo_direction)command->direction,
					  .length = command->length };
	struct xo_cdb_context context = { .blocks = split->blocks, .buffer = &buffer };
	struct xo_transfer xfer;
	struct xo_split cut;
	uint32_t kcq;
	int r = xo_cdb_transfer(command->cdb, command->cdb_length, &context, &xfer);

	if (r || xfer.mismatch) {
		xo_command_check(command, XO_SENSE_INVALID_FIELD_IN_CDB);
		return;
	}
	if (command->length <= split->max_transfer) {
		xo_unit_execute(unit->next, command);
	} else if (xfer.length <= split->max_transfer) {
		run_shortened(unit, command, xfer.length);
	} else {
		r = xo_cdb_split(&cut, command->cdb, command->cdb_length, &xfer,
				 split->max_transfer);
		if (r < 0) {
			xo_command_check(command, XO_SENSE_INVALID_FIELD_IN_CDB);
			return;
		}
		__atomic_add_fetch(&split->splits, 1, __ATOMIC_RELAXED);
		run_parts(unit, command, &cut, xfer.length);
	}
	kcq = xo_command_kcq(command);
	if (kcq == XO_SENSE_MEDIUM_CHANGED || kcq == XO_SENSE_POWER_ON_OR_RESET)
		xo_blocks_init(split->blocks);
	if (command->direction == XO_DIR_OUT && xo_command_is_good(command))
		xo_blocks_note(split->blocks, command->cdb, command->cdb_length, command->data,
			       command->length);
}

static void split_free(struct xo_unit *unit)
{
	free(unit);
}

static const struct xo_unit_ops split_ops = {
	.name = "split",
	.execute = split_execute,
	.release = xo_unit_release_next,
	.free = split_free,
};

void xo_split_limit(struct xo_unit *unit, uint32_t max_transfer)
{
	struct split *split = (struct split *)unit;

	split->max_transfer = max_transfer;
}

uint64_t xo_split_count(const struct xo_unit *unit)
{
	const struct split *split = (const struct split *)unit;

	return __atomic_load_n(&split->splits, __ATOMIC_RELAXED);
}

int xo_split_new(struct xo_unit **unit, struct xo_unit *next, uint32_t max_transfer,
		 struct xo_drive_record *record)
{
	struct split *split = calloc(1, sizeof(*split));

	if (!split)
		return -ENOMEM;
	split->unit = (struct xo_unit){ .ops = &split_ops, .next = next };
	split->max_transfer = max_transfer;
	split->blocks = &record->blocks;
	if (!record->blocks.read)
		xo_blocks_init(&record->blocks);
	*unit = &split->unit;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit attentions for a guest whose drive was plugged in again. The drive told
 * its own to the host's kernel, which asked first when the drive came back;
 * the guest would go on as if nothing had happened.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/ledger.h"
#include "stack.h"

struct attention {
	struct xo_unit unit;
	struct xo_drive_record *record;
};

/* As a drive that was switched on: its state first, then its medium (MMC-6 4.1.6). */
static const uint32_t told[XO_ATTENTIONS] = {
	XO_SENSE_POWER_ON_OR_RESET,
	XO_SENSE_MEDIUM_CHANGED,
};

void xo_attention_raise(struct xo_drive_record *record)
{
	for (unsigned int i = 0; i < XO_ATTENTIONS; i++)
		xo_ledger_commit64(&record->attention.taker[i], XO_ATTENTION_PENDING);
}

void xo_attention_pass_on(struct xo_drive_record *record, uint32_t kcq)
{
	unsigned int which = XO_ATTENTIONS - 1;

	/* Of what has no entry of its own, the first says enough: nothing is as it was. */
	while (which && told[which] != kcq)
		which--;
	xo_ledger_commit64(&record->attention.taker[which], XO_ATTENTION_PENDING);
}

/* A command that a successor carries out again is told what it was told before. */
static void attention_execute(struct xo_unit *unit, struct xo_command *command)
{
	struct xo_attention_record *record = &((struct attention *)unit)->record->attention;

	if (xo_opcode_find(command->cdb, command->cdb_length)->quiet) {
		xo_unit_execute(unit->next, command);
		return;
	}
	for (unsigned int i = 0; i < XO_ATTENTIONS; i++) {
		if (record->taker[i] == XO_ATTENTION_PENDING)
			xo_ledger_commit64(&record->taker[i], command->id);
		if (record->taker[i] == command->id) {
			xo_command_check(command, told[i]);
			return;
		}
	}
	xo_unit_execute(unit->next, command);
}

/* The next guest finds the drive as it is. */
static void attention_release(struct xo_unit *unit)
{
	struct xo_attention_record *record = &((struct attention *)unit)->record->attention;

	for (unsigned int i = 0; i < XO_ATTENTIONS; i++)
		xo_ledger_commit64(&record->taker[i], 0);
	xo_unit_release_next(unit);
}

static void attention_free(struct xo_unit *unit)
{
	free(unit);
}

static const struct xo_unit_ops attention_ops = {
	.name = "attention",
	.execute = attention_execute,
	.release = attention_release,
	.free = attention_free,
};

int xo_attention_new(struct xo_unit **unit, struct xo_unit *next, struct xo_drive_record *record)
{
	struct attention *attention = calloc(1, sizeof(*attention));

	if (!attention)
		return -ENOMEM;
	attention->unit = (struct xo_unit){ .ops = &attention_ops, .next = next };
	attention->record = record;
	*unit = &attention->unit;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A drive that is lent: the launcher gives its descriptor to the process that faces the guest with the lease
 * (backend/ring_direct.c), if we say that nothing stands against it: no filter of ours would have anything to
 * do with a READ or a WRITE of that guest. Before the lease moves on it is recalled: the launcher answers
 * once nobody has the descriptor any more, and no command that was given by it runs.
 */
#include "base/log.h"
#include "drive.h"
#include "stack.h"

static bool attention_due(const struct xo_drive_record *record)
{
	for (unsigned int i = 0; i < XO_ATTENTIONS; i++)
		if (record->attention.taker[i] == XO_ATTENTION_PENDING)
			return true;
	return false;
}

static bool nothing_against(const struct xo_drive *drive)
{
	const struct xo_drive_options *options = drive->options;

	return !options->burner && !options->policy.read_only && !options->delay &&
	       !options->speed && !options->fault && !options->trace && options->trace_fd < 0 &&
	       !xo_trace_watched(drive->trace) && !drive->gone && drive->ready &&
	       !attention_due(drive->record);
}

static struct xo_link_record *holder_of(const struct xo_drive *drive)
{
	return xo_holding_record(drive, drive->lease.holder);
}

bool xo_lending_offered(const struct xo_drive *drive)
{
	const struct xo_link_record *holder = holder_of(drive);

	return drive->lease.state == XO_LEASE_HELD && holder && holder->lend != XO_LEND_NEVER &&
	       holder->state == XO_LINK_ATTACHED && !holder->read_only && nothing_against(drive);
}

uint32_t xo_lending_recalled(const struct xo_drive *drive)
{
	const struct xo_link_record *holder = holder_of(drive);
	bool leaving =
		drive->lease.state == XO_LEASE_DRAINING || drive->lease.state == XO_LEASE_PASSING;

	return leaving && holder && holder->lend == XO_LEND_LENT ? holder->id : 0;
}

void xo_lending_update(struct xo_drive *drive)
{
	bool offered = xo_lending_offered(drive);
	struct xo_link_record *holder = holder_of(drive);

	/* From now on it may be lent, whoever dies. */
	if (offered && holder->lend == XO_LEND_MAY)
		xo_ledger_commit(&holder->lend, XO_LEND_LENT);
	if (offered == drive->lending)
		return;
	drive->lending = offered;
	xo_control_due(drive, XO_DUE_LEASE);
}

void xo_lending_returned(struct xo_drive *drive, uint32_t link)
{
	struct xo_link_record *record = xo_holding_record(drive, link);

	if (record && record->lend == XO_LEND_LENT)
		xo_ledger_commit(&record->lend, XO_LEND_MAY);
	/* To a successor of its client it may be lent again. */
	drive->lending = false;
	xo_holding_returned(drive);
	xo_lending_update(drive);
}

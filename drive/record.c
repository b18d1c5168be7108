/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slots in the ledger: which request is new, and how it is taken. */
#include "record.h"

#include "base/point.h"

const char *const xo_drive_points[XO_POINT_COUNT] = {
	[XO_POINT_RECEIVED] = "drive.received",
	[XO_POINT_ACCEPTED] = "drive.accepted",
	[XO_POINT_ISSUED] = "drive.issued",
	[XO_POINT_SUBMIT] = "drive.submit",
	[XO_POINT_RETURNED] = "drive.returned",
	[XO_POINT_PART] = "drive.part",
	[XO_POINT_RESULT] = "drive.result",
	[XO_POINT_DONE] = "drive.done",
	[XO_POINT_REPLIED] = "drive.replied",
	[XO_POINT_FREED] = "drive.freed",
	[XO_POINT_LEASE] = "drive.lease",
	[XO_POINT_LINKED] = "drive.linked",
	[XO_POINT_UNDONE] = "drive.undone",
	[XO_POINT_POLLED] = "drive.polled",
	[XO_POINT_KEPT] = "drive.kept",
	[XO_POINT_BURNER_DONE] = "burner.done",
	[XO_POINT_BURNER_COMMITTED] = "burner.committed",
};

enum xo_slot_verdict xo_slot_judge(const struct xo_slot_record *slot, uint64_t tag)
{
	uint32_t state = xo_ledger_state(&slot->state);

	if (state == XO_SLOT_FREE)
		return XO_SLOT_NEW;
	if (tag < slot->request.tag)
		return XO_SLOT_STALE;
	if (tag > slot->request.tag)
		return state == XO_SLOT_DONE ? XO_SLOT_NEW : XO_SLOT_CONFLICT;
	return state == XO_SLOT_DONE ? XO_SLOT_KEPT : XO_SLOT_RUNNING;
}

void xo_slot_accept(struct xo_slot_record *slot, const struct xo_link_request *request, uint64_t id)
{
	xo_ledger_commit(&slot->state, XO_SLOT_FREE);
	xo_point(XO_POINT_FREED);
	slot->request = *request;
	slot->id = id;
	xo_journal_reset(&slot->journal);
	xo_ledger_commit(&slot->state, XO_SLOT_ACCEPTED);
	xo_point(XO_POINT_ACCEPTED);
}

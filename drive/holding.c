/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lease in the ledger, and what follows when it moves: undoing, notices, events. */
#include <string.h>

#include "base/log.h"
#include "base/point.h"
#include "drive.h"

struct xo_link_record *xo_holding_record(const struct xo_drive *drive, uint32_t id)
{
	for (unsigned int i = 0; id && i < XO_DRIVE_LINKS_MAX; i++) {
		struct xo_link_record *record = &drive->record->links[i];

		if (record->state != XO_LINK_FREE && record->id == id)
			return record;
	}
	return NULL;
}

enum xo_lease_standing xo_holding_standing(const struct xo_drive *drive, uint32_t link)
{
	return xo_lease_standing(&drive->lease, link);
}

static struct xo_lease_link view(const struct xo_link_record *record)
{
	return (struct xo_lease_link){
		.id = record->id,
		.domid = record->domid,
		.uuid = record->uuid,
		.joined = record->joined,
	};
}

static void tell(struct xo_drive *drive, uint32_t before, uint32_t after)
{
	struct xo_drive_link *link;

	if (before == after)
		return;
	link = before ? xo_links_find(drive, before) : NULL;
	if (link)
		xo_links_notice(link, XO_NOTICE_LEASE_LOST);
	link = after ? xo_links_find(drive, after) : NULL;
	if (link)
		xo_links_notice(link, XO_NOTICE_LEASE_HELD);
}

/* Removed links stay on record only as long as the lease names them or their command runs. */
static void forget_removed(struct xo_drive *drive)
{
	for (unsigned int i = 0; i < XO_DRIVE_LINKS_MAX; i++) {
		struct xo_link_record *record = &drive->record->links[i];
		struct xo_drive_link *link;

		if (record->state != XO_LINK_REMOVED || record->id == drive->lease.holder)
			continue;
		link = xo_links_find(drive, record->id);
		if (link && link->queued)
			continue;
		if (link) {
			xo_link_close(&link->link);
			link->record = NULL;
		}
		xo_ledger_commit(&record->state, XO_LINK_FREE);
	}
}

static void commit(struct xo_drive *drive, const struct xo_lease *lease)
{
	uint64_t word = xo_lease_pack(lease);
	bool had = drive->lease.state == XO_LEASE_HELD;
	uint32_t before = had ? drive->lease.holder : 0;

	if (word == drive->record->lease)
		return;
	xo_ledger_commit64(&drive->record->lease, word);
	xo_point(XO_POINT_LEASE);
	drive->lease = *lease;
	drive->lease_since = xo_now_ns();
	tell(drive, before, lease->state == XO_LEASE_HELD ? lease->holder : 0);
	xo_lending_update(drive);
	xo_control_due(drive, XO_DUE_LEASE);
}

/* The holder's last command may still run: the undo job comes after it. */
static void drain(struct xo_drive *drive)
{
	struct xo_drive_link *link = xo_links_find(drive, drive->lease.holder);

	if (drive->lease.state != XO_LEASE_DRAINING && drive->lease.state != XO_LEASE_PASSING)
		return;
	if (link)
		xo_links_abort(link, XO_TRANSPORT_ABORTED);
	/* Its client may give commands to the drive as long as it has it; the launcher was told by commit(). */
	if (!drive->undo.queued && !xo_lending_recalled(drive))
		xo_drive_queue(drive, &drive->undo);
}

void xo_holding_attach(struct xo_drive *drive, const struct xo_link_record *record, bool resume)
{
	struct xo_link_record *holder = xo_holding_record(drive, drive->lease.holder);
	struct xo_link_record *next = xo_holding_record(drive, drive->lease.next);
	struct xo_lease_link link = view(record);
	struct xo_lease_link holder_view;
	struct xo_lease_link next_view;
	struct xo_lease lease;

	if (holder)
		holder_view = view(holder);
	if (next)
		next_view = view(next);
	lease = xo_lease_attach(&drive->lease, holder ? &holder_view : NULL,
				next ? &next_view : NULL, &link, resume);
	commit(drive, &lease);
	drain(drive);
}

void xo_holding_detach(struct xo_drive *drive, uint32_t link, bool resume)
{
	struct xo_link_record *holder = xo_holding_record(drive, drive->lease.holder);
	struct xo_lease_link links[XO_DRIVE_LINKS_MAX];
	struct xo_lease_link holder_view;
	struct xo_lease lease;
	size_t count = 0;

	for (unsigned int i = 0; i < XO_DRIVE_LINKS_MAX; i++)
		if (drive->record->links[i].state == XO_LINK_ATTACHED)
			links[count++] = view(&drive->record->links[i]);
	if (holder)
		holder_view = view(holder);
	lease = xo_lease_detach(&drive->lease, holder ? &holder_view : NULL, link, links, count,
				resume);
	commit(drive, &lease);
	drain(drive);
	forget_removed(drive);
}

void xo_holding_undone(struct xo_drive *drive)
{
	struct xo_lease lease;

	xo_point(XO_POINT_UNDONE);
	if (drive->lease.state == XO_LEASE_DRAINING && !drive->undoing) {
		drain(drive); /* the heir has left in the meantime */
		return;
	}
	lease = xo_lease_drained(&drive->lease);
	commit(drive, &lease);
	forget_removed(drive);
}

/* Before a "shutdown" that waits for it. */
void xo_holding_returned(struct xo_drive *drive)
{
	bool leaving =
		drive->lease.state == XO_LEASE_DRAINING || drive->lease.state == XO_LEASE_PASSING;

	if (leaving && !drive->undo.queued && !xo_lending_recalled(drive))
		xo_drive_queue_first(drive, &drive->undo);
}

void xo_holding_progress(struct xo_drive *drive)
{
	forget_removed(drive);
}

void xo_holding_recover(struct xo_drive *drive)
{
	struct xo_link_record *holder;

	if (xo_lease_unpack(drive->record->lease, &drive->lease)) {
		xo_error("the ledger's lease is not valid; nobody has it");
		drive->lease = (struct xo_lease){ .state = XO_LEASE_NONE };
		drive->record->lease = 0;
	}
	drive->lease_since = xo_now_ns();
	holder = xo_holding_record(drive, drive->lease.holder);
	if (drive->lease.state == XO_LEASE_HELD && (!holder || holder->state == XO_LINK_REMOVED))
		xo_holding_detach(drive, drive->lease.holder, false);
	drain(drive);
	forget_removed(drive);
}

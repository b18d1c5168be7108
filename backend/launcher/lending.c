/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loans of drives to ring workers; see lending.h. */
#include "lending.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/drive_control.h"
#include "base/log.h"
#include "drives_private.h"

static struct xo_worker *find_ring(const struct xo_drives *drives, const char *cookie)
{
	struct xo_worker *worker;

	LIST_FOREACH (worker, &drives->workers->list, entry)
		if (!strcmp(worker->cookie, cookie))
			return worker;
	return NULL;
}

static struct xo_attachment *find_link(const struct xo_drive *drive, uint32_t link)
{
	struct xo_attachment *attachment;

	LIST_FOREACH (attachment, &drive->links, entry)
		if (attachment->id == link)
			return attachment;
	return NULL;
}

static struct xo_loan *find_loan(const struct xo_drive *drive, uint32_t link, const char *ring)
{
	struct xo_loan *loan;

	LIST_FOREACH (loan, &drive->loans, entry)
		if (loan->link == link && (!ring || !strcmp(loan->ring, ring)))
			return loan;
	return NULL;
}

static void say_returned(struct xo_drive *drive, uint32_t link)
{
	if (!drive->worker || drive->worker->pid <= 0)
		return; /* its successor asks again */
	xo_worker_command(drive->worker, XO_DRIVE_RETURNED, json_pack("{s:i}", "link", (int)link),
			  NULL, 0, NULL, NULL);
}

/* Whoever has it is ended: its successor goes on from its ledger, without the drive. */
static void recall(struct xo_drive *drive, uint32_t link)
{
	struct xo_loan *loan = find_loan(drive, link, NULL);
	struct xo_worker *ring = loan ? find_ring(drive->all, loan->ring) : NULL;

	if (!loan) {
		say_returned(drive, link);
		return;
	}
	if (!ring || ring->stopping)
		return; /* it ends without that */
	xo_debug("drive %s: wanted back from ring %s", drive->name, ring->name);
	xo_worker_replace(ring);
}

static uint32_t lease_number(const struct xo_drive *drive, const char *key)
{
	return (uint32_t)json_integer_value(json_object_get(drive->lease, key));
}

bool xo_lending_offered(const struct xo_attachment *attachment)
{
	const struct xo_drive *drive = attachment->drive;

	return attachment->state == XO_ATTACHMENT_HELD && drive->state == XO_DRIVE_RUNNING &&
	       drive->device.fd >= 0 && drive->unplugged == XO_DRIVE_PLUGGED &&
	       json_is_true(json_object_get(drive->lease, "lend")) &&
	       lease_number(drive, "link") == attachment->id;
}

void xo_lending_lease(struct xo_drive *drive)
{
	uint32_t wanted = lease_number(drive, "recall");
	struct xo_attachment *attachment;

	if (wanted)
		recall(drive, wanted);
	attachment = find_link(drive, lease_number(drive, "link"));
	if (attachment && attachment->lend && attachment->callback &&
	    attachment->state == XO_ATTACHMENT_HELD)
		attachment->callback(attachment->priv, XO_ATTACHMENT_OFFER, NULL);
}

int xo_lending_begin(struct xo_attachment *attachment, const struct xo_worker *ring)
{
	struct xo_drive *drive = attachment->drive;
	struct xo_loan *loan;

	if (find_loan(drive, attachment->id, ring->cookie))
		return drive->device.fd;
	loan = calloc(1, sizeof(*loan));
	if (!loan)
		return -ENOMEM;
	loan->link = attachment->id;
	snprintf(loan->ring, sizeof(loan->ring), "%s", ring->cookie);
	LIST_INSERT_HEAD(&drive->loans, loan, entry);
	drive->all->workers->changed(drive->all->workers);
	return drive->device.fd;
}

static void end_loan(struct xo_drive *drive, struct xo_loan *loan)
{
	uint32_t link = loan->link;

	LIST_REMOVE(loan, entry);
	free(loan);
	drive->all->workers->changed(drive->all->workers);
	/* Said when it is asked for, and not before: it may be lent again by the time that it is heard. */
	if (lease_number(drive, "recall") == link)
		say_returned(drive, link);
}

void xo_lending_forget(struct xo_drive *drive)
{
	struct xo_loan *loan;

	while ((loan = LIST_FIRST(&drive->loans))) {
		LIST_REMOVE(loan, entry);
		free(loan);
	}
}

/* Ends the loans to that ring, or (NULL) to rings that are not there. */
static void end_loans(struct xo_drives *drives, struct xo_drive *drive,
		      const struct xo_worker *ring)
{
	struct xo_loan *loan;
	struct xo_loan *next;

	for (loan = LIST_FIRST(&drive->loans); loan; loan = next) {
		next = LIST_NEXT(loan, entry);
		if (ring ? !strcmp(loan->ring, ring->cookie) : !find_ring(drives, loan->ring))
			end_loan(drive, loan);
	}
}

void xo_lending_ring_ended(struct xo_drives *drives, const struct xo_worker *ring)
{
	struct xo_drive *drive;

	LIST_FOREACH (drive, &drives->list, entry)
		end_loans(drives, drive, ring);
}

void xo_lending_drive_ended(struct xo_drive *drive)
{
	const struct xo_loan *loan;
	struct xo_worker *ring;

	LIST_FOREACH (loan, &drive->loans, entry) {
		ring = find_ring(drive->all, loan->ring);
		if (ring && !ring->stopping)
			xo_worker_replace(ring);
	}
}

static void departing_event(struct xo_worker *worker, const char *event, const json_t *data,
			    int *fds, size_t count)
{
	(void)worker;
	(void)event;
	(void)data;
	(void)fds;
	(void)count;
}

static void departing_ended(struct xo_worker *worker, const char *why)
{
	(void)why;
	xo_lending_ring_ended(worker->priv, worker);
	xo_worker_free(worker);
}

static json_t *departing_save(const struct xo_worker *worker)
{
	(void)worker;
	return json_object();
}

/* It is never started: its end is expected. */
static const struct xo_worker_ops departing_ops = {
	.role = "departing",
	.program = "xenoptic-ring",
	.event = departing_event,
	.ended = departing_ended,
	.save = departing_save,
};

void xo_lending_ring_departs(struct xo_drives *drives, struct xo_worker *ring)
{
	xo_worker_hand_over(ring, &departing_ops, drives);
	/* It has let go of everything, or lies. */
	xo_worker_kill(ring);
}

int xo_lending_adopt(struct xo_drives *drives, const struct xo_worker_record *record)
{
	struct xo_worker *worker;
	int r = xo_worker_new(drives->workers, &departing_ops, record->name, drives, &worker);

	if (r)
		return r;
	r = xo_worker_adopt(worker, record);
	if (r)
		xo_worker_free(worker);
	else if (!worker->died)
		xo_worker_kill(worker);
	return r;
}

void xo_lending_settle(struct xo_drives *drives)
{
	struct xo_drive *drive;

	LIST_FOREACH (drive, &drives->list, entry) {
		end_loans(drives, drive, NULL);
		/* What it said while there was no launcher. */
		if (drive->lease && drive->worker)
			xo_lending_lease(drive);
	}
}

json_t *xo_lending_save(const struct xo_drive *drive)
{
	const struct xo_loan *loan;
	json_t *loans = json_array();

	LIST_FOREACH (loan, &drive->loans, entry)
		json_array_append_new(loans, json_pack("{s:i,s:s}", "link", (int)loan->link, "ring",
						       loan->ring));
	return loans;
}

void xo_lending_restore(struct xo_drive *drive, const json_t *loans)
{
	const json_t *saved;
	size_t i;

	json_array_foreach (loans, i, saved) {
		const char *ring = json_string_value(json_object_get(saved, "ring"));
		json_int_t link = json_integer_value(json_object_get(saved, "link"));
		struct xo_loan *loan = ring && link > 0 ? calloc(1, sizeof(*loan)) : NULL;

		if (!loan)
			continue;
		loan->link = (uint32_t)link;
		snprintf(loan->ring, sizeof(loan->ring), "%s", ring);
		LIST_INSERT_HEAD(&drive->loans, loan, entry);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loans: a ring worker that may have the descriptor of a drive, whose process has offered that for the link that
 * has the lease (base/drive_control.h). A loan ends with the worker's process only: what it says is not relied
 * on. Loans are written down before the descriptor is sent.
 */
#ifndef XO_BACKEND_LENDING_H
#define XO_BACKEND_LENDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "worker.h"

struct xo_attachment;
struct xo_drive;
struct xo_drives;

struct xo_loan {
	LIST_ENTRY(xo_loan) entry;
	uint32_t link;
	char ring[XO_WORKER_COOKIE_MAX]; /* the worker's cookie */
};
LIST_HEAD(xo_loans, xo_loan);

/* The drive's process has told of its lease: offers are passed on to the attachment's owner, and recalls met. */
void xo_lending_lease(struct xo_drive *drive);

/* Whether the drive is offered for this link. */
bool xo_lending_offered(const struct xo_attachment *attachment);

/* Writes the loan down. The descriptor to send, borrowed, or -errno. */
int xo_lending_begin(struct xo_attachment *attachment, const struct xo_worker *ring);

/* The drive's process has ended for good: whoever else has the drive ends as well, so that it can be opened again. */
void xo_lending_drive_ended(struct xo_drive *drive);

/* The process of that ring worker has ended; a successor has nothing. */
void xo_lending_ring_ended(struct xo_drives *drives, const struct xo_worker *ring);

/*
 * That ring worker has let go of the guest and ends. A command that it gave to a drive may keep its process for
 * minutes: until it is dead it is ours, and whose ring it was need not wait.
 */
void xo_lending_ring_departs(struct xo_drives *drives, struct xo_worker *ring);

/* One of those, of a former launcher. 0 or -errno. */
int xo_lending_adopt(struct xo_drives *drives, const struct xo_worker_record *record);

/* After the launcher was started again: loans to rings that are not there any more end. */
void xo_lending_settle(struct xo_drives *drives);

/* At the end of the launcher; they go on. */
void xo_lending_forget(struct xo_drive *drive);

json_t *xo_lending_save(const struct xo_drive *drive);
void xo_lending_restore(struct xo_drive *drive, const json_t *loans);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between drives.c, attachment.c and disc_control.c. */
#ifndef XO_BACKEND_DRIVES_PRIVATE_H
#define XO_BACKEND_DRIVES_PRIVATE_H

#include "drives.h"

#define XO_ADOPT_TIMEOUT_MS 5000
#define XO_DRIVE_RETRY_MS 250 /* between attempts to open a drive that is busy */

/* Does what the drive's state and its links ask for. */
void xo_drive_advance(struct xo_drive *drive);

/* Whether it may be lent (lending.h), by its kind and its configuration. */
bool xo_drive_lends(const struct xo_drive *drive);

/* Somebody is about to attach again. */
void xo_drive_linger(struct xo_drive *drive);

/* A timer that frees itself; it replaces one that is set. 0 or -ENOMEM. */
int xo_timer_new(uv_timer_t **timer, uv_loop_t *loop, uv_timer_cb expired, void *data,
		 unsigned int ms);
void xo_timer_free(uv_timer_t **timer);

/* unplugged.c: its device has left. */
void xo_drive_lost(struct xo_drive *drive);
/* A process that lives on says whether its device is gone; the former launcher knew otherwise, perhaps. */
void xo_drive_compare(struct xo_drive *drive, bool gone);
/* Looks whether it is there again. */
void xo_drive_look(struct xo_drive *drive);
/* Tells a process, or its successor, of the device that is there again, if one is. */
void xo_drive_give_back(struct xo_drive *drive);

/* host_view.c: starts what makes the host's view true; xo_drive_refreshed() follows. 0 or -errno. */
int xo_host_view_refresh(struct xo_drive *drive);
void xo_drive_refreshed(struct xo_drive *drive);

const char *xo_drive_short_name(const struct xo_drive *drive);

/* Discs that wait to be inserted or ejected, as far as that can be done now. */
void xo_drive_run_orders(struct xo_drive *drive);
void xo_drive_drop_orders(struct xo_drive *drive);
/* No successor will say whether the disc is in that its process was given when it died. */
void xo_drive_insert_lost(struct xo_drive *drive, const char *why);

/* A guest has opened the tray. If it was asked to, the disc that somebody wanted out is taken. */
void xo_drive_tray_opened(struct xo_drive *drive);

/* Saves what its process said last of the disc, if that waits. */
void xo_drive_save_disc(struct xo_drive *drive);

/* Sends "insert" with the disc that is open. */
int xo_drive_insert_disc(struct xo_drive *drive, bool again);

/* Sends "add-link" for the first time, and to a successor of the process. */
void xo_attachment_offer(struct xo_attachment *attachment);
void xo_attachment_offer_again(struct xo_attachment *attachment);

/* Tells the owner its end and forgets it. */
void xo_attachment_finish(struct xo_attachment *attachment, enum xo_attachment_event event,
			  const char *message);

void xo_attachment_free(struct xo_attachment *attachment);

/* For the launcher's successor, which takes it over with its descriptors. */
json_t *xo_attachment_save(const struct xo_attachment *attachment);
void xo_attachment_adopt(struct xo_drive *drive, const json_t *link);

/* What the drive's process works on (device or disc) is in the keeper as well from now on. */
void xo_drive_keep(struct xo_drive *drive);
/* … and no more: on return it is closed there. */
void xo_drive_unkeep(struct xo_drive *drive);

#endif

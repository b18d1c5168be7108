/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A drive that was unplugged while somebody is attached to it, and its return. Its process goes on
 * without a device, and gets the new one as soon as that is there under the drive's name.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/drive_control.h"
#include "base/log.h"
#include "base/loop.h"
#include "drives_private.h"

/*
 * Between looks at a drive whose node is still there but whose transport is not working (an iSCSI
 * session that is being recovered): the kernel tells nobody when that ends.
 */
#define TRANSPORT_MS 1000

static void look(struct xo_drive *drive);

static void timer_expired(uv_timer_t *timer)
{
	struct xo_drive *drive = timer->data;

	xo_timer_free(&drive->return_timer);
	look(drive);
}

static void look_later(struct xo_drive *drive, unsigned int ms)
{
	if (xo_timer_new(&drive->return_timer, drive->all->loop, timer_expired, drive, ms))
		xo_error("drive %s: out of memory; it stays unplugged", drive->name);
}

static void device_close(struct xo_drive *drive)
{
	if (drive->device.fd < 0)
		return;
	xo_drive_unkeep(drive);
	close(drive->device.fd);
	drive->device.fd = -1;
}

static void given_back(void *priv, const json_t *data, const char *error_class, const char *error,
		       int *fds, size_t count)
{
	struct xo_drive *drive = priv;

	(void)fds;
	(void)count;
	/* Unplugged again meanwhile; or the process died, and its successor is told. */
	if (drive->unplugged != XO_DRIVE_RETURNING ||
	    (!data && !strcmp(error_class, XO_WORKER_DIED)))
		return;
	if (!data) {
		xo_error("drive %s: is there again, but its process does not take it: %s",
			 drive->name, error);
		device_close(drive);
		drive->unplugged = XO_DRIVE_AWAY;
		return;
	}
	xo_notice("drive %s: is there again", drive->name);
	drive->unplugged = XO_DRIVE_PLUGGED;
	drive->all->event(drive->all->priv, drive->name, "drive-back", NULL);
}

void xo_drive_give_back(struct xo_drive *drive)
{
	const struct xo_optical_device *device = &drive->device;

	if (drive->unplugged != XO_DRIVE_RETURNING)
		return;
	if (xo_worker_command(drive->worker, XO_DRIVE_DEVICE,
			      json_pack("{s:s,s:I,s:I}", "path", drive->name, "max-transfer",
					(json_int_t)device->max_transfer, "max-segments",
					(json_int_t)device->max_segments),
			      &device->fd, 1, given_back, drive))
		look_later(drive, TRANSPORT_MS);
}

/* Is it there? Otherwise an event of udev comes when it is, unless a timer was set. */
static void look(struct xo_drive *drive)
{
	uint64_t patience = drive->all->config->open_timeout * UINT64_C(1000000000);
	char error[512];
	int r;

	if (drive->unplugged == XO_DRIVE_RETURNING && drive->device.fd >= 0) {
		xo_drive_give_back(drive);
		return;
	}
	if (drive->unplugged != XO_DRIVE_AWAY || drive->state != XO_DRIVE_RUNNING)
		return;
	r = xo_optical_device_online(drive->name);
	if (r == -EAGAIN)
		look_later(drive, TRANSPORT_MS);
	if (r)
		return;
	r = xo_optical_device_open(drive->name, &drive->device, error, sizeof(error));
	if (!r) {
		drive->unplugged = XO_DRIVE_RETURNING;
		xo_drive_keep(drive);
		xo_drive_give_back(drive);
	} else if (r == -EBUSY && xo_now_ns() - drive->returning_since < patience) {
		look_later(drive, XO_DRIVE_RETRY_MS); /* udev's cdrom_id and others */
	} else {
		xo_error("%s; plug it in again when that is done", error);
	}
}

void xo_drive_look(struct xo_drive *drive)
{
	drive->returning_since = xo_now_ns();
	xo_timer_free(&drive->return_timer);
	look(drive);
}

void xo_drive_lost(struct xo_drive *drive)
{
	if (drive->unplugged == XO_DRIVE_AWAY || drive->state != XO_DRIVE_RUNNING)
		return;
	xo_warning("drive %s: was unplugged; its guest gets it again when it is back", drive->name);
	device_close(drive);
	drive->unplugged = XO_DRIVE_AWAY;
	/* It may know already, and does when a command of the guest finds out first. */
	if (drive->worker->pid > 0)
		xo_worker_command(drive->worker, XO_DRIVE_UNPLUG, NULL, NULL, 0, NULL, NULL);
	xo_drive_look(drive);
}

void xo_drive_compare(struct xo_drive *drive, bool gone)
{
	if (gone && drive->unplugged == XO_DRIVE_PLUGGED) {
		drive->unplugged = XO_DRIVE_RETURNING;
		xo_drive_give_back(drive);
	} else if (!gone && drive->unplugged == XO_DRIVE_AWAY) {
		drive->unplugged = XO_DRIVE_PLUGGED;
		xo_drive_lost(drive);
	}
}

void xo_drives_hotplug(struct xo_drives *drives, const struct xo_hotplug_event *event)
{
	struct xo_drive *drive;

	LIST_FOREACH (drive, &drives->list, entry) {
		if (drive->is_virtual)
			continue;
		if (event->removed) {
			if (drive->device.fd >= 0 && drive->device.number == event->number)
				xo_drive_lost(drive);
		} else if (xo_hotplug_is(event, drive->name)) {
			if (drive->unplugged == XO_DRIVE_AWAY)
				xo_drive_look(drive);
			else if (drive->state == XO_DRIVE_OFF)
				drives->available(drives->priv, drive->name);
		}
	}
}

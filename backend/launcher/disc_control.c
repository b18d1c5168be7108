/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Discs put into and taken out of a drive from the host's side. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/drive_control.h"
#include "base/log.h"
#include "drives_private.h"

/* An answer on its way to who asked, with what is to be done first. */
struct disc_order {
	struct xo_drive *drive;
	struct xo_tray_disc disc; /* inserted: becomes the drive's */
	xo_worker_reply *reply;
	void *priv;
};

static const char *state_dir(const struct xo_drive *drive)
{
	return drive->all->config->state_dir;
}

static void order_free(struct disc_order *order)
{
	xo_tray_disc_fini(&order->disc);
	free(order);
}

static void reply_done(xo_worker_reply *reply, void *priv)
{
	json_t *nothing = json_object();

	if (reply)
		reply(priv, nothing, NULL, NULL, NULL, 0);
	json_decref(nothing);
}

static void order_reply(struct disc_order *order, const json_t *data, const char *error_class,
			const char *error)
{
	if (order->reply)
		order->reply(order->priv, data, error_class, error, NULL, 0);
	order_free(order);
}

static void inserted(void *priv, const json_t *data, const char *error_class, const char *error,
		     int *fds, size_t count)
{
	struct disc_order *order = priv;
	struct xo_drive *drive = order->drive;

	(void)fds;
	(void)count;
	if (data) {
		xo_tray_disc_fini(&drive->disc);
		drive->disc = order->disc;
		xo_tray_disc_init(&order->disc);
		xo_tray_write(state_dir(drive), xo_drive_short_name(drive), drive->disc.path,
			      drive->disc.read_only);
	} else {
		xo_warning("drive %s: disc %s not inserted: %s", drive->name, order->disc.path,
			   error);
	}
	order_reply(order, data, error_class, error);
}

static int send_disc(struct xo_drive *drive, const struct xo_tray_disc *disc, bool again,
		     xo_worker_reply *reply, void *priv)
{
	const int fds[2] = { disc->sectors_fd, disc->description_fd };

	return xo_worker_command(drive->worker, XO_DRIVE_INSERT, json_pack("{s:b}", "again", again),
				 fds, disc->description_fd < 0 ? 1 : 2, reply, priv);
}

static void tray_inserted(void *priv, const json_t *data, const char *error_class,
			  const char *error, int *fds, size_t count)
{
	struct xo_drive *drive = priv;

	(void)fds;
	(void)count;
	if (!data && strcmp(error_class, XO_WORKER_DIED) != 0)
		xo_error("drive %s: disc %s: %s; the tray is empty", drive->name,
			 drive->disc.path ? drive->disc.path : "(none)", error);
}

int xo_drive_insert_disc(struct xo_drive *drive, bool again, xo_worker_reply *reply, void *priv)
{
	if (again)
		xo_tray_disc_reopen_description(&drive->disc);
	return send_disc(drive, &drive->disc, again, reply ? reply : tray_inserted,
			 reply ? priv : drive);
}

static int insert_now(struct xo_drive *drive, struct disc_order *order)
{
	if (drive->state == XO_DRIVE_RUNNING && drive->worker->pid > 0)
		return send_disc(drive, &order->disc, false, inserted, order);
	/* Nobody uses the drive: the disc lies in its tray when somebody does. */
	return xo_tray_write(state_dir(drive), xo_drive_short_name(drive), order->disc.path,
			     order->disc.read_only);
}

static int tray_check(struct xo_drive *drive, bool empty, char *error, size_t size)
{
	bool read_only;
	char *path = NULL;
	int r;

	r = xo_tray_read(state_dir(drive), xo_drive_short_name(drive), &path, &read_only);
	if (!r && empty && path) {
		snprintf(error, size, "drive %s: the tray holds %s; eject it first", drive->name,
			 path);
		r = -EBUSY;
	} else if (!r && !empty && !path) {
		snprintf(error, size, "drive %s: there is no disc in it", drive->name);
		r = -ENOENT;
	}
	free(path);
	return r;
}

int xo_drive_insert(struct xo_drive *drive, const char *path, bool read_only,
		    xo_worker_reply *reply, void *priv, char *error, size_t size)
{
	struct disc_order *order;
	bool idle = drive->state == XO_DRIVE_OFF;
	int r;

	if (!drive->is_virtual) {
		snprintf(error, size, "drive %s: not virtual; put the disc in by hand",
			 drive->name);
		return -ENOTSUP;
	}
	r = tray_check(drive, true, error, size);
	if (r)
		return r;
	order = calloc(1, sizeof(*order));
	if (!order)
		return -ENOMEM;
	order->drive = drive;
	order->reply = reply;
	order->priv = priv;
	xo_tray_disc_init(&order->disc);
	r = xo_tray_disc_open(&order->disc, path, read_only, error, size);
	if (!r) {
		r = idle || drive->state == XO_DRIVE_RUNNING ? insert_now(drive, order) : -EAGAIN;
		if (r)
			snprintf(error, size, "drive %s: %s", drive->name,
				 r == -EAGAIN ? "it is just being opened or closed; try again"
					      : strerror(-r));
	}
	if (r || idle)
		order_free(order);
	if (!r && idle)
		reply_done(reply, priv);
	return r;
}

static void ejected(void *priv, const json_t *data, const char *error_class, const char *error,
		    int *fds, size_t count)
{
	struct disc_order *order = priv;
	struct xo_drive *drive = order->drive;

	(void)fds;
	(void)count;
	if (data && drive->is_virtual) {
		xo_tray_disc_fini(&drive->disc);
		xo_tray_write(state_dir(drive), xo_drive_short_name(drive), NULL, false);
	}
	order_reply(order, data, error_class, error);
}

int xo_drive_eject(struct xo_drive *drive, bool force, xo_worker_reply *reply, void *priv,
		   char *error, size_t size)
{
	struct disc_order *order;
	int r;

	if (drive->is_virtual) {
		r = tray_check(drive, false, error, size);
		if (r)
			return r;
	}
	if (drive->state == XO_DRIVE_OFF && drive->is_virtual) {
		r = xo_tray_write(state_dir(drive), xo_drive_short_name(drive), NULL, false);
		if (!r)
			reply_done(reply, priv);
		return r;
	}
	if (drive->state != XO_DRIVE_RUNNING) {
		snprintf(error, size, "drive %s: not in use by a guest; use eject(1)", drive->name);
		return -ENODEV;
	}
	order = calloc(1, sizeof(*order));
	if (!order)
		return -ENOMEM;
	order->drive = drive;
	order->reply = reply;
	order->priv = priv;
	xo_tray_disc_init(&order->disc);
	r = xo_worker_command(drive->worker, XO_DRIVE_EJECT, json_pack("{s:b}", "force", force),
			      NULL, 0, ejected, order);
	if (r) {
		snprintf(error, size, "drive %s: %s", drive->name, strerror(-r));
		free(order);
	}
	return r;
}

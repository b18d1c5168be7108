/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Discs put into and taken out of a drive from the host's side. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/drive_control.h"
#include "base/log.h"
#include "drives_private.h"

/* An answer on its way to who asked, with what is to be done first. */
struct disc_order {
	STAILQ_ENTRY(disc_order) entry;
	struct xo_drive *drive;
	bool force;
	struct xo_tray_disc disc; /* to be inserted: becomes the drive's; without a path: eject */
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

/* The link that has the lease; 0: none. */
static json_int_t holder(const struct xo_drive *drive)
{
	return json_integer_value(json_object_get(drive->lease, "link"));
}

static void order_reply(struct disc_order *order, const json_t *data, const char *error_class,
			const char *error)
{
	if (order->reply)
		order->reply(order->priv, data, error_class, error, NULL, 0);
	order_free(order);
}

/* The process has answered, or died: the next. */
static void order_done(struct disc_order *order, const json_t *data, const char *error_class,
		       const char *error)
{
	struct xo_drive *drive = order->drive;

	drive->ordering = false;
	order_reply(order, data, error_class, error);
	xo_drive_run_orders(drive);
}

/* What was to be in the tray is not, also by the record. */
static void forget_disc(struct xo_drive *drive)
{
	xo_drive_save_disc(drive);
	xo_drive_unkeep(drive);
	xo_tray_disc_fini(&drive->disc);
	xo_tray_write(state_dir(drive), xo_drive_short_name(drive), NULL, false);
}

static bool has_died(const json_t *data, const char *error_class)
{
	return !data && !strcmp(error_class, XO_WORKER_DIED);
}

static void insert_done(struct disc_order *order, const json_t *data, const char *error_class,
			const char *error)
{
	struct xo_drive *drive = order->drive;

	drive->inserting = NULL;
	if (!data) {
		xo_warning("drive %s: disc %s not inserted: %s", drive->name,
			   drive->disc.path ? drive->disc.path : "(none)", error);
		forget_disc(drive);
	}
	order_done(order, data, error_class, error);
}

static void inserted(void *priv, const json_t *data, const char *error_class, const char *error,
		     int *fds, size_t count)
{
	struct disc_order *order = priv;

	(void)fds;
	(void)count;
	/* It may have taken the disc: its successor knows, or xo_drive_insert_lost() ends it. */
	if (has_died(data, error_class) && order->drive->worker)
		order->drive->inserting = order;
	else
		insert_done(order, data, error_class, error);
}

static int send_disc(struct xo_drive *drive, bool again, xo_worker_reply *reply, void *priv)
{
	const int fds[2] = { drive->disc.sectors_fd, drive->disc.description_fd };

	return xo_worker_command(drive->worker, XO_DRIVE_INSERT, json_pack("{s:b}", "again", again),
				 fds, fds[1] < 0 ? 1 : 2, reply, priv);
}

static void tray_inserted(void *priv, const json_t *data, const char *error_class,
			  const char *error, int *fds, size_t count)
{
	struct xo_drive *drive = priv;

	(void)fds;
	(void)count;
	if (has_died(data, error_class))
		return; /* its successor is asked */
	if (drive->inserting) {
		insert_done(drive->inserting, data, error_class, error);
		return;
	}
	if (data)
		return;
	xo_error("drive %s: disc %s: %s; the tray is empty", drive->name,
		 drive->disc.path ? drive->disc.path : "(none)", error);
	/* A former launcher had recorded it and did not live to hear this. */
	if (!strcmp(error_class, XO_DRIVE_ERROR_BUSY))
		forget_disc(drive);
}

static void tray_inserted_again(void *priv, const json_t *data, const char *error_class,
				const char *error, int *fds, size_t count)
{
	struct xo_drive *drive = priv;

	/* The predecessor died before it had the disc. */
	if (!data && !strcmp(error_class, XO_DRIVE_ERROR_FAILED) && drive->disc.path &&
	    !send_disc(drive, false, tray_inserted, drive))
		return;
	tray_inserted(priv, data, error_class, error, fds, count);
}

int xo_drive_insert_disc(struct xo_drive *drive, bool again)
{
	xo_drive_save_disc(drive);
	if (again)
		xo_tray_disc_reopen_description(&drive->disc);
	return send_disc(drive, again, again ? tray_inserted_again : tray_inserted, drive);
}

/* Its file was deleted while no process had it open: the drive's next one would find the tray empty. */
static bool disc_is_gone(const struct xo_drive *drive, const char *path)
{
	return !drive->disc.path && access(path, F_OK) < 0 && errno == ENOENT;
}

/* The tray's record: what lies in it, also while nobody uses the drive. */
static int tray_check(struct xo_drive *drive, bool empty, char *error, size_t size)
{
	bool read_only;
	char *path = NULL;
	int r;

	r = xo_tray_read(state_dir(drive), xo_drive_short_name(drive), &path, &read_only);
	if (r) {
		snprintf(error, size, "drive %s: %s", drive->name, strerror(-r));
	} else if (empty && path && !disc_is_gone(drive, path)) {
		snprintf(error, size, "drive %s: the tray holds %s; eject it first", drive->name,
			 path);
		r = -EBUSY;
	} else if (!empty && !path) {
		snprintf(error, size, "drive %s: there is no disc in it", drive->name);
		r = -ENOENT;
	}
	free(path);
	return r;
}

static void ejected(void *priv, const json_t *data, const char *error_class, const char *error,
		    int *fds, size_t count)
{
	struct disc_order *order = priv;
	struct xo_drive *drive = order->drive;
	json_t *nothing = json_object();

	(void)fds;
	(void)count;
	if (!data && drive->is_virtual && !strcmp(error_class, XO_DRIVE_ERROR_BUSY))
		drive->eject_asked = holder(drive);
	/* What is recorded and never got in is out as well. */
	if (!data && drive->is_virtual && !strcmp(error_class, XO_DRIVE_ERROR_FAILED))
		data = nothing;
	if (data && drive->is_virtual)
		forget_disc(drive);
	order_done(order, data, error_class, error);
	json_decref(nothing);
}

/* Nobody uses the drive: only the record changes. */
static void order_record(struct disc_order *order)
{
	struct xo_drive *drive = order->drive;
	int r = xo_tray_write(state_dir(drive), xo_drive_short_name(drive), order->disc.path,
			      order->disc.read_only);
	json_t *nothing = json_object();

	order_reply(order, r ? NULL : nothing, "GenericError", strerror(-r));
	json_decref(nothing);
}

/*
 * On record before the process has it: if that dies, or the launcher, before it has answered, nobody else could give
 * the disc to a successor whose ledger says that it is in.
 */
static int order_insert(struct disc_order *order)
{
	struct xo_drive *drive = order->drive;
	int r;

	xo_tray_disc_fini(&drive->disc);
	drive->disc = order->disc;
	xo_tray_disc_init(&order->disc);
	xo_drive_keep(drive);
	r = xo_tray_write(state_dir(drive), xo_drive_short_name(drive), drive->disc.path,
			  drive->disc.read_only);
	if (!r)
		r = send_disc(drive, false, inserted, order);
	if (r)
		forget_disc(drive);
	return r;
}

static void order_run(struct disc_order *order)
{
	struct xo_drive *drive = order->drive;
	char error[512];
	int r = 0;

	if (drive->is_virtual)
		r = tray_check(drive, order->disc.path != NULL, error, sizeof(error));
	if (r) {
		order_reply(order, NULL, "GenericError", error);
		return;
	}
	if (drive->state == XO_DRIVE_OFF) {
		order_record(order);
		return;
	}
	if (order->disc.path)
		r = order_insert(order);
	else
		r = xo_worker_command(drive->worker, XO_DRIVE_EJECT,
				      json_pack("{s:b}", "force", order->force), NULL, 0, ejected,
				      order);
	if (r)
		order_reply(order, NULL, "GenericError", strerror(-r));
	else
		drive->ordering = true;
}

void xo_drive_run_orders(struct xo_drive *drive)
{
	/* One after the other: what the next finds in the tray is what the last has left there. Not while the drive is
	 * being opened or closed, and not when its process is being replaced. */
	while (!STAILQ_EMPTY(&drive->orders) && !drive->ordering &&
	       (drive->state == XO_DRIVE_OFF ||
		(drive->state == XO_DRIVE_RUNNING && drive->worker->pid > 0))) {
		struct disc_order *order = STAILQ_FIRST(&drive->orders);

		STAILQ_REMOVE_HEAD(&drive->orders, entry);
		order_run(order);
	}
}

void xo_drive_insert_lost(struct xo_drive *drive, const char *why)
{
	if (drive->inserting)
		insert_done(drive->inserting, NULL, XO_WORKER_DIED, why);
}

void xo_drive_drop_orders(struct xo_drive *drive)
{
	struct disc_order *inserting = drive->inserting;

	drive->inserting = NULL;
	if (inserting) /* the disc stays on record: its process goes on with it */
		order_reply(inserting, NULL, "GenericError", "the daemon ends");
	while (!STAILQ_EMPTY(&drive->orders)) {
		struct disc_order *order = STAILQ_FIRST(&drive->orders);

		STAILQ_REMOVE_HEAD(&drive->orders, entry);
		order_reply(order, NULL, "GenericError", "the daemon ends");
	}
}

static struct disc_order *order_new(struct xo_drive *drive, xo_worker_reply *reply, void *priv)
{
	struct disc_order *order = calloc(1, sizeof(*order));

	if (!order)
		return NULL;
	order->drive = drive;
	order->reply = reply;
	order->priv = priv;
	xo_tray_disc_init(&order->disc);
	return order;
}

void xo_drive_tray_opened(struct xo_drive *drive)
{
	bool asked = drive->eject_asked && drive->eject_asked == holder(drive);
	struct disc_order *order = asked ? order_new(drive, NULL, NULL) : NULL;

	drive->eject_asked = 0;
	if (!order)
		return;
	STAILQ_INSERT_TAIL(&drive->orders, order, entry);
	xo_drive_run_orders(drive);
}

int xo_drive_insert(struct xo_drive *drive, const char *path, bool read_only,
		    xo_worker_reply *reply, void *priv, char *error, size_t size)
{
	struct disc_order *order;
	int r;

	if (!drive->is_virtual) {
		snprintf(error, size, "drive %s: not virtual; put the disc in by hand",
			 drive->name);
		return -ENOTSUP;
	}
	order = order_new(drive, reply, priv);
	if (!order)
		return -ENOMEM;
	r = xo_tray_disc_open(&order->disc, path, read_only, error, size);
	if (r) {
		order_free(order);
		return r;
	}
	STAILQ_INSERT_TAIL(&drive->orders, order, entry);
	xo_drive_run_orders(drive);
	return 0;
}

int xo_drive_eject(struct xo_drive *drive, bool force, xo_worker_reply *reply, void *priv,
		   char *error, size_t size)
{
	struct disc_order *order;

	if (drive->state != XO_DRIVE_RUNNING && !drive->is_virtual) {
		snprintf(error, size, "drive %s: not in use by a guest; use eject(1)", drive->name);
		return -ENODEV;
	}
	order = order_new(drive, reply, priv);
	if (!order)
		return -ENOMEM;
	order->force = force;
	STAILQ_INSERT_TAIL(&drive->orders, order, entry);
	xo_drive_run_orders(drive);
	return 0;
}

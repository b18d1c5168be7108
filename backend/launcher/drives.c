/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drives: opened when somebody attaches, their process supervised, closed when the last has let go. */
#include "drives.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/drive_control.h"
#include "base/link.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/worker.h"
#include "drives_private.h"
#include "trace.h"

#define LINGER_MS 1000
#define SAVE_MS 250
#define VIRTUAL_PREFIX "virtual:"

const char *xo_drive_state_name(enum xo_drive_state state)
{
	static const char *const names[] = {
		[XO_DRIVE_OFF] = "unused",	   [XO_DRIVE_OPENING] = "opening",
		[XO_DRIVE_RUNNING] = "running",	   [XO_DRIVE_STOPPING] = "closing",
		[XO_DRIVE_REFRESHING] = "closing",
	};

	return names[state];
}

void xo_drives_init(struct xo_drives *drives, uv_loop_t *loop, const struct xo_config *config,
		    struct xo_workers *workers)
{
	drives->loop = loop;
	drives->config = config;
	drives->workers = workers;
	drives->next_link = 1;
	LIST_INIT(&drives->list);
}

static void handle_free(uv_handle_t *handle)
{
	free(handle);
}

void xo_timer_free(uv_timer_t **timer)
{
	if (*timer)
		uv_close((uv_handle_t *)*timer, handle_free);
	*timer = NULL;
}

int xo_timer_new(uv_timer_t **timer, uv_loop_t *loop, uv_timer_cb expired, void *data,
		 unsigned int ms)
{
	uv_timer_t *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	xo_timer_free(timer);
	uv_timer_init(loop, t);
	t->data = data;
	*timer = t;
	return uv_timer_start(t, expired, ms, 0);
}

static void timer_stop(struct xo_drive *drive)
{
	xo_timer_free(&drive->timer);
	drive->lingering = false;
}

void xo_drive_keep(struct xo_drive *drive)
{
	xo_keeper_put_one(drive->all->workers->keeper,
			  drive->is_virtual ? drive->disc.sectors_fd : drive->device.fd,
			  "medium %s", drive->name);
}

void xo_drive_unkeep(struct xo_drive *drive)
{
	xo_keeper_drop_one(drive->all->workers->keeper, "medium %s", drive->name);
}

void xo_drive_save_disc(struct xo_drive *drive)
{
	struct xo_description *described = &drive->described;
	int r;

	xo_timer_free(&described->timer);
	if (described->fd < 0)
		return;
	r = xo_tray_disc_save(&drive->disc, described->fd, described->length);
	if (r)
		xo_log_limited(XO_LOG_ERROR,
			       "drive %s: the description of disc %s cannot be saved: %s",
			       drive->name, drive->disc.path ? drive->disc.path : "(none)",
			       strerror(-r));
	close(described->fd);
	described->fd = -1;
	described->saved = xo_now_ns();
}

static void drive_close(struct xo_drive *drive)
{
	xo_drive_save_disc(drive);
	xo_drive_unkeep(drive);
	if (drive->device.fd >= 0) {
		xo_optical_device_flush(drive->device.fd);
		close(drive->device.fd);
	}
	drive->device = (struct xo_optical_device){ .fd = -1 };
	xo_tray_disc_fini(&drive->disc);
	json_decref(drive->lease);
	drive->lease = NULL;
	drive->unplugged = XO_DRIVE_PLUGGED;
	xo_timer_free(&drive->return_timer);
	timer_stop(drive);
}

void xo_drives_fini(struct xo_drives *drives)
{
	while (!LIST_EMPTY(&drives->list)) {
		struct xo_drive *drive = LIST_FIRST(&drives->list);

		xo_trace_end(drive);
		while (!LIST_EMPTY(&drive->links))
			xo_attachment_free(LIST_FIRST(&drive->links));
		xo_lending_forget(drive);
		xo_worker_free(drive->worker);
		xo_drive_drop_orders(drive);
		drive->worker = NULL;
		timer_stop(drive);
		xo_timer_free(&drive->return_timer);
		if (drive->refresher)
			drive->refresher->data = NULL;
		if (drive->device.fd >= 0)
			close(drive->device.fd);
		xo_drive_save_disc(drive);
		xo_tray_disc_fini(&drive->disc);
		json_decref(drive->lease);
		LIST_REMOVE(drive, entry);
		free(drive);
	}
}

struct xo_drive *xo_drives_find(struct xo_drives *drives, const char *name)
{
	struct xo_drive *drive;

	LIST_FOREACH (drive, &drives->list, entry)
		if (!strcmp(drive->name, name))
			return drive;
	return NULL;
}

struct xo_drive *xo_drives_get(struct xo_drives *drives, const char *name)
{
	struct xo_drive *drive = xo_drives_find(drives, name);

	if (drive || strlen(name) > XO_DRIVE_NAME_MAX)
		return drive;
	drive = calloc(1, sizeof(*drive));
	if (!drive)
		return NULL;
	drive->all = drives;
	drive->is_virtual = !strncmp(name, VIRTUAL_PREFIX, sizeof(VIRTUAL_PREFIX) - 1);
	drive->device.fd = -1;
	drive->described.fd = -1;
	xo_tray_disc_init(&drive->disc);
	strcpy(drive->name, name);
	LIST_INIT(&drive->links);
	STAILQ_INIT(&drive->orders);
	LIST_INSERT_HEAD(&drives->list, drive, entry);
	return drive;
}

const char *xo_drive_short_name(const struct xo_drive *drive)
{
	if (drive->is_virtual)
		return drive->name + sizeof(VIRTUAL_PREFIX) - 1;
	return strrchr(drive->name, '/') + 1;
}

/* Everybody who asked for the drive hears why it is not to be had. */
static void refuse_all(struct xo_drive *drive, enum xo_attachment_event event, const char *message)
{
	struct xo_attachment *attachment;
	struct xo_attachment *next;

	for (attachment = LIST_FIRST(&drive->links); attachment; attachment = next) {
		next = LIST_NEXT(attachment, entry);
		xo_attachment_finish(
			attachment,
			attachment->state == XO_ATTACHMENT_LEAVING ? XO_DETACHED : event, message);
	}
}

static int tray_load(struct xo_drive *drive, char *error, size_t size)
{
	bool read_only;
	char *path;
	int r = xo_tray_read(drive->all->config->state_dir, xo_drive_short_name(drive), &path,
			     &read_only);

	if (r) {
		snprintf(error, size, "drive %s: what lies in its tray cannot be read: %s",
			 drive->name, strerror(-r));
		return r;
	}
	/* A disc that is gone leaves an empty tray: the guest starts all the same. */
	if (path && xo_tray_disc_open(&drive->disc, path, read_only, error, size))
		xo_warning("drive %s: %s; the tray is empty", drive->name, error);
	free(path);
	return 0;
}

static void drive_start(struct xo_drive *drive)
{
	int r = 0;

	timer_stop(drive);
	xo_drive_keep(drive);
	if (!drive->worker)
		r = xo_worker_new(drive->all->workers, &xo_drive_worker_ops, drive->name, drive,
				  &drive->worker);
	drive->state = XO_DRIVE_RUNNING;
	if (!r)
		r = xo_worker_start(drive->worker);
	if (!r)
		return;
	xo_worker_free(drive->worker);
	drive->worker = NULL;
	drive->state = XO_DRIVE_OFF;
	drive_close(drive);
	refuse_all(drive, XO_ATTACH_FAILED, "the drive's process cannot be started; see the log");
}

static void timer_expired(uv_timer_t *timer)
{
	struct xo_drive *drive = timer->data;

	timer_stop(drive);
	xo_drive_advance(drive);
}

static int timer_start(struct xo_drive *drive, unsigned int ms)
{
	timer_stop(drive);
	return xo_timer_new(&drive->timer, drive->all->loop, timer_expired, drive, ms);
}

void xo_drive_linger(struct xo_drive *drive)
{
	if (drive->state == XO_DRIVE_RUNNING && !timer_start(drive, LINGER_MS))
		drive->lingering = true;
}

static bool wanted(const struct xo_drive *drive)
{
	return !LIST_EMPTY(&drive->links);
}

static void drive_open(struct xo_drive *drive)
{
	uint64_t patience = drive->all->config->open_timeout * UINT64_C(1000000000);
	char error[512];
	int r;

	if (drive->state == XO_DRIVE_OFF)
		drive->opening_since = xo_now_ns();
	drive->state = XO_DRIVE_OPENING;
	r = drive->is_virtual
		    ? tray_load(drive, error, sizeof(error))
		    : xo_optical_device_open(drive->name, &drive->device, error, sizeof(error));
	/* udev's cdrom_id and udisks hold every drive for a moment. */
	if (r == -EBUSY && xo_now_ns() - drive->opening_since < patience &&
	    !timer_start(drive, XO_DRIVE_RETRY_MS))
		return;
	if (!r) {
		drive_start(drive);
		return;
	}
	drive->state = XO_DRIVE_OFF;
	drive_close(drive);
	refuse_all(drive, XO_ATTACH_FAILED, error);
}

/* What the last guest left is undone: only now is the end of the process none that a successor must make good. */
static void shut_down(void *priv, const json_t *data, const char *error_class, const char *error,
		      int *fds, size_t count)
{
	struct xo_drive *drive = priv;

	(void)fds;
	(void)count;
	if (data) {
		xo_drive_save_disc(drive);
		xo_worker_expect_end(drive->worker);
	} else if (strcmp(error_class, XO_WORKER_DIED) != 0) {
		xo_error("drive %s: its process does not end: %s; it is killed", drive->name,
			 error);
		xo_worker_kill(drive->worker);
	}
}

static void send_shutdown(struct xo_drive *drive)
{
	int r = xo_worker_command(drive->worker, XO_DRIVE_SHUTDOWN, NULL, NULL, 0, shut_down,
				  drive);

	if (r && r != -EPIPE) /* that one is dead, and its successor is asked */
		xo_worker_kill(drive->worker);
}

static void drive_stop(struct xo_drive *drive)
{
	drive->state = XO_DRIVE_STOPPING;
	drive->all->workers->changed(drive->all->workers);
	send_shutdown(drive);
}

static bool came_back(const struct xo_drive *drive)
{
	const struct xo_attachment *attachment;

	LIST_FOREACH (attachment, &drive->links, entry)
		if (attachment->state != XO_ATTACHMENT_LEAVING)
			return true;
	return false;
}

static void offer_all(struct xo_drive *drive)
{
	struct xo_attachment *attachment;
	struct xo_attachment *next;

	for (attachment = LIST_FIRST(&drive->links); attachment; attachment = next) {
		next = LIST_NEXT(attachment, entry);
		if (attachment->state == XO_ATTACHMENT_WAITING)
			xo_attachment_offer(attachment);
	}
}

void xo_drive_advance(struct xo_drive *drive)
{
	switch (drive->state) {
	case XO_DRIVE_OFF:
		if (wanted(drive))
			drive_open(drive);
		break;
	case XO_DRIVE_OPENING:
		if (!drive->timer && wanted(drive)) {
			drive_open(drive);
		} else if (!wanted(drive)) {
			drive->state = XO_DRIVE_OFF;
			drive_close(drive);
		}
		break;
	case XO_DRIVE_RUNNING:
		offer_all(drive);
		if (drive->lingering && came_back(drive))
			timer_stop(drive);
		if (!wanted(drive) && !drive->lingering)
			drive_stop(drive);
		break;
	case XO_DRIVE_STOPPING:
	case XO_DRIVE_REFRESHING:
		break; /* until a process has ended */
	}
	xo_drive_run_orders(drive);
}

void xo_drive_refreshed(struct xo_drive *drive)
{
	drive->state = XO_DRIVE_OFF;
	xo_drive_advance(drive);
	if (drive->state == XO_DRIVE_OFF)
		drive->all->available(drive->all->priv, drive->name);
}

/* The drive's process has ended and none follows. */
static void worker_ended(struct xo_worker *worker, const char *why)
{
	struct xo_drive *drive = worker->priv;
	bool closing = drive->state == XO_DRIVE_STOPPING;
	bool refresh = drive->device.fd >= 0;
	char message[512];

	xo_drive_save_disc(drive); /* while its ledger is there */
	xo_worker_free(worker);
	drive->worker = NULL;
	xo_lending_drive_ended(drive);
	drive->state = XO_DRIVE_OFF;
	xo_drive_insert_lost(drive, why ? why : "the drive is closed");
	drive_close(drive);
	drive->state = refresh && !xo_host_view_refresh(drive) ? XO_DRIVE_REFRESHING : XO_DRIVE_OFF;
	if (why && closing) { /* who waits for it gets another process */
		xo_error("drive %s: %s: what its last guest left was not undone; look for a locked "
			 "door and a disc that is not closed",
			 drive->name, why);
	} else if (why) {
		snprintf(message, sizeof(message), "drive %s: %s", drive->name, why);
		refuse_all(drive, XO_ATTACHMENT_LOST, message);
	}
	xo_drive_advance(drive);
	if (drive->state == XO_DRIVE_OFF && (!why || closing))
		drive->all->available(drive->all->priv, drive->name);
}

bool xo_drive_lends(const struct xo_drive *drive)
{
	const struct xo_drive_config *own = xo_config_drive(drive->all->config, drive->name);

	return !drive->is_virtual && !(own && own->never_lend);
}

static void add_configured(const struct xo_drive_config *config, struct xo_spawn *spawn)
{
	for (size_t i = 0; i < config->allow_count; i++) {
		xo_spawn_arg(spawn, "--allow");
		xo_spawn_arg(spawn, "%s", config->allow[i]);
	}
	const struct {
		const char *option;
		const char *value;
	} texts[] = {
		{ "--speed", config->speed },	  { "--buffer", config->buffer },
		{ "--delay", config->delay },	  { "--fault", config->fault },
		{ "--poll-ms", config->poll_ms },
	};
	for (size_t i = 0; i < XO_ARRAY_SIZE(texts); i++) {
		if (!texts[i].value)
			continue;
		xo_spawn_arg(spawn, "%s", texts[i].option);
		xo_spawn_arg(spawn, "%s", texts[i].value);
	}
	if (config->trace && !strcmp(config->trace, "yes"))
		xo_spawn_arg(spawn, "--trace");
}

static void add_device(const struct xo_drive *drive, struct xo_spawn *spawn)
{
	if (drive->unplugged) {
		xo_spawn_arg(spawn, "--unplugged");
	} else {
		xo_spawn_arg(spawn, "--device");
		xo_spawn_arg(spawn, "%d", xo_spawn_fd(spawn, drive->device.fd));
	}
	xo_spawn_arg(spawn, "--path");
	xo_spawn_arg(spawn, "%s", drive->name);
	if (drive->device.max_transfer) {
		xo_spawn_arg(spawn, "--max-transfer");
		xo_spawn_arg(spawn, "%u", drive->device.max_transfer);
	}
	if (drive->device.max_segments) {
		xo_spawn_arg(spawn, "--max-segments");
		xo_spawn_arg(spawn, "%u", drive->device.max_segments);
	}
}

static void worker_build(struct xo_worker *worker, struct xo_spawn *spawn)
{
	const struct xo_drive *drive = worker->priv;
	const struct xo_config *config = drive->all->config;
	const struct xo_drive_config *own = xo_config_drive(config, drive->name);

	xo_spawn_arg(spawn, "--name");
	xo_spawn_arg(spawn, "%s", xo_drive_short_name(drive));
	if (drive->is_virtual)
		xo_spawn_arg(spawn, "--burner");
	else
		add_device(drive, spawn);
	xo_spawn_arg(spawn, "--mode");
	xo_spawn_arg(spawn, "%s", own && own->read_only ? "ro" : "rw");
	xo_spawn_arg(spawn, "--user");
	xo_spawn_arg(spawn, "%s", config->user);
	xo_spawn_arg(spawn, "--log");
	xo_spawn_arg(spawn, "%u", config->log_level);
	if (own)
		add_configured(own, spawn);
}

/* Also for a successor: its ledger knows the links and the disc, it needs the descriptors. */
static void worker_started(struct xo_worker *worker)
{
	struct xo_drive *drive = worker->priv;
	struct xo_attachment *attachment;

	xo_trace_started(drive);
	if (drive->disc.path)
		xo_drive_insert_disc(drive, worker->starts > 1);
	xo_drive_give_back(drive);
	LIST_FOREACH (attachment, &drive->links, entry)
		if (attachment->state != XO_ATTACHMENT_WAITING)
			xo_attachment_offer_again(attachment);
	if (drive->state == XO_DRIVE_STOPPING)
		send_shutdown(drive);
	xo_drive_advance(drive);
}

static void lease_changed(struct xo_drive *drive, const json_t *data)
{
	const char *state = json_string_value(json_object_get(data, "state"));

	json_decref(drive->lease);
	drive->lease = json_deep_copy(data);
	drive->all->workers->changed(drive->all->workers);
	xo_lending_lease(drive);
	if (!state || strcmp(state, "none") != 0)
		return;
	if (drive->device.fd >= 0)
		xo_optical_device_flush(drive->device.fd);
	drive->all->available(drive->all->priv, drive->name);
}

static void link_closed(struct xo_drive *drive, const json_t *data)
{
	json_int_t id = json_integer_value(json_object_get(data, "link"));
	const char *reason = json_string_value(json_object_get(data, "reason"));
	struct xo_attachment *attachment;

	LIST_FOREACH (attachment, &drive->links, entry)
		if (attachment->id == id)
			break;
	if (!attachment || attachment->state == XO_ATTACHMENT_LEAVING)
		return;
	xo_warning("drive %s: link %u of %s is closed: %s", drive->name, attachment->id,
		   attachment->name, reason ? reason : "no reason given");
	xo_attachment_lose(attachment, reason ? reason : "the link is closed");
}

static void save_expired(uv_timer_t *timer)
{
	xo_drive_save_disc(timer->data);
}

/*
 * A guest may open and close the tray, or end tracks, without a pause, and each save is two fsync() in the launcher's
 * only loop. What waits here is not lost with the launcher: the next one asks the process for it, and a process that
 * died as well has it in its ledger, which outlives it until "shutdown" or "eject" is answered. Then nothing waits.
 */
static void take_description(struct xo_drive *drive, const json_t *data, int *fds, size_t count)
{
	struct xo_description *described = &drive->described;
	json_int_t length = json_integer_value(json_object_get(data, "length"));
	uint64_t since = xo_now_ns() - described->saved;

	if (count < 1 || fds[0] < 0 || length <= 0) {
		xo_error("drive %s: the description of disc %s did not come", drive->name,
			 drive->disc.path ? drive->disc.path : "(none)");
		return;
	}
	if (described->fd >= 0)
		close(described->fd);
	described->fd = fds[0];
	described->length = (size_t)length;
	fds[0] = -1;
	if (drive->ordering || since >= SAVE_MS * UINT64_C(1000000) ||
	    (!described->timer &&
	     xo_timer_new(&described->timer, drive->all->loop, save_expired, drive, SAVE_MS)))
		xo_drive_save_disc(drive);
}

static void worker_event(struct xo_worker *worker, const char *event, const json_t *data, int *fds,
			 size_t count)
{
	struct xo_drive *drive = worker->priv;

	if (!strcmp(event, XO_DRIVE_EVENT_DESCRIPTION))
		take_description(drive, data, fds, count);
	else if (!strcmp(event, XO_DRIVE_EVENT_LEASE))
		lease_changed(drive, data);
	else if (!strcmp(event, XO_DRIVE_EVENT_LINK_CLOSED))
		link_closed(drive, data);
	else if (!strcmp(event, XO_DRIVE_EVENT_TRAY) && json_is_true(json_object_get(data, "open")))
		xo_drive_tray_opened(drive);
	else if (!strcmp(event, XO_DRIVE_EVENT_GONE) && drive->unplugged == XO_DRIVE_PLUGGED)
		xo_drive_lost(drive);
	if (strcmp(event, XO_DRIVE_EVENT_DESCRIPTION) != 0)
		drive->all->event(drive->all->priv, drive->name, event, data);
}

/* For the successor of the launcher. */
static json_t *worker_save(const struct xo_worker *worker)
{
	const struct xo_drive *drive = worker->priv;
	const struct xo_attachment *attachment;
	json_t *links = json_array();

	LIST_FOREACH (attachment, &drive->links, entry)
		json_array_append_new(links, xo_attachment_save(attachment));
	return json_pack("{s:I,s:I,s:I,s:b,s:o,s:o,s:O?}", "max-transfer",
			 (json_int_t)drive->device.max_transfer, "max-segments",
			 (json_int_t)drive->device.max_segments, "eject-asked", drive->eject_asked,
			 "closing", drive->state == XO_DRIVE_STOPPING, "links", links, "loans",
			 xo_lending_save(drive), "lease", drive->lease);
}

const struct xo_worker_ops xo_drive_worker_ops = {
	.role = "drive",
	.program = "xenoptic-drive",
	.ledger_region = XO_DRIVE_REGION_SIZE,
	.build = worker_build,
	.started = worker_started,
	.event = worker_event,
	.ended = worker_ended,
	.save = worker_save,
};

/* What the process works on. The disc's sector file may have another name by now. */
static int adopt_medium(struct xo_drive *drive, const json_t *config)
{
	int fd = xo_keeper_get_one(drive->all->workers->keeper, "medium %s", drive->name);

	if (!drive->is_virtual) {
		if (xo_optical_device_adopt(&drive->device, fd))
			return -ENOTBLK;
		drive->device.max_transfer =
			(unsigned int)json_integer_value(json_object_get(config, "max-transfer"));
		drive->device.max_segments =
			(unsigned int)json_integer_value(json_object_get(config, "max-segments"));
		drive->unplugged = fd < 0 ? XO_DRIVE_AWAY : XO_DRIVE_PLUGGED;
		return 0;
	}
	drive->eject_asked = json_integer_value(json_object_get(config, "eject-asked"));
	if (fd >= 0 && drive->disc.path) {
		close(drive->disc.sectors_fd);
		drive->disc.sectors_fd = fd;
		xo_drive_keep(drive);
	} else if (fd >= 0) {
		close(fd);
		xo_drive_unkeep(drive);
	}
	return 0;
}

static bool has_open(const json_t *query, uint32_t id)
{
	const json_t *link;
	size_t i;

	json_array_foreach (json_object_get(query, "links"), i, link)
		if (json_integer_value(json_object_get(link, "link")) == id)
			return json_is_true(json_object_get(link, "open"));
	return false;
}

/* Of a process that lives: what it has, and what the former launcher did not come to give it. */
static void adopt_process(struct xo_drive *drive)
{
	json_t *query = xo_worker_ask(drive->worker, XO_DRIVE_QUERY, XO_ADOPT_TIMEOUT_MS);
	struct xo_attachment *attachment;

	if (!query) {
		if (!drive->worker
			     ->died) /* it is being killed, or hangs: its successor has its ledger */
			xo_worker_replace(drive->worker);
		return;
	}
	drive->worker->ready = json_is_true(json_object_get(query, "ready"));
	json_decref(drive->lease); /* an event may have come first */
	drive->lease = json_deep_copy(json_object_get(query, "lease"));
	if (drive->disc.path && !json_is_true(json_object_get(query, "disc")))
		xo_drive_insert_disc(drive, true);
	if (!drive->is_virtual)
		xo_drive_compare(drive, json_is_true(json_object_get(query, "gone")));
	LIST_FOREACH (attachment, &drive->links, entry)
		if (attachment->state == XO_ATTACHMENT_HELD && !has_open(query, attachment->id))
			xo_attachment_offer_again(attachment);
	/* The former one may have died before it had written down what it was told of the disc. */
	if (drive->is_virtual && json_is_true(json_object_get(query, "disc")))
		xo_worker_command(drive->worker, XO_DRIVE_QUERY_DESCRIPTION, NULL, NULL, 0, NULL,
				  NULL);
	/* The former one may have died before it had said so, or the answer would go to it. */
	if (drive->state == XO_DRIVE_STOPPING)
		send_shutdown(drive);
	json_decref(query);
}

int xo_drives_adopt(struct xo_drives *drives, const struct xo_worker_record *record)
{
	struct xo_drive *drive = xo_drives_get(drives, record->name);
	const json_t *link;
	char error[512];
	size_t i;
	int r;

	if (!drive || drive->worker)
		return -EEXIST;
	r = xo_worker_new(drives->workers, &xo_drive_worker_ops, record->name, drive,
			  &drive->worker);
	if (r)
		return r;
	/* "stopping": the former launcher had heard that it was shut down, or was one that did not wait for that. */
	drive->state = record->stopping || json_is_true(json_object_get(record->config, "closing"))
			       ? XO_DRIVE_STOPPING
			       : XO_DRIVE_RUNNING;
	if (drive->is_virtual) /* before its first event: that may be a description to save */
		tray_load(drive, error, sizeof(error));
	drive->lease = json_deep_copy(json_object_get(record->config, "lease"));
	xo_lending_restore(drive, json_object_get(record->config, "loans"));
	r = xo_worker_adopt(drive->worker, record);
	if (!r)
		r = adopt_medium(drive, record->config);
	if (!r)
		json_array_foreach (json_object_get(record->config, "links"), i, link)
			xo_attachment_adopt(drive, link);
	if (!r && !drive->worker->died)
		adopt_process(drive);
	if (!r)
		return 0;
	xo_worker_kill(drive->worker);
	xo_worker_free(drive->worker);
	drive->worker = NULL;
	drive->state = XO_DRIVE_OFF;
	while (!LIST_EMPTY(&drive->links))
		xo_attachment_free(LIST_FIRST(&drive->links));
	drive_close(drive);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attachments: the links of a drive, made here, offered to its process, and found again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/drive_control.h"
#include "base/link.h"
#include "base/log.h"
#include "base/point.h"
#include "drives_private.h"
#include "points.h"

static void fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* As the keeper has them. */
static void kept_names(const struct xo_attachment *attachment, struct xo_kept kept[3])
{
	static const char *const what[3] = { "client", "server", "arena" };

	for (unsigned int i = 0; i < 3; i++)
		snprintf(kept[i].name, sizeof(kept[i].name), "link %u %s", attachment->id, what[i]);
	kept[0].fd = attachment->client_fd;
	kept[1].fd = attachment->server_fd;
	kept[2].fd = attachment->arena_fd;
}

void xo_attachment_free(struct xo_attachment *attachment)
{
	struct xo_workers *workers = attachment->drive->all->workers;
	struct xo_kept kept[3];

	LIST_REMOVE(attachment, entry);
	workers->changed(workers);
	kept_names(attachment, kept);
	xo_keeper_drop(workers->keeper, kept, XO_ARRAY_SIZE(kept));
	fd_close(attachment->client_fd);
	fd_close(attachment->server_fd);
	fd_close(attachment->arena_fd);
	free(attachment);
}

void xo_attachment_finish(struct xo_attachment *attachment, enum xo_attachment_event event,
			  const char *message)
{
	xo_attachment_callback *callback = attachment->callback;
	void *priv = attachment->priv;

	xo_attachment_free(attachment);
	if (callback)
		callback(priv, event, message);
}

static struct xo_attachment *attachment_alloc(struct xo_drive *drive)
{
	struct xo_attachment *attachment = calloc(1, sizeof(*attachment));

	if (!attachment)
		return NULL;
	attachment->drive = drive;
	attachment->client_fd = -1;
	attachment->server_fd = -1;
	attachment->arena_fd = -1;
	LIST_INSERT_HEAD(&drive->links, attachment, entry);
	return attachment;
}

struct xo_attachment *xo_attachment_new(struct xo_drives *drives, const char *name,
					const struct xo_attachment_request *request,
					xo_attachment_callback *callback, void *priv)
{
	struct xo_drive *drive = xo_drives_get(drives, name);
	struct xo_attachment *attachment;
	struct xo_kept kept[3];
	int fds[2];

	if (!drive || drives->next_link > XO_DRIVE_LINK_ID_MAX)
		return NULL;
	attachment = attachment_alloc(drive);
	if (!attachment)
		return NULL;
	attachment->id = drives->next_link++;
	attachment->domid = request->domid;
	attachment->read_only = request->read_only;
	attachment->lend = request->lend && xo_drive_lends(drive);
	attachment->slots = request->slots;
	attachment->slot_size = request->slot_size;
	attachment->callback = callback;
	attachment->priv = priv;
	snprintf(attachment->name, sizeof(attachment->name), "%s", request->name);
	snprintf(attachment->uuid, sizeof(attachment->uuid), "%s", request->uuid);
	snprintf(attachment->path, sizeof(attachment->path), "%s", request->path);
	if (xo_link_create(request->slots, request->slot_size, fds, &attachment->arena_fd)) {
		xo_attachment_free(attachment);
		return NULL;
	}
	attachment->client_fd = fds[0];
	attachment->server_fd = fds[1];
	kept_names(attachment, kept);
	xo_keeper_put(drives->workers->keeper, kept, XO_ARRAY_SIZE(kept));
	drives->workers->changed(drives->workers); /* the number is used */
	xo_point(XO_POINT_LINKED);
	xo_drive_advance(drive);
	return attachment;
}

/* Finds a link again when an answer about it comes: it may be gone by then. */
struct reference {
	struct xo_drive *drive;
	uint32_t id;
};

static struct reference *reference_new(const struct xo_attachment *attachment)
{
	struct reference *reference = malloc(sizeof(*reference));

	if (reference)
		*reference = (struct reference){ attachment->drive, attachment->id };
	return reference;
}

static struct xo_attachment *reference_take(void *priv)
{
	struct reference *reference = priv;
	struct xo_attachment *attachment;

	LIST_FOREACH (attachment, &reference->drive->links, entry)
		if (attachment->id == reference->id)
			break;
	free(reference);
	return attachment;
}

/* "drive /dev/sr0: in use by guest web (domain 3)" */
static void say_holder(const struct xo_drive *drive, char *text, size_t size)
{
	const json_t *lease = drive->lease;
	const char *name = json_string_value(json_object_get(lease, "name"));
	json_int_t domid = json_integer_value(json_object_get(lease, "domid"));

	if (name)
		snprintf(text, size, "drive %s: in use by guest %s (domain %d)", drive->name, name,
			 (int)domid);
	else
		snprintf(text, size, "drive %s: in use by another guest", drive->name);
}

static void removed(void *priv, const json_t *data, const char *error_class, const char *error,
		    int *fds, size_t count)
{
	struct reference *reference = priv;
	struct xo_drive *drive = reference->drive;
	struct xo_attachment *attachment;

	(void)error;
	(void)fds;
	(void)count;
	if (!data && !strcmp(error_class, XO_WORKER_DIED) && drive->worker) {
		free(reference); /* asked again at its successor, see offer_again */
		return;
	}
	/* Whoever waited for the guest to let go may look at the disc now. */
	xo_drive_save_disc(drive);
	attachment = reference_take(priv);
	if (attachment && attachment->again)
		xo_drive_linger(drive);
	if (attachment)
		xo_attachment_finish(attachment, XO_DETACHED, NULL);
	xo_drive_advance(drive);
}

static void send_remove(struct xo_attachment *attachment)
{
	struct xo_drive *drive = attachment->drive;
	struct reference *reference = reference_new(attachment);
	int r = -ENOMEM;

	attachment->state = XO_ATTACHMENT_LEAVING;
	drive->all->workers->changed(drive->all->workers);
	if (reference)
		r = xo_worker_command(drive->worker, XO_DRIVE_REMOVE_LINK,
				      json_pack("{s:i,s:b}", "link", (int)attachment->id, "force",
						1),
				      NULL, 0, removed, reference);
	if (r) {
		free(reference);
		xo_attachment_finish(attachment, XO_DETACHED, NULL);
	}
}

/* The process does not know it (any more), or it never ran. */
static bool process_knows(const struct xo_attachment *attachment)
{
	return attachment->drive->state == XO_DRIVE_RUNNING && attachment->drive->worker &&
	       attachment->drive->worker->pid > 0 && attachment->state != XO_ATTACHMENT_WAITING;
}

void xo_attachment_drop(struct xo_attachment *attachment, bool again)
{
	struct xo_drive *drive = attachment->drive;

	if (attachment->state == XO_ATTACHMENT_LEAVING)
		return;
	attachment->again = again;
	if (process_knows(attachment)) {
		send_remove(attachment);
		return;
	}
	xo_attachment_finish(attachment, XO_DETACHED, NULL);
	xo_drive_advance(drive);
}

void xo_attachment_lose(struct xo_attachment *attachment, const char *message)
{
	xo_attachment_callback *callback = attachment->callback;
	void *priv = attachment->priv;

	attachment->callback = NULL;
	xo_attachment_drop(attachment, false);
	if (callback)
		callback(priv, XO_ATTACHMENT_LOST, message);
}

/* The drive does not give the lease: the link is taken back before the owner hears of it. */
static void refuse(struct xo_attachment *attachment, const char *message)
{
	xo_attachment_callback *callback = attachment->callback;
	void *priv = attachment->priv;

	attachment->callback = NULL;
	send_remove(attachment);
	if (callback)
		callback(priv, XO_ATTACH_FAILED, message);
}

static void offered(void *priv, const json_t *data, const char *error_class, const char *error,
		    int *fds, size_t count)
{
	struct reference *reference = priv;
	struct xo_drive *drive = reference->drive;
	const char *lease = json_string_value(json_object_get(data, "lease"));
	struct xo_attachment *attachment;
	char text[512];

	(void)fds;
	(void)count;
	if (!data && !strcmp(error_class, XO_WORKER_DIED) && drive->worker) {
		free(reference);
		return;
	}
	attachment = reference_take(priv);
	if (!attachment || attachment->state != XO_ATTACHMENT_OFFERED)
		return;
	if (!data) {
		snprintf(text, sizeof(text), "drive %s: %s", drive->name, error);
		xo_attachment_finish(attachment, XO_ATTACH_FAILED, text);
		xo_drive_advance(drive);
		return;
	}
	if (lease && !strcmp(lease, "waiting")) {
		say_holder(drive, text, sizeof(text));
		refuse(attachment, text);
		return;
	}
	attachment->max_transfer = (uint32_t)json_integer_value(json_object_get(data, "max-"
										      "transfer"));
	attachment->state = XO_ATTACHMENT_HELD;
	drive->all->workers->changed(drive->all->workers); /* max_transfer */
	if (attachment->callback)
		attachment->callback(attachment->priv, XO_ATTACHED, NULL);
}

static int send_add(struct xo_attachment *attachment, xo_worker_reply *reply)
{
	struct reference *reference = reference_new(attachment);
	const int fds[2] = { attachment->server_fd, attachment->arena_fd };
	json_t *arguments =
		json_pack("{s:i,s:i,s:s,s:s,s:s,s:s,s:i,s:i,s:b}", "link", (int)attachment->id,
			  "domid", (int)attachment->domid, "name", attachment->name, "uuid",
			  attachment->uuid, "mode", attachment->read_only ? "ro" : "rw", "path",
			  attachment->path, "slots", (int)attachment->slots, "slot-size",
			  (int)attachment->slot_size, "lend", attachment->lend);
	int r = -ENOMEM;

	if (reference && arguments)
		r = xo_worker_command(attachment->drive->worker, XO_DRIVE_ADD_LINK, arguments, fds,
				      2, reply, reference);
	else
		json_decref(arguments);
	if (r)
		free(reference);
	xo_point(XO_POINT_OFFERED);
	return r;
}

void xo_attachment_offer(struct xo_attachment *attachment)
{
	attachment->state = XO_ATTACHMENT_OFFERED;
	if (send_add(attachment, offered))
		xo_attachment_finish(attachment, XO_ATTACH_FAILED,
				     "the drive's process takes no commands");
}

static void offered_again(void *priv, const json_t *data, const char *error_class,
			  const char *error, int *fds, size_t count)
{
	struct reference *reference = priv;
	struct xo_drive *drive = reference->drive;
	struct xo_attachment *attachment;

	(void)fds;
	(void)count;
	if (data || (!strcmp(error_class, XO_WORKER_DIED) && drive->worker)) {
		free(reference);
		return;
	}
	attachment = reference_take(priv);
	if (attachment && attachment->state == XO_ATTACHMENT_HELD)
		xo_attachment_finish(attachment, XO_ATTACHMENT_LOST, error);
	xo_drive_advance(drive);
}

void xo_attachment_offer_again(struct xo_attachment *attachment)
{
	bool leaving = attachment->state == XO_ATTACHMENT_LEAVING;

	if (attachment->state == XO_ATTACHMENT_OFFERED) {
		send_add(attachment, offered);
		return;
	}
	send_add(attachment, offered_again);
	if (leaving)
		send_remove(attachment);
}

static bool number(const json_t *object, const char *key, json_int_t max, uint32_t *value)
{
	const json_t *n = json_object_get(object, key);

	*value = (uint32_t)json_integer_value(n);
	return json_is_integer(n) && json_integer_value(n) >= 0 && json_integer_value(n) <= max;
}

static void copy_text(char *out, size_t size, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(out, size, "%s", text ? text : "");
}

json_t *xo_attachment_save(const struct xo_attachment *attachment)
{
	return json_pack("{s:i,s:i,s:s,s:s,s:s,s:b,s:b,s:i,s:i,s:I,s:b}", "link",
			 (int)attachment->id, "domid", (int)attachment->domid, "name",
			 attachment->name, "uuid", attachment->uuid, "path", attachment->path,
			 "read-only", attachment->read_only, "lend", attachment->lend, "slots",
			 (int)attachment->slots, "slot-size", (int)attachment->slot_size,
			 "max-transfer", (json_int_t)attachment->max_transfer, "leaving",
			 attachment->state == XO_ATTACHMENT_LEAVING);
}

/* What xo_attachment_save wrote; the file is ours, but may be of another version. */
static int restore(struct xo_attachment *attachment, const json_t *link)
{
	uint32_t domid;

	if (!number(link, "link", XO_DRIVE_LINK_ID_MAX, &attachment->id) ||
	    !number(link, "domid", UINT16_MAX, &domid) ||
	    !number(link, "slots", XO_LINK_SLOTS_MAX, &attachment->slots) ||
	    !number(link, "slot-size", XO_LINK_SLOT_SIZE_MAX, &attachment->slot_size) ||
	    !number(link, "max-transfer", UINT32_MAX, &attachment->max_transfer))
		return -EINVAL;
	attachment->domid = domid;
	attachment->read_only = json_is_true(json_object_get(link, "read-only"));
	attachment->lend = json_is_true(json_object_get(link, "lend"));
	copy_text(attachment->name, sizeof(attachment->name), link, "name");
	copy_text(attachment->path, sizeof(attachment->path), link, "path");
	copy_text(attachment->uuid, sizeof(attachment->uuid), link, "uuid");
	/* Of one that was asked for and not answered nobody knows more than this. */
	attachment->state = json_is_true(json_object_get(link, "leaving")) ? XO_ATTACHMENT_LEAVING
									   : XO_ATTACHMENT_HELD;
	return 0;
}

void xo_attachment_adopt(struct xo_drive *drive, const json_t *link)
{
	struct xo_attachment *attachment = attachment_alloc(drive);
	struct xo_kept kept[3];
	int r;

	if (!attachment)
		return;
	r = restore(attachment, link);
	if (!r) {
		kept_names(attachment, kept);
		r = xo_keeper_get(drive->all->workers->keeper, kept, XO_ARRAY_SIZE(kept));
	}
	if (r) {
		xo_warning("drive %s: link %u cannot be taken over: %s", drive->name,
			   attachment->id, strerror(-r));
		xo_attachment_free(attachment);
		return;
	}
	attachment->client_fd = kept[0].fd;
	attachment->server_fd = kept[1].fd;
	attachment->arena_fd = kept[2].fd;
	if (drive->all->next_link <= attachment->id)
		drive->all->next_link = attachment->id + 1;
}

struct xo_attachment *xo_attachment_claim(struct xo_drives *drives, uint32_t id, unsigned int domid,
					  xo_attachment_callback *callback, void *priv)
{
	struct xo_drive *drive;
	struct xo_attachment *attachment;

	LIST_FOREACH (drive, &drives->list, entry) {
		LIST_FOREACH (attachment, &drive->links, entry) {
			if (attachment->id != id || attachment->domid != domid ||
			    attachment->callback || attachment->state != XO_ATTACHMENT_HELD)
				continue;
			attachment->callback = callback;
			attachment->priv = priv;
			return attachment;
		}
	}
	return NULL;
}

void xo_drives_settle(struct xo_drives *drives)
{
	struct xo_drive *drive;
	struct xo_attachment *attachment;
	struct xo_attachment *next;

	LIST_FOREACH (drive, &drives->list, entry) {
		for (attachment = LIST_FIRST(&drive->links); attachment; attachment = next) {
			next = LIST_NEXT(attachment, entry);
			if (attachment->callback)
				continue;
			/* Its guest was not connected and gets another, or is gone, or was leaving. */
			xo_info("drive %s: link %u of %s has no owner any more", drive->name,
				attachment->id, attachment->name);
			attachment->again = attachment->state == XO_ATTACHMENT_HELD;
			send_remove(attachment);
		}
		if (drive->unplugged == XO_DRIVE_AWAY)
			xo_drive_look(drive); /* back while there was no launcher? */
		xo_drive_linger(drive); /* devices that waited attach in a moment */
		xo_drive_advance(drive);
	}
	xo_lending_settle(drives);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drives and their links: a drive process runs while somebody is attached to
 * its drive, and each attachment is a link to it (base/link.h).
 */
#ifndef XO_BACKEND_DRIVES_H
#define XO_BACKEND_DRIVES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/control.h"
#include "daemon_config.h"
#include "hotplug.h"
#include "lending.h"
#include "optical_device.h"
#include "schema/schema.h"
#include "tray.h"
#include "worker.h"

struct xo_drive;
struct xo_attachment;
struct xo_trace;

struct xo_drives {
	uv_loop_t *loop;
	const struct xo_config *config;
	struct xo_workers *workers;
	LIST_HEAD(, xo_drive) list;
	uint32_t next_link; /* ids are not used twice, also not by the next launcher */
	/* A drive became free, or came: who was refused may try again. */
	void (*available)(void *priv, const char *drive);
	/* For the control socket: `data` is borrowed. */
	void (*event)(void *priv, const char *drive, const char *event, const json_t *data);
	void *priv;
};

enum xo_drive_state {
	XO_DRIVE_OFF, /* not open, no process */
	XO_DRIVE_OPENING, /* somebody else holds it; trying */
	XO_DRIVE_RUNNING,
	XO_DRIVE_STOPPING,
	XO_DRIVE_REFRESHING, /* no process any more; the host's view of it is made true */
};

/* A real drive that somebody is attached to. */
enum xo_drive_plug {
	XO_DRIVE_PLUGGED,
	XO_DRIVE_AWAY, /* unplugged; its process runs on without a device */
	XO_DRIVE_RETURNING, /* open again; its process has not taken it yet */
};

/* The newest text that the process has told: saved at once if it is alone, else a moment later, for all until then. */
struct xo_description {
	int fd; /* -1: none waits */
	size_t length;
	uv_timer_t *timer;
	uint64_t saved; /* ns */
};

struct xo_drive {
	LIST_ENTRY(xo_drive) entry;
	struct xo_drives *all;
	char name[XO_DRIVE_NAME_MAX + 1]; /* as it was asked for: "/dev/sr0", "virtual:a" */
	bool is_virtual;
	enum xo_drive_state state;
	struct xo_worker *worker;
	struct xo_optical_device device;
	struct xo_tray_disc disc;
	struct xo_description described; /* what has become of it, still to be saved */
	json_int_t eject_asked; /* the link whose guest was asked to open the tray; 0: none */
	LIST_HEAD(, xo_attachment) links;
	struct xo_loans loans;
	STAILQ_HEAD(, disc_order) orders; /* disc_control.c */
	bool ordering; /* the process has one of them */
	struct disc_order *inserting; /* that one: the process died, its successor answers */
	uv_timer_t *timer; /* tries to open it again, or waits for who comes back */
	bool lingering; /* somebody is about to attach again: not closed before the timer */
	uint64_t opening_since; /* ns */
	struct xo_trace *trace; /* who watches its commands; NULL: nobody */
	enum xo_drive_plug unplugged;
	uv_timer_t *return_timer; /* looks for it again */
	uint64_t returning_since; /* ns */
	uv_process_t *refresher;
	json_t *lease; /* as the process told it last; NULL: none */
};

enum xo_attachment_state {
	XO_ATTACHMENT_WAITING, /* for the drive's process */
	XO_ATTACHMENT_OFFERED, /* add-link is under way */
	XO_ATTACHMENT_HELD,
	XO_ATTACHMENT_LEAVING, /* remove-link is under way */
};

enum xo_attachment_event {
	XO_ATTACHED, /* the lease is held, or will be when the drive has been drained */
	XO_ATTACH_FAILED, /* the attachment is forgotten after this */
	XO_ATTACHMENT_LOST, /* the drive process is gone for good; forgotten after this */
	XO_DETACHED, /* forgotten after this */
	XO_ATTACHMENT_OFFER, /* whether the drive may be lent has perhaps changed: xo_lending_offered() */
};

typedef void xo_attachment_callback(void *priv, enum xo_attachment_event event,
				    const char *message);

/* Who attaches. Texts are copied. */
struct xo_attachment_request {
	unsigned int domid;
	const char *name;
	const char *uuid;
	const char *path; /* "vscsi", "vcd", "ahci", "ide" */
	bool read_only;
	bool lend; /* the owner can give the drive's descriptor to its worker */
	uint32_t slots;
	uint32_t slot_size;
};

struct xo_attachment {
	LIST_ENTRY(xo_attachment) entry;
	struct xo_drive *drive;
	uint32_t id;
	enum xo_attachment_state state;
	unsigned int domid;
	char name[132];
	char uuid[40];
	char path[8];
	bool read_only;
	bool lend;
	bool again; /* a successor comes when it has left */
	uint32_t slots;
	uint32_t slot_size;
	int client_fd;
	int server_fd;
	int arena_fd;
	uint32_t max_transfer;
	xo_attachment_callback *callback; /* NULL: nobody has claimed it after a restart */
	void *priv;
};

void xo_drives_init(struct xo_drives *drives, uv_loop_t *loop, const struct xo_config *config,
		    struct xo_workers *workers);
/* The processes go on. */
void xo_drives_fini(struct xo_drives *drives);

/* Asks for a drive. The callback may come before this returns. NULL: out of memory or descriptors. */
struct xo_attachment *xo_attachment_new(struct xo_drives *drives, const char *drive,
					const struct xo_attachment_request *request,
					xo_attachment_callback *callback, void *priv);

/*
 * Gives it back, whatever still runs. XO_DETACHED follows, perhaps before this returns. With
 * `again` a successor comes at once: the drive is not closed in between.
 */
void xo_attachment_drop(struct xo_attachment *attachment, bool again);

/* The link is of no use any more: it is removed from the drive, the owner hears that it is lost. */
void xo_attachment_lose(struct xo_attachment *attachment, const char *message);

/* The drive with that name, made when there is none. */
struct xo_drive *xo_drives_get(struct xo_drives *drives, const char *name);
struct xo_drive *xo_drives_find(struct xo_drives *drives, const char *name);

/* A block device came or went; perhaps one of ours. */
void xo_drives_hotplug(struct xo_drives *drives, const struct xo_hotplug_event *event);

/* A drive of a former launcher. Its links are there afterwards, unclaimed. 0 or -errno. */
int xo_drives_adopt(struct xo_drives *drives, const struct xo_worker_record *record);

/* An unclaimed link of an adopted drive. NULL: none. */
struct xo_attachment *xo_attachment_claim(struct xo_drives *drives, uint32_t id, unsigned int domid,
					  xo_attachment_callback *callback, void *priv);

/* After the devices claimed theirs: what nobody claimed goes. */
void xo_drives_settle(struct xo_drives *drives);

/* The link, for the worker that uses it; see xo_worker_ops. */
extern const struct xo_worker_ops xo_drive_worker_ops;

/*
 * Puts the disc at `path` into the tray of a virtual drive. The reply comes as that of
 * a worker's command. 0, or -errno with the reason in error[size] (then no reply comes).
 */
int xo_drive_insert(struct xo_drive *drive, const char *path, bool read_only,
		    xo_worker_reply *reply, void *priv, char *error, size_t size);
/* Opens the tray and takes the disc out (virtual); opens the tray (real). As above. */
int xo_drive_eject(struct xo_drive *drive, bool force, xo_worker_reply *reply, void *priv,
		   char *error, size_t size);

const char *xo_drive_state_name(enum xo_drive_state state);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backend role: every device below backend/optical of this domain, kept in
 * step with its frontend (xenbus.h), with a ring worker while it is connected.
 */
#ifndef XO_BACKEND_DEVICES_H
#define XO_BACKEND_DEVICES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/log.h"
#include "base/ring_control.h"
#include "daemon_config.h"
#include "drives.h"
#include "store.h"
#include "worker.h"
#include "xenbus.h"

#define XO_UNITS_MAX XO_RING_LUNS_MAX
#define XO_DEVICES_MAX 256

/* What a vcd frontend is offered beyond vscsi; a frontend that asks for more does not get it. */
#define XO_OFFER_PAGE_ORDER 2
#define XO_OFFER_PERSISTENT true
#define XO_OFFER_EVENT_CHANNELS XO_RING_CHANNELS_MAX
#define XO_OFFER_MEDIA_EVENTS true

struct xo_devices {
	uv_loop_t *loop;
	const struct xo_config *config;
	struct xo_store *store;
	struct xo_workers *workers;
	struct xo_drives *drives;
	LIST_HEAD(, xo_device) list;
	unsigned int count;
	uv_idle_t *idle; /* runs while a device is to be looked at */
	bool rescan;
	char root[64]; /* /local/domain/OWN/backend/optical */
	void (*event)(void *priv, const char *event, json_t *data); /* `data` is consumed */
	void (*domain_gone)(void *priv); /* a device's domain is no more */
	void *priv;
};

/* How a frontend is connected: what it wrote, checked. */
struct xo_connection {
	unsigned int pages;
	uint32_t refs[XO_RING_PAGES_MAX];
	uint32_t ports[XO_RING_CHANNELS_MAX];
	unsigned int channels;
	bool abi32;
	bool persistent_grants;
	bool media_events;
};

struct xo_unit {
	bool present; /* the slot is in use */
	unsigned int number; /* N of dev-N */
	char drive[XO_DRIVE_NAME_MAX + 1];
	struct xo_unit_address address;
	bool read_only;
	struct xo_unit_facts facts;
	struct xo_attachment *attachment;
	bool lent; /* its drive, to the ring's process that runs */
	struct xo_device *device;
	char error[512];
};

struct xo_device {
	LIST_ENTRY(xo_device) entry;
	struct xo_devices *all;
	unsigned int domid;
	unsigned int number; /* DEVID */
	bool is_vcd;
	char base[XO_SCHEMA_PATH_MAX]; /* the backend's directory */
	char frontend[XO_SCHEMA_PATH_MAX];
	char name[132];
	char uuid[40];
	char watched[XO_SCHEMA_PATH_MAX]; /* the frontend's state node; empty: not yet */
	bool dirty;
	bool gone; /* the nodes or the domain are no more */
	bool close_asked; /* the toolstack wrote state 5 */
	bool say_again; /* its guest may have been suspended, and run on */
	struct xo_device_facts facts;
	enum xo_xenbus_state written; /* what we wrote last */
	struct xo_connection connection; /* what the ring worker serves */
	struct xo_unit units[XO_UNITS_MAX];
	struct xo_worker *worker;
	uv_timer_t *retry;
	uint64_t leaving_since; /* its domain or nodes were found gone; 0: they are there */
	struct xo_rate looks; /* a guest cannot keep us busy by writing its state */
	/* Nor by connecting, with a process, links and the state file each time. */
	struct xo_rate begins;
	bool delayed; /* it has begun too often and waits */
	bool refused_again; /* its refused units are to be tried again, when it may begin */
	/* What its guest can have us say over and over; other guests' messages are not left out for it. */
	struct xo_log_limit errors;
	struct xo_log_limit delays;
	char error[512];
};

/* Begins to watch; existing devices are found in the loop's next round. 0 or -errno. */
int xo_devices_init(struct xo_devices *devices);
void xo_devices_fini(struct xo_devices *devices);

/* A watch fired below the root, at a frontend's state, or @releaseDomain. */
void xo_devices_changed(struct xo_devices *devices, const char *path);

/* A drive is free or has come: units that were refused try again. */
void xo_devices_drive_available(struct xo_devices *devices, const char *drive);

/* The ring worker of a former launcher, with its links. 0 or -errno. */
int xo_devices_adopt(struct xo_devices *devices, const struct xo_worker_record *record);

struct xo_device *xo_devices_find(struct xo_devices *devices, unsigned int domid,
				  unsigned int number);

/* As a ring's request names it: "CHANNEL:TARGET:LUN". */
void xo_unit_address_text(const struct xo_unit_address *address, char *text, size_t size);

extern const struct xo_worker_ops xo_ring_worker_ops;

#endif

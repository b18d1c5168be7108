/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Emulated controllers of HVM guests: each is a xenoptic-ioemu worker and its
 * attachment to a drive. They have no nodes in the store; what a successor of
 * the launcher must know goes with the worker into the state file.
 */
#ifndef XO_BACKEND_CONTROLLERS_H
#define XO_BACKEND_CONTROLLERS_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "daemon_config.h"
#include "drives.h"
#include "options.h"
#include "qemu_slots.h"
#include "server.h"
#include "store.h"
#include "toolstack.h"
#include "worker.h"

#define XO_CONTROLLERS_MAX 256

struct xo_controllers {
	const struct xo_config *config;
	struct xo_store *store;
	struct xo_workers *workers;
	struct xo_drives *drives;
	LIST_HEAD(, xo_controller) list;
	unsigned int count;
	void (*event)(void *priv, const char *event, json_t *data); /* `data` is consumed */
	void *priv;
};

enum xo_controller_state {
	XO_CONTROLLER_ASKING, /* for the drive; there is no worker yet */
	XO_CONTROLLER_RUNNING, /* there is a worker */
	XO_CONTROLLER_LEAVING, /* detached, or the guest is gone */
	XO_CONTROLLER_FAILED, /* the worker ended for good; the guest still has the device */
};

struct xo_controller {
	LIST_ENTRY(xo_controller) entry;
	struct xo_controllers *all;
	enum xo_controller_state state;
	unsigned int domid;
	unsigned int device; /* PCI device number on bus 0 */
	enum xo_bus bus;
	bool read_only;
	bool generic_identity;
	bool msi;
	bool boot; /* an absent drive does not refuse it */
	char drive[XO_DRIVE_NAME_MAX + 1];
	char name[132];
	char uuid[40];
	struct xo_attachment *attachment;
	bool attached; /* the attachment has the drive */
	bool relink; /* the worker is being ended to get another link */
	bool served; /* the guest has seen it */
	bool stopped; /* the guest is being saved: a successor of the worker is stopped too */
	bool relayed; /* whoever has Xen log the guest's dirty pages tells us before */
	bool log_dirty; /* and Xen logs them */
	int state_fd; /* to be loaded before the guest runs; -1: none */
	struct xo_worker *worker;
	STAILQ_HEAD(, xo_controller_order) orders; /* that wait for a worker */
	int dead_client; /* a link without a drive, while there is no attachment; -1: none */
	int dead_arena;
	struct xo_request *request; /* attach or detach, to be answered */
	char error[512];
};

void xo_controllers_init(struct xo_controllers *controllers);
/* The workers go on. */
void xo_controllers_fini(struct xo_controllers *controllers);

/*
 * A new controller for a guest. Answered when the worker serves. With `boot` a drive
 * that cannot be had leaves the controller without a medium until it can. `relayed`: a relay stands between the
 * toolstack and QEMU, so that we hear of every migration before it begins. `states` (may be NULL):
 * what was saved of the guest's controllers; the one of this is loaded (migration.h). It gets none of the
 * `slots` that QEMU has.
 */
void xo_controllers_attach(struct xo_controllers *controllers, const struct xo_domain *domain,
			   const struct xo_options *options, const struct xo_qemu_slots *slots,
			   bool boot, bool relayed, const json_t *states,
			   struct xo_request *request);

/* Takes it away, whatever the guest does. The request (may be NULL) is answered when it is gone. */
void xo_controllers_detach(struct xo_controller *controller, struct xo_request *request);

struct xo_controller *xo_controllers_find(struct xo_controllers *controllers, unsigned int domid,
					  unsigned int device);

/* @releaseDomain: a guest that died stays a zombie until its memory is unmapped. */
void xo_controllers_released(struct xo_controllers *controllers);

/* A drive is free or has come. */
void xo_controllers_drive_available(struct xo_controllers *controllers, const char *drive);

/* The worker of a former launcher. 0 or -errno. */
int xo_controllers_adopt(struct xo_controllers *controllers, const struct xo_worker_record *record);

/* For "list", in the form of a device. */
json_t *xo_controller_describe(const struct xo_controller *controller);

#endif

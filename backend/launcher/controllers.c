/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Emulated controllers: from the request to the worker that serves, and back. */
#include "controllers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ioemu_control.h"
#include "base/link.h"
#include "base/log.h"
#include "controllers_private.h"
#include "migration.h"
#include "text.h"

/*
 * The first choice for a device number, then downwards: QEMU gives its own devices the lowest
 * that are free, and some hotplug code the last ones.
 */
#define DEVICE_FIRST 27u
#define DEVICE_LAST 8u

void xo_controllers_init(struct xo_controllers *controllers)
{
	LIST_INIT(&controllers->list);
}

void xo_controllers_fini(struct xo_controllers *controllers)
{
	while (!LIST_EMPTY(&controllers->list))
		xo_controller_free(LIST_FIRST(&controllers->list));
}

struct xo_controller *xo_controllers_find(struct xo_controllers *controllers, unsigned int domid,
					  unsigned int device)
{
	struct xo_controller *c;

	LIST_FOREACH (c, &controllers->list, entry)
		if (c->domid == domid && c->device == device)
			return c;
	return NULL;
}

struct xo_controller *xo_controller_new(struct xo_controllers *controllers, unsigned int domid,
					unsigned int device)
{
	struct xo_controller *c;

	if (controllers->count >= XO_CONTROLLERS_MAX)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->all = controllers;
	c->domid = domid;
	c->device = device;
	c->dead_client = -1;
	c->dead_arena = -1;
	c->state_fd = -1;
	STAILQ_INIT(&c->orders);
	LIST_INSERT_HEAD(&controllers->list, c, entry);
	controllers->count++;
	return c;
}

static void dead_link_close(struct xo_controller *c)
{
	if (c->dead_client >= 0)
		close(c->dead_client);
	if (c->dead_arena >= 0)
		close(c->dead_arena);
	c->dead_client = -1;
	c->dead_arena = -1;
}

static void state_close(struct xo_controller *c)
{
	if (c->state_fd >= 0)
		close(c->state_fd);
	c->state_fd = -1;
}

void xo_controller_free(struct xo_controller *controller)
{
	if (controller->attachment)
		controller->attachment->callback = NULL;
	xo_worker_free(controller->worker);
	xo_controller_orders_drop(controller, XO_WORKER_DIED, "the controller is gone");
	dead_link_close(controller);
	state_close(controller);
	LIST_REMOVE(controller, entry);
	controller->all->count--;
	free(controller);
}

int xo_controller_dead_link(struct xo_controller *controller)
{
	int fds[2];
	int r;

	if (controller->dead_client >= 0)
		return 0;
	r = xo_link_create(XO_IOEMU_LINK_SLOTS, XO_IOEMU_LINK_SLOT_SIZE, fds,
			   &controller->dead_arena);
	if (r)
		return r;
	controller->dead_client = fds[0];
	close(fds[1]); /* whoever sends hears that nobody is there */
	return 0;
}

json_t *xo_controller_describe(const struct xo_controller *c)
{
	static const char *const states[] = {
		[XO_CONTROLLER_ASKING] = "starting",
		[XO_CONTROLLER_RUNNING] = "starting",
		[XO_CONTROLLER_LEAVING] = "leaving",
		[XO_CONTROLLER_FAILED] = "failed",
	};
	bool serving = c->state == XO_CONTROLLER_RUNNING && c->worker && c->worker->ready;
	json_t *unit =
		json_pack("{s:i,s:s,s:s,s:s,s:b}", "unit", 0, "drive", c->drive, "address", "0:0:0",
			  "mode", c->read_only ? "ro" : "rw", "attached", c->attached);

	if (c->attachment)
		json_object_set_new(unit, "link", json_integer(c->attachment->id));
	if (c->error[0])
		json_object_set_new(unit, "error", json_string(c->error));
	return json_pack("{s:i,s:i,s:s,s:s,s:s,s:s,s:i,s:[o]}", "domid", (int)c->domid, "devid",
			 (int)c->device, "guest", c->name, "uuid", c->uuid, "type",
			 xo_bus_name(c->bus), "state", serving ? "serving" : states[c->state],
			 "pid", c->worker ? (int)c->worker->pid : 0, "units", unit);
}

static void answer_error(struct xo_controller *c, const char *error_class)
{
	if (c->request)
		xo_request_error(c->request, error_class, "%s", c->error);
	c->request = NULL;
}

static void answer(struct xo_controller *c)
{
	if (c->request)
		xo_request_return(c->request, xo_controller_describe(c));
	c->request = NULL;
}

static void set_error(struct xo_controller *c, const char *message)
{
	snprintf(c->error, sizeof(c->error), "%.511s", message);
	xo_text_clean(c->error);
	c->all->event(c->all->priv, "device-error",
		      json_pack("{s:i,s:i,s:s}", "domid", (int)c->domid, "devid", (int)c->device,
				"message", c->error));
}

static void say_error(struct xo_controller *c, const char *message)
{
	set_error(c, message);
	xo_error("controller %u/%u of %s: %s", c->domid, c->device, c->name, c->error);
}

/* It is no device of the guest's, or no more. A refused request is logged by who answers it (refusals.h). */
static void refuse(struct xo_controller *c, const char *message, const char *error_class)
{
	if (c->request)
		set_error(c, message);
	else
		say_error(c, message);
	answer_error(c, error_class);
}

/* The last step of leaving. The controller is freed, unless the drive is still to be given back. */
static void leave(struct xo_controller *c)
{
	if (c->attachment) {
		xo_attachment_drop(c->attachment, false);
		return; /* XO_DETACHED comes, or has come */
	}
	xo_info("controller %u/%u of %s is gone", c->domid, c->device, c->name);
	answer(c);
	xo_controller_free(c);
}

/* The drive's answer, now or later. */
void xo_controller_attached(void *priv, enum xo_attachment_event event, const char *message)
{
	struct xo_controller *c = priv;

	if (event == XO_ATTACHMENT_OFFER)
		return; /* its worker is lent nothing */
	if (event != XO_ATTACHED)
		c->attachment = NULL;
	c->attached = event == XO_ATTACHED;
	if (c->state == XO_CONTROLLER_LEAVING) {
		if (!c->worker && !c->attachment)
			leave(c);
		return;
	}
	if (c->state == XO_CONTROLLER_FAILED)
		return;
	if (event == XO_ATTACHED)
		c->error[0] = '\0';
	else if (!message)
		message = "the drive is gone";
	if (event != XO_ATTACHED && !c->worker && !c->boot) {
		refuse(c, message, "Refused");
		xo_controller_free(c);
		return;
	}
	if (event != XO_ATTACHED)
		say_error(c, message);
	if (c->worker) {
		/* It keeps the link of the drive that it lost until there is another. */
		if (event == XO_ATTACHED && !c->relink) {
			c->relink = true;
			xo_worker_kill(c->worker);
		}
	} else {
		xo_controller_start(c);
	}
}

/* Asks for the drive. The controller may have been freed afterwards. */
static void ask(struct xo_controller *c)
{
	struct xo_controllers *all = c->all;
	unsigned int domid = c->domid;
	unsigned int device = c->device;
	const struct xo_attachment_request request = {
		.domid = c->domid,
		.name = c->name,
		.uuid = c->uuid,
		.path = xo_bus_name(c->bus),
		.read_only = c->read_only,
		.slots = XO_IOEMU_LINK_SLOTS,
		.slot_size = XO_IOEMU_LINK_SLOT_SIZE,
	};
	struct xo_attachment *attachment;

	c->error[0] = '\0';
	attachment =
		xo_attachment_new(c->all->drives, c->drive, &request, xo_controller_attached, c);
	if (xo_controllers_find(all, domid, device) != c)
		return; /* refused at once */
	/* A refusal at once of one that stays has left its reason. */
	if (!attachment && !c->error[0])
		xo_controller_attached(c, XO_ATTACH_FAILED, "out of memory or descriptors");
	else if (!c->error[0])
		c->attachment = attachment;
}

static int choose_device(struct xo_controllers *controllers, unsigned int domid,
			 const struct xo_options *options, const struct xo_qemu_slots *slots,
			 char *error, size_t size)
{
	if (options->slot >= 0) {
		if (slots->holder[options->slot][0])
			snprintf(error, size,
				 "option \"slot=%d\": QEMU has its %s there; choose one from %u to "
				 "%u",
				 options->slot, slots->holder[options->slot], DEVICE_LAST,
				 DEVICE_FIRST);
		else if (xo_controllers_find(controllers, domid, (unsigned int)options->slot))
			snprintf(error, size,
				 "option \"slot=%d\": the guest has a controller there",
				 options->slot);
		else
			return options->slot;
		return -EEXIST;
	}
	for (unsigned int i = DEVICE_FIRST; i >= DEVICE_LAST; i--)
		if (!slots->holder[i][0] && !xo_controllers_find(controllers, domid, i))
			return (int)i;
	snprintf(error, size, "domain %u: it has too many controllers", domid);
	return -ENOSPC;
}

void xo_controllers_attach(struct xo_controllers *controllers, const struct xo_domain *domain,
			   const struct xo_options *options, const struct xo_qemu_slots *slots,
			   bool boot, bool relayed, const json_t *states,
			   struct xo_request *request)
{
	char error[256];
	struct xo_controller *c;
	int device;

	/* Unknown is left to the hypervisor: other toolstacks do not say it. */
	if (domain->type[0] && strcmp(domain->type, "hvm") != 0) {
		xo_request_error(request, "InvalidOption",
				 "bus=%s: domain %u is %s, and only HVM guests have emulated "
				 "controllers; use bus=vscsi or bus=vcd",
				 xo_bus_name(options->bus), domain->domid, domain->type);
		return;
	}
	device = choose_device(controllers, domain->domid, options, slots, error, sizeof(error));
	if (device < 0) {
		xo_request_error(request, "InvalidOption", "%s", error);
		return;
	}
	c = xo_controller_new(controllers, domain->domid, (unsigned int)device);
	if (!c) {
		xo_request_error(request, "GenericError", "out of memory, or too many controllers");
		return;
	}
	c->bus = options->bus;
	c->read_only = options->read_only;
	c->generic_identity = options->generic_identity;
	c->msi = options->msi;
	c->boot = boot;
	c->relayed = relayed;
	c->request = request;
	strcpy(c->drive, options->drive);
	snprintf(c->name, sizeof(c->name), "%s", options->name[0] ? options->name : domain->name);
	if (!c->name[0])
		snprintf(c->name, sizeof(c->name), "domain %u", c->domid);
	snprintf(c->uuid, sizeof(c->uuid), "%s", domain->uuid);
	c->state_fd = xo_controller_state_fd(states, c->device);
	if (c->state_fd < 0 && c->state_fd != -ENOENT) {
		xo_request_error(request, "GenericError",
				 "controller %u/%u: the saved state cannot be used: %s", c->domid,
				 c->device, strerror(-c->state_fd));
		xo_controller_free(c);
		return;
	}
	ask(c);
}

void xo_controller_start(struct xo_controller *c)
{
	char name[XO_WORKER_NAME_MAX];
	int r = xo_controller_dead_link(c);

	snprintf(name, sizeof(name), "%u/%u", c->domid, c->device);
	c->state = XO_CONTROLLER_RUNNING;
	if (!r && !c->worker)
		r = xo_worker_new(c->all->workers, &xo_controller_worker_ops, name, c, &c->worker);
	if (!r)
		r = xo_worker_start(c->worker);
	if (!r)
		return;
	xo_worker_free(c->worker);
	c->worker = NULL;
	xo_controller_ended(c, "xenoptic-ioemu cannot be started; see the daemon's log");
}

static void not_loaded(struct xo_controller *c, const char *why)
{
	state_close(c);
	refuse(c, why, "GenericError");
	xo_controllers_detach(c, NULL);
}

static void loaded(void *priv, const json_t *data, const char *error_class, const char *error,
		   int *fds, size_t count)
{
	struct xo_controller *c = priv;

	(void)fds;
	(void)count;
	if (!data && !strcmp(error_class, XO_WORKER_DIED))
		return; /* its successor is asked, or the controller has ended */
	if (!data) {
		not_loaded(c, error);
		return;
	}
	state_close(c);
	xo_controller_ready(c);
}

/* What its predecessor was told, or was to be told when it died. */
static void tell_state(struct xo_controller *c)
{
	xo_worker_command(c->worker, c->log_dirty ? "log-dirty" : "log-clean", NULL, NULL, 0, NULL,
			  NULL);
	xo_worker_command(c->worker, c->stopped ? "stop" : "runs", NULL, NULL, 0, NULL, NULL);
}

void xo_controller_ready(struct xo_controller *c)
{
	int r;

	if (c->state == XO_CONTROLLER_LEAVING) {
		xo_controller_orders_give(c);
		return;
	}
	/* Lists of commands are the guest's: it must not run before this. */
	if (c->state_fd >= 0) {
		r = xo_worker_command(c->worker, "load", NULL, &c->state_fd, 1, loaded, c);
		if (r && r != -EPIPE)
			not_loaded(c, strerror(-r));
		return; /* of one that is dead a successor comes here */
	}
	tell_state(c);
	xo_controller_orders_give(c);
	xo_info("controller %u/%u of %s: %s with %s", c->domid, c->device, c->name,
		xo_bus_name(c->bus), c->attached ? c->drive : "no drive");
	c->served = true;
	answer(c);
	c->all->event(c->all->priv, "device-state",
		      json_pack("{s:i,s:i,s:s}", "domid", (int)c->domid, "devid", (int)c->device,
				"state", "serving"));
}

void xo_controller_ended(struct xo_controller *c, const char *why)
{
	if (c->state == XO_CONTROLLER_LEAVING) {
		xo_controller_orders_drop(c, XO_WORKER_DIED, "the controller is gone");
		leave(c);
		return;
	}
	if (c->relink) {
		c->relink = false;
		xo_controller_start(c);
		return;
	}
	xo_controller_orders_drop(c, "GenericError", why ? why : "xenoptic-ioemu ended");
	refuse(c, why ? why : "xenoptic-ioemu ended", "Refused");
	/* A guest that has the device keeps it, dead, until it is detached; others never had it. */
	c->state = c->served ? XO_CONTROLLER_FAILED : XO_CONTROLLER_LEAVING;
	if (c->served && c->attachment)
		xo_attachment_drop(c->attachment, false);
	else if (!c->served)
		leave(c);
}

static void quitted(void *priv, const json_t *data, const char *error_class, const char *error,
		    int *fds, size_t count)
{
	struct xo_controller *c = priv;

	(void)error_class;
	(void)error;
	(void)fds;
	(void)count;
	if (data)
		xo_worker_expect_end(c->worker);
}

/*
 * The worker destroys the ioreq server, and vCPUs that wait in an access go on. Of one that dies before, a successor
 * does it: nobody else would, and the guest would wait for ever.
 */
void xo_controller_quit(struct xo_controller *c)
{
	c->all->workers->changed(c->all->workers);
	if (xo_controller_order(c, "quit", quitted, c))
		xo_worker_kill(c->worker);
}

void xo_controllers_detach(struct xo_controller *c, struct xo_request *request)
{
	if (c->state == XO_CONTROLLER_LEAVING || c->request) {
		if (request)
			xo_request_error(request, "Busy",
					 "controller %u/%u is coming or going already", c->domid,
					 c->device);
		return;
	}
	c->request = request;
	c->state = XO_CONTROLLER_LEAVING;
	c->relink = false;
	if (!c->worker) {
		leave(c);
		return;
	}
	xo_controller_quit(c);
}

static void release(struct xo_controller *c)
{
	if (c->state == XO_CONTROLLER_LEAVING && !c->worker)
		return; /* waits for the drive */
	snprintf(c->error, sizeof(c->error), "domain %u is gone", c->domid);
	answer_error(c, "DomainNotFound");
	c->state = XO_CONTROLLER_LEAVING;
	c->relink = false;
	if (c->worker)
		xo_worker_kill(c->worker);
	else
		leave(c);
}

void xo_controllers_released(struct xo_controllers *controllers)
{
	struct xo_controller *c;
	struct xo_controller *next;

	for (c = LIST_FIRST(&controllers->list); c; c = next) {
		next = LIST_NEXT(c, entry);
		if (!xo_store_domain_alive(controllers->store, c->domid))
			release(c);
	}
}

void xo_controllers_drive_available(struct xo_controllers *controllers, const char *drive)
{
	struct xo_controller *c;
	struct xo_controller *next;

	for (c = LIST_FIRST(&controllers->list); c; c = next) {
		next = LIST_NEXT(c, entry);
		if (c->state == XO_CONTROLLER_RUNNING && !c->attachment && !strcmp(c->drive, drive))
			ask(c);
	}
}

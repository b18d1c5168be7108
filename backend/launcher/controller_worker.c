/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A controller's worker: its command line, its events, and finding it again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/ioemu_control.h"
#include "base/link.h"
#include "base/log.h"
#include "controllers_private.h"

#define ADOPT_TIMEOUT_MS 5000

static void worker_build(struct xo_worker *worker, struct xo_spawn *spawn)
{
	struct xo_controller *c = worker->priv;
	int client;
	int arena;

	xo_controller_dead_link(c); /* made before; a failed one is seen as a bad descriptor */
	client = xo_spawn_fd(spawn, c->attached ? c->attachment->client_fd : c->dead_client);
	arena = xo_spawn_fd(spawn, c->attached ? c->attachment->arena_fd : c->dead_arena);
	xo_spawn_arg(spawn, "--domid");
	xo_spawn_arg(spawn, "%u", c->domid);
	xo_spawn_arg(spawn, "--name");
	xo_spawn_arg(spawn, "%s", c->name);
	xo_spawn_arg(spawn, "--bus");
	xo_spawn_arg(spawn, "%s", xo_bus_name(c->bus));
	xo_spawn_arg(spawn, "--device");
	xo_spawn_arg(spawn, "%u", c->device);
	xo_spawn_arg(spawn, "--link");
	xo_spawn_arg(spawn, "%d,%d,%u,%u", client, arena, XO_IOEMU_LINK_SLOTS,
		     XO_IOEMU_LINK_SLOT_SIZE);
	xo_spawn_arg(spawn, "--identity");
	xo_spawn_arg(spawn, "%s", c->generic_identity ? "generic" : "drive");
	xo_spawn_arg(spawn, "--interrupt");
	xo_spawn_arg(spawn, "%s", c->msi ? "msi" : "intx");
	/* Who is started while they are logged says what it changes from its first access on. */
	xo_spawn_arg(spawn, "--dirty-pages");
	xo_spawn_arg(spawn, "%s", c->relayed && !c->log_dirty ? "logged" : "always");
	xo_spawn_arg(spawn, "--user");
	xo_spawn_arg(spawn, "%s", c->all->config->user);
	if (c->all->config->log_level >= XO_LOG_DEBUG)
		xo_spawn_arg(spawn, "--verbose");
}

static void worker_started(struct xo_worker *worker)
{
	(void)worker;
}

static void worker_event(struct xo_worker *worker, const char *event, const json_t *data, int *fds,
			 size_t count)
{
	struct xo_controller *c = worker->priv;
	const char *message = json_string_value(json_object_get(data, "message"));

	(void)fds;
	(void)count;
	if (!strcmp(event, "ready")) {
		xo_controller_ready(c);
	} else if (!strcmp(event, "error")) {
		snprintf(c->error, sizeof(c->error), "%.511s", message ? message : "broken");
		if (!c->served)
			xo_worker_expect_end(worker); /* another try would end the same way */
	} else if (!strcmp(event, "link-lost") && c->attached) {
		xo_attachment_lose(c->attachment, message ? message : "the link was lost");
	}
}

static void worker_ended(struct xo_worker *worker, const char *why)
{
	struct xo_controller *c = worker->priv;
	char error[sizeof(c->error)];

	if (!c->relink || why) {
		c->relink = false;
		c->worker = NULL;
		xo_worker_free(worker);
	}
	memcpy(error, c->error, sizeof(error));
	xo_controller_ended(c, why ? why : error[0] ? error : NULL);
}

/* For the successor of the launcher. */
static json_t *worker_save(const struct xo_worker *worker)
{
	const struct xo_controller *c = worker->priv;

	return json_pack("{s:i,s:i,s:s,s:b,s:b,s:b,s:b,s:b,s:b,s:b,s:b,s:s,s:s,s:s,s:I}", "domid",
			 (int)c->domid, "device", (int)c->device, "bus", xo_bus_name(c->bus),
			 "read-only", c->read_only, "generic", c->generic_identity, "msi", c->msi,
			 "relink", c->relink, "stopped", c->stopped, "log-dirty", c->log_dirty,
			 "relayed", c->relayed, "leaving", c->state == XO_CONTROLLER_LEAVING,
			 "drive", c->drive, "guest", c->name, "uuid", c->uuid, "link",
			 (json_int_t)(c->attached ? c->attachment->id : 0));
}

const struct xo_worker_ops xo_controller_worker_ops = {
	.role = "ioemu",
	.program = "xenoptic-ioemu",
	.ledger_region = XO_IOEMU_LEDGER_REGION,
	.build = worker_build,
	.started = worker_started,
	.event = worker_event,
	.ended = worker_ended,
	.save = worker_save,
};

static void copy_text(char *out, size_t size, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(out, size, "%s", text ? text : "");
}

/* What worker_save wrote; the file is ours, but may be of another version. */
static struct xo_controller *restore(struct xo_controllers *controllers, const json_t *config)
{
	json_int_t domid = json_integer_value(json_object_get(config, "domid"));
	json_int_t device = json_integer_value(json_object_get(config, "device"));
	const char *bus = json_string_value(json_object_get(config, "bus"));
	struct xo_controller *c;

	if (domid < 1 || domid > 0x7fef || device < 1 || device > 31 || !bus ||
	    xo_controllers_find(controllers, (unsigned int)domid, (unsigned int)device))
		return NULL;
	c = xo_controller_new(controllers, (unsigned int)domid, (unsigned int)device);
	if (!c)
		return NULL;
	c->bus = strcmp(bus, "ide") ? XO_BUS_AHCI : XO_BUS_IDE;
	c->read_only = json_is_true(json_object_get(config, "read-only"));
	c->generic_identity = json_is_true(json_object_get(config, "generic"));
	c->msi = json_is_true(json_object_get(config, "msi"));
	c->relink = json_is_true(json_object_get(config, "relink"));
	c->stopped = json_is_true(json_object_get(config, "stopped"));
	c->relayed = json_is_true(json_object_get(config, "relayed"));
	c->log_dirty = json_is_true(json_object_get(config, "log-dirty"));
	c->boot = true;
	c->served = true;
	c->state = XO_CONTROLLER_RUNNING;
	copy_text(c->drive, sizeof(c->drive), config, "drive");
	copy_text(c->name, sizeof(c->name), config, "guest");
	copy_text(c->uuid, sizeof(c->uuid), config, "uuid");
	return c;
}

static void adopt_link(struct xo_controller *c, uint32_t link)
{
	if (link)
		c->attachment = xo_attachment_claim(c->all->drives, link, c->domid,
						    xo_controller_attached, c);
	c->attached = c->attachment;
	if (link && !c->attached)
		xo_warning("controller %u/%u lost its drive while the launcher was away", c->domid,
			   c->device);
}

static void adopt_process(struct xo_controller *c)
{
	json_t *query = xo_worker_ask(c->worker, "query", ADOPT_TIMEOUT_MS);

	if (query)
		c->worker->ready = json_is_true(json_object_get(query, "sandboxed"));
	else if (!c->worker->died) /* it is being killed, or hangs: its successor has its ledger */
		xo_worker_replace(c->worker);
	json_decref(query);
}

int xo_controllers_adopt(struct xo_controllers *controllers, const struct xo_worker_record *record)
{
	struct xo_controller *c = restore(controllers, record->config);
	json_int_t link = json_integer_value(json_object_get(record->config, "link"));
	char name[XO_WORKER_NAME_MAX];
	int r;

	if (!c)
		return -EINVAL;
	snprintf(name, sizeof(name), "%u/%u", c->domid, c->device);
	r = xo_worker_new(controllers->workers, &xo_controller_worker_ops, name, c, &c->worker);
	if (!r)
		r = xo_worker_adopt(c->worker, record);
	if (!r && !c->worker->died)
		adopt_process(c);
	if (r) {
		xo_controller_free(c);
		return r;
	}
	if (json_is_true(json_object_get(record->config, "leaving")) ||
	    (record->stopping && !c->relink)) {
		c->state = XO_CONTROLLER_LEAVING;
		xo_controller_quit(c);
	}
	adopt_link(c, link > 0 ? (uint32_t)link : 0);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The jobs behind `xenoptic attach` and `detach`. */
#include "jobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/drive_control.h"
#include "base/log.h"
#include "base/loop.h"
#include "xenbus.h"

#define LOOK_MS 50
#define ATTACH_SLACK 5 /* s, beyond the time that a busy drive is tried */
#define DETACH_TIMEOUT 15 /* s for the guest's driver */
#define FORCE_TIMEOUT 3

struct job {
	struct xo_launcher *launcher;
	struct xo_request *request;
	struct xo_device_nodes nodes;
	uv_timer_t timer;
	uint64_t deadline;
	bool boot;
	bool force;
	bool querying; /* the drive was asked whether it burns */
	bool asked; /* the device was asked to close */
	bool refused;
	char error[512];
};

static void job_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void job_end(struct job *job)
{
	uv_close((uv_handle_t *)&job->timer, job_closed);
}

static struct job *job_new(struct xo_launcher *launcher, struct xo_request *request,
			   unsigned int seconds, uv_timer_cb look)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->launcher = launcher;
	job->request = request;
	job->deadline = xo_now_ns() + seconds * UINT64_C(1000000000);
	uv_timer_init(&launcher->loop, &job->timer);
	job->timer.data = job;
	uv_timer_start(&job->timer, look, 0, LOOK_MS);
	return job;
}

static json_t *describe(const struct xo_device_nodes *nodes)
{
	return json_pack("{s:i,s:i,s:i,s:s}", "domid", (int)nodes->domid, "devid",
			 (int)nodes->number, "backend", (int)nodes->backend_domid, "type",
			 nodes->is_vcd ? "vcd" : "vscsi");
}

/* 1: the backend has the drive; 0: not yet; -EBUSY: it refuses, error says why. */
static int attached(struct job *job)
{
	struct xo_store *store = &job->launcher->store;
	char text[XO_SCHEMA_VALUE_MAX];
	uint64_t state;

	if (!xo_store_text(store, job->nodes.backend, XO_OPTICAL_UNIT_ERROR, 0, text,
			   sizeof(text)) &&
	    text[0]) {
		snprintf(job->error, sizeof(job->error), "%.511s", text);
		return -EBUSY;
	}
	if (!xo_store_text(store, job->nodes.backend, XO_OPTICAL_ERROR, 0, text, sizeof(text)) &&
	    text[0]) {
		snprintf(job->error, sizeof(job->error), "%.511s", text);
		return -EBUSY;
	}
	return !xo_store_number(store, job->nodes.backend, XO_OPTICAL_STATE, 0, &state) &&
	       state != XO_XENBUS_INITIALISING && state != XO_XENBUS_UNKNOWN;
}

static void attach_look(uv_timer_t *timer)
{
	struct job *job = timer->data;
	struct xo_store *store = &job->launcher->store;
	int r = attached(job);

	if (!r && xo_now_ns() < job->deadline)
		return;
	if (r > 0) {
		xo_request_return(job->request, describe(&job->nodes));
	} else if (r < 0 && job->boot) {
		json_t *answer = describe(&job->nodes);

		json_object_set_new(answer, "error", json_string(job->error));
		xo_request_return(job->request, answer);
	} else {
		if (!r)
			snprintf(job->error, sizeof(job->error),
				 "no backend answers in domain %u: is xenopticd running there?",
				 job->nodes.backend_domid);
		xo_toolstack_remove(store, &job->nodes);
		xo_request_error(job->request, "Refused", "%s", job->error);
	}
	job_end(job);
}

void xo_job_attach(struct xo_launcher *launcher, const struct xo_domain *domain,
		   const struct xo_options *options, bool boot, struct xo_request *request)
{
	struct xo_device_nodes nodes;
	struct job *job;
	char error[512];
	int r;

	r = xo_toolstack_attach(&launcher->store, domain, options, 0, &nodes, error, sizeof(error));
	if (r) {
		xo_request_error(request, "GenericError", "%s", error);
		return;
	}
	job = job_new(launcher, request, launcher->config.open_timeout + ATTACH_SLACK, attach_look);
	if (!job) {
		xo_request_error(request, "GenericError", "out of memory");
		return;
	}
	job->nodes = nodes;
	job->boot = boot;
}

/* The drive's command, as xenoptic-drive names it (the names of MMC-6). */
static bool changes_medium(const char *opcode)
{
	static const char *const names[] = { "WRITE", "BLANK", "FORMAT", "CLOSE", "SYNCHRONIZE" };

	for (size_t i = 0; i < XO_ARRAY_SIZE(names); i++)
		if (!strncmp(opcode, names[i], strlen(names[i])))
			return true;
	return false;
}

/* Whether the drive, which answered `data`, has something under way that must not be cut. */
static bool burning(const json_t *data, char *reason, size_t size)
{
	const json_t *running = json_object_get(data, "running");
	const char *opcode = json_string_value(json_object_get(running, "opcode"));

	if (json_is_true(json_object_get(data, "write-session"))) {
		snprintf(reason, size, "a burn is in progress");
		return true;
	}
	if (!opcode || !changes_medium(opcode))
		return false;
	snprintf(reason, size, "%s is in progress", opcode);
	return true;
}

static void busy_reply(void *priv, const json_t *data, const char *error_class, const char *error,
		       int *fds, size_t count)
{
	struct job *job = priv;

	(void)error_class;
	(void)error;
	(void)fds;
	(void)count;
	job->querying = false;
	if (!data) /* its process died: the successor is asked */
		return;
	job->refused = burning(data, job->error, sizeof(job->error));
	job->asked = !job->refused;
	if (job->asked)
		xo_toolstack_close(&job->launcher->store, &job->nodes);
}

/* Asks the drive, if there is one; then busy_reply goes on. */
static void begin_detach(struct job *job)
{
	struct xo_device *device = job->nodes.backend_domid == job->launcher->store.domid
					   ? xo_devices_find(&job->launcher->devices,
							     job->nodes.domid, job->nodes.number)
					   : NULL;

	for (unsigned int i = 0; !job->force && device && i < XO_UNITS_MAX; i++) {
		const struct xo_attachment *attachment = device->units[i].attachment;

		if (!attachment || !attachment->drive->worker)
			continue;
		/* One that is being replaced takes no command: it is asked at the next look. */
		job->querying = !xo_worker_command(attachment->drive->worker, XO_DRIVE_QUERY, NULL,
						   NULL, 0, busy_reply, job);
		return;
	}
	job->asked = true;
	xo_toolstack_close(&job->launcher->store, &job->nodes);
}

static void detach_timeout(struct job *job)
{
	if (job->force) {
		xo_notice("device %u/%u: the guest does not let go; taken away", job->nodes.domid,
			  job->nodes.number);
		xo_toolstack_remove(&job->launcher->store, &job->nodes);
		xo_request_return(job->request, describe(&job->nodes));
	} else {
		xo_request_error(job->request, "Busy",
				 job->asked ? "device %u/%u: the guest's driver does not let go of "
					      "it; it is closing still, --force takes it away"
					    : "device %u/%u: the drive does not say whether it "
					      "burns; --force takes it away",
				 job->nodes.domid, job->nodes.number);
	}
	job_end(job);
}

static void detach_look(uv_timer_t *timer)
{
	struct job *job = timer->data;
	struct xo_store *store = &job->launcher->store;

	if (job->refused) {
		xo_request_error(job->request, "Busy", "device %u/%u: %s; --force ends it",
				 job->nodes.domid, job->nodes.number, job->error);
		job_end(job);
		return;
	}
	if (!job->asked && !job->querying && xo_now_ns() < job->deadline)
		begin_detach(job);
	if (job->querying)
		return;
	if (job->asked && xo_toolstack_closed(store, &job->nodes)) {
		xo_toolstack_remove(store, &job->nodes);
		xo_request_return(job->request, describe(&job->nodes));
		job_end(job);
	} else if (xo_now_ns() >= job->deadline) {
		detach_timeout(job);
	}
}

void xo_job_detach(struct xo_launcher *launcher, const struct xo_device_nodes *nodes, bool force,
		   struct xo_request *request)
{
	struct job *job =
		job_new(launcher, request, force ? FORCE_TIMEOUT : DETACH_TIMEOUT, detach_look);

	if (!job) {
		xo_request_error(request, "GenericError", "out of memory");
		return;
	}
	job->nodes = *nodes;
	job->force = force;
}

struct controller_job {
	struct xo_launcher *launcher;
	struct xo_request *request;
	unsigned int domid;
	unsigned int device;
};

static void controller_reply(void *priv, const json_t *data, const char *error_class,
			     const char *error, int *fds, size_t count)
{
	struct controller_job *job = priv;
	struct xo_controller *controller =
		xo_controllers_find(&job->launcher->controllers, job->domid, job->device);
	char reason[128];

	(void)error_class;
	(void)error;
	(void)fds;
	(void)count;
	if (!data)
		snprintf(reason, sizeof(reason), "the drive does not say whether it burns");
	if (!data || burning(data, reason, sizeof(reason)))
		xo_request_error(job->request, "Busy", "controller %u/%u: %s; --force ends it",
				 job->domid, job->device, reason);
	else if (controller)
		xo_controllers_detach(controller, job->request);
	else
		xo_request_return(job->request, NULL);
	free(job);
}

void xo_job_detach_controller(struct xo_launcher *launcher, struct xo_controller *controller,
			      bool force, struct xo_request *request)
{
	const struct xo_attachment *attachment = controller->attachment;
	struct controller_job *job = NULL;

	if (!force && controller->attached && attachment->drive->worker)
		job = calloc(1, sizeof(*job));
	if (job) {
		*job = (struct controller_job){ launcher, request, controller->domid,
						controller->device };
		if (!xo_worker_command(attachment->drive->worker, XO_DRIVE_QUERY, NULL, NULL, 0,
				       controller_reply, job))
			return;
		free(job);
	}
	xo_controllers_detach(controller, request);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of the control socket: a row each in a table. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/drive_control.h"
#include "base/log.h"
#include "elsewhere.h"
#include "jobs.h"
#include "launcher.h"
#include "migration.h"
#include "options.h"
#include "toolstack.h"
#include "trace.h"

static const char *text_argument(const json_t *arguments, const char *key)
{
	return json_string_value(json_object_get(arguments, key));
}

static bool flag_argument(const json_t *arguments, const char *key)
{
	return json_is_true(json_object_get(arguments, key));
}

/* "domain" as text or number. 0, or the request was answered. */
static int domain_argument(struct xo_launcher *launcher, const json_t *arguments,
			   struct xo_domain *domain, struct xo_request *request)
{
	const json_t *value = json_object_get(arguments, "domain");
	char text[XO_SCHEMA_VALUE_MAX];
	char error[512];
	int r;

	if (json_is_integer(value))
		snprintf(text, sizeof(text), "%d", (int)json_integer_value(value));
	else if (json_is_string(value))
		snprintf(text, sizeof(text), "%s", json_string_value(value));
	else
		text[0] = '\0';
	if (!text[0]) {
		xo_request_error(request, "GenericError",
				 "argument domain: expected an id, a name or a UUID");
		return -EINVAL;
	}
	r = xo_domain_find(&launcher->store, text, domain, error, sizeof(error));
	if (r)
		xo_request_error(request, "DomainNotFound", "%s", error);
	return r;
}

static void attach_controller(struct xo_launcher *launcher, const struct xo_domain *domain,
			      const struct xo_options *options, const json_t *arguments,
			      struct xo_request *request)
{
	struct xo_qemu_slots slots;

	xo_qemu_slots_find(&slots, &launcher->store, domain->domid,
			   json_object_get(arguments, "device-model"));
	if (launcher->config.backend)
		xo_controllers_attach(&launcher->controllers, domain, options, &slots,
				      flag_argument(arguments, "boot"),
				      flag_argument(arguments, "relay"),
				      json_object_get(arguments, "states"), request);
	else
		xo_request_error(request, "GenericError", "bus=%s: this daemon has no backend role",
				 xo_bus_name(options->bus));
}

static void run_attach(void *priv, const json_t *arguments, struct xo_request *request)
{
	struct xo_launcher *launcher = priv;
	const json_t *list = json_object_get(arguments, "options");
	struct xo_options options;
	struct xo_domain domain;
	const json_t *option;
	char error[512] = "argument options: expected an array of \"KEY=VALUE\"";
	int r = json_is_array(list) ? 0 : -EINVAL;
	size_t i;

	if (!launcher->config.toolstack) {
		xo_request_error(request, "GenericError",
				 "this daemon has no toolstack role; attach in Dom0");
		return;
	}
	if (domain_argument(launcher, arguments, &domain, request))
		return;
	xo_options_init(&options);
	json_array_foreach (list, i, option)
		if (!r)
			r = json_is_string(option)
				    ? xo_options_set(&options, json_string_value(option), error,
						     sizeof(error))
				    : -EINVAL;
	if (!r)
		r = xo_options_check(&options, error, sizeof(error));
	if (options.bus == XO_BUS_DEFAULT)
		options.bus = xo_options_default_bus(&options, !strcmp(domain.type, "hvm"));
	xo_refusals_attempt(&launcher->refusals, &domain, &options,
			    flag_argument(arguments, "boot"), request);
	if (r) {
		xo_request_error(request, "InvalidOption", "%s", error);
		return;
	}
	if (options.second_bus != XO_BUS_DEFAULT) {
		xo_request_error(request, "InvalidOption",
				 "bus=%s and bus=%s: attach them one after the other",
				 xo_bus_name(options.bus), xo_bus_name(options.second_bus));
		return;
	}
	if (xo_bus_emulated(options.bus))
		attach_controller(launcher, &domain, &options, arguments, request);
	else
		xo_job_attach(launcher, &domain, &options, flag_argument(arguments, "boot"),
			      request);
}

/* Of the device-model wrapper: what keeps its guest from starting and was no answer of ours. */
static void run_attach_failed(void *priv, const json_t *arguments, struct xo_request *request)
{
	struct xo_launcher *launcher = priv;
	const char *message = text_argument(arguments, "message");
	struct xo_domain domain;

	if (!message || !*message) {
		xo_request_error(request, "GenericError", "argument message: expected a text");
		return;
	}
	if (domain_argument(launcher, arguments, &domain, request))
		return;
	xo_refusals_add(&launcher->refusals, &domain, message);
	xo_request_return(request, NULL);
}

/* The only one of a domain, or the one with that number. NULL: *count says how many there are. */
static struct xo_controller *controller_of(struct xo_launcher *launcher, unsigned int domid,
					   const json_t *number, int *count)
{
	struct xo_controller *c;
	struct xo_controller *found = NULL;

	*count = 0;
	LIST_FOREACH (c, &launcher->controllers.list, entry) {
		if (c->domid != domid)
			continue;
		if (json_is_integer(number) && json_integer_value(number) != (json_int_t)c->device)
			continue;
		found = c;
		++*count;
	}
	return *count == 1 ? found : NULL;
}

static void run_detach(void *priv, const json_t *arguments, struct xo_request *request)
{
	struct xo_launcher *launcher = priv;
	const json_t *number = json_object_get(arguments, "devid");
	struct xo_device_nodes nodes[16];
	struct xo_controller *controller;
	struct xo_domain domain;
	int controllers;
	int count;

	if (!launcher->config.toolstack) {
		xo_request_error(request, "GenericError",
				 "this daemon has no toolstack role; detach in Dom0");
		return;
	}
	if (domain_argument(launcher, arguments, &domain, request))
		return;
	if (json_is_integer(number)) {
		count = !xo_toolstack_find(&launcher->store, domain.domid,
					   (unsigned int)json_integer_value(number), nodes);
	} else {
		count = xo_toolstack_list(&launcher->store, domain.domid, nodes,
					  XO_ARRAY_SIZE(nodes));
	}
	controller = controller_of(launcher, domain.domid, number, &controllers);
	count += controllers;
	if (count == 1 && controller)
		xo_job_detach_controller(launcher, controller, flag_argument(arguments, "force"),
					 request);
	else if (count == 1)
		xo_job_detach(launcher, &nodes[0], flag_argument(arguments, "force"), request);
	else if (!count)
		xo_request_error(request, "DeviceNotFound", "domain %u: it has no such device",
				 domain.domid);
	else
		xo_request_error(request, "GenericError",
				 "domain %u: it has %d devices; say which (devid)", domain.domid,
				 count);
}

/* The answer of a drive's process becomes ours. */
static void pass_reply(void *priv, const json_t *data, const char *error_class, const char *error,
		       int *fds, size_t count)
{
	struct xo_request *request = priv;

	(void)fds;
	(void)count;
	if (data)
		xo_request_return(request, json_deep_copy(data));
	else
		xo_request_error(request, error_class, "%s", error);
}

static struct xo_drive *drive_argument(struct xo_launcher *launcher, const json_t *arguments,
				       struct xo_request *request)
{
	const char *name = text_argument(arguments, "drive");
	struct xo_drive *drive = NULL;

	if (!name || xo_schema_check(XO_OPTICAL_UNIT_P_DEV, name, strlen(name)))
		xo_request_error(request, "GenericError",
				 "argument drive: expected /dev/… or virtual:NAME");
	else if (!(drive = xo_drives_get(&launcher->drives, name)))
		xo_request_error(request, "GenericError", "out of memory");
	return drive;
}

static void run_insert(void *priv, const json_t *arguments, struct xo_request *request)
{
	const char *path = text_argument(arguments, "disc");
	struct xo_drive *drive;
	char error[512] = "out of memory";

	if (!path || path[0] != '/') {
		xo_request_error(request, "GenericError",
				 "argument disc: expected the absolute path of a disc");
		return;
	}
	drive = drive_argument(priv, arguments, request);
	if (drive && xo_drive_insert(drive, path, flag_argument(arguments, "read-only"), pass_reply,
				     request, error, sizeof(error)))
		xo_request_error(request, "GenericError", "%s", error);
}

static void run_eject(void *priv, const json_t *arguments, struct xo_request *request)
{
	struct xo_drive *drive = drive_argument(priv, arguments, request);
	char error[512] = "out of memory";

	if (drive && xo_drive_eject(drive, flag_argument(arguments, "force"), pass_reply, request,
				    error, sizeof(error)))
		xo_request_error(request, "GenericError", "%s", error);
}

static void run_trace(void *priv, const json_t *arguments, struct xo_request *request)
{
	struct xo_drive *drive = drive_argument(priv, arguments, request);

	if (drive)
		xo_trace_begin(drive, request);
}

static json_t *describe_worker(const struct xo_worker *worker)
{
	return json_pack("{s:s,s:s,s:i,s:b,s:i,s:b}", "role", worker->ops->role, "name",
			 worker->name, "pid", (int)worker->pid, "ready", worker->ready, "starts",
			 (int)worker->starts, "adopted", worker->pidfd >= 0);
}

static void run_query_workers(void *priv, const json_t *arguments, struct xo_request *request)
{
	struct xo_launcher *launcher = priv;
	const struct xo_worker *worker;
	json_t *list = json_array();

	(void)arguments;
	LIST_FOREACH (worker, &launcher->workers.list, entry)
		json_array_append_new(list, describe_worker(worker));
	xo_request_return(request, json_pack("{s:o}", "workers", list));
}

static json_t *describe_unit(const struct xo_unit *unit)
{
	char address[32];
	json_t *json;

	xo_unit_address_text(&unit->address, address, sizeof(address));
	json = json_pack("{s:i,s:s,s:s,s:s,s:s,s:b,s:b}", "unit", (int)unit->number, "drive",
			 unit->drive, "address", address, "mode", unit->read_only ? "ro" : "rw",
			 "state", xo_xenbus_state_name(unit->facts.backend), "attached",
			 unit->facts.attach == XO_ATTACH_HELD, "lent", unit->lent);
	if (unit->attachment)
		json_object_set_new(json, "link", json_integer(unit->attachment->id));
	if (unit->error[0])
		json_object_set_new(json, "error", json_string(unit->error));
	return json;
}

static json_t *describe_device(const struct xo_device *device)
{
	json_t *units = json_array();
	json_t *json;

	for (unsigned int i = 0; i < XO_UNITS_MAX; i++)
		if (device->units[i].present)
			json_array_append_new(units, describe_unit(&device->units[i]));
	json = json_pack("{s:i,s:i,s:s,s:s,s:s,s:s,s:s,s:i,s:o}", "domid", (int)device->domid,
			 "devid", (int)device->number, "guest", device->name, "uuid", device->uuid,
			 "type", device->is_vcd ? "vcd" : "vscsi", "state",
			 xo_xenbus_state_name(device->facts.backend), "frontend-state",
			 xo_xenbus_state_name(device->facts.frontend), "pid",
			 device->worker ? (int)device->worker->pid : 0, "units", units);
	if (device->error[0])
		json_object_set_new(json, "error", json_string(device->error));
	return json;
}

static json_t *describe_devices(struct xo_launcher *launcher)
{
	const struct xo_controller *controller;
	const struct xo_device *device;
	json_t *list = json_array();

	LIST_FOREACH (device, &launcher->devices.list, entry)
		json_array_append_new(list, describe_device(device));
	LIST_FOREACH (controller, &launcher->controllers.list, entry)
		json_array_append_new(list, xo_controller_describe(controller));
	if (launcher->config.toolstack)
		xo_elsewhere_list(&launcher->store, !launcher->config.backend, list);
	return list;
}

static void run_query_guests(void *priv, const json_t *arguments, struct xo_request *request)
{
	(void)arguments;
	xo_request_return(request, json_pack("{s:o}", "guests", describe_devices(priv)));
}

/* Drives are asked themselves; the answer waits for the last of them. */
struct gather {
	struct xo_request *request;
	json_t *result; /* with "drives" */
	unsigned int waiting;
};

struct gather_one {
	struct gather *gather;
	json_t *drive;
};

static void gather_put(struct gather *gather)
{
	if (--gather->waiting)
		return;
	xo_request_return(gather->request, gather->result);
	free(gather);
}

static void gathered(void *priv, const json_t *data, const char *error_class, const char *error,
		     int *fds, size_t count)
{
	struct gather_one *one = priv;

	(void)error_class;
	(void)error;
	(void)fds;
	(void)count;
	if (data)
		json_object_set_new(one->drive, "process", json_deep_copy(data));
	json_decref(one->drive);
	gather_put(one->gather);
	free(one);
}

static void gather_drive(struct gather *gather, const struct xo_drive *drive, json_t *json)
{
	struct gather_one *one;

	if (!drive->worker || !drive->worker->ready)
		return;
	one = calloc(1, sizeof(*one));
	if (!one)
		return;
	one->gather = gather;
	one->drive = json_incref(json);
	gather->waiting++;
	if (xo_worker_command(drive->worker, XO_DRIVE_QUERY, NULL, NULL, 0, gathered, one)) {
		json_decref(one->drive);
		gather->waiting--;
		free(one);
	}
}

static json_t *describe_drive(const struct xo_drive *drive)
{
	json_t *json = json_pack("{s:s,s:s,s:b,s:i}", "drive", drive->name, "state",
				 xo_drive_state_name(drive->state), "virtual", drive->is_virtual,
				 "pid", drive->worker ? (int)drive->worker->pid : 0);

	if (drive->disc.path)
		json_object_set_new(json, "disc", json_string(drive->disc.path));
	if (drive->lease)
		json_object_set(json, "lease", drive->lease);
	return json;
}

static void query_drives(struct xo_launcher *launcher, struct xo_request *request, json_t *result)
{
	struct gather *gather = calloc(1, sizeof(*gather));
	const struct xo_drive *drive;
	json_t *list = json_array();

	json_object_set_new(result, "drives", list);
	if (!gather) {
		xo_request_return(request, result);
		return;
	}
	gather->request = request;
	gather->result = result;
	gather->waiting = 1;
	LIST_FOREACH (drive, &launcher->drives.list, entry) {
		json_t *json = describe_drive(drive);

		json_array_append(list, json);
		gather_drive(gather, drive, json);
		json_decref(json);
	}
	gather_put(gather);
}

static void run_query_drives(void *priv, const json_t *arguments, struct xo_request *request)
{
	(void)arguments;
	query_drives(priv, request, json_object());
}

static void run_list(void *priv, const json_t *arguments, struct xo_request *request)
{
	struct xo_launcher *launcher = priv;

	(void)arguments;
	query_drives(launcher, request,
		     json_pack("{s:o,s:o,s:{s:b,s:b,s:i}}", "guests", describe_devices(launcher),
			       "refused", xo_refusals_describe(&launcher->refusals), "daemon",
			       "backend", launcher->config.backend, "toolstack",
			       launcher->config.toolstack, "domid", (int)launcher->store.domid));
}

/* Of the device-model wrapper, while a guest is saved or migrated. */
static void tell_controllers(struct xo_launcher *launcher, const json_t *arguments,
			     struct xo_request *request,
			     void (*tell)(struct xo_controllers *controllers, unsigned int domid,
					  bool on, struct xo_request *request),
			     bool on)
{
	struct xo_domain domain;

	if (!domain_argument(launcher, arguments, &domain, request))
		tell(&launcher->controllers, domain.domid, on, request);
}

static void run_stop_controllers(void *priv, const json_t *arguments, struct xo_request *request)
{
	tell_controllers(priv, arguments, request, xo_controllers_stop, true);
}

static void run_cont_controllers(void *priv, const json_t *arguments, struct xo_request *request)
{
	tell_controllers(priv, arguments, request, xo_controllers_stop, false);
}

static void run_run_controllers(void *priv, const json_t *arguments, struct xo_request *request)
{
	struct xo_launcher *launcher = priv;
	struct xo_domain domain;

	if (!domain_argument(launcher, arguments, &domain, request))
		xo_controllers_run(&launcher->controllers, domain.domid, request);
}

static void run_log_dirty_controllers(void *priv, const json_t *arguments,
				      struct xo_request *request)
{
	tell_controllers(priv, arguments, request, xo_controllers_log_dirty, true);
}

static void run_log_clean_controllers(void *priv, const json_t *arguments,
				      struct xo_request *request)
{
	tell_controllers(priv, arguments, request, xo_controllers_log_dirty, false);
}

static void run_save_controllers(void *priv, const json_t *arguments, struct xo_request *request)
{
	struct xo_launcher *launcher = priv;
	struct xo_domain domain;

	if (!domain_argument(launcher, arguments, &domain, request))
		xo_controllers_save(&launcher->controllers, domain.domid, request);
}

static void run_events(void *priv, const json_t *arguments, struct xo_request *request)
{
	(void)priv;
	(void)arguments;
	xo_request_subscribe(request);
	xo_request_return(request, NULL);
}

static void run_query_commands(void *priv, const json_t *arguments, struct xo_request *request)
{
	json_t *list = json_array();

	(void)priv;
	(void)arguments;
	for (const struct xo_server_command *c = xo_launcher_commands; c->name; c++)
		json_array_append_new(list, json_string(c->name));
	xo_request_return(request, json_pack("{s:o}", "commands", list));
}

static void run_quit(void *priv, const json_t *arguments, struct xo_request *request)
{
	xo_request_return(request, NULL);
	xo_launcher_quit(priv, flag_argument(arguments, "workers"));
}

const struct xo_server_command xo_launcher_commands[] = {
	{ "attach", run_attach },
	{ "attach-failed", run_attach_failed },
	{ "detach", run_detach },
	{ "list", run_list },
	{ "insert", run_insert },
	{ "eject", run_eject },
	{ "trace", run_trace },
	{ "query-drives", run_query_drives },
	{ "query-guests", run_query_guests },
	{ "query-workers", run_query_workers },
	{ "query-commands", run_query_commands },
	{ "stop-controllers", run_stop_controllers },
	{ "cont-controllers", run_cont_controllers },
	{ "run-controllers", run_run_controllers },
	{ "log-dirty-controllers", run_log_dirty_controllers },
	{ "log-clean-controllers", run_log_clean_controllers },
	{ "save-controllers", run_save_controllers },
	{ "events", run_events },
	{ "quit", run_quit },
	{ NULL, NULL },
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device's ring worker: how its frontend is connected, its command line, commands and events. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/link.h"
#include "base/log.h"
#include "base/point.h"
#include "devices_private.h"
#include "points.h"

#define ADOPT_TIMEOUT_MS 5000

/* The nodes have the same names in both classes. */
struct nodes {
	enum xo_node ring_ref;
	enum xo_node event_channel;
	enum xo_node protocol;
};

static const struct nodes vscsi_nodes = { XO_VSCSI_RING_REF, XO_VSCSI_EVENT_CHANNEL,
					  XO_VSCSI_PROTOCOL };
static const struct nodes vcd_nodes = { XO_VCD_RING_REF, XO_VCD_EVENT_CHANNEL, XO_VCD_PROTOCOL };

static int bad_node(enum xo_node node, unsigned int n, int r, char *error, size_t size)
{
	char expected[128];
	char path[XO_SCHEMA_PATH_MAX];

	snprintf(error, size, "the frontend's node %s %s: expected %s",
		 xo_schema_path(node, n, path, sizeof(path)),
		 r == -ENOENT ? "is missing" : "is not valid",
		 xo_schema_expected(node, expected, sizeof(expected)));
	return -EINVAL;
}

static int read_number(struct xo_device *device, enum xo_node node, unsigned int n,
		       uint64_t *number, char *error, size_t size)
{
	int r = xo_store_number(device->all->store, device->frontend, node, n, number);

	return r ? bad_node(node, n, r, error, size) : 0;
}

/* One page as ring-ref, several as ring-ref0, ring-ref1 … */
static int read_refs(struct xo_device *device, const struct nodes *nodes,
		     struct xo_connection *connection, char *error, size_t size)
{
	uint64_t order = 0;
	uint64_t ref;
	int r = 0;

	if (device->is_vcd)
		r = read_number(device, XO_VCD_RING_PAGE_ORDER, 0, &order, error, size);
	connection->pages = 1u << order;
	for (unsigned int i = 0; !r && i < connection->pages; i++) {
		r = read_number(device, order ? XO_VCD_RING_REFN : nodes->ring_ref, i, &ref, error,
				size);
		connection->refs[i] = (uint32_t)ref;
	}
	return r;
}

/* Whichever the class, event-channel is the first; vcd may have more. */
static int read_ports(struct xo_device *device, const struct nodes *nodes,
		      struct xo_connection *connection, char *error, size_t size)
{
	uint64_t count = 1;
	uint64_t port = 0;
	int r = 0;

	if (device->is_vcd)
		r = read_number(device, XO_VCD_EVENT_CHANNELS, 0, &count, error, size);
	connection->channels = XO_MIN((unsigned int)count, XO_RING_CHANNELS_MAX);
	for (unsigned int i = 0; !r && i < connection->channels; i++) {
		r = read_number(device, i ? XO_VCD_EVENT_CHANNELN : nodes->event_channel, i, &port,
				error, size);
		connection->ports[i] = (uint32_t)port;
	}
	return r;
}

int xo_connection_read(struct xo_device *device, struct xo_connection *connection, char *error,
		       size_t size)
{
	const struct nodes *nodes = device->is_vcd ? &vcd_nodes : &vscsi_nodes;
	uint64_t protocol = 0;
	uint64_t persistent = 0;
	uint64_t events = 0;
	int r;

	*connection = (struct xo_connection){ 0 };
	r = read_refs(device, nodes, connection, error, size);
	if (!r)
		r = read_ports(device, nodes, connection, error, size);
	if (!r)
		r = read_number(device, nodes->protocol, 0, &protocol, error, size);
	if (!r && device->is_vcd)
		r = read_number(device, XO_VCD_FEATURE_PERSISTENT, 0, &persistent, error, size);
	if (!r && device->is_vcd)
		r = read_number(device, XO_VCD_FEATURE_MEDIA_EVENTS, 0, &events, error, size);
	connection->abi32 = protocol == XO_VSCSI_PROTOCOL_X86_32_ABI;
	connection->persistent_grants = persistent && XO_OFFER_PERSISTENT;
	connection->media_events = events && XO_OFFER_MEDIA_EVENTS;
	return r;
}

bool xo_connection_same(const struct xo_connection *a, const struct xo_connection *b)
{
	return a->pages == b->pages && !memcmp(a->refs, b->refs, sizeof(a->refs)) &&
	       a->channels == b->channels && !memcmp(a->ports, b->ports, sizeof(a->ports)) &&
	       a->abi32 == b->abi32;
}

static void add_lun(struct xo_spawn *spawn, const struct xo_unit *unit)
{
	const struct xo_attachment *attachment = unit->attachment;
	char text[32];
	int fd;
	int arena;

	xo_unit_address_text(&unit->address, text, sizeof(text));
	fd = xo_spawn_fd(spawn, attachment->client_fd);
	arena = xo_spawn_fd(spawn, attachment->arena_fd);
	xo_spawn_arg(spawn, "--lun");
	xo_spawn_arg(spawn, "%s,%u,%d,%d,%u,%u", text, attachment->id, fd, arena, attachment->slots,
		     attachment->slot_size);
}

static void add_list(struct xo_spawn *spawn, const char *option, const uint32_t *values,
		     unsigned int count)
{
	char text[XO_MAX(XO_RING_PAGES_MAX, XO_RING_CHANNELS_MAX) * sizeof("4294967295,")];
	size_t at = 0;

	for (unsigned int i = 0; i < count; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%u", i ? "," : "",
				       values[i]);
	xo_spawn_arg(spawn, "%s", option);
	xo_spawn_arg(spawn, "%s", text);
}

static void add_connection(struct xo_spawn *spawn, const struct xo_connection *connection)
{
	add_list(spawn, "--ring-ref", connection->refs, connection->pages);
	add_list(spawn, "--event-channel", connection->ports, connection->channels);
	xo_spawn_arg(spawn, "--protocol");
	xo_spawn_arg(spawn, "%s", connection->abi32 ? "x86_32-abi" : "x86_64-abi");
	if (connection->persistent_grants) {
		xo_spawn_arg(spawn, "--feature");
		xo_spawn_arg(spawn, "persistent-grants");
	}
	if (connection->media_events) {
		xo_spawn_arg(spawn, "--feature");
		xo_spawn_arg(spawn, "media-events");
	}
}

static void ring_build(struct xo_worker *worker, struct xo_spawn *spawn)
{
	struct xo_device *device = worker->priv;

	xo_spawn_arg(spawn, "--domid");
	xo_spawn_arg(spawn, "%u", device->domid);
	xo_spawn_arg(spawn, "--devid");
	xo_spawn_arg(spawn, "%u", device->number);
	xo_spawn_arg(spawn, "--name");
	xo_spawn_arg(spawn, "%s", device->name);
	xo_spawn_arg(spawn, "--type");
	xo_spawn_arg(spawn, "%s", device->is_vcd ? "vcd" : "vscsi");
	add_connection(spawn, &device->connection);
	xo_spawn_arg(spawn, "--sg-grant");
	xo_spawn_arg(spawn, "%d", XO_RING_SG_GRANT);
	xo_spawn_arg(spawn, "--user");
	xo_spawn_arg(spawn, "%s", device->all->config->user);
	if (device->all->config->log_level >= XO_LOG_DEBUG)
		xo_spawn_arg(spawn, "--verbose");
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++) {
		struct xo_unit *unit = &device->units[i];

		if (!unit->attachment || unit->facts.ring == XO_UNIT_OUT)
			continue;
		/* What was being added or removed in a worker that died is decided anew. */
		unit->facts.ring = XO_UNIT_IN;
		add_lun(spawn, unit);
	}
}

int xo_ring_start(struct xo_device *device)
{
	char name[XO_WORKER_NAME_MAX];
	char error[256];
	int r = xo_connection_read(device, &device->connection, error, sizeof(error));

	if (r) {
		xo_device_fail(device, "%s", error);
		return 0;
	}
	if (!xo_device_may_begin(device))
		return -EAGAIN;
	snprintf(name, sizeof(name), "%u/%u", device->domid, device->number);
	r = xo_worker_new(device->all->workers, &xo_ring_worker_ops, name, device, &device->worker);
	if (r)
		return r;
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++) {
		struct xo_unit *unit = &device->units[i];

		if (unit->present && unit->facts.attach == XO_ATTACH_HELD)
			unit->facts.ring = XO_UNIT_IN;
	}
	device->facts.ring = XO_RING_STARTING;
	device->facts.stale = false;
	if (!xo_worker_start(device->worker))
		return 0;
	xo_worker_free(device->worker);
	device->worker = NULL;
	device->facts.ring = XO_RING_NONE;
	xo_units_ring_ended(device);
	xo_device_fail(device, "the ring's worker cannot be started; see the backend's log");
	return 0;
}

/* Nobody waits for answers: the frontend has closed, or the ring is broken. */
static int disconnect(struct xo_worker *worker)
{
	return xo_worker_command(worker, "disconnect", json_pack("{s:b}", "force", 1), NULL, 0,
				 NULL, NULL);
}

void xo_ring_stop(struct xo_device *device)
{
	device->facts.ring = XO_RING_STOPPING;
	xo_worker_expect_end(device->worker);
	if (!device->worker->ready || disconnect(device->worker))
		xo_worker_kill(device->worker);
}

/* An answer about a unit of a device that may be gone by now. */
struct reference {
	struct xo_devices *devices;
	unsigned int domid;
	unsigned int number;
	struct xo_unit_address address;
};

static struct reference *reference_new(const struct xo_unit *unit)
{
	struct reference *reference = malloc(sizeof(*reference));

	if (reference)
		*reference = (struct reference){ unit->device->all, unit->device->domid,
						 unit->device->number, unit->address };
	return reference;
}

static struct xo_unit *reference_take(struct reference *reference)
{
	struct xo_device *device =
		xo_devices_find(reference->devices, reference->domid, reference->number);
	struct xo_unit *unit = device ? xo_units_find(device, &reference->address) : NULL;

	free(reference);
	return unit;
}

/* An older worker does not know of it, and does without. */
static void lend_answered(void *priv, const json_t *data, const char *error_class,
			  const char *error, int *fds, size_t count)
{
	struct xo_unit *unit = reference_take(priv);

	(void)fds;
	(void)count;
	if (data || !strcmp(error_class, XO_WORKER_DIED))
		return;
	xo_debug("ring: lend: %s", error);
	if (unit)
		unit->lent = false;
}

static void lend(struct xo_unit *unit, json_t *arguments, int fd)
{
	struct reference *reference = reference_new(unit);
	int r = -ENOMEM;

	json_object_set_new(arguments, "max-transfer",
			    json_integer((json_int_t)unit->attachment->max_transfer));
	if (reference)
		r = xo_worker_command(unit->device->worker, "lend", arguments, &fd, 1,
				      lend_answered, reference);
	else
		json_decref(arguments);
	if (r)
		free(reference);
	unit->lent = !r;
}

static json_t *named(const struct xo_unit *unit)
{
	char text[32];

	xo_unit_address_text(&unit->address, text, sizeof(text));
	return json_pack("{s:s}", "lun", text);
}

void xo_ring_lend_unit(struct xo_unit *unit)
{
	struct xo_worker *worker = unit->device->worker;
	bool offered = unit->attachment && xo_lending_offered(unit->attachment);
	json_t *arguments;
	int fd;

	if (!worker || !worker->ready || worker->stopping || unit->facts.ring != XO_UNIT_IN ||
	    offered == unit->lent)
		return;
	arguments = named(unit);
	if (!offered) {
		/* For order's sake; that it is back is not taken from its word. */
		unit->lent = xo_worker_command(worker, "recall", arguments, NULL, 0, NULL, NULL);
		return;
	}
	fd = arguments ? xo_lending_begin(unit->attachment, worker) : -ENOMEM;
	if (fd >= 0)
		lend(unit, arguments, fd);
	else
		json_decref(arguments);
}

static void unit_added(void *priv, const json_t *data, const char *error_class, const char *error,
		       int *fds, size_t count)
{
	struct xo_unit *unit = reference_take(priv);

	(void)fds;
	(void)count;
	if (!unit || unit->facts.ring != XO_UNIT_ADDING)
		return; /* the worker died and its successor got the unit in its command line */
	if (data) {
		unit->facts.ring = XO_UNIT_IN;
		xo_ring_lend_unit(unit);
	} else if (strcmp(error_class, XO_WORKER_DIED) != 0) {
		unit->facts.ring = XO_UNIT_OUT;
		if (unit->attachment)
			xo_attachment_lose(unit->attachment, error);
	}
	xo_device_touch(unit->device);
}

int xo_ring_add_unit(struct xo_unit *unit)
{
	struct xo_attachment *attachment = unit->attachment;
	struct reference *reference = reference_new(unit);
	const int fds[2] = { attachment->client_fd, attachment->arena_fd };
	char text[32];
	int r = -ENOMEM;

	xo_unit_address_text(&unit->address, text, sizeof(text));
	unit->facts.ring = XO_UNIT_ADDING;
	unit->device->all->workers->changed(unit->device->all->workers);
	if (reference)
		r = xo_worker_command(unit->device->worker, "add-lun",
				      json_pack("{s:s,s:i,s:i,s:i}", "lun", text, "link",
						(int)attachment->id, "slots",
						(int)attachment->slots, "slot-size",
						(int)attachment->slot_size),
				      fds, 2, unit_added, reference);
	if (r) {
		free(reference);
		unit->facts.ring = XO_UNIT_OUT;
	}
	return r;
}

static void unit_removed(void *priv, const json_t *data, const char *error_class, const char *error,
			 int *fds, size_t count)
{
	struct xo_unit *unit = reference_take(priv);

	(void)data;
	(void)error;
	(void)fds;
	(void)count;
	if (!unit || unit->facts.ring != XO_UNIT_REMOVING)
		return;
	/* A successor has it again; then it is removed again. */
	unit->facts.ring =
		error_class && !strcmp(error_class, XO_WORKER_DIED) ? XO_UNIT_IN : XO_UNIT_OUT;
	if (unit->facts.ring == XO_UNIT_OUT) {
		unit->facts.used = true;
		unit->lent = false;
	}
	xo_device_touch(unit->device);
}

int xo_ring_remove_unit(struct xo_unit *unit)
{
	struct reference *reference = reference_new(unit);
	char text[32];
	int r = -ENOMEM;

	if (!unit->device->worker) {
		free(reference);
		unit->facts.ring = XO_UNIT_OUT;
		return 0;
	}
	xo_unit_address_text(&unit->address, text, sizeof(text));
	if (reference)
		r = xo_worker_command(unit->device->worker, "remove-lun",
				      json_pack("{s:s}", "lun", text), NULL, 0, unit_removed,
				      reference);
	if (r)
		free(reference);
	else
		unit->facts.ring = XO_UNIT_REMOVING;
	return r;
}

static void ring_started(struct xo_worker *worker)
{
	struct xo_device *device = worker->priv;

	if (device->facts.ring == XO_RING_READY)
		device->facts.ring = XO_RING_STARTING;
	/* What the predecessor's process had is back. */
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++)
		device->units[i].lent = false;
	xo_lending_ring_ended(device->all->drives, worker);
	xo_device_touch(device);
}

static void lend_all(struct xo_device *device)
{
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++)
		if (device->units[i].present)
			xo_ring_lend_unit(&device->units[i]);
}

/* The unit that a ring worker's event is about; NULL: it is none (any more). */
static struct xo_unit *unit_of(struct xo_device *device, const json_t *data)
{
	const char *text = json_string_value(json_object_get(data, "lun"));

	for (unsigned int i = 0; text && i < XO_UNITS_MAX; i++) {
		struct xo_unit *unit = &device->units[i];
		char own[32];

		xo_unit_address_text(&unit->address, own, sizeof(own));
		if (unit->present && !strcmp(own, text))
			return unit;
	}
	return NULL;
}

static void lun_lost(struct xo_device *device, const json_t *data)
{
	const char *message = json_string_value(json_object_get(data, "message"));
	struct xo_unit *unit = unit_of(device, data);

	if (unit && unit->attachment)
		xo_attachment_lose(unit->attachment, message ? message : "link lost");
}

static void media_event(struct xo_device *device, const json_t *data)
{
	const char *kind = json_string_value(json_object_get(data, "event"));
	struct xo_unit *unit = unit_of(device, data);

	if (unit && kind)
		xo_unit_media_event(unit, !strcmp(kind, "eject"));
}

/* Nothing of the guest is in use any more. */
static void ring_gone(struct xo_device *device)
{
	device->worker = NULL;
	device->facts.ring = XO_RING_NONE;
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++)
		device->units[i].lent = false;
	xo_units_ring_ended(device);
}

/*
 * The process may be there for longer. It says so once, and that may have been read by a launcher that died before it
 * wrote it down: the end of the channel says the same to its successor.
 */
static void let_go(struct xo_worker *worker)
{
	struct xo_device *device = worker->priv;

	if (device->facts.ring != XO_RING_STOPPING)
		return;
	xo_point(XO_POINT_LET_GO);
	ring_gone(device);
	xo_lending_ring_departs(device->all->drives, worker);
	xo_device_touch(device);
}

static void ring_event(struct xo_worker *worker, const char *event, const json_t *data, int *fds,
		       size_t count)
{
	struct xo_device *device = worker->priv;
	const char *message = json_string_value(json_object_get(data, "message"));

	(void)fds;
	(void)count;
	if (!strcmp(event, "ready")) {
		if (device->facts.ring == XO_RING_STARTING)
			device->facts.ring = XO_RING_READY;
		lend_all(device);
	} else if (!strcmp(event, "error")) {
		xo_worker_expect_end(worker); /* a successor would find the ring as broken */
		xo_device_fail(device, "%s", message ? message : "the ring is broken");
	} else if (!strcmp(event, "lun-lost")) {
		lun_lost(device, data);
	} else if (!strcmp(event, "media")) {
		media_event(device, data);
	} else if (!strcmp(event, "disconnected")) {
		let_go(worker);
	}
	xo_device_touch(device);
}

static void ring_ended(struct xo_worker *worker, const char *why)
{
	struct xo_device *device = worker->priv;

	ring_gone(device);
	xo_lending_ring_ended(device->all->drives, worker);
	xo_worker_free(worker);
	if (why)
		xo_device_fail(device, "%s", why);
	xo_device_touch(device);
}

static json_t *save_luns(const struct xo_device *device)
{
	json_t *luns = json_array();

	for (unsigned int i = 0; i < XO_UNITS_MAX; i++) {
		const struct xo_unit *unit = &device->units[i];
		char text[32];

		if (!unit->attachment || unit->facts.ring == XO_UNIT_OUT)
			continue;
		xo_unit_address_text(&unit->address, text, sizeof(text));
		json_array_append_new(luns, json_pack("{s:s,s:i}", "lun", text, "link",
						      (int)unit->attachment->id));
	}
	return luns;
}

/* For the successor of the launcher: what add_connection and add_lun make of it. */
static json_t *ring_save(const struct xo_worker *worker)
{
	const struct xo_device *device = worker->priv;
	const struct xo_connection *connection = &device->connection;
	json_t *refs = json_array();
	json_t *ports = json_array();
	json_t *saved;

	for (unsigned int i = 0; i < connection->pages; i++)
		json_array_append_new(refs, json_integer(connection->refs[i]));
	for (unsigned int i = 0; i < connection->channels; i++)
		json_array_append_new(ports, json_integer(connection->ports[i]));
	saved = json_pack("{s:o,s:o,s:b,s:b,s:b,s:o}", "ring-refs", refs, "event-channels", ports,
			  "abi32", connection->abi32, "persistent-grants",
			  connection->persistent_grants, "media-events", connection->media_events,
			  "luns", save_luns(device));
	/* For a launcher from before there were several. */
	if (connection->channels == 1)
		json_object_set_new(saved, "event-channel", json_integer(connection->ports[0]));
	return saved;
}

const struct xo_worker_ops xo_ring_worker_ops = {
	.role = "ring",
	.program = "xenoptic-ring",
	.ledger_region = XO_RING_LEDGER_REGION,
	.build = ring_build,
	.started = ring_started,
	.event = ring_event,
	.closed = let_go,
	.ended = ring_ended,
	.save = ring_save,
};

static bool take_number(const json_t *object, const char *key, json_int_t max, uint32_t *value)
{
	const json_t *n = json_object_get(object, key);

	*value = (uint32_t)json_integer_value(n);
	return json_is_integer(n) && json_integer_value(n) >= 0 && json_integer_value(n) <= max;
}

/* What ring_save wrote; the file is ours, but may be of another version. */
static int restore_connection(struct xo_connection *connection, const json_t *config)
{
	const json_t *refs = json_object_get(config, "ring-refs");
	const json_t *ports = json_object_get(config, "event-channels");

	*connection = (struct xo_connection){
		.pages = (unsigned int)json_array_size(refs),
		.channels = (unsigned int)json_array_size(ports),
		.abi32 = json_is_true(json_object_get(config, "abi32")),
		.persistent_grants = json_is_true(json_object_get(config, "persistent-grants")),
		.media_events = json_is_true(json_object_get(config, "media-events")),
	};
	if (!connection->pages || connection->pages > XO_RING_PAGES_MAX ||
	    connection->channels > XO_RING_CHANNELS_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < connection->channels; i++)
		connection->ports[i] = (uint32_t)json_integer_value(json_array_get(ports, i));
	/* As it was written when a frontend had one. */
	if (!connection->channels) {
		connection->channels = 1;
		if (!take_number(config, "event-channel", UINT32_MAX, &connection->ports[0]))
			return -EINVAL;
	}
	for (unsigned int i = 0; i < connection->pages; i++)
		connection->refs[i] = (uint32_t)json_integer_value(json_array_get(refs, i));
	return 0;
}

/* A unit that the worker serves: its link is claimed. */
static void adopt_unit(struct xo_device *device, const json_t *lun)
{
	const char *text = json_string_value(json_object_get(lun, "lun"));
	struct xo_unit_address address;
	struct xo_unit *unit;
	char full[64];
	uint32_t link;

	if (!text || !take_number(lun, "link", INT32_MAX, &link))
		return;
	snprintf(full, sizeof(full), "0:%.50s", text);
	if (xo_schema_unit(full, strlen(full), &address))
		return;
	unit = xo_units_find(device, &address);
	if (!unit)
		return;
	unit->facts.ring = XO_UNIT_IN;
	unit->lent = json_is_true(json_object_get(lun, "lent"));
	unit->attachment = xo_attachment_claim(device->all->drives, link, device->domid,
					       xo_unit_attached, unit);
	if (unit->attachment) {
		snprintf(unit->attachment->uuid, sizeof(unit->attachment->uuid), "%s",
			 device->uuid);
		unit->facts.attach = XO_ATTACH_HELD;
		return;
	}
	xo_warning("device %u/%u: unit %u lost its drive while the launcher was away",
		   device->domid, device->number, unit->number);
	xo_unit_attached(unit, XO_ATTACHMENT_LOST, "the drive's process ended with the launcher");
}

/* Of a worker that lives: what it serves is asked of itself, it may not have got to all of it. */
static int adopt_process(struct xo_device *device)
{
	json_t *query = xo_worker_ask(device->worker, "query", ADOPT_TIMEOUT_MS);
	const json_t *lun;
	size_t i;

	if (!query)
		return -ETIMEDOUT;
	device->worker->ready = json_is_true(json_object_get(query, "sandboxed"));
	if (device->worker->ready && device->facts.ring == XO_RING_STARTING)
		device->facts.ring = XO_RING_READY;
	json_array_foreach (json_object_get(query, "luns"), i, lun)
		adopt_unit(device, lun);
	json_decref(query);
	return 0;
}

static int adopt_worker(struct xo_device *device, const struct xo_worker_record *record)
{
	const json_t *lun;
	size_t i;
	int r = restore_connection(&device->connection, record->config);

	if (!r)
		r = xo_worker_adopt(device->worker, record);
	if (r)
		return r;
	device->facts.ring = record->stopping ? XO_RING_STOPPING : XO_RING_STARTING;
	if (!device->worker->died && !record->stopping) {
		if (!adopt_process(device))
			return 0;
		/* One that is being killed has its channel open until a command in a lent drive has ended. */
		if (!device->worker->died)
			xo_worker_replace(device->worker);
	}
	json_array_foreach (json_object_get(record->config, "luns"), i, lun)
		adopt_unit(device, lun);
	/* It may be past reading, with a command in the drive; then its last word is still to be read. */
	if (!device->worker->died && record->stopping)
		disconnect(device->worker);
	return 0;
}

int xo_devices_adopt(struct xo_devices *devices, const struct xo_worker_record *record)
{
	struct xo_device *device = NULL;
	unsigned int domid;
	unsigned int number;
	int r = -EINVAL;

	if (sscanf(record->name, "%u/%u", &domid, &number) == 2 &&
	    !xo_devices_find(devices, domid, number))
		device = xo_device_new(devices, domid, number);
	if (!device)
		return r;
	xo_device_read(device);
	r = xo_worker_new(devices->workers, &xo_ring_worker_ops, record->name, device,
			  &device->worker);
	if (!r)
		r = adopt_worker(device, record);
	if (!r)
		return 0;
	if (device->worker)
		xo_worker_kill(device->worker);
	xo_worker_free(device->worker);
	device->worker = NULL;
	device->facts.ring = XO_RING_NONE;
	xo_units_ring_ended(device);
	return r;
}

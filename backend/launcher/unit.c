/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The logical units of a device: their nodes, their drives, and doing what xo_unit_next says. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "devices_private.h"

#define UNIT_NUMBERS_MAX 64

void xo_unit_address_text(const struct xo_unit_address *address, char *text, size_t size)
{
	snprintf(text, size, "%u:%u:%u", address->channel, address->target, address->lun);
}

static struct xo_unit *find_number(struct xo_device *device, unsigned int number)
{
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++)
		if (device->units[i].present && device->units[i].number == number)
			return &device->units[i];
	return NULL;
}

struct xo_unit *xo_units_find(struct xo_device *device, const struct xo_unit_address *address)
{
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++) {
		struct xo_unit *unit = &device->units[i];

		if (unit->present && unit->address.channel == address->channel &&
		    unit->address.target == address->target && unit->address.lun == address->lun)
			return unit;
	}
	return NULL;
}

static int write_unit(struct xo_unit *unit, enum xo_node node, const char *value)
{
	struct xo_device *device = unit->device;
	const struct xo_store_write write = { .node = node, .n = unit->number, .value = value };
	char guard[XO_STORE_PATH_MAX];

	/* Not when the unit's nodes were removed meanwhile: that would bring one of them back. */
	xo_store_join(guard, device->base, XO_OPTICAL_UNIT_P_DEV, unit->number);
	return xo_store_write(device->all->store, guard, device->base, &write, 1);
}

void xo_unit_media_event(struct xo_unit *unit, bool eject)
{
	enum xo_node node = eject ? XO_OPTICAL_UNIT_EJECT_REQUESTS : XO_OPTICAL_UNIT_MEDIA_CHANGES;
	uint64_t count = 0;
	char text[24];

	/* From the store, where the frontend compares it: this daemon may be a successor. */
	xo_store_number(unit->device->all->store, unit->device->base, node, unit->number, &count);
	snprintf(text, sizeof(text), "%u", (unsigned int)count + 1u);
	write_unit(unit, node, text);
}

static void refuse(struct xo_unit *unit, const char *message)
{
	struct xo_device *device = unit->device;

	unit->facts.attach = XO_ATTACH_REFUSED;
	snprintf(unit->error, sizeof(unit->error), "%.511s", message);
	xo_log_limited_at(&device->errors, XO_LOG_ERROR, "device %u/%u of %s, unit %u: %s",
			  device->domid, device->number, device->name, unit->number, unit->error);
	write_unit(unit, XO_OPTICAL_UNIT_ERROR, unit->error);
	device->all->event(device->all->priv, "unit-error",
			   json_pack("{s:i,s:i,s:i,s:s}", "domid", (int)device->domid, "devid",
				     (int)device->number, "unit", (int)unit->number, "message",
				     unit->error));
}

static void clear_error(struct xo_unit *unit)
{
	if (!unit->error[0])
		return;
	unit->error[0] = '\0';
	write_unit(unit, XO_OPTICAL_UNIT_ERROR, NULL);
}

/* What the unit is; -EINVAL with the reason. */
static int read_identity(struct xo_unit *unit, char *error, size_t size)
{
	struct xo_device *device = unit->device;
	struct xo_store *store = device->all->store;
	char text[XO_SCHEMA_VALUE_MAX];
	uint64_t mode;
	int r;

	r = xo_store_text(store, device->base, XO_OPTICAL_UNIT_P_DEV, unit->number, text,
			  sizeof(text));
	if (r) {
		snprintf(error, size, "node p-dev: expected /dev/… or virtual:NAME");
		return -EINVAL;
	}
	strcpy(unit->drive, text);
	r = xo_store_text(store, device->base, XO_OPTICAL_UNIT_V_DEV, unit->number, text,
			  sizeof(text));
	if (r || xo_schema_unit(text, strlen(text), &unit->address)) {
		snprintf(error, size, "node v-dev: expected HOST:CHANNEL:TARGET:LUN");
		return -EINVAL;
	}
	r = xo_store_number(store, device->base, XO_OPTICAL_UNIT_MODE, unit->number, &mode);
	if (r) {
		snprintf(error, size, "node mode: expected rw or ro");
		return -EINVAL;
	}
	unit->read_only = mode == XO_OPTICAL_UNIT_MODE_RO;
	return 0;
}

static struct xo_unit *unit_new(struct xo_device *device, unsigned int number)
{
	struct xo_unit *unit = NULL;
	struct xo_unit found = { .present = true, .number = number, .device = device };
	char error[128];
	int r;

	for (unsigned int i = 0; i < XO_UNITS_MAX && !unit; i++)
		if (!device->units[i].present)
			unit = &device->units[i];
	if (!unit) {
		xo_log_limited(XO_LOG_WARNING, "device %u/%u: more than %d units; %u is not served",
			       device->domid, device->number, XO_UNITS_MAX, number);
		return NULL;
	}
	r = read_identity(&found, error, sizeof(error));
	if (!r && xo_units_find(device, &found.address)) {
		snprintf(error, sizeof(error), "node v-dev: another unit has this address");
		r = -EINVAL;
	}
	*unit = found;
	if (r)
		refuse(unit, error);
	return unit;
}

static enum xo_xenbus_state read_state(struct xo_device *device, const char *base,
				       enum xo_node node, unsigned int number)
{
	uint64_t state;

	return xo_store_number(device->all->store, base, node, number, &state)
		       ? XO_XENBUS_UNKNOWN
		       : (enum xo_xenbus_state)state;
}

static void read_unit(struct xo_device *device, unsigned int number)
{
	enum xo_node theirs = device->is_vcd ? XO_VCD_UNIT_STATE : XO_VSCSI_UNIT_STATE;
	enum xo_xenbus_state state =
		read_state(device, device->base, XO_OPTICAL_UNIT_STATE, number);
	struct xo_unit *unit = find_number(device, number);

	if (state == XO_XENBUS_UNKNOWN)
		return; /* being made or removed */
	if (!unit)
		unit = unit_new(device, number);
	if (!unit)
		return;
	/* It was removed and another made under its number: the old one goes first. */
	if (unit->facts.backend == XO_XENBUS_CLOSED && state == XO_XENBUS_INITIALISING &&
	    !unit->attachment && unit->facts.ring == XO_UNIT_OUT) {
		unit->present = false;
		unit = unit_new(device, number);
	}
	unit->facts.backend = state;
	unit->facts.frontend = read_state(device, device->frontend, theirs, number);
}

void xo_units_read(struct xo_device *device)
{
	unsigned int numbers[UNIT_NUMBERS_MAX];
	char path[XO_STORE_PATH_MAX];
	int count;

	snprintf(path, sizeof(path), "%s/vscsi-devs", device->base);
	count = xo_store_numbers(device->all->store, path, "dev-", numbers, XO_ARRAY_SIZE(numbers));
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++)
		device->units[i].facts.backend = XO_XENBUS_UNKNOWN; /* unless it is found */
	for (int i = 0; i < count; i++)
		read_unit(device, numbers[i]);
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++) {
		struct xo_unit *unit = &device->units[i];

		if (unit->present && unit->facts.backend == XO_XENBUS_UNKNOWN &&
		    unit->facts.ring == XO_UNIT_OUT && !unit->attachment)
			*unit = (struct xo_unit){ .present = false };
	}
}

void xo_units_progress(const struct xo_device *device, enum xo_progress *progress)
{
	for (unsigned int p = 0; p < XO_PHASE_COUNT; p++) {
		progress[p] = XO_PROGRESS_DONE;
		for (unsigned int i = 0; i < XO_UNITS_MAX; i++) {
			const struct xo_unit *unit = &device->units[i];
			struct xo_unit_step step;

			if (!unit->present)
				continue;
			step = xo_unit_next(&unit->facts, (enum xo_phase)p);
			if (step.action == XO_UNIT_DONE)
				continue;
			if (step.action != XO_UNIT_WAIT)
				progress[p] = XO_PROGRESS_ACT;
			else if (progress[p] == XO_PROGRESS_DONE)
				progress[p] = XO_PROGRESS_WAIT;
		}
	}
}

/* The drive's answer, now or later. */
void xo_unit_attached(void *priv, enum xo_attachment_event event, const char *message)
{
	struct xo_unit *unit = priv;

	switch (event) {
	case XO_ATTACHED:
		if (unit->facts.attach == XO_ATTACH_PENDING)
			unit->facts.attach = XO_ATTACH_HELD;
		clear_error(unit);
		break;
	case XO_ATTACH_FAILED:
		unit->attachment = NULL;
		refuse(unit, message);
		break;
	case XO_ATTACHMENT_LOST:
		unit->attachment = NULL;
		refuse(unit, message);
		/* The guest is asked to let go of it. */
		if (unit->facts.backend == XO_XENBUS_INITIALISED ||
		    unit->facts.backend == XO_XENBUS_CONNECTED)
			write_unit(unit, XO_OPTICAL_UNIT_STATE, "5");
		break;
	case XO_DETACHED:
		unit->attachment = NULL;
		unit->facts.attach = XO_ATTACH_NONE;
		unit->facts.used = false;
		break;
	case XO_ATTACHMENT_OFFER:
		xo_ring_lend_unit(unit);
		return;
	}
	xo_device_touch(unit->device);
}

static void attach(struct xo_unit *unit)
{
	struct xo_device *device = unit->device;
	const struct xo_attachment_request request = {
		.domid = device->domid,
		.name = device->name,
		.uuid = device->uuid,
		.path = device->is_vcd ? "vcd" : "vscsi",
		.read_only = unit->read_only,
		.lend = true,
		.slots = XO_RING_LINK_SLOTS(device->is_vcd ? XO_RING_PAGES_MAX : 1),
		.slot_size = XO_RING_LINK_SLOT_SIZE,
	};
	struct xo_attachment *attachment;

	unit->facts.attach = XO_ATTACH_PENDING;
	unit->facts.used = false;
	attachment = xo_attachment_new(device->all->drives, unit->drive, &request, xo_unit_attached,
				       unit);
	if (!attachment && unit->facts.attach == XO_ATTACH_PENDING)
		refuse(unit, "out of memory or descriptors");
	else if (unit->facts.attach != XO_ATTACH_REFUSED)
		unit->attachment = attachment;
}

static void detach(struct xo_unit *unit, bool again)
{
	unit->facts.attach = XO_ATTACH_LEAVING;
	if (unit->attachment)
		xo_attachment_drop(unit->attachment, again);
	else
		unit->facts.attach = XO_ATTACH_NONE;
}

static int switch_unit(struct xo_unit *unit, enum xo_xenbus_state state)
{
	char text[4];
	int r;

	snprintf(text, sizeof(text), "%u", (unsigned int)state % 10);
	r = write_unit(unit, XO_OPTICAL_UNIT_STATE, text);
	if (r && r != -ENOENT)
		return r;
	unit->facts.backend = r ? XO_XENBUS_UNKNOWN : state;
	return 0;
}

static int run_unit(struct xo_unit *unit, enum xo_phase phase)
{
	struct xo_unit_step step = xo_unit_next(&unit->facts, phase);

	switch (step.action) {
	case XO_UNIT_ATTACH:
		attach(unit);
		return 0;
	case XO_UNIT_DETACH:
		detach(unit, phase == XO_PHASE_RESET && unit->facts.backend != XO_XENBUS_CLOSING);
		return 0;
	case XO_UNIT_ADD:
		return xo_ring_add_unit(unit);
	case XO_UNIT_REMOVE:
		return xo_ring_remove_unit(unit);
	case XO_UNIT_SWITCH:
		return switch_unit(unit, step.state);
	default:
		return 0;
	}
}

int xo_units_run(struct xo_device *device, enum xo_phase phase)
{
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++) {
		int r = device->units[i].present ? run_unit(&device->units[i], phase) : 0;

		if (r)
			return r;
	}
	return 0;
}

void xo_units_ring_ended(struct xo_device *device)
{
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++) {
		struct xo_unit *unit = &device->units[i];

		if (unit->facts.ring != XO_UNIT_OUT)
			unit->facts.used = true;
		unit->facts.ring = XO_UNIT_OUT;
	}
}

static bool is_refused(const struct xo_unit *unit)
{
	return unit->present && unit->facts.attach == XO_ATTACH_REFUSED &&
	       unit->facts.backend == XO_XENBUS_CLOSED;
}

bool xo_units_refused(const struct xo_device *device)
{
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++)
		if (is_refused(&device->units[i]))
			return true;
	return false;
}

void xo_units_retry(struct xo_device *device, const char *drive)
{
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++) {
		struct xo_unit *unit = &device->units[i];

		if (!is_refused(unit) || (drive && strcmp(unit->drive, drive) != 0))
			continue;
		if (switch_unit(unit, XO_XENBUS_INITIALISING))
			continue;
		unit->facts.attach = XO_ATTACH_NONE;
		xo_device_touch(device);
	}
}

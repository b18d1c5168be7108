/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One device: what is in the store about it, and doing what xo_device_next says. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/point.h"
#include "devices_private.h"
#include "points.h"
#include "text.h"

#define RETRY_MS 500
#define LEAVE_NS UINT64_C(5000000000)
#define STEPS_MAX 64 /* it comes to rest long before */
#define LOOKS_MAX 200 /* in a second */
/* As many as there are messages in base/log.h. No guest that boots or loads its driver comes near to it. */
#define BEGINS_MAX 20
#define BEGINS_NS UINT64_C(10000000000)

static void timer_free(uv_handle_t *handle)
{
	free(handle);
}

static void retry_expired(uv_timer_t *timer)
{
	struct xo_device *device = timer->data;

	if (device)
		xo_device_touch(device);
}

void xo_device_touch_later(struct xo_device *device)
{
	if (device->retry)
		uv_timer_start(device->retry, retry_expired, RETRY_MS, 0);
}

bool xo_device_may_begin(struct xo_device *device)
{
	if (xo_rate_allows(&device->begins, xo_now_ns())) {
		device->delayed = false;
		return true;
	}
	if (!device->delayed)
		xo_log_limited_at(&device->delays, XO_LOG_WARNING,
				  "device %u/%u of %s: the guest connects more than %d times in %d "
				  "s: it has to wait",
				  device->domid, device->number, device->name, BEGINS_MAX,
				  (int)(BEGINS_NS / 1000000000));
	device->delayed = true;
	xo_device_touch_later(device);
	return false;
}

struct xo_device *xo_device_new(struct xo_devices *devices, unsigned int domid, unsigned int number)
{
	struct xo_device *device;

	if (devices->count >= XO_DEVICES_MAX) {
		xo_log_limited(XO_LOG_WARNING, "more than %d devices; %u/%u is not served",
			       XO_DEVICES_MAX, domid, number);
		return NULL;
	}
	device = calloc(1, sizeof(*device));
	if (!device)
		return NULL;
	device->retry = calloc(1, sizeof(*device->retry));
	if (!device->retry) {
		free(device);
		return NULL;
	}
	uv_timer_init(devices->loop, device->retry);
	device->retry->data = device;
	device->all = devices;
	device->domid = domid;
	device->number = number;
	xo_rate_init(&device->looks, LOOKS_MAX, UINT64_C(1000000000));
	xo_rate_init(&device->begins, BEGINS_MAX, BEGINS_NS);
	snprintf(device->base, sizeof(device->base), "%s/%u/%u", devices->root, domid, number);
	LIST_INSERT_HEAD(&devices->list, device, entry);
	devices->count++;
	xo_device_touch(device);
	return device;
}

void xo_device_free(struct xo_device *device)
{
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++)
		if (device->units[i].attachment)
			device->units[i].attachment->callback = NULL;
	if (device->watched[0])
		xo_store_unwatch(device->all->store, device->watched);
	xo_worker_free(device->worker);
	device->retry->data = NULL;
	uv_close((uv_handle_t *)device->retry, timer_free);
	LIST_REMOVE(device, entry);
	device->all->count--;
	free(device);
}

static void write_error_node(struct xo_device *device, const char *text)
{
	const struct xo_store_write write = { .node = XO_OPTICAL_ERROR, .value = text };
	char guard[XO_STORE_PATH_MAX];

	xo_store_join(guard, device->base, XO_OPTICAL_FRONTEND_ID, 0);
	xo_store_write(device->all->store, guard, device->base, &write, 1);
}

void xo_device_fail(struct xo_device *device, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(device->error, sizeof(device->error), format, args);
	va_end(args);
	xo_text_clean(device->error); /* it may hold what a worker said */
	xo_log_limited_at(&device->errors, XO_LOG_ERROR, "device %u/%u of %s: %s", device->domid,
			  device->number, device->name, device->error);
	device->facts.failed = true;
	write_error_node(device, device->error);
	device->all->event(device->all->priv, "device-error",
			   json_pack("{s:i,s:i,s:s}", "domid", (int)device->domid, "devid",
				     (int)device->number, "message", device->error));
	xo_device_touch(device);
}

static enum xo_xenbus_state read_state(struct xo_store *store, const char *base, enum xo_node node)
{
	uint64_t number;

	return xo_store_number(store, base, node, 0, &number) ? XO_XENBUS_UNKNOWN
							      : (enum xo_xenbus_state)number;
}

/* The nodes that say what device this is; once. -ENOENT: not (yet) there. -EINVAL: they are wrong. */
static int read_identity(struct xo_device *device)
{
	struct xo_store *store = device->all->store;
	char path[XO_SCHEMA_VALUE_MAX];
	char text[XO_SCHEMA_VALUE_MAX];
	uint64_t number;
	int r = xo_store_number(store, device->base, XO_OPTICAL_FRONTEND_ID, 0, &number);

	if (r)
		return r;
	if (number != device->domid)
		return -EINVAL;
	r = xo_store_number(store, device->base, XO_OPTICAL_TYPE, 0, &number);
	if (r)
		return r;
	device->is_vcd = number == XO_OPTICAL_TYPE_VCD;
	snprintf(device->frontend, sizeof(device->frontend), "/local/domain/%u/device/%s/%u",
		 device->domid, device->is_vcd ? "vcd" : "vscsi", device->number);
	r = xo_store_text(store, device->base, XO_OPTICAL_FRONTEND, 0, path, sizeof(path));
	if (r)
		return r;
	if (strcmp(path, device->frontend) != 0)
		return -EINVAL;
	if (!xo_store_text(store, device->base, XO_OPTICAL_NAME, 0, text, sizeof(text)))
		snprintf(device->name, sizeof(device->name), "%.128s", text);
	if (!device->name[0])
		snprintf(device->name, sizeof(device->name), "domain %u", device->domid);
	if (!xo_store_text(store, device->base, XO_OPTICAL_UUID, 0, text, sizeof(text)))
		snprintf(device->uuid, sizeof(device->uuid), "%.36s", text);
	return 0;
}

static void watch_frontend(struct xo_device *device)
{
	char path[XO_STORE_PATH_MAX];
	enum xo_node node = device->is_vcd ? XO_VCD_STATE : XO_VSCSI_STATE;

	if (device->watched[0])
		return;
	xo_store_join(path, device->frontend, node, 0);
	snprintf(device->watched, sizeof(device->watched), "%.255s", path);
	if (xo_store_watch(device->all->store, device->watched)) {
		device->watched[0] = '\0';
		xo_device_touch_later(device); /* a quota, perhaps */
	}
}

static void read_frontend(struct xo_device *device)
{
	enum xo_xenbus_state before = device->facts.frontend;
	enum xo_xenbus_state now = read_state(device->all->store, device->frontend,
					      device->is_vcd ? XO_VCD_STATE : XO_VSCSI_STATE);

	device->facts.frontend = now;
	if (now == XO_XENBUS_UNKNOWN && !xo_store_domain_exists(device->all->store, device->domid))
		device->gone = true;
	if (now != XO_XENBUS_INITIALISING)
		return;
	/* It begins: what went wrong with its last connection is forgotten. */
	if (device->facts.failed) {
		device->facts.failed = false;
		device->error[0] = '\0';
		write_error_node(device, NULL);
	}
	if (before == now || before == XO_XENBUS_UNKNOWN)
		return;
	device->close_asked = false;
	device->refused_again |= xo_units_refused(device);
}

/* The drives of units that were refused are asked for again. */
static void retry_refused(struct xo_device *device)
{
	if (!device->refused_again || !xo_device_may_begin(device))
		return;
	device->refused_again = false;
	xo_units_retry(device, NULL);
}

static void read_backend(struct xo_device *device)
{
	struct xo_store *store = device->all->store;
	enum xo_xenbus_state state = read_state(store, device->base, XO_OPTICAL_STATE);
	char text[XO_SCHEMA_VALUE_MAX];
	uint64_t online;

	device->facts.online =
		xo_store_number(store, device->base, XO_OPTICAL_ONLINE, 0, &online) || online;
	if (device->written == XO_XENBUS_UNKNOWN) {
		/* First look: a former launcher may have failed it, or was closing it. */
		device->facts.failed = state >= XO_XENBUS_CLOSING && state <= XO_XENBUS_CLOSED &&
				       !xo_store_text(store, device->base, XO_OPTICAL_ERROR, 0,
						      text, sizeof(text)) &&
				       text[0];
		if (device->facts.failed)
			snprintf(device->error, sizeof(device->error), "%.511s", text);
	} else if (state == XO_XENBUS_CLOSING && device->written != XO_XENBUS_CLOSING) {
		device->close_asked = true;
	}
	device->written = state;
	device->facts.backend = state;
	if (device->close_asked)
		device->facts.online = false;
}

void xo_device_read(struct xo_device *device)
{
	struct xo_connection now;
	char error[256];
	int r;

	if (device->gone)
		return;
	r = read_identity(device);
	if (r == -ENOENT) {
		device->gone = true;
		return;
	}
	if (r) {
		if (!device->facts.failed)
			xo_device_fail(device, "its nodes frontend, frontend-id and type are wrong "
					       "or do "
					       "not agree");
		return;
	}
	watch_frontend(device);
	read_frontend(device);
	if (device->gone)
		return;
	retry_refused(device);
	read_backend(device);
	xo_units_read(device);
	/* Only while it begins: a connected frontend that changes these nodes harms but itself. */
	device->facts.stale = device->facts.frontend == XO_XENBUS_INITIALISED &&
			      device->facts.ring != XO_RING_NONE &&
			      !xo_connection_read(device, &now, error, sizeof(error)) &&
			      !xo_connection_same(&now, &device->connection);
}

/* Before the frontend looks: what this backend can. */
static size_t feature_writes(const struct xo_device *device, struct xo_store_write *writes,
			     char *transfer, size_t size)
{
	static char segments[8];
	static char pages[4];
	static char channels[4];
	uint32_t max_transfer = 0;
	size_t n = 0;

	snprintf(segments, sizeof(segments), "%d", XO_RING_SG_GRANT);
	writes[n++] = (struct xo_store_write){ XO_OPTICAL_FEATURE_SG_GRANT, 0, segments };
	if (!device->is_vcd)
		return n;
	for (unsigned int i = 0; i < XO_UNITS_MAX; i++) {
		const struct xo_attachment *a = device->units[i].attachment;

		if (a && a->max_transfer && (!max_transfer || a->max_transfer < max_transfer))
			max_transfer = a->max_transfer;
	}
	snprintf(transfer, size, "%u", XO_MIN(max_transfer, 1u << 20));
	writes[n++] = (struct xo_store_write){ XO_OPTICAL_MAX_TRANSFER, 0, transfer };
	snprintf(pages, sizeof(pages), "%d", XO_OFFER_PAGE_ORDER);
	writes[n++] = (struct xo_store_write){ XO_OPTICAL_MAX_RING_PAGE_ORDER, 0, pages };
	snprintf(channels, sizeof(channels), "%d", XO_OFFER_EVENT_CHANNELS);
	writes[n++] = (struct xo_store_write){ XO_OPTICAL_MAX_EVENT_CHANNELS, 0, channels };
	if (XO_OFFER_PERSISTENT)
		writes[n++] = (struct xo_store_write){ XO_OPTICAL_FEATURE_PERSISTENT, 0, "1" };
	if (XO_OFFER_MEDIA_EVENTS)
		writes[n++] = (struct xo_store_write){ XO_OPTICAL_FEATURE_MEDIA_EVENTS, 0, "1" };
	return n;
}

static int switch_state(struct xo_device *device, enum xo_xenbus_state state)
{
	struct xo_store_write writes[8];
	char guard[XO_STORE_PATH_MAX];
	char transfer[16];
	char text[4];
	size_t n = 0;
	int r;

	if (state == XO_XENBUS_INIT_WAIT)
		n = feature_writes(device, writes, transfer, sizeof(transfer));
	snprintf(text, sizeof(text), "%u", (unsigned int)state % 10);
	writes[n++] = (struct xo_store_write){ XO_OPTICAL_STATE, 0, text };
	xo_store_join(guard, device->base, XO_OPTICAL_FRONTEND_ID, 0);
	xo_point(XO_POINT_SWITCH);
	r = xo_store_write(device->all->store, guard, device->base, writes, n);
	xo_point(XO_POINT_SWITCHED);
	if (r == -ENOENT)
		device->gone = true;
	if (r)
		return r;
	xo_debug("device %u/%u: %s", device->domid, device->number, xo_xenbus_state_name(state));
	device->facts.backend = state;
	device->written = state;
	device->all->event(device->all->priv, "device-state",
			   json_pack("{s:i,s:i,s:s}", "domid", (int)device->domid, "devid",
				     (int)device->number, "state", xo_xenbus_state_name(state)));
	return 0;
}

void xo_device_say_again(struct xo_device *device)
{
	char text[4];
	const struct xo_store_write write = { XO_OPTICAL_STATE, 0, text };
	char guard[XO_STORE_PATH_MAX];
	int r = 0;

	snprintf(text, sizeof(text), "%u", (unsigned int)XO_XENBUS_CONNECTED);
	if (!device->is_vcd && !device->gone && !device->close_asked &&
	    device->facts.backend == XO_XENBUS_CONNECTED &&
	    device->facts.frontend == XO_XENBUS_CONNECTED) {
		xo_store_join(guard, device->base, XO_OPTICAL_FRONTEND_ID, 0);
		r = xo_store_write(device->all->store, guard, device->base, &write, 1);
	}
	device->say_again = r == -EAGAIN;
	if (device->say_again)
		xo_device_touch_later(device);
}

/* 0: go on; 1: at rest; -errno: try later. */
static int do_step(struct xo_device *device)
{
	struct xo_device_step step;

	xo_units_progress(device, device->facts.units);
	step = xo_device_next(&device->facts);
	switch (step.action) {
	case XO_DEVICE_RUN:
		return xo_units_run(device, step.phase);
	case XO_DEVICE_START:
		return xo_ring_start(device);
	case XO_DEVICE_STOP:
		xo_ring_stop(device);
		return 0;
	case XO_DEVICE_LOST:
		xo_device_fail(device, "the connection was lost with the ring's worker; the guest "
				       "has to load its driver again");
		return 0;
	case XO_DEVICE_SWITCH:
		return switch_state(device, step.state);
	default:
		return 1;
	}
}

/*
 * The ring is to let go of the guest by itself: one that is killed has the guest's pages until a command that it gave
 * to a lent drive has ended. One that does not is killed.
 */
static void ring_leave(struct xo_device *device)
{
	uint64_t now = xo_now_ns();

	if (!device->leaving_since)
		device->leaving_since = now;
	if (now - device->leaving_since >= LEAVE_NS)
		xo_worker_kill(device->worker);
	else if (device->facts.ring != XO_RING_STOPPING)
		xo_ring_stop(device);
	device->facts.ring = XO_RING_STOPPING;
	xo_device_touch_later(device);
}

/* Nodes or domain are gone: nobody waits for an answer. Frees the device when all is given back. */
static void device_leave(struct xo_device *device)
{
	enum xo_progress progress[XO_PHASE_COUNT];

	if (device->facts.ring == XO_RING_STARTING || device->facts.ring == XO_RING_READY ||
	    device->facts.ring == XO_RING_STOPPING) {
		ring_leave(device);
		return;
	}
	xo_units_run(device, XO_PHASE_RELEASE);
	xo_units_progress(device, progress);
	if (progress[XO_PHASE_RELEASE] != XO_PROGRESS_DONE)
		return;
	if (device->written != XO_XENBUS_UNKNOWN)
		xo_info("device %u/%u of %s is gone", device->domid, device->number, device->name);
	device->all->rescan = true; /* another may have come under its number */
	xo_device_free(device);
}

void xo_device_advance(struct xo_device *device)
{
	int r = 0;

	for (unsigned int i = 0; !r && i < STEPS_MAX && !device->gone; i++)
		r = do_step(device);
	if (device->gone)
		device_leave(device);
	else if (r < 0)
		xo_device_touch_later(device);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All devices of the backend role: finding them, looking at those where something changed. */
#include "devices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/loop.h"
#include "devices_private.h"

static void idle_free(uv_handle_t *handle)
{
	free(handle);
}

static void rescan(struct xo_devices *devices)
{
	unsigned int domains[XO_DEVICES_MAX];
	unsigned int numbers[XO_DEVICES_MAX];
	char path[XO_STORE_PATH_MAX];
	int domain_count;

	devices->rescan = false;
	domain_count = xo_store_numbers(devices->store, devices->root, "", domains,
					XO_ARRAY_SIZE(domains));
	for (int i = 0; i < domain_count; i++) {
		int count;

		snprintf(path, sizeof(path), "%s/%u", devices->root, domains[i]);
		count = xo_store_numbers(devices->store, path, "", numbers, XO_ARRAY_SIZE(numbers));
		for (int j = 0; j < count; j++)
			if (!xo_devices_find(devices, domains[i], numbers[j]))
				xo_device_new(devices, domains[i], numbers[j]);
	}
}

static void idle_run(uv_idle_t *idle)
{
	struct xo_devices *devices = idle->data;
	struct xo_device *device;
	struct xo_device *next;

	if (!devices)
		return;
	uv_idle_stop(idle);
	if (devices->rescan)
		rescan(devices);
	for (device = LIST_FIRST(&devices->list); device; device = next) {
		next = LIST_NEXT(device, entry);
		if (!device->dirty)
			continue;
		device->dirty = false;
		if (!xo_rate_allows(&device->looks, xo_now_ns())) {
			xo_device_touch_later(device);
			continue;
		}
		xo_device_read(device);
		if (device->say_again)
			xo_device_say_again(device);
		xo_device_advance(device);
	}
}

static void wake(struct xo_devices *devices)
{
	if (devices->idle)
		uv_idle_start(devices->idle, idle_run);
}

void xo_device_touch(struct xo_device *device)
{
	device->dirty = true;
	wake(device->all);
}

int xo_devices_init(struct xo_devices *devices)
{
	LIST_INIT(&devices->list);
	devices->idle = calloc(1, sizeof(*devices->idle));
	if (!devices->idle)
		return -ENOMEM;
	uv_idle_init(devices->loop, devices->idle);
	devices->idle->data = devices;
	snprintf(devices->root, sizeof(devices->root), "/local/domain/%u/backend/optical",
		 devices->store->domid);
	devices->rescan = true;
	wake(devices);
	return xo_store_watch(devices->store, devices->root);
}

void xo_devices_fini(struct xo_devices *devices)
{
	while (!LIST_EMPTY(&devices->list))
		xo_device_free(LIST_FIRST(&devices->list));
	if (devices->idle) {
		devices->idle->data = NULL;
		uv_close((uv_handle_t *)devices->idle, idle_free);
	}
	devices->idle = NULL;
}

struct xo_device *xo_devices_find(struct xo_devices *devices, unsigned int domid,
				  unsigned int number)
{
	struct xo_device *device;

	LIST_FOREACH (device, &devices->list, entry)
		if (device->domid == domid && device->number == number)
			return device;
	return NULL;
}

/* "ROOT/DOMID/DEVID…": that device; anything above it: all of them. */
static void backend_changed(struct xo_devices *devices, const char *rest)
{
	struct xo_device *device;
	unsigned int domid;
	unsigned int number;

	if (sscanf(rest, "/%u/%u", &domid, &number) == 2) {
		device = xo_devices_find(devices, domid, number);
		if (device)
			xo_device_touch(device);
		else
			devices->rescan = true;
	} else {
		devices->rescan = true;
		LIST_FOREACH (device, &devices->list, entry)
			xo_device_touch(device);
	}
	wake(devices);
}

void xo_devices_changed(struct xo_devices *devices, const char *path)
{
	size_t length = strlen(devices->root);
	bool all = !strcmp(path, "@releaseDomain");
	struct xo_device *device;

	if (!strncmp(path, devices->root, length) && (!path[length] || path[length] == '/')) {
		backend_changed(devices, path + length);
		return;
	}
	LIST_FOREACH (device, &devices->list, entry) {
		device->say_again |= all;
		if (all || !strcmp(device->watched, path))
			xo_device_touch(device);
	}
}

void xo_devices_drive_available(struct xo_devices *devices, const char *drive)
{
	struct xo_device *device;

	LIST_FOREACH (device, &devices->list, entry)
		xo_units_retry(device, drive);
}

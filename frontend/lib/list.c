// SPDX-License-Identifier: GPL-2.0-or-later
/* The devices that this guest has been given. */
#include "front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

static const char *const types[] = { "vscsi", "vcd" };

static bool read_device(struct xs_handle *xs, const char *type, const char *name,
			struct xo_front_device *device)
{
	char path[XO_FRONT_PATH_MAX], sys[128], unit[XO_FRONT_PATH_MAX + 32];
	char *end;
	unsigned long devid = strtoul(name, &end, 10);

	if (*end != '\0' || devid > 0xffff)
		return false;
	*device = (struct xo_front_device){ .devid = (unsigned int)devid };
	(void)snprintf(device->type, sizeof(device->type), "%s", type);
	(void)snprintf(path, sizeof(path), "device/%s/%lu", type, devid);
	if (!xo_store_text(xs, path, "backend", device->backend, sizeof(device->backend)))
		return false;
	device->backend_id = xo_store_number(xs, path, "backend-id", DOMID_FIRST_RESERVED - 1, 0);
	device->state = xo_store_state(xs, path, "state");
	device->backend_state = xo_store_state(xs, device->backend, "state");
	(void)xo_store_text(xs, device->backend, "error", device->error, sizeof(device->error));
	(void)snprintf(unit, sizeof(unit), "%s/vscsi-devs/dev-0", device->backend);
	(void)xo_store_text(xs, unit, "p-dev", device->drive, sizeof(device->drive));
	if (!device->error[0])
		(void)xo_store_text(xs, unit, "error", device->error, sizeof(device->error));
	(void)snprintf(sys, sizeof(sys), "/sys/bus/xen/devices/%s-%lu/driver", type, devid);
	device->kernel = access(sys, F_OK) == 0;
	return true;
}

int xo_front_list(struct xo_front_device *devices, unsigned int room, char **error)
{
	struct xs_handle *xs;
	unsigned int found = 0, count;
	char path[64], **names;
	int r;

	*error = NULL;
	r = xo_store_open(&xs, error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < XO_ARRAY_SIZE(types); i++) {
		(void)snprintf(path, sizeof(path), "device/%s", types[i]);
		names = xs_directory(xs, XBT_NULL, path, &count);
		for (unsigned int j = 0; names && j < count && found < room; j++)
			if (read_device(xs, types[i], names[j], &devices[found]))
				found++;
		free(names);
	}
	xs_close(xs);
	return (int)found;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block devices of the host that come and go, as udev tells of them when it is done with them. */
#ifndef XO_BACKEND_HOTPLUG_H
#define XO_BACKEND_HOTPLUG_H

#include <libudev.h>
#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

struct xo_hotplug_event {
	bool removed; /* otherwise it came, or changed */
	dev_t number;
	struct udev_device *device;
};

typedef void xo_hotplug_callback(void *priv, const struct xo_hotplug_event *event);

struct xo_hotplug {
	struct udev *udev;
	struct udev_monitor *monitor;
	uv_poll_t *poll;
	xo_hotplug_callback *callback;
	void *priv;
};

/* Listens. 0 or -errno; without it drives that were unplugged are not found again. */
int xo_hotplug_open(struct xo_hotplug *hotplug, uv_loop_t *loop, xo_hotplug_callback *callback,
		    void *priv);
void xo_hotplug_close(struct xo_hotplug *hotplug);

/* Whether `path` is the device's node or one of the links that udev makes to it. */
bool xo_hotplug_is(const struct xo_hotplug_event *event, const char *path);

#endif

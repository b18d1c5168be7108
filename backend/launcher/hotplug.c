/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block devices of the host that come and go, by libudev's monitor in the launcher's loop. */
#include "hotplug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Events at once: others in the loop have their turn. */
#define EVENTS_AT_ONCE 16

bool xo_hotplug_is(const struct xo_hotplug_event *event, const char *path)
{
	const char *node = udev_device_get_devnode(event->device);
	struct udev_list_entry *link;

	if (node && !strcmp(node, path))
		return true;
	udev_list_entry_foreach(link,
				udev_device_get_devlinks_list_entry(
					event->device)) if (!strcmp(udev_list_entry_get_name(link),
								    path)) return true;
	return false;
}

/* False: there is none. */
static bool take_event(struct xo_hotplug *hotplug)
{
	struct xo_hotplug_event event = { .device = udev_monitor_receive_device(hotplug->monitor) };
	const char *action;

	if (!event.device)
		return false;
	action = udev_device_get_action(event.device);
	event.removed = action && !strcmp(action, "remove");
	event.number = udev_device_get_devnum(event.device);
	hotplug->callback(hotplug->priv, &event);
	udev_device_unref(event.device);
	return true;
}

static void monitor_ready(uv_poll_t *poll, int status, int events)
{
	struct xo_hotplug *hotplug = poll->data;

	(void)status;
	(void)events;
	for (unsigned int i = 0; hotplug && i < EVENTS_AT_ONCE; i++)
		if (!take_event(hotplug))
			break;
}

static void handle_free(uv_handle_t *handle)
{
	free(handle);
}

static int watch(struct xo_hotplug *hotplug, uv_loop_t *loop)
{
	uv_poll_t *poll = calloc(1, sizeof(*poll));
	int r = poll ? uv_poll_init(loop, poll, udev_monitor_get_fd(hotplug->monitor)) : -ENOMEM;

	if (r) {
		free(poll);
		return r;
	}
	poll->data = hotplug;
	hotplug->poll = poll;
	return uv_poll_start(poll, UV_READABLE, monitor_ready);
}

int xo_hotplug_open(struct xo_hotplug *hotplug, uv_loop_t *loop, xo_hotplug_callback *callback,
		    void *priv)
{
	int r = -ENOMEM;

	*hotplug = (struct xo_hotplug){ .callback = callback, .priv = priv };
	hotplug->udev = udev_new();
	if (!hotplug->udev)
		goto out;
	/* "udev", not "kernel": the links of /dev/disk are there when these events come. */
	hotplug->monitor = udev_monitor_new_from_netlink(hotplug->udev, "udev");
	if (!hotplug->monitor)
		goto out;
	r = udev_monitor_filter_add_match_subsystem_devtype(hotplug->monitor, "block", "disk");
	if (r >= 0)
		r = udev_monitor_enable_receiving(hotplug->monitor);
	if (r >= 0)
		r = watch(hotplug, loop);
out:
	if (r < 0) {
		xo_warning("udev: %s; drives that are plugged in are not noticed", strerror(-r));
		xo_hotplug_close(hotplug);
	}
	return r < 0 ? r : 0;
}

void xo_hotplug_close(struct xo_hotplug *hotplug)
{
	if (hotplug->poll) {
		hotplug->poll->data = NULL;
		uv_close((uv_handle_t *)hotplug->poll, handle_free);
	}
	udev_monitor_unref(hotplug->monitor);
	udev_unref(hotplug->udev);
	*hotplug = (struct xo_hotplug){ 0 };
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A launcher's real drives in a host that has none: files that tests/protocol/drive/fake_sgio.h describes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "optical_device.h"

int xo_optical_device_open(const char *path, struct xo_optical_device *device, char *error,
			   size_t size)
{
	int r = 0;

	*device = (struct xo_optical_device){ .fd = open(path, O_RDWR | O_CLOEXEC) };
	if (device->fd < 0) {
		r = -errno;
		snprintf(error, size, "drive %s: %s", path, strerror(-r));
	}
	return r;
}

int xo_optical_device_adopt(struct xo_optical_device *device, int fd)
{
	*device = (struct xo_optical_device){ .fd = fd };
	return 0;
}

int xo_optical_device_online(const char *path)
{
	return access(path, F_OK) < 0 ? -errno : 0;
}

int xo_optical_device_flush(int fd)
{
	(void)fd;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A real drive of this host: opening it for ourselves, its limits, who holds it, its cached view. */
#ifndef XO_BACKEND_OPTICAL_DEVICE_H
#define XO_BACKEND_OPTICAL_DEVICE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct xo_optical_device {
	int fd; /* O_RDWR | O_EXCL | O_NONBLOCK; the caller's */
	dev_t number;
	uint32_t max_transfer; /* bytes; 0: not known */
	uint32_t max_segments; /* 0: not known */
};

/*
 * One attempt. 0; -EBUSY: somebody holds it, perhaps only for a moment; other
 * -errno. The reason, with what to do, is in error[size].
 */
int xo_optical_device_open(const char *path, struct xo_optical_device *device, char *error,
			   size_t size);

/*
 * Takes over a descriptor of an optical drive that was kept, or -1; the limits are the caller's.
 * -ENOTBLK: it is not one; closed.
 */
int xo_optical_device_adopt(struct xo_optical_device *device, int fd);

/* 0: there and working; -EAGAIN: there, but its transport is not working; other -errno: not there. */
int xo_optical_device_online(const char *path);

/* Drops what the host's page cache knows of the medium. 0 or -errno. */
int xo_optical_device_flush(int fd);

#endif

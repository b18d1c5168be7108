/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between devices.c, device.c, unit.c and device_ring.c. */
#ifndef XO_BACKEND_DEVICES_PRIVATE_H
#define XO_BACKEND_DEVICES_PRIVATE_H

#include "devices.h"

/* The device is to be looked at in the next round of the loop. */
void xo_device_touch(struct xo_device *device);

/* The same after a while, because something could not be done now. */
void xo_device_touch_later(struct xo_device *device);

struct xo_device *xo_device_new(struct xo_devices *devices, unsigned int domid,
				unsigned int number);
void xo_device_free(struct xo_device *device);

/* Reads what is in the store about it. */
void xo_device_read(struct xo_device *device);

/* Does what there is to do. The device may be freed. */
void xo_device_advance(struct xo_device *device);

/*
 * After xo_device_read(): writes once more that a ring is served. xen-scsifront sends nothing from
 * the moment at which its guest is suspended until it hears that, and one that was saved and left
 * running (xl save -c) has no other reason to hear it. A domain that is suspended is told of like
 * one that ends, so this is for each of those.
 */
void xo_device_say_again(struct xo_device *device);

/* Whether its guest may have another connection now; if not, the device is looked at again in a while. */
bool xo_device_may_begin(struct xo_device *device);

/* Writes the error node and closes the device. */
void xo_device_fail(struct xo_device *device, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Reads the units' nodes. */
void xo_units_read(struct xo_device *device);
/* What xo_device_next wants to know of them. */
void xo_units_progress(const struct xo_device *device, enum xo_progress *progress);
/* Takes each unit one step on. 0 or -errno: try later. */
int xo_units_run(struct xo_device *device, enum xo_phase phase);
/* All of them are out of the ring worker that has ended. */
void xo_units_ring_ended(struct xo_device *device);
bool xo_units_refused(const struct xo_device *device);
/* Those that were refused are new again. */
void xo_units_retry(struct xo_device *device, const char *drive);
/* Tells the frontend of a medium change or an eject request, by a counter of the unit's. */
void xo_unit_media_event(struct xo_unit *unit, bool eject);
struct xo_unit *xo_units_find(struct xo_device *device, const struct xo_unit_address *address);

/* Reads how the frontend is connected. 0; -EINVAL with the reason in error[size]. */
int xo_connection_read(struct xo_device *device, struct xo_connection *connection, char *error,
		       size_t size);
bool xo_connection_same(const struct xo_connection *a, const struct xo_connection *b);

/* The ring worker. */
int xo_ring_start(struct xo_device *device);
void xo_ring_stop(struct xo_device *device);
int xo_ring_add_unit(struct xo_unit *unit);
int xo_ring_remove_unit(struct xo_unit *unit);
/* Lends the unit's drive to the ring, or asks for it, if that is to be changed and can be now. */
void xo_ring_lend_unit(struct xo_unit *unit);

/* A unit's drive, for xo_attachment_new. */
void xo_unit_attached(void *priv, enum xo_attachment_event event, const char *message);

#endif

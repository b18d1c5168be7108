/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event channels of a connection. A guest may have given several: its requests come by that of number req_event
 * modulo their number (xenstore-schemas/vcd.json), so that one is heard anew each time, and all that were heard are
 * unmasked by one system call when their turn has come. What we have to say goes by the first.
 */
#ifndef XO_BACKEND_RING_CHANNELS_H
#define XO_BACKEND_RING_CHANNELS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <xenevtchn.h>

#include "base/ring_control.h"

struct xo_channels {
	xenevtchn_handle *handle;
	evtchn_port_t ports[XO_RING_CHANNELS_MAX]; /* ours */
	unsigned int count;
	unsigned int masked; /* of several, by index: read, and not unmasked since */
	bool device; /* Linux' own, which unmasks several ports at once */
};

/* Binds to the guest's ports (1 to XO_RING_CHANNELS_MAX). 0 or -errno, said; what is bound then stays so. */
int xo_channels_open(struct xo_channels *channels, uint16_t domid, const uint32_t *remote,
		     unsigned int count);
/* Nothing is heard or said any more. The handle is there until the process ends: another thread may be about to wait. */
void xo_channels_unbind(struct xo_channels *channels);
/* Readable while there is an event. */
int xo_channels_fd(const struct xo_channels *channels);

/* Any thread: waits for an event. Its port, for xo_channels_heard(); or -errno. */
static inline int xo_channels_wait(const struct xo_channels *channels)
{
	xenevtchn_port_or_error_t port = xenevtchn_pending(channels->handle);

	if (port < 0)
		return errno ? -errno : -EIO;
	return port;
}

/* Of xo_channels_unmask(). */
int xo_channels_unmask_several(struct xo_channels *channels, uint32_t asked);

/* That channel is masked now. */
static inline void xo_channels_heard(struct xo_channels *channels, int port)
{
	if (channels->count == 1)
		return;
	for (unsigned int i = 0; i < channels->count; i++)
		if (channels->ports[i] == (evtchn_port_t)port)
			channels->masked |= 1u << i;
}

/* The next event for request `asked` will be heard; others may stay masked. 0, or a failure in errno. */
static inline int xo_channels_unmask(struct xo_channels *channels, uint32_t asked)
{
	if (channels->count > 1)
		return xo_channels_unmask_several(channels, asked);
	return xenevtchn_unmask(channels->handle, channels->ports[0]);
}

static inline int xo_channels_notify(const struct xo_channels *channels)
{
	return xenevtchn_notify(channels->handle, channels->ports[0]);
}

#endif
